// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The search for the tensors of a layer.

#include "runtime/model/LayerTensors.h"

#include "runtime/model/ExpertLayout.h"

#include "runtime/support/Error.h"

#include "llvm/ADT/MapVector.h"

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
        layerConfig(config.layers[layer]), ignored(ignored),
        weights(model, ignored, layerTensorName(layer, ""),
                ("layer " + Twine(layer) + " of architecture " + config.architecture->name +
                 " needs it")
                    .str()) {}

  Expected<LayerTensors> find();

private:
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

  Error checkSelectionBias() const;
  void collectUnread();

  const gguf::Tensor *lookUp(StringRef name) const { return weights.lookUp(name); }

  const gguf::Model &model;
  ArrayRef<const gguf::Tensor *> tensors;
  const Config &config;
  const LayerConfig &layerConfig;
  NameFilter &ignored;

  WeightFinder weights;
  std::vector<WeightSpec> specs;
  LayerTensors found;
};

} // namespace sortie::model

/// Some files call it "exp_probs_b".
static constexpr TensorName kSelectionBias = {TensorRole::SelectionBias, TensorKind::Bias};

llvm::MapVector<ExpertLayout, const gguf::Tensor *> LayerFinder::findLayouts(Projection projection,
                                                                             bool leftOut) const {
  llvm::MapVector<ExpertLayout, const gguf::Tensor *> layouts;
  for (const gguf::Tensor *tensor : tensors)
    if (ignored.matches(tensor->name) == leftOut)
      if (const auto layout = findExpertLayout(weights.shortName(*tensor), projection))
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
  WeightSpec weight = {{role}, described.experts, /*isMatrix=*/true};
  weight.shape.append({described.rows, described.columns});
  WeightSpec bias = {{role, TensorKind::Bias}, described.experts};
  bias.shape.push_back(described.rows);
  WeightSpec scale = {
      {role, TensorKind::Scale}, described.experts, /*isMatrix=*/false, /*isOptional=*/true};

  if (layout == ExpertLayout::MergedGateAndUp) {
    const int64_t first = described.projection == Projection::Gate ? 0 : described.rows;
    weight.part = bias.part = {first, 2 * described.rows};
    // One factor for an expert's matrix is one for both of its halves.
    for (WeightSpec *spec : {&weight, &bias, &scale})
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

Error LayerFinder::checkSelectionBias() const {
  if (!found.has(kSelectionBias))
    return Error::success();
  const StringRef name = found.get(kSelectionBias).tensors.front()->name;
  if (!config.scoringIsStated)
    return weights.makeTensorError(
        name,
        "is a bias for the selection of experts, and no metadata key '" +
            gatingKey(*config.architecture) +
            "' says what the scores are. Models with such a bias score by "
            "sigmoid (DeepSeek-V3, GLM-4.7-Flash, Kimi-K2) or by softmax: say --gating=sigmoid" +
            (config.groups > 1 ? "; with groups of experts no others are known"
                               : " or --gating=softmax"));
  // A configuration with groups has softmax or sigmoid scores.
  if (config.groups > 1 && config.scoring != numerics::Scoring::Sigmoid)
    return weights.makeTensorError(name,
                                   "is a bias for the selection of experts in groups with softmax "
                                   "scores; how such a model scores its groups is not known");
  return Error::success();
}

void LayerFinder::collectUnread() {
  for (const gguf::Tensor *tensor : tensors) {
    if (found.reads(*tensor) || isAttentionTensor(*config.architecture, weights.shortName(*tensor)))
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
  if (Error error = weights.find(specs, found))
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
