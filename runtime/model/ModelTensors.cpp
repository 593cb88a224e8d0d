// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The search for the tensors of a whole model.

#include "runtime/model/ModelTensors.h"

#include "runtime/support/Error.h"

#include <cstring>

using namespace sortie;
using namespace sortie::model;
using llvm::Error;
using llvm::Expected;

/// The rows of the embedding, where no key states them.
static int64_t vocabularyInFile(const WeightFinder &finder) {
  const gguf::Tensor *table = finder.lookUp(TensorName{TensorRole::TokenEmbedding}.str());
  return table && table->dimensions.size() > 1 ? table->dimensions[1] : 1;
}

Error ModelTensors::findAround(const gguf::Model &model, const Config &config,
                               const NameFilter &ignored) {
  const WeightFinder finder(model, ignored, /*prefix=*/"",
                            ("a whole model of architecture " + config.architecture->name +
                             " needs it; " + kFeedForwardAdvice)
                                .str());
  const int64_t tokens = config.attention->vocabulary.value_or(vocabularyInFile(finder));
  WeightSpec output = {{TensorRole::Output}, {tokens, config.hidden}, /*isMatrix=*/true};
  if (!finder.lookUp(output.name.str()))
    output.tensors = {TensorName{TensorRole::TokenEmbedding}.str()};
  const WeightSpec specs[] = {
      {{TensorRole::TokenEmbedding}, {tokens, config.hidden}, /*isMatrix=*/true},
      {{TensorRole::OutputNorm}, {config.hidden}},
      output,
      {{TensorRole::RotationFactors},
       {config.attention->rotary.dimensions / 2},
       /*isMatrix=*/false,
       /*isOptional=*/true},
  };
  return finder.find(specs, *this);
}

Error ModelTensors::makeFrequencies(const gguf::Model &model, const Config &config) {
  RotaryParameters parameters = config.attention->rotary;
  std::vector<float> factors;
  if (has({TensorRole::RotationFactors})) {
    const gguf::Tensor &tensor = *get({TensorRole::RotationFactors}).tensors.front();
    if (tensor.bytes.empty())
      return sortie::makeError(model.name() + ": tensor '" + tensor.name +
                               "' is needed to import a whole model, and the file has no data, "
                               "only a header; " +
                               kFeedForwardAdvice);
    factors.resize(parameters.dimensions / 2);
    std::memcpy(factors.data(), tensor.bytes.data(), factors.size() * sizeof(float));
    parameters.factors = factors;
  }
  Expected<std::vector<uint64_t>> frequencies = rotaryFrequencies(parameters);
  if (!frequencies)
    return sortie::makeError(model.name() + ": " + toString(frequencies.takeError()));
  rotaryTable = std::move(*frequencies);
  return Error::success();
}

bool ModelTensors::isUsed(const gguf::Tensor &tensor, const Config &config) const {
  const std::optional<NameInLayer> parts = parseLayerTensorName(tensor.name);
  const int64_t count = layerTensors.size();
  if (!parts || parts->layer < 0 || parts->layer >= count + config.predictionLayers)
    return reads(tensor);
  // Layers that predict further tokens are not imported.
  if (parts->layer >= count)
    return true;
  const WholeLayer &layer = layerTensors[parts->layer];
  return layer.attention.reads(tensor) || layer.feedForward.reads(tensor);
}

void ModelTensors::collectUnread(const gguf::Model &model, const Config &config,
                                 NameFilter &ignored) {
  for (const gguf::Tensor &tensor : model.tensors()) {
    if (isUsed(tensor, config))
      continue;
    if (ignored.matches(tensor.name))
      ignored.drop(tensor.name);
    else
      unreadTensors.push_back(&tensor);
  }
}

Expected<ModelTensors> ModelTensors::find(const gguf::Model &model,
                                          const TensorsByLayer &tensorsByLayer,
                                          const Config &config, NameFilter &ignored) {
  ModelTensors found;
  if (Error error = found.findAround(model, config, ignored))
    return error;
  if (Error error = found.makeFrequencies(model, config))
    return error;
  for (int64_t layer = 0; layer < static_cast<int64_t>(config.layers.size()); ++layer) {
    Expected<WeightSet> attention = findAttentionTensors(model, config, layer, ignored);
    if (!attention)
      return attention.takeError();
    Expected<LayerTensors> feedForward =
        LayerTensors::find(model, tensorsByLayer, config, layer, ignored);
    if (!feedForward)
      return feedForward.takeError();
    found.layerTensors.push_back({std::move(*attention), std::move(*feedForward)});
  }
  found.collectUnread(model, config, ignored);
  return found;
}
