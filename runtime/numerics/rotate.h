// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rotation of pairs by position (rotary embeddings). Angles are exact: frequencies are 64-bit
// fractions of a turn, and phases integers modulo a turn. docs/numerics-models.md is the
// definition.

#ifndef SORTIE_RUNTIME_NUMERICS_ROTATE_H
#define SORTIE_RUNTIME_NUMERICS_ROTATE_H

#include "runtime/numerics/float.h"

namespace sortie::numerics {

/// What sine and cosine are computed with, for angles of at most an eighth of a turn: minimax
/// polynomials (4e-9 of the sine, 1.1e-10), coefficients rounded one after another.
struct TurnConstants {
  static constexpr float kUnit = 0x1.921fb6p-30f; ///< 2^-32 of a turn, in radians
  static constexpr float kSine3 = -0x1.555546p-3f;
  static constexpr float kSine5 = 0x1.110778p-7f;
  static constexpr float kSine7 = -0x1.9954p-13f;
  static constexpr float kCosine4 = 0x1.55554ap-5f;
  static constexpr float kCosine6 = -0x1.6c0c1ap-10f;
  static constexpr float kCosine8 = 0x1.99e0eep-16f;
};

/// Which elements of the turned part of a head are a pair.
enum class PairOrder : uint8_t {
  Halves,     ///< element j of the first half and of the second
  Neighbours, ///< elements 2j and 2j + 1
};

struct Turn {
  float cosine;
  float sine;
};

/// Cosine and sine of `phase`, in 2^-64 of a turn.
SORTIE_NUMERICS_INLINE Turn turnOf(uint64_t phase) {
  using C = TurnConstants;
  constexpr uint32_t kEighth = uint32_t{1} << 29;
  const auto fraction = static_cast<uint32_t>((phase + (uint64_t{1} << 31)) >> 32);
  const uint32_t quarter = (fraction + kEighth) >> 30;
  const auto rest = static_cast<int32_t>(fraction - (quarter << 30));

  const float x = mul(toFloat(rest), C::kUnit);
  const float s = mul(x, x);
  const float sinePart = fma(fma(C::kSine7, s, C::kSine5), s, C::kSine3);
  const float sine = fma(mul(x, s), sinePart, x);
  const float cosinePart = fma(fma(C::kCosine8, s, C::kCosine6), s, C::kCosine4);
  const float cosine = fma(s, fma(s, cosinePart, -0.5f), 1.0f);

  switch (quarter & 3) {
  case 0:
    return {cosine, sine};
  case 1:
    return {-sine, cosine};
  case 2:
    return {-cosine, -sine};
  default:
    return {sine, -cosine};
  }
}

/// The turn of a pair at `position`, whose frequency is in 2^-64 of a turn for each position.
SORTIE_NUMERICS_INLINE Turn turnAt(uint64_t position, uint64_t frequency) {
  return turnOf(position * frequency);
}

/// A turn whose cosine and sine are multiplied by the model's attention factor.
SORTIE_NUMERICS_INLINE Turn scaleTurn(Turn turn, float factor) {
  return {mul(turn.cosine, factor), mul(turn.sine, factor)};
}

/// Turns the pair (x0, x1).
SORTIE_NUMERICS_INLINE void rotatePair(Turn turn, float &x0, float &x1) {
  const float y0 = fma(x0, turn.cosine, -mul(x1, turn.sine));
  const float y1 = fma(x1, turn.cosine, mul(x0, turn.sine));
  x0 = y0;
  x1 = y1;
}

} // namespace sortie::numerics

#endif // SORTIE_RUNTIME_NUMERICS_ROTATE_H
