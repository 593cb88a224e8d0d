// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the metadata of a model file says about the attention halves of its layers, and of the model
// around them.

#ifndef SORTIE_RUNTIME_MODEL_ATTENTION_H
#define SORTIE_RUNTIME_MODEL_ATTENTION_H

#include "runtime/model/Architecture.h"
#include "runtime/model/ConfigKeys.h"
#include "runtime/model/Rotary.h"

namespace sortie::model {

/// What to do about a file whose attention half is missing or not known, for messages.
inline constexpr llvm::StringLiteral kFeedForwardAdvice =
    "--what=ffn imports the feed-forward halves of its layers alone";

/// The attention half of one layer.
struct LayerAttention {
  int64_t heads;
  /// Heads of keys and values; divides `heads`.
  int64_t keyHeads;
  /// A token sees this many positions, its own among them; without it all up to its own.
  std::optional<int64_t> window = std::nullopt;
};

/// Of attention over latents.
struct LatentSizes {
  /// Elements of a latent.
  int64_t rank;
  /// Elements of a key that turn: the last ones, the same for all heads.
  int64_t rotated;
  /// Elements of what queries are made of, where that is not the token itself.
  std::optional<int64_t> queryRank = std::nullopt;
};

struct AttentionConfig {
  std::vector<LayerAttention> layers;
  /// Where keys and values are made of latents. `keyWidth` counts both parts of a key then.
  std::optional<LatentSizes> latent = std::nullopt;
  /// Elements of a head of queries and keys, and of values.
  int64_t keyWidth;
  int64_t valueWidth;
  /// What scores are multiplied by before the softmax.
  double scale;
  /// Without factors: the tensor `rope_freqs.weight` has them.
  RotaryParameters rotary;
  /// What sine and cosine are multiplied by.
  float rotaryFactor = 1.0f;
  /// Positions of the longest sequence.
  int64_t context;
  /// `context` is more than the file says that the model is made for.
  bool contextIsExceeded = false;
  /// Tokens that there are, where the file says it.
  std::optional<int64_t> vocabulary;
};

/// The sizes of a model that the attention half depends on.
struct ModelSizes {
  int64_t layers;
  /// Layers that predict further tokens, which arrays of one number a layer may count, too.
  int64_t predictionLayers;
  int64_t hidden;
};

/// Reads the keys of attention, rotation and context; `context` stands for that of the file. Errors
/// name the key: missing, out of bounds, or a kind of attention or scaling that Sortie does not
/// have.
llvm::Expected<AttentionConfig> readAttentionConfig(ConfigKeys &keys, const AttentionForm &form,
                                                    ModelSizes sizes,
                                                    std::optional<int64_t> context);

} // namespace sortie::model

#endif // SORTIE_RUNTIME_MODEL_ATTENTION_H
