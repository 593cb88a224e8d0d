// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the attention half of a layer needs.

#include "runtime/model/AttentionTensors.h"

using namespace sortie;
using namespace sortie::model;
using llvm::Error;
using llvm::Expected;
using llvm::Twine;

namespace {

/// Lists the weights of one layer's attention half.
class AttentionSpecs {
public:
  AttentionSpecs(const Config &config, int64_t layer, const WeightFinder &finder)
      : config(config), attention(*config.attention), layer(attention.layers[layer]),
        form(config.architecture->attentionForm), finder(finder) {}

  std::vector<WeightSpec> describe();

private:
  void describeInputs();
  void describeLatentInputs(const LatentSizes &latent);
  /// A matrix without a bias.
  void describeMatrix(TensorRole role, llvm::SmallVector<int64_t, 3> shape);
  /// The matrices that make a head's queries of latents and its values of them.
  void describeLatentHeads(const LatentSizes &latent);
  /// A matrix for each head.
  void describeHeadMatrices(TensorRole role, int64_t rows, int64_t columns);
  /// The same, of a tensor that has what makes keys and what makes values of each head.
  void describeFusedHeads(int64_t keyRows, int64_t valueRows, int64_t rank);
  /// The projection to `rows` elements, which are those from `part.first` on if the file has all
  /// three in one tensor.
  void describeInput(TensorRole role, int64_t rows, DimensionPart part);
  void describeNorms();
  void describeOutput();

  const Config &config;
  const AttentionConfig &attention;
  const LayerAttention &layer;
  const AttentionForm &form;
  const WeightFinder &finder;
  std::vector<WeightSpec> specs;
};

} // namespace

void AttentionSpecs::describeInput(TensorRole role, int64_t rows, DimensionPart part) {
  WeightSpec weight = {{role}, {rows, config.hidden}, /*isMatrix=*/true};
  WeightSpec bias = {{role, TensorKind::Bias}, {rows}};
  bias.isOptional = form.biases == NeededBiases::None;
  if (part)
    for (WeightSpec *spec : {&weight, &bias}) {
      spec->part = part;
      spec->tensors = {TensorName{TensorRole::QueryKeyValue, spec->name.kind}.str()};
    }
  specs.push_back(weight);
  specs.push_back(bias);
}

void AttentionSpecs::describeInputs() {
  const std::pair<TensorRole, int64_t> inputs[] = {
      {TensorRole::Query, layer.heads * attention.keyWidth},
      {TensorRole::Key, layer.keyHeads * attention.keyWidth},
      {TensorRole::Value, layer.keyHeads * attention.valueWidth},
  };
  int64_t total = 0;
  if (finder.lookUp(TensorName{TensorRole::QueryKeyValue}.str()))
    for (const auto &[role, rows] : inputs)
      total += rows;
  int64_t first = 0;
  for (const auto &[role, rows] : inputs) {
    describeInput(role, rows, total ? DimensionPart{first, total} : DimensionPart{});
    first += rows;
  }
}

void AttentionSpecs::describeMatrix(TensorRole role, llvm::SmallVector<int64_t, 3> shape) {
  specs.push_back({{role}, std::move(shape), /*isMatrix=*/true});
}

void AttentionSpecs::describeLatentInputs(const LatentSizes &latent) {
  const int64_t queries = layer.heads * attention.keyWidth;
  if (latent.queryRank) {
    describeMatrix(TensorRole::QueryDown, {*latent.queryRank, config.hidden});
    specs.push_back({{TensorRole::QueryDownNorm}, {*latent.queryRank}});
    describeMatrix(TensorRole::QueryUp, {queries, *latent.queryRank});
  } else {
    describeMatrix(TensorRole::Query, {queries, config.hidden});
  }
  describeMatrix(TensorRole::KeyValueDown, {latent.rank + latent.rotated, config.hidden});
  specs.push_back({{TensorRole::KeyValueDownNorm}, {latent.rank}});
  describeLatentHeads(latent);
}

void AttentionSpecs::describeHeadMatrices(TensorRole role, int64_t rows, int64_t columns) {
  WeightSpec spec = {{role}, {layer.heads, rows, columns}, /*isMatrix=*/true};
  const gguf::Tensor *tensor = finder.lookUp(spec.name.str());
  spec.layout.isJoined =
      layer.heads > 1 && tensor && isSameShape(tensor->shape(), {layer.heads * rows, columns});
  specs.push_back(spec);
}

void AttentionSpecs::describeFusedHeads(int64_t keyRows, int64_t valueRows, int64_t rank) {
  // The tensor makes keys of latents. What makes latents of queries is the transpose.
  WeightSpec keys = {{TensorRole::LatentKeyUp}, {layer.heads, rank, keyRows}, /*isMatrix=*/true};
  WeightSpec values = {
      {TensorRole::LatentValueUp}, {layer.heads, valueRows, rank}, /*isMatrix=*/true};
  keys.part = {0, keyRows + valueRows};
  values.part = {keyRows, keyRows + valueRows};
  keys.layout.isTransposed = true;
  for (WeightSpec *spec : {&keys, &values}) {
    spec->tensors = {TensorName{TensorRole::KeyValueUp}.str()};
    spec->layout.isJoined = true;
    specs.push_back(*spec);
  }
}

void AttentionSpecs::describeLatentHeads(const LatentSizes &latent) {
  const auto isInFile = [&](TensorRole role) { return finder.lookUp(TensorName{role}.str()); };
  const int64_t keyRows = attention.keyWidth - latent.rotated;
  if (isInFile(TensorRole::KeyValueUp) && !isInFile(TensorRole::LatentKeyUp))
    return describeFusedHeads(keyRows, attention.valueWidth, latent.rank);
  describeHeadMatrices(TensorRole::LatentKeyUp, latent.rank, keyRows);
  describeHeadMatrices(TensorRole::LatentValueUp, attention.valueWidth, latent.rank);
}

void AttentionSpecs::describeNorms() {
  const auto isInFile = [&](TensorRole role) { return finder.lookUp(TensorName{role}.str()); };
  if (form.norm == QueryKeyNorm::None ||
      (form.normIsOptional && !isInFile(TensorRole::QueryNorm) && !isInFile(TensorRole::KeyNorm)))
    return;
  const bool isOfAll = form.norm == QueryKeyNorm::AllHeads;
  const int64_t width = attention.keyWidth;
  specs.push_back({{TensorRole::QueryNorm}, {isOfAll ? layer.heads * width : width}});
  specs.push_back({{TensorRole::KeyNorm}, {isOfAll ? layer.keyHeads * width : width}});
}

void AttentionSpecs::describeOutput() {
  if (form.sinks)
    specs.push_back({{TensorRole::Sinks}, {layer.heads}});
  specs.push_back({{TensorRole::AttentionOutput},
                   {config.hidden, layer.heads * attention.valueWidth},
                   /*isMatrix=*/true});
  specs.push_back({{TensorRole::AttentionOutput, TensorKind::Bias},
                   {config.hidden},
                   /*isMatrix=*/false,
                   /*isOptional=*/form.biases != NeededBiases::All});
}

std::vector<WeightSpec> AttentionSpecs::describe() {
  specs.push_back({{TensorRole::AttentionNorm}, {config.hidden}});
  if (attention.latent)
    describeLatentInputs(*attention.latent);
  else
    describeInputs();
  describeNorms();
  describeOutput();
  return std::move(specs);
}

Expected<WeightSet> model::findAttentionTensors(const gguf::Model &model, const Config &config,
                                                int64_t layer, const NameFilter &ignored) {
  const WeightFinder finder(model, ignored, layerTensorName(layer, ""),
                            ("the attention half of layer " + Twine(layer) + " of architecture " +
                             config.architecture->name + " needs it; " + kFeedForwardAdvice)
                                .str());
  WeightSet found;
  if (Error error = finder.find(AttentionSpecs(config, layer, finder).describe(), found))
    return error;
  return found;
}
