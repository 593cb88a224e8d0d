// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The tensors that the feed-forward half of a layer is made of: which must be in the file, in which
// shape, and of which types; and those which nobody has asked for.

#ifndef SORTIE_RUNTIME_MODEL_LAYERTENSORS_H
#define SORTIE_RUNTIME_MODEL_LAYERTENSORS_H

#include "runtime/model/Config.h"
#include "runtime/model/WeightFinder.h"

#include <map>

namespace sortie::model {

/// The tensors of each layer, in the order of the file.
class TensorsByLayer {
public:
  explicit TensorsByLayer(const gguf::Model &model);

  llvm::ArrayRef<const gguf::Tensor *> of(int64_t layer) const;
  /// The last layer that has tensors; -1 without any.
  int64_t last() const { return tensors.empty() ? -1 : tensors.rbegin()->first; }

private:
  std::map<int64_t, std::vector<const gguf::Tensor *>> tensors;
};

/// The weights of the feed-forward half of a layer.
class LayerTensors : public WeightSet {
public:
  /// Checks that `model` has every tensor that layer `layer` needs, leaving out those that
  /// `ignored` matches. Errors name the tensors and what is wrong with them: missing, another
  /// shape, a type that is not supported, experts in two layouts, a selection bias with a scoring
  /// that nobody states.
  static llvm::Expected<LayerTensors> find(const gguf::Model &model,
                                           const TensorsByLayer &tensorsByLayer,
                                           const Config &config, int64_t layer,
                                           NameFilter &ignored);

  /// Whether the layer has experts that every token uses.
  bool hasShared() const { return shared; }
  /// Tensors of the layer that nothing here has a use for, and that do not belong to attention.
  llvm::ArrayRef<const gguf::Tensor *> unread() const { return unreadTensors; }

private:
  friend class LayerFinder;

  LayerTensors() = default;

  bool shared = false;
  std::vector<const gguf::Tensor *> unreadTensors;
};

} // namespace sortie::model

#endif // SORTIE_RUNTIME_MODEL_LAYERTENSORS_H
