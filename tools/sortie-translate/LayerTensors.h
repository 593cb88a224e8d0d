// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The tensors that the feed-forward half of a layer is made of: which must be in the file, in which
// shape, and of which types.

#ifndef SORTIE_TOOLS_SORTIE_TRANSLATE_LAYERTENSORS_H
#define SORTIE_TOOLS_SORTIE_TRANSLATE_LAYERTENSORS_H

#include "ModelConfig.h"

namespace sortie {

/// Finds the tensors of one layer by their names after `blk.<i>.`.
class LayerTensors {
public:
  /// Checks that `model` has every tensor that layer `layer` needs. Errors name the tensor and what
  /// is wrong with it: missing, another shape, a type that is not supported.
  static llvm::Expected<LayerTensors> find(const gguf::Model &model, const ModelConfig &config,
                                           int64_t layer);

  /// A tensor that is known to be there.
  const gguf::Tensor &get(llvm::StringRef name) const { return *tensors.at(name); }
  /// A tensor that the layer may have.
  bool has(llvm::StringRef name) const { return tensors.contains(name); }

private:
  LayerTensors() = default;

  llvm::StringMap<const gguf::Tensor *> tensors;
};

} // namespace sortie

#endif // SORTIE_TOOLS_SORTIE_TRANSLATE_LAYERTENSORS_H
