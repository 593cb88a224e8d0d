// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What GGUF files call the tensors of a model. A name is made of what the tensor is for (its role)
// and what it holds (its kind); tensors of a layer have `blk.<layer>.` before it. The names are
// those of llama.cpp's gguf package (gguf/constants.py).

#ifndef SORTIE_RUNTIME_MODEL_TENSORNAMES_H
#define SORTIE_RUNTIME_MODEL_TENSORNAMES_H

#include "llvm/ADT/StringRef.h"
#include "llvm/ADT/Twine.h"

#include <compare>
#include <cstdint>
#include <optional>
#include <string>

namespace sortie::model {

/// What a tensor is for. The table in TensorNames.cpp has the name of each.
enum class TensorRole : uint8_t {
  // The feed-forward half of a layer.
  FeedForwardNorm,
  PostAttentionNorm,
  Router,
  /// A bias for the selection of experts.
  SelectionBias,
  DenseGate,
  DenseUp,
  DenseDown,
  ExpertsGate,
  ExpertsUp,
  ExpertsDown,
  /// Gate and up of the experts in one tensor, of each expert the gate first.
  ExpertsGateUp,
  SharedGate,
  SharedUp,
  SharedDown,
  /// What the score of the shared experts is the product of a token with.
  SharedScore,

  // The attention half of a layer.
  AttentionNorm,
  Query,
  Key,
  Value,
  QueryKeyValue,
  AttentionOutput,
  QueryNorm,
  KeyNorm,
  RotatedEmbedding,
  RotationFactors,
  Sinks,

  // Multi-head latent attention.
  QueryDown,
  QueryUp,
  QueryDownNorm,
  KeyValueDown,
  KeyValueDownNorm,
  KeyValueUp,
  LatentKeyUp,
  LatentValueUp,

  // Of the model, not of a layer.
  TokenEmbedding,
  OutputNorm,
  /// What gives the logits.
  Output,
};

/// What a tensor holds, which its name ends with.
enum class TensorKind : uint8_t {
  Weight,
  Bias,
  /// A factor of a matrix, or one of each expert's.
  Scale,
  /// A factor of a matrix's input (NVFP4).
  InputScale,
  /// The name ends with the role.
  Bare,
};

struct TensorName {
  TensorRole role;
  TensorKind kind = TensorKind::Weight;

  auto operator<=>(const TensorName &) const = default;

  /// "ffn_gate_inp.weight".
  std::string str() const;
};

/// What `name`, without `blk.<layer>.`, is the name of; nothing for one that the table does not
/// have.
std::optional<TensorName> parseTensorName(llvm::StringRef name);

/// Removes what says the kind from the end of a name: ".weight" and the like.
TensorKind consumeKind(llvm::StringRef &name);

/// "blk.3": what the names of a layer's tensors begin with, before a dot. `layer` is a number, or
/// what stands for one in a message.
std::string layerName(const llvm::Twine &layer);
/// "blk.3.<name>".
std::string layerTensorName(int64_t layer, const llvm::Twine &name);

/// A tensor's name in two parts.
struct NameInLayer {
  int64_t layer;
  /// What follows `blk.<layer>.`.
  llvm::StringRef name;
};

/// The parts of a tensor's whole name; nothing if it is not of a layer.
std::optional<NameInLayer> parseLayerTensorName(llvm::StringRef name);

/// What names begin with, after `blk.<layer>.`, that layers which predict further tokens have
/// alone.
inline constexpr llvm::StringLiteral kPredictionPrefix = "nextn.";

/// The gated networks that a layer may have: down(activation(gate(x), up(x))).
enum class Network : uint8_t { Dense, Experts, SharedExperts };

/// The matrices of a gated network.
enum class Projection : uint8_t { Gate, Up, Down };
inline constexpr Projection kProjections[] = {Projection::Gate, Projection::Up, Projection::Down};

/// "gate", "up" or "down", for messages.
llvm::StringRef projectionName(Projection projection);

/// A matrix of a network; of the experts, all of them stacked in one tensor.
TensorRole roleOf(Network network, Projection projection);

/// What the name of a matrix of one expert begins with where each has a tensor of its own:
/// "ffn_gate.". The number of the expert follows, then the kind.
std::string expertTensorPrefix(Projection projection);
/// "ffn_gate.3.weight".
std::string expertTensorName(Projection projection, int64_t expert);

} // namespace sortie::model

#endif // SORTIE_RUNTIME_MODEL_TENSORNAMES_H
