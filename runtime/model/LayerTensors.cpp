// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The search for the tensors of a layer.

#include "runtime/model/LayerTensors.h"

#include "runtime/model/ExpertLayout.h"

#include "runtime/gguf/TensorType.h"
#include "runtime/support/Error.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/ADT/StringExtras.h"

using namespace sortie;
using namespace sortie::model;
using llvm::ArrayRef;
using llvm::Error;
using llvm::Expected;
using llvm::SmallVector;
using llvm::StringRef;
using llvm::Twine;

TensorsByLayer::TensorsByLayer(const gguf::Model &model) {
  for (const gguf::Tensor &tensor : model.tensors())
    if (const auto parts = parseLayerTensorName(tensor.name))
      tensors[parts->layer].push_back(&tensor);
}

ArrayRef<const gguf::Tensor *> TensorsByLayer::of(int64_t layer) const {
  const auto found = tensors.find(layer);
  return found == tensors.end() ? ArrayRef<const gguf::Tensor *>() : ArrayRef(found->second);
}

namespace sortie::model {

/// Looks for the weights of one layer.
class LayerFinder {
public:
  LayerFinder(const gguf::Model &model, const TensorsByLayer &tensorsByLayer, const Config &config,
              int64_t layer, NameFilter &ignored)
      : model(model), tensors(tensorsByLayer.of(layer)), config(config),
        layerConfig(config.layers[layer]), layer(layer), ignored(ignored) {}

  Expected<LayerTensors> find();

private:
  /// Which rows (of a matrix) or columns of a tensor a weight is.
  enum class Extent { Whole, FirstHalf, SecondHalf };
  /// A weight that the layer is made of.
  struct Spec {
    /// The usual name.
    TensorName name;
    /// Row-major: the last is the contraction dimension of a matrix.
    SmallVector<int64_t, 3> shape;
    /// Norms and biases are added and multiplied in fp32 and stored so; matrices have any format.
    bool isMatrix = false;
    bool isOptional = false;
    /// The names of its tensors in this file, if not the usual: one, or one for each expert.
    // Without an initializer, g++ warns of every weight that leaves it out.
    SmallVector<std::string, 1> tensors = {}; // NOLINT(readability-redundant-member-init)
    Extent extent = Extent::Whole;
  };
  /// A matrix of a network, or one of each expert. `experts` is empty for dense networks.
  struct Matrix {
    Projection projection;
    Network network;
    SmallVector<int64_t, 3> experts;
    int64_t rows;
    int64_t columns;
    bool hasBias;
  };

  Error describe();
  Error describeExperts();
  /// Gate, up and down. Without `width`, the tensors have it.
  Error describeNetwork(Network network, std::optional<int64_t> width, ArrayRef<int64_t> experts,
                        bool biases);
  void describeMatrix(const Matrix &described, ExpertLayout layout);
  /// The layout in which the file has a projection of `network`, with its biases and scales: one,
  /// and stacked for all networks but the experts'. The error for two names tensors of both.
  Expected<ExpertLayout> chooseLayout(Projection projection, Network network) const;
  /// For each layout, the layer's first tensor that is a part of it. Either the tensors to leave
  /// out or the others are looked at.
  llvm::MapVector<ExpertLayout, const gguf::Tensor *> findLayouts(Projection projection,
                                                                  bool leftOut) const;
  /// Rows of the gate of `network`; 0 if the layer does not have it.
  int64_t widthInFile(Network network, ExpertLayout layout) const;
  bool decideShared() const;

  Error findWeight(const Spec &spec);
  Error useTensor(const Spec &spec, const gguf::Tensor &tensor);
  Error useExperts(const Spec &spec);
  Error checkTensor(const gguf::Tensor &tensor, bool isMatrix, ArrayRef<int64_t> shape) const;
  /// The error for a tensor that is needed and missing or to be left out.
  Error makeMissingError(StringRef name) const;
  Error checkSelectionBias() const;
  void collectUnread();

  std::string fullName(StringRef name) const { return layerTensorName(layer, name); }
  /// The name of a tensor of this layer after `blk.<i>.`.
  StringRef shortName(const gguf::Tensor &tensor) const {
    return StringRef(tensor.name).drop_front(fullName("").size());
  }
  /// The tensor with this name after `blk.<i>.`, or null if it is not there or to be left out.
  const gguf::Tensor *lookUp(StringRef name) const;
  Error makeTensorError(StringRef tensor, const Twine &problem) const {
    return sortie::makeError(model.name() + ": tensor '" + tensor + "' " + problem);
  }

  const gguf::Model &model;
  ArrayRef<const gguf::Tensor *> tensors;
  const Config &config;
  const LayerConfig &layerConfig;
  int64_t layer;
  NameFilter &ignored;

  std::vector<Spec> specs;
  LayerTensors found;
  llvm::SmallPtrSet<const gguf::Tensor *, 16> used;
};

} // namespace sortie::model

/// Some files call it "exp_probs_b".
static constexpr TensorName kSelectionBias = {TensorRole::SelectionBias, TensorKind::Bias};

static std::string describeShape(ArrayRef<int64_t> shape) {
  return llvm::join(llvm::map_range(shape, [](int64_t size) { return std::to_string(size); }), "x");
}

const gguf::Tensor *LayerFinder::lookUp(StringRef name) const {
  const std::string full = fullName(name);
  return ignored.matches(full) ? nullptr : model.findTensor(full);
}

llvm::MapVector<ExpertLayout, const gguf::Tensor *> LayerFinder::findLayouts(Projection projection,
                                                                             bool leftOut) const {
  llvm::MapVector<ExpertLayout, const gguf::Tensor *> layouts;
  for (const gguf::Tensor *tensor : tensors)
    if (ignored.matches(tensor->name) == leftOut)
      if (const auto layout = findExpertLayout(shortName(*tensor), projection))
        layouts.insert({*layout, tensor});
  return layouts;
}

Expected<ExpertLayout> LayerFinder::chooseLayout(Projection projection, Network network) const {
  if (network != Network::Experts)
    return ExpertLayout::Stacked;
  auto layouts = findLayouts(projection, /*leftOut=*/false);
  if (layouts.size() > 1)
    return sortie::makeError(model.name() + ": tensors '" + layouts.begin()[0].second->name +
                             "' and '" + layouts.begin()[1].second->name +
                             "' belong to two layouts of the experts' " +
                             projectionName(projection) +
                             ", and which of them the model means is not known; "
                             "--ignore-tensors=REGEX leaves out the tensors of one");
  // Tensors that are needed and to be left out are told by the names that they have.
  if (layouts.empty())
    layouts = findLayouts(projection, /*leftOut=*/true);
  return layouts.empty() ? ExpertLayout::Stacked : layouts.front().first;
}

int64_t LayerFinder::widthInFile(Network network, ExpertLayout layout) const {
  std::string name = TensorName{roleOf(network, Projection::Gate)}.str();
  if (layout == ExpertLayout::MergedGateAndUp)
    name = TensorName{TensorRole::ExpertsGateUp}.str();
  else if (layout == ExpertLayout::OneTensorAnExpert)
    name = expertTensorName(Projection::Gate, 0);
  const gguf::Tensor *tensor = lookUp(name);
  if (!tensor)
    return 0;
  const int64_t rows = tensor->dimensions.size() > 1 ? tensor->dimensions[1] : 1;
  return layout == ExpertLayout::MergedGateAndUp ? rows / 2 : rows;
}

void LayerFinder::describeMatrix(const Matrix &described, ExpertLayout layout) {
  const TensorRole role = roleOf(described.network, described.projection);
  Spec weight = {{role}, described.experts, /*isMatrix=*/true};
  weight.shape.append({described.rows, described.columns});
  Spec bias = {{role, TensorKind::Bias}, described.experts};
  bias.shape.push_back(described.rows);
  Spec scale = {
      {role, TensorKind::Scale}, described.experts, /*isMatrix=*/false, /*isOptional=*/true};

  if (layout == ExpertLayout::MergedGateAndUp) {
    weight.extent = bias.extent =
        described.projection == Projection::Gate ? Extent::FirstHalf : Extent::SecondHalf;
    // One factor for an expert's matrix is one for both of its halves.
    for (Spec *spec : {&weight, &bias, &scale})
      spec->tensors = {TensorName{TensorRole::ExpertsGateUp, spec->name.kind}.str()};
  } else if (layout == ExpertLayout::OneTensorAnExpert) {
    for (int64_t expert = 0; expert < described.experts.front(); ++expert)
      weight.tensors.push_back(expertTensorName(described.projection, expert));
  }

  specs.push_back(weight);
  if (described.hasBias)
    specs.push_back(bias);
  if (described.network == Network::Experts)
    specs.push_back(scale);
}

Error LayerFinder::describeNetwork(Network network, std::optional<int64_t> width,
                                   ArrayRef<int64_t> experts, bool biases) {
  int64_t inner = width.value_or(0);
  for (const Projection projection : kProjections) {
    Expected<ExpertLayout> layout = chooseLayout(projection, network);
    if (!layout)
      return layout.takeError();
    if (projection == Projection::Gate && !width)
      inner = widthInFile(network, *layout);
    const bool isDown = projection == Projection::Down;
    describeMatrix({projection, network, SmallVector<int64_t, 3>(experts),
                    isDown ? config.hidden : inner, isDown ? inner : config.hidden, biases},
                   *layout);
  }
  return Error::success();
}

bool LayerFinder::decideShared() const {
  return layerConfig.hasShared.value_or(lookUp(TensorName{TensorRole::SharedGate}.str()) !=
                                        nullptr);
}

Error LayerFinder::describeExperts() {
  const Architecture &architecture = *config.architecture;
  const int64_t experts = layerConfig.experts;
  specs.push_back({{TensorRole::Router}, {experts, config.hidden}, /*isMatrix=*/true});
  if (architecture.biases)
    specs.push_back({{TensorRole::Router, TensorKind::Bias}, {experts}});
  if (architecture.selectionBias) {
    const std::string full = kSelectionBias.str();
    const std::string bare = TensorName{kSelectionBias.role, TensorKind::Bare}.str();
    const bool isBare = !lookUp(full) && lookUp(bare);
    specs.push_back({kSelectionBias,
                     {experts},
                     /*isMatrix=*/false,
                     /*isOptional=*/true,
                     {isBare ? bare : full}});
  }
  if (Error error = describeNetwork(Network::Experts, layerConfig.expertWidth, {experts},
                                    architecture.biases))
    return error;
  found.shared = decideShared();
  if (!found.shared)
    return Error::success();
  const bool isGated = architecture.shared == SharedExperts::Gated;
  if (isGated)
    specs.push_back({{TensorRole::SharedScore}, {1, config.hidden}, /*isMatrix=*/true});
  // What a token's own score is the weight of is a routed expert, if the only one.
  return describeNetwork(Network::SharedExperts, layerConfig.sharedWidth,
                         isGated ? ArrayRef<int64_t>(1) : ArrayRef<int64_t>(), /*biases=*/false);
}

Error LayerFinder::describe() {
  specs.push_back({{config.architecture->norm}, {config.hidden}});
  if (layerConfig.dense)
    return describeNetwork(Network::Dense, layerConfig.denseWidth, {}, /*biases=*/false);
  return describeExperts();
}

Error LayerFinder::checkTensor(const gguf::Tensor &tensor, bool isMatrix,
                               ArrayRef<int64_t> shape) const {
  if (!tensor.encoding)
    return makeTensorError(tensor.name, "is stored as " + gguf::tensorTypeName(tensor.type) +
                                            ", which this version does not compute with; "
                                            "supported are " +
                                            gguf::supportedTensorTypes());
  if (!isMatrix && tensor.encoding->encoding != numerics::Encoding::F32)
    return makeTensorError(tensor.name, Twine("is stored as ") + tensor.encoding->name +
                                            "; norms, biases and scales must be f32");
  if (!isSameShape(tensor.shape(), shape))
    return makeTensorError(tensor.name, "has shape " + describeShape(tensor.shape()) +
                                            ", expected " + describeShape(shape) +
                                            " from the metadata");
  return Error::success();
}

Error LayerFinder::makeMissingError(StringRef name) const {
  const std::string full = fullName(name);
  const std::string need =
      ("layer " + Twine(layer) + " of architecture " + config.architecture->name + " needs it")
          .str();
  if (ignored.matches(full) && model.findTensor(full))
    return makeTensorError(full, "is matched by " + ignored.optionName() + ", but " + need);
  return makeTensorError(full, "is missing; " + need);
}

Error LayerFinder::useTensor(const Spec &spec, const gguf::Tensor &tensor) {
  SmallVector<int64_t, 3> shape = spec.shape;
  DimensionPart half = {};
  if (spec.extent != Extent::Whole) {
    int64_t &size = shape[shape.size() - (spec.isMatrix ? 2 : 1)];
    half = {spec.extent == Extent::SecondHalf ? size : 0, 2 * size};
    size = half.total;
  }
  if (Error error = checkTensor(tensor, spec.isMatrix, shape))
    return error;
  used.insert(&tensor);
  LayerWeight weight = {{&tensor}, tensor.encoding->encoding, spec.shape};
  (spec.isMatrix ? weight.rows : weight.columns) = half;
  found.weights[spec.name] = weight;
  return Error::success();
}

Error LayerFinder::useExperts(const Spec &spec) {
  LayerWeight weight = {{}, {}, spec.shape};
  for (const std::string &name : spec.tensors) {
    const gguf::Tensor *tensor = lookUp(name);
    if (!tensor)
      return makeMissingError(name);
    if (Error error = checkTensor(*tensor, spec.isMatrix, ArrayRef(spec.shape).drop_front()))
      return error;
    const gguf::Tensor &first = weight.tensors.empty() ? *tensor : *weight.tensors.front();
    if (tensor->type != first.type)
      return makeTensorError(tensor->name, Twine("is stored as ") + tensor->encoding->name +
                                               " and '" + first.name + "' as " +
                                               first.encoding->name +
                                               "; the experts of a layer must be stored alike");
    used.insert(tensor);
    weight.tensors.push_back(tensor);
    weight.encoding = tensor->encoding->encoding;
  }
  found.weights[spec.name] = weight;
  return Error::success();
}

Error LayerFinder::findWeight(const Spec &spec) {
  if (spec.tensors.size() > 1)
    return useExperts(spec);
  const std::string name = spec.tensors.empty() ? spec.name.str() : spec.tensors.front();
  if (const gguf::Tensor *tensor = lookUp(name))
    return useTensor(spec, *tensor);
  return spec.isOptional ? Error::success() : makeMissingError(name);
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
  // A configuration with groups has softmax or sigmoid scores.
  if (config.groups > 1 && config.scoring != numerics::Scoring::Sigmoid)
    return makeTensorError(name, "is a bias for the selection of experts in groups with softmax "
                                 "scores; how such a model scores its groups is not known");
  return Error::success();
}

void LayerFinder::collectUnread() {
  for (const gguf::Tensor *tensor : tensors) {
    if (used.contains(tensor) || isAttentionTensor(*config.architecture, shortName(*tensor)))
      continue;
    if (ignored.matches(tensor->name))
      ignored.drop(tensor->name);
    else
      found.unreadTensors.push_back(tensor);
  }
}

Expected<LayerTensors> LayerFinder::find() {
  if (Error error = describe())
    return error;
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
                                          const Config &config, int64_t layer,
                                          NameFilter &ignored) {
  return LayerFinder(model, tensorsByLayer, config, layer, ignored).find();
}
