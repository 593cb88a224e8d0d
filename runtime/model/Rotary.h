// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The frequencies of rotary embeddings, as numerics/rotate.h takes them: 64-bit fractions of a turn
// for each position, rounded from fixed-point arithmetic of 160 bits, so that every host gives the
// same.

#ifndef SORTIE_RUNTIME_MODEL_ROTARY_H
#define SORTIE_RUNTIME_MODEL_ROTARY_H

#include "runtime/support/Error.h"

#include "llvm/ADT/ArrayRef.h"

#include <optional>
#include <vector>

namespace sortie::model {

/// YaRN (Peng et al., "YaRN: Efficient Context Window Extension of Large Language Models", 2023):
/// pairs that turn often within the original context keep their frequency, those that turn seldom
/// are slowed down by the factor, and those between are mixed.
struct Yarn {
  float factor;            ///< at least 1
  int64_t context;         ///< the original one, in positions
  float fastTurns = 32.0f; ///< turns within it from which on frequencies stay
  float slowTurns = 1.0f;  ///< turns within it up to which they are slowed down in full
  /// The ends of the ramp are rounded outwards to whole pairs. Some models say that they are not.
  bool hasWholeEnds = true;
};

struct RotaryParameters {
  int64_t dimensions; ///< elements of a head that turn: two a pair
  float base;         ///< above 1: the frequency of pair j is base^(-2j / dimensions) radians
  /// Frequencies are divided by this (linear scaling); at least 1.
  float divisor = 1.0f;
  std::optional<Yarn> yarn = std::nullopt;
  /// One for each pair, by which its frequency is divided (`rope_freqs.weight`); may be empty.
  // Without an initializer, g++ warns of every aggregate that leaves it out.
  llvm::ArrayRef<float> factors = {}; // NOLINT(readability-redundant-member-init)
};

/// The frequency of each pair, in 2^-64 of a turn for each position. An error if a parameter is out
/// of its bounds, or if the factors are not one for each pair.
llvm::Expected<std::vector<uint64_t>> rotaryFrequencies(const RotaryParameters &parameters);

/// 1 + multiplier * ln(factor) of YaRN's factor, from the same arithmetic; `multiplier` is 0 to 16.
double yarnGrowth(const Yarn &yarn, float multiplier);

/// What YaRN multiplies sine and cosine by: 1 + ln(factor) / 10, rounded from the same arithmetic.
/// The parameters are within their bounds.
float yarnAttentionFactor(const Yarn &yarn);

} // namespace sortie::model

#endif // SORTIE_RUNTIME_MODEL_ROTARY_H
