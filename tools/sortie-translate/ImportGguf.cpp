// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "ImportGguf.h"
#include "LayerBuilder.h"

#include "dialect/common/Fingerprint.h"
#include "runtime/gguf/Fingerprint.h"
#include "runtime/numerics/contract.h"
#include "runtime/support/Error.h"

#include "mlir/IR/Verifier.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace sortie;
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

/// States what the module promises and which model it belongs to.
static void setModuleAttributes(ModuleOp module, const gguf::Model &model,
                                const std::vector<std::string> &keys, Determinism contract) {
  Builder builder(module.getContext());
  module->setAttr(moe::MoeDialect::kContractName,
                  moe::ContractAttr::get(module.getContext(), contract));
  module->setAttr(moe::MoeDialect::kNumericsName,
                  builder.getI64IntegerAttr(numerics::kContractVersion));
  // A file without data (a header for tests) has no fingerprint.
  if (std::optional<uint64_t> fingerprint = gguf::fingerprintOfNamedKeys(model, keys)) {
    module->setAttr(
        moe::MoeDialect::kWeightsFingerprintName,
        builder.getStringAttr(printFingerprint({kFingerprintOfNamedKeys, *fingerprint})));
    module->setAttr(moe::MoeDialect::kFingerprintKeysName,
                    builder.getStrArrayAttr(llvm::to_vector_of<StringRef>(keys)));
  }
}

Expected<OwningOpRef<ModuleOp>> sortie::importGguf(MLIRContext &context, const gguf::Model &model,
                                                   std::optional<LayerRange> layers,
                                                   Determinism contract) {
  MetadataReader metadata(model.metadata());
  Expected<ModelConfig> config = readModelConfig(model, metadata);
  if (!config)
    return config.takeError();
  const LayerRange range = layers.value_or(LayerRange{0, config->layers - 1});
  if (range.last >= config->layers)
    return sortie::makeError(model.name() + ": layer " + Twine(range.last) +
                             " was asked for, the model has " + Twine(config->layers) + " (0 to " +
                             Twine(config->layers - 1) + ")");

  OwningOpRef<ModuleOp> module = ModuleOp::create(UnknownLoc::get(&context));
  setModuleAttributes(*module, model, metadata.keys(), contract);
  for (int64_t layer = range.first; layer <= range.last; ++layer) {
    Expected<LayerTensors> tensors = LayerTensors::find(model, *config, layer);
    if (!tensors)
      return tensors.takeError();
    LayerBuilder(*config, *tensors, layer).build(*module);
  }
  if (failed(verify(*module)))
    return sortie::makeError(model.name() + ": the imported module is not valid (see above)");
  return module;
}
