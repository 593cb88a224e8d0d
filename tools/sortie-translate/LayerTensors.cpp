// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "LayerTensors.h"

#include "runtime/gguf/TensorType.h"
#include "runtime/support/Error.h"

#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/ADT/StringExtras.h"

using namespace sortie;
using llvm::ArrayRef;
using llvm::Error;
using llvm::Expected;
using llvm::SmallVector;
using llvm::StringRef;
using llvm::Twine;

TensorsByLayer::TensorsByLayer(const gguf::Model &model) {
  for (const gguf::Tensor &tensor : model.tensors()) {
    StringRef rest = tensor.name;
    int64_t layer = 0;
    if (rest.consume_front("blk.") && !rest.consumeInteger(10, layer) && rest.starts_with("."))
      tensors[layer].push_back(&tensor);
  }
}

ArrayRef<const gguf::Tensor *> TensorsByLayer::of(int64_t layer) const {
  const auto found = tensors.find(layer);
  return found == tensors.end() ? ArrayRef<const gguf::Tensor *>() : ArrayRef(found->second);
}

namespace sortie {

/// Looks for the weights of one layer.
class LayerFinder {
public:
  LayerFinder(const gguf::Model &model, const TensorsByLayer &tensorsByLayer,
              const ModelConfig &config, int64_t layer, NameFilter &ignored)
      : model(model), tensors(tensorsByLayer.of(layer)), config(config),
        layerConfig(config.layers[layer]), layer(layer), ignored(ignored) {}

  Expected<LayerTensors> find();

private:
  struct Spec {
    std::string name;
    /// Row-major: the last is the contraction dimension of a matrix.
    SmallVector<int64_t, 3> shape;
    /// Norms and biases are added and multiplied in fp32 and stored so; matrices have any format.
    bool isMatrix = false;
    bool isOptional = false;
    /// Another name that files have for it.
    std::string otherName = {};
  };

  void describe();
  void describeExperts();
  /// Gate, up and down with the names `ffn_gate<suffix>` and so on. `experts` is empty for dense
  /// ones. Without `width`, the tensors have it.
  void describeNetwork(StringRef suffix, std::optional<int64_t> width, ArrayRef<int64_t> experts,
                       bool biases);
  /// Rows of the matrix `ffn_gate<suffix>`; 0 if the layer does not have it.
  int64_t widthInFile(StringRef suffix) const;
  bool decideShared() const;

  Error findWeight(const Spec &spec);
  Error checkTensor(const gguf::Tensor &tensor, const Spec &spec) const;
  Error makeMissingError(const Spec &spec) const;
  Error checkSelectionBias() const;
  void collectUnread();

  std::string fullName(StringRef name) const { return ("blk." + Twine(layer) + "." + name).str(); }
  /// The tensor with this name after `blk.<i>.`, or null if it is not there or to be left out.
  const gguf::Tensor *lookUp(StringRef name) const;
  Error makeTensorError(StringRef tensor, const Twine &problem) const {
    return sortie::makeError(model.name() + ": tensor '" + tensor + "' " + problem);
  }

  const gguf::Model &model;
  ArrayRef<const gguf::Tensor *> tensors;
  const ModelConfig &config;
  const LayerConfig &layerConfig;
  int64_t layer;
  NameFilter &ignored;

  std::vector<Spec> specs;
  LayerTensors found;
  llvm::SmallPtrSet<const gguf::Tensor *, 16> used;
};

} // namespace sortie

static std::string describeShape(ArrayRef<int64_t> shape) {
  return llvm::join(llvm::map_range(shape, [](int64_t size) { return std::to_string(size); }), "x");
}

const gguf::Tensor *LayerFinder::lookUp(StringRef name) const {
  const std::string full = fullName(name);
  return ignored.matches(full) ? nullptr : model.findTensor(full);
}

int64_t LayerFinder::widthInFile(StringRef suffix) const {
  const gguf::Tensor *gate = lookUp(("ffn_gate" + suffix + ".weight").str());
  if (!gate)
    return 0;
  return gate->dimensions.size() > 1 ? gate->dimensions[1] : 1;
}

void LayerFinder::describeNetwork(StringRef suffix, std::optional<int64_t> width,
                                  ArrayRef<int64_t> experts, bool biases) {
  const int64_t inner = width ? *width : widthInFile(suffix);
  struct Part {
    StringRef name;
    int64_t rows;
    int64_t columns;
  };
  for (const Part &part : {Part{"gate", inner, config.hidden}, Part{"up", inner, config.hidden},
                           Part{"down", config.hidden, inner}}) {
    const std::string name = ("ffn_" + part.name + suffix).str();
    SmallVector<int64_t, 3> shape(experts);
    shape.append({part.rows, part.columns});
    specs.push_back({name + ".weight", shape, /*isMatrix=*/true});
    shape.pop_back();
    if (biases)
      specs.push_back({name + ".bias", shape});
  }
}

bool LayerFinder::decideShared() const {
  return layerConfig.hasShared.value_or(lookUp("ffn_gate_shexp.weight") != nullptr);
}

void LayerFinder::describeExperts() {
  const Architecture &architecture = *config.architecture;
  const int64_t experts = layerConfig.experts;
  specs.push_back({"ffn_gate_inp.weight", {experts, config.hidden}, /*isMatrix=*/true});
  if (architecture.biases)
    specs.push_back({"ffn_gate_inp.bias", {experts}});
  if (architecture.selectionBias)
    specs.push_back({kSelectionBias.str(),
                     {experts},
                     /*isMatrix=*/false,
                     /*isOptional=*/true,
                     /*otherName=*/"exp_probs_b"});
  describeNetwork("_exps", layerConfig.expertWidth, {experts}, architecture.biases);
  found.shared = decideShared();
  if (found.shared)
    describeNetwork("_shexp", layerConfig.sharedWidth, {}, /*biases=*/false);
}

void LayerFinder::describe() {
  specs.push_back({config.architecture->normTensor.str(), {config.hidden}});
  if (layerConfig.dense)
    describeNetwork("", layerConfig.denseWidth, {}, /*biases=*/false);
  else
    describeExperts();
}

Error LayerFinder::checkTensor(const gguf::Tensor &tensor, const Spec &spec) const {
  if (!tensor.format)
    return makeTensorError(tensor.name, "is stored as " + gguf::tensorTypeName(tensor.type) +
                                            ", which this version does not compute with; "
                                            "supported are " +
                                            gguf::supportedTensorTypes());
  if (!spec.isMatrix && tensor.format->format != numerics::Format::F32)
    return makeTensorError(tensor.name, Twine("is stored as ") + tensor.format->name +
                                            "; norms and biases must be f32");
  if (ArrayRef(tensor.shape()) != ArrayRef(spec.shape))
    return makeTensorError(tensor.name, "has shape " + describeShape(tensor.shape()) +
                                            ", expected " + describeShape(spec.shape) +
                                            " from the metadata");
  return Error::success();
}

Error LayerFinder::makeMissingError(const Spec &spec) const {
  const std::string name = fullName(spec.name);
  const std::string need =
      ("layer " + Twine(layer) + " of architecture " + config.architecture->name + " needs it")
          .str();
  if (ignored.matches(name) && model.findTensor(name))
    return makeTensorError(name, "is matched by " + ignored.optionName() + ", but " + need);
  return makeTensorError(name, "is missing; " + need);
}

Error LayerFinder::findWeight(const Spec &spec) {
  const gguf::Tensor *tensor = lookUp(spec.name);
  if (!tensor && !spec.otherName.empty())
    tensor = lookUp(spec.otherName);
  if (!tensor)
    return spec.isOptional ? Error::success() : makeMissingError(spec);
  if (Error error = checkTensor(*tensor, spec))
    return error;
  used.insert(tensor);
  found.weights[spec.name] = {tensor, tensor->format->format, spec.shape};
  return Error::success();
}

Error LayerFinder::checkSelectionBias() const {
  if (!found.has(kSelectionBias) || config.scoringIsStated)
    return Error::success();
  return makeTensorError(found.get(kSelectionBias).tensor->name,
                         "is a bias for the selection of experts, and no metadata key '" +
                             gatingKey(*config.architecture) +
                             "' says what the scores are. Models with such a bias score by "
                             "sigmoid (DeepSeek-V3, GLM-4.7-Flash, Kimi-K2) or by softmax: say "
                             "--gating=sigmoid or --gating=softmax");
}

void LayerFinder::collectUnread() {
  for (const gguf::Tensor *tensor : tensors) {
    const StringRef name = StringRef(tensor->name).drop_front(fullName("").size());
    if (used.contains(tensor) || isAttentionTensor(*config.architecture, name))
      continue;
    if (ignored.matches(tensor->name))
      ignored.drop(tensor->name);
    else
      found.unreadTensors.push_back(tensor);
  }
}

Expected<LayerTensors> LayerFinder::find() {
  describe();
  for (const Spec &spec : specs)
    if (Error error = findWeight(spec))
      return error;
  if (Error error = checkSelectionBias())
    return error;
  collectUnread();
  return std::move(found);
}

Expected<LayerTensors> LayerTensors::find(const gguf::Model &model,
                                          const TensorsByLayer &tensorsByLayer,
                                          const ModelConfig &config, int64_t layer,
                                          NameFilter &ignored) {
  return LayerFinder(model, tensorsByLayer, config, layer, ignored).find();
}
