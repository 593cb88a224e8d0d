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

/// What the names of the experts' tensors end with, and the name of gate and up in one tensor.
static constexpr llvm::StringLiteral kExperts = "_exps";
static constexpr llvm::StringLiteral kMergedStem = "ffn_gate_up_exps";

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
    /// Of gate and up of the experts: the tensor that holds both, the gate first.
    std::string mergedName = {};
    bool isSecondHalf = false;
    /// Of matrices of the experts: files may have a tensor for each, `<stem>.<expert>.weight`.
    std::string expertStem = {};
  };

  void describe();
  void describeExperts();
  /// Gate, up and down with the names `ffn_gate<suffix>` and so on. `experts` is empty for dense
  /// ones. Without `width`, the tensors have it.
  void describeNetwork(StringRef suffix, std::optional<int64_t> width, ArrayRef<int64_t> experts,
                       bool biases);
  /// Other layouts of a part of the experts.
  static void addLayouts(StringRef part, Spec &weight, Spec &bias, Spec &scale);
  /// Rows of the matrix `ffn_gate<suffix>`; 0 if the layer does not have it.
  int64_t widthInFile(StringRef suffix) const;
  bool decideShared() const;

  Error findWeight(const Spec &spec);
  Error useWhole(const Spec &spec, const gguf::Tensor &tensor);
  Error useHalf(const Spec &spec, const gguf::Tensor &tensor);
  Error useExperts(const Spec &spec);
  Error checkTensor(const gguf::Tensor &tensor, bool isMatrix, ArrayRef<int64_t> shape) const;
  /// The error for a tensor that is needed under one of these names, the first of which is the
  /// usual.
  Error makeMissingError(ArrayRef<std::string> names) const;
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
  auto rowsOf = [&](StringRef name) -> int64_t {
    const gguf::Tensor *tensor = lookUp(name);
    if (!tensor)
      return 0;
    return tensor->dimensions.size() > 1 ? tensor->dimensions[1] : 1;
  };
  if (const int64_t rows = rowsOf(("ffn_gate" + suffix + ".weight").str()))
    return rows;
  if (suffix != kExperts)
    return 0;
  if (const int64_t rows = rowsOf(kMergedStem.str() + ".weight"))
    return rows / 2;
  return rowsOf("ffn_gate.0.weight");
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
    Spec weight = {("ffn_" + part.name + suffix + ".weight").str(),
                   SmallVector<int64_t, 3>(experts)};
    weight.shape.append({part.rows, part.columns});
    weight.isMatrix = true;
    Spec bias = {("ffn_" + part.name + suffix + ".bias").str(), SmallVector<int64_t, 3>(experts)};
    bias.shape.push_back(part.rows);
    Spec scale = {("ffn_" + part.name + suffix + ".scale").str(), SmallVector<int64_t, 3>(experts)};
    scale.isOptional = true;
    if (suffix == kExperts)
      addLayouts(part.name, weight, bias, scale);
    specs.push_back(weight);
    if (biases)
      specs.push_back(bias);
    if (suffix == kExperts)
      specs.push_back(scale);
  }
}

void LayerFinder::addLayouts(StringRef part, Spec &weight, Spec &bias, Spec &scale) {
  weight.expertStem = ("ffn_" + part).str();
  if (part == "down")
    return;
  weight.mergedName = kMergedStem.str() + ".weight";
  bias.mergedName = kMergedStem.str() + ".bias";
  weight.isSecondHalf = bias.isSecondHalf = part == "up";
  // One factor for an expert's matrix is one for both of its halves.
  scale.otherName = kMergedStem.str() + ".scale";
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
  if (!found.shared)
    return;
  const bool isGated = architecture.shared == SharedExperts::Gated;
  if (isGated)
    specs.push_back({kSharedGate.str(), {1, config.hidden}, /*isMatrix=*/true});
  // What a token's own score is the weight of is a routed expert, if the only one.
  describeNetwork("_shexp", layerConfig.sharedWidth,
                  isGated ? ArrayRef<int64_t>(1) : ArrayRef<int64_t>(),
                  /*biases=*/false);
}

void LayerFinder::describe() {
  specs.push_back({config.architecture->normTensor.str(), {config.hidden}});
  if (layerConfig.dense)
    describeNetwork("", layerConfig.denseWidth, {}, /*biases=*/false);
  else
    describeExperts();
}

Error LayerFinder::checkTensor(const gguf::Tensor &tensor, bool isMatrix,
                               ArrayRef<int64_t> shape) const {
  if (!tensor.format)
    return makeTensorError(tensor.name, "is stored as " + gguf::tensorTypeName(tensor.type) +
                                            ", which this version does not compute with; "
                                            "supported are " +
                                            gguf::supportedTensorTypes());
  if (!isMatrix && tensor.format->format != numerics::Format::F32)
    return makeTensorError(tensor.name, Twine("is stored as ") + tensor.format->name +
                                            "; norms, biases and scales must be f32");
  if (!gguf::isSameShape(tensor.shape(), shape))
    return makeTensorError(tensor.name, "has shape " + describeShape(tensor.shape()) +
                                            ", expected " + describeShape(shape) +
                                            " from the metadata");
  return Error::success();
}

Error LayerFinder::makeMissingError(ArrayRef<std::string> names) const {
  const std::string need =
      ("layer " + Twine(layer) + " of architecture " + config.architecture->name + " needs it")
          .str();
  for (const std::string &name : names)
    if (const std::string full = fullName(name); ignored.matches(full) && model.findTensor(full))
      return makeTensorError(full, "is matched by " + ignored.optionName() + ", but " + need);
  return makeTensorError(fullName(names.front()), "is missing; " + need);
}

Error LayerFinder::useWhole(const Spec &spec, const gguf::Tensor &tensor) {
  if (Error error = checkTensor(tensor, spec.isMatrix, spec.shape))
    return error;
  used.insert(&tensor);
  found.weights[spec.name] = {{&tensor}, tensor.format->format, spec.shape};
  return Error::success();
}

Error LayerFinder::useHalf(const Spec &spec, const gguf::Tensor &tensor) {
  SmallVector<int64_t, 3> shape = spec.shape;
  int64_t &size = shape[shape.size() - (spec.isMatrix ? 2 : 1)];
  const DimensionPart half = {spec.isSecondHalf ? size : 0, 2 * size};
  size = half.total;
  if (Error error = checkTensor(tensor, spec.isMatrix, shape))
    return error;
  used.insert(&tensor);
  LayerWeight weight = {{&tensor}, tensor.format->format, spec.shape};
  (spec.isMatrix ? weight.rows : weight.columns) = half;
  found.weights[spec.name] = weight;
  return Error::success();
}

Error LayerFinder::useExperts(const Spec &spec) {
  LayerWeight weight = {{}, {}, spec.shape};
  for (int64_t expert = 0; expert < spec.shape.front(); ++expert) {
    const std::string name = (spec.expertStem + "." + Twine(expert) + ".weight").str();
    const gguf::Tensor *tensor = lookUp(name);
    if (!tensor)
      return makeMissingError({name});
    if (Error error = checkTensor(*tensor, spec.isMatrix, ArrayRef(spec.shape).drop_front()))
      return error;
    const gguf::Tensor &first = expert == 0 ? *tensor : *weight.tensors.front();
    if (tensor->type != first.type)
      return makeTensorError(tensor->name, Twine("is stored as ") + tensor->format->name +
                                               " and '" + first.name + "' as " +
                                               first.format->name +
                                               "; the experts of a layer must be stored alike");
    used.insert(tensor);
    weight.tensors.push_back(tensor);
    weight.format = tensor->format->format;
  }
  found.weights[spec.name] = weight;
  return Error::success();
}

Error LayerFinder::findWeight(const Spec &spec) {
  const std::string firstExpert = spec.expertStem + ".0.weight";
  if (const gguf::Tensor *tensor = lookUp(spec.name))
    return useWhole(spec, *tensor);
  if (const gguf::Tensor *tensor = spec.otherName.empty() ? nullptr : lookUp(spec.otherName))
    return useWhole(spec, *tensor);
  if (const gguf::Tensor *tensor = spec.mergedName.empty() ? nullptr : lookUp(spec.mergedName))
    return useHalf(spec, *tensor);
  if (!spec.expertStem.empty() && lookUp(firstExpert))
    return useExperts(spec);
  if (spec.isOptional)
    return Error::success();
  return makeMissingError({spec.name, spec.otherName, spec.mergedName, firstExpert});
}

Error LayerFinder::checkSelectionBias() const {
  if (!found.has(kSelectionBias))
    return Error::success();
  const StringRef name = found.get(kSelectionBias).tensors.front()->name;
  if (!config.scoringIsStated)
    return makeTensorError(
        name,
        "is a bias for the selection of experts, and no metadata key '" +
            gatingKey(*config.architecture) +
            "' says what the scores are. Models with such a bias score by "
            "sigmoid (DeepSeek-V3, GLM-4.7-Flash, Kimi-K2) or by softmax: say --gating=sigmoid" +
            (config.groups > 1 ? "; with groups of experts no others are known"
                               : " or --gating=softmax"));
  if (config.groups > 1 && config.scoring != Scoring::Sigmoid)
    return makeTensorError(name, "is a bias for the selection of experts in groups with " +
                                     stringifyEnum(config.scoring) +
                                     " scores; how such a model scores its groups is not known");
  return Error::success();
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
