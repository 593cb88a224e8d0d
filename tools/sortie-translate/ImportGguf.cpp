// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "ImportGguf.h"
#include "DialectEnums.h"
#include "FeedForwardBuilder.h"
#include "ForwardBuilder.h"

#include "dialect/common/Fingerprint.h"
#include "dialect/common/ImportRecord.h"
#include "runtime/gguf/Fingerprint.h"
#include "runtime/model/TensorList.h"
#include "runtime/numerics/attention.h"
#include "runtime/support/Error.h"

#include "mlir/IR/Verifier.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace sortie;
using llvm::Error;
using llvm::Expected;

Expected<LayerRange> sortie::parseLayerRange(StringRef text) {
  LayerRange range;
  auto [first, last] = text.split('-');
  const bool isPair = text.contains('-');
  if (first.getAsInteger(10, range.first) ||
      (isPair ? last.getAsInteger(10, range.last) : first.getAsInteger(10, range.last)) ||
      range.first < 0 || range.last < range.first)
    return sortie::makeError("'" + text +
                             "' is no range of layers; write one number or a-b, with a "
                             "not above b");
  return range;
}

namespace {

/// One import.
class Importer {
public:
  Importer(MLIRContext &context, const gguf::Model &model, const ImportOptions &options,
           model::NameFilter ignoredTensors, model::NameFilter ignoredKeys)
      : context(context), model(model), options(options), metadata(model.metadata()),
        tensorsByLayer(model), ignoredTensors(std::move(ignoredTensors)),
        ignoredKeys(std::move(ignoredKeys)) {}

  Expected<ImportResult> run();

private:
  /// The layers to import.
  Expected<LayerRange> chooseLayers(const model::Config &config);
  Error checkAllLayersCounted(const model::Config &config) const;
  Error checkPredictionLayers(const model::Config &config);
  Error importLayers(const model::Config &config, LayerRange range);
  Error importModel(const model::Config &config);
  Error checkUnread(ArrayRef<const gguf::Tensor *> unread) const;
  void setModuleAttributes();
  void recordDepartures(const model::Config &config, ArrayRef<model::LayerConfig> imported);
  void recordDropped(StringRef what, const model::NameFilter &filter, StringRef entry,
                     NamedAttrList &record);

  MLIRContext &context;
  const gguf::Model &model;
  const ImportOptions &options;
  model::MetadataReader metadata;
  model::TensorsByLayer tensorsByLayer;
  model::NameFilter ignoredTensors;
  model::NameFilter ignoredKeys;
  ImportResult result;
};

/// States what the module promises and which model it belongs to.
void Importer::setModuleAttributes() {
  ModuleOp module = *result.module;
  Builder builder(&context);
  module->setAttr(moe::MoeDialect::kContractName,
                  moe::ContractAttr::get(&context, options.contract));
  const int version = options.what == model::Scope::WholeModel
                          ? numerics::kWholeModelContractVersion
                          : numerics::kContractVersion;
  module->setAttr(moe::MoeDialect::kNumericsName, builder.getI64IntegerAttr(version));
  const std::vector<std::string> keys = metadata.keys();
  if (std::optional<uint64_t> fingerprint = gguf::fingerprintOfNamedKeys(model, keys)) {
    module->setAttr(
        moe::MoeDialect::kWeightsFingerprintName,
        builder.getStringAttr(printFingerprint({kFingerprintOfNamedKeys, *fingerprint})));
    module->setAttr(moe::MoeDialect::kFingerprintKeysName,
                    builder.getStrArrayAttr(llvm::to_vector_of<StringRef>(keys)));
  } else {
    result.remarks.push_back((model.name() +
                              ": has no data, only a header, so the program will take any model "
                              "of these names and shapes for this one")
                                 .str());
  }
}

void Importer::recordDropped(StringRef what, const model::NameFilter &filter, StringRef entry,
                             NamedAttrList &record) {
  if (filter.dropped().empty())
    return;
  SmallVector<Attribute> names;
  for (const std::string &name : filter.dropped())
    names.push_back(StringAttr::get(&context, name));
  record.set(entry, ArrayAttr::get(&context, names));
  result.remarks.push_back((filter.optionName() + " left out " + Twine(names.size()) + " " + what +
                            (names.size() == 1 ? "" : "s") + ": " +
                            llvm::join(filter.dropped(), ", "))
                               .str());
}

/// Records in the module where it, which has the layers `imported`, is not what the file says.
void Importer::recordDepartures(const model::Config &config,
                                ArrayRef<model::LayerConfig> imported) {
  Builder builder(&context);
  NamedAttrList record;
  recordDropped("tensor", ignoredTensors, import_record::kIgnoredTensors, record);
  recordDropped("metadata key", ignoredKeys, import_record::kIgnoredKeys, record);
  if (options.config.gating)
    record.set(import_record::kGating,
               builder.getStringAttr(stringifyEnum(toDialect(*options.config.gating))));
  if (llvm::any_of(imported,
                   [](const model::LayerConfig &layer) { return !layer.selectedIsStated; }))
    record.set(import_record::kExpertsUsed, builder.getI64IntegerAttr(*options.config.expertsUsed));
  if (config.attention && config.attention->contextIsExceeded)
    record.set(import_record::kContext, builder.getI64IntegerAttr(config.attention->context));
  if (!record.empty())
    (*result.module)->setAttr(moe::MoeDialect::kImportOptionsName, record.getDictionary(&context));
}

/// Without a range all layers are imported, so there must be none that the file does not count.
Error Importer::checkAllLayersCounted(const model::Config &config) const {
  const int64_t counted = config.layers.size() + config.predictionLayers;
  const int64_t last = tensorsByLayer.last();
  if (last < counted)
    return Error::success();
  return sortie::makeError(model.name() + ": tensor '" + tensorsByLayer.of(last).front()->name +
                           "' is of layer " + Twine(last) + ", but the metadata counts " +
                           Twine(counted) + " layers; --layers=0-" +
                           Twine(config.layers.size() - 1) + " imports those alone");
}

/// Layers that predict further tokens come last and are left out. Their tensors, if the file has
/// them, must be such a layer's: were they not, the model would lose layers of its own.
Error Importer::checkPredictionLayers(const model::Config &config) {
  const int64_t first = config.layers.size();
  for (int64_t layer = first; layer < first + config.predictionLayers; ++layer) {
    ArrayRef<const gguf::Tensor *> tensors = tensorsByLayer.of(layer);
    const std::string start = model::layerTensorName(layer, model::kPredictionPrefix);
    const bool isPrediction = llvm::any_of(tensors, [&](const gguf::Tensor *tensor) {
      return StringRef(tensor->name).starts_with(start);
    });
    if (!tensors.empty() && !isPrediction)
      return sortie::makeError(model.name() + ": metadata key '" + config.architecture->name +
                               ".nextn_predict_layers' is " + Twine(config.predictionLayers) +
                               ", so layer " + Twine(layer) +
                               " predicts a further token, but it has no tensor '" + start +
                               "*'; one of both is wrong");
    result.remarks.push_back(("layer " + Twine(layer) +
                              " predicts a further token (nextn_predict_layers) and is not "
                              "imported; the file has " +
                              (tensors.empty() ? "none" : Twine(tensors.size())) +
                              " of its tensors")
                                 .str());
  }
  return Error::success();
}

Expected<LayerRange> Importer::chooseLayers(const model::Config &config) {
  const int64_t count = config.layers.size();
  if (!options.layers) {
    if (Error error = checkAllLayersCounted(config))
      return error;
    if (Error error = checkPredictionLayers(config))
      return error;
    return LayerRange{0, count - 1};
  }
  const LayerRange range = *options.layers;
  if (range.last < count)
    return range;
  if (range.last < count + config.predictionLayers)
    return sortie::makeError(model.name() + ": layer " + Twine(range.last) +
                             " was asked for, which predicts a further token "
                             "(nextn_predict_layers); the model itself has " +
                             Twine(count) + " (0 to " + Twine(count - 1) + ")");
  return sortie::makeError(model.name() + ": layer " + Twine(range.last) +
                           " was asked for, the model has " + Twine(count) + " (0 to " +
                           Twine(count - 1) + ")");
}

Error Importer::checkUnread(ArrayRef<const gguf::Tensor *> unread) const {
  if (unread.empty())
    return Error::success();
  return sortie::makeError(
      model.name() +
      ": the model has tensors that this version does not know the meaning of, so "
      "its layers would come out wrong: " +
      model::listTensors(unread) + "; --ignore-tensors=REGEX leaves tensors out on purpose");
}

Error Importer::importLayers(const model::Config &config, LayerRange range) {
  std::vector<const gguf::Tensor *> unread;
  for (int64_t layer = range.first; layer <= range.last; ++layer) {
    Expected<model::LayerTensors> tensors =
        model::LayerTensors::find(model, tensorsByLayer, config, layer, ignoredTensors);
    if (!tensors)
      return tensors.takeError();
    llvm::append_range(unread, tensors->unread());
    buildFeedForwardFunction(*result.module, config, *tensors, layer);
  }
  return checkUnread(unread);
}

Error Importer::importModel(const model::Config &config) {
  Expected<model::ModelTensors> tensors =
      model::ModelTensors::find(model, tensorsByLayer, config, ignoredTensors);
  if (!tensors)
    return tensors.takeError();
  for (const auto &[number, layer] : llvm::enumerate(tensors->layers()))
    buildFeedForwardFunction(*result.module, config, layer.feedForward, number);
  buildForward(*result.module, config, *tensors);
  if (config.attention->contextIsExceeded)
    result.remarks.push_back((model.name() + ": the model is made for shorter sequences than the " +
                              Twine(config.attention->context) + " positions of --context")
                                 .str());
  return checkUnread(tensors->unread());
}

Expected<ImportResult> Importer::run() {
  Expected<model::Config> config =
      model::readConfig(model, metadata, options.what, options.config, ignoredKeys);
  if (!config)
    return config.takeError();
  Expected<LayerRange> range = chooseLayers(*config);
  if (!range)
    return range.takeError();
  result.module = ModuleOp::create(UnknownLoc::get(&context));
  if (Error error = config->attention ? importModel(*config) : importLayers(*config, *range))
    return error;
  for (const model::NameFilter *filter : {&ignoredTensors, &ignoredKeys})
    if (Error error = filter->checkUsed())
      return error;
  setModuleAttributes();
  recordDepartures(*config,
                   ArrayRef(config->layers).slice(range->first, range->last - range->first + 1));
  if (failed(verify(*result.module)))
    return sortie::makeError(model.name() + ": the imported module is not valid (see above)");
  return std::move(result);
}

} // namespace

Expected<ImportResult> sortie::importGguf(MLIRContext &context, const gguf::Model &model,
                                          const ImportOptions &options) {
  Expected<model::NameFilter> tensors =
      model::NameFilter::parse("--ignore-tensors", options.ignoredTensors);
  if (!tensors)
    return tensors.takeError();
  Expected<model::NameFilter> keys = model::NameFilter::parse("--ignore-keys", options.ignoredKeys);
  if (!keys)
    return keys.takeError();
  return Importer(context, model, options, std::move(*tensors), std::move(*keys)).run();
}
