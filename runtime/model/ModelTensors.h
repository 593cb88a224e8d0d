// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The tensors of a whole model: of both halves of its layers, and of what is around them.

#ifndef SORTIE_RUNTIME_MODEL_MODELTENSORS_H
#define SORTIE_RUNTIME_MODEL_MODELTENSORS_H

#include "runtime/model/AttentionTensors.h"
#include "runtime/model/LayerTensors.h"

namespace sortie::model {

/// The tensors of one layer.
struct WholeLayer {
  WeightSet attention;
  LayerTensors feedForward;
};

/// The embedding, the last norm and the output are the weights of the set itself. A model without
/// a matrix for its output has that of its embedding there.
class ModelTensors : public WeightSet {
public:
  /// Checks that `model` has every tensor that a whole model needs, leaving out those that
  /// `ignored` matches. Errors are those of LayerTensors and findAttentionTensors, and say which
  /// tensors nothing has a use for, and what is wrong with the factors of rotary frequencies.
  static llvm::Expected<ModelTensors> find(const gguf::Model &model,
                                           const TensorsByLayer &tensorsByLayer,
                                           const Config &config, NameFilter &ignored);

  llvm::ArrayRef<WholeLayer> layers() const { return layerTensors; }
  /// Tokens that there are.
  int64_t vocabulary() const { return get({TensorRole::TokenEmbedding}).shape.front(); }
  /// The frequency of each pair, as rotaryFrequencies() has it.
  llvm::ArrayRef<uint64_t> frequencies() const { return rotaryTable; }
  /// Tensors that nothing has a use for, but for those of layers that predict further tokens.
  llvm::ArrayRef<const gguf::Tensor *> unread() const { return unreadTensors; }

private:
  ModelTensors() = default;

  llvm::Error findAround(const gguf::Model &model, const Config &config, const NameFilter &ignored);
  llvm::Error makeFrequencies(const gguf::Model &model, const Config &config);
  /// Whether the tensor is of the model, or of a layer that predicts further tokens.
  bool isUsed(const gguf::Tensor &tensor, const Config &config) const;
  void collectUnread(const gguf::Model &model, const Config &config, NameFilter &ignored);

  std::vector<WholeLayer> layerTensors;
  std::vector<uint64_t> rotaryTable;
  std::vector<const gguf::Tensor *> unreadTensors;
};

} // namespace sortie::model

#endif // SORTIE_RUNTIME_MODEL_MODELTENSORS_H
