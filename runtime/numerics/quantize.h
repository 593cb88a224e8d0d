// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Quantization of activation rows: blocks of 128 elements along K, each with one fp32 scale and
// integers of 8 bits or of 15 bits kept as two int8 limbs.

#ifndef SORTIE_RUNTIME_NUMERICS_QUANTIZE_H
#define SORTIE_RUNTIME_NUMERICS_QUANTIZE_H

#include "runtime/numerics/float.h"

namespace sortie::numerics {

/// The low limb of an `int16` activation, in [-64, 63].
SORTIE_NUMERICS_INLINE int32_t lowLimb(int32_t q) {
  return ((q + kMaxLowLimb) & (kLimbBase - 1)) - kMaxLowLimb;
}

/// The high limb, in [-127, 127]: q = 128 * high + low.
SORTIE_NUMERICS_INLINE int32_t highLimb(int32_t q) { return (q - lowLimb(q)) >> 7; }

/// The bits of max |x_i| over `count` elements. As unsigned numbers, the bits of magnitudes order
/// like the magnitudes, with infinity and NaN above every finite number; and a maximum of integers
/// does not depend on its order.
SORTIE_NUMERICS_INLINE uint32_t magnitudeBits(const float *x, int count) {
  uint32_t largest = 0;
  for (int i = 0; i < count; ++i) {
    const uint32_t magnitude = bitsOf(x[i]) & 0x7fffffffu;
    largest = magnitude > largest ? magnitude : largest;
  }
  return largest;
}

/// The scales of one block: q = RNE(RN(x * reciprocal)), and the value of q is q * scale.
struct ActivationScale {
  float scale;      ///< RN(amax / Q); +0.0 for a tiny block; NaN if an element is not finite
  float reciprocal; ///< RN(Q / amax); unused unless `isRegular`
  bool isRegular;   ///< false: every q of the block is 0
};

/// The scales of a block whose largest magnitude has the bits `magnitude` (of `magnitudeBits`).
template <ActivationWidth Width>
SORTIE_NUMERICS_INLINE ActivationScale activationScale(uint32_t magnitude) {
  constexpr float kLargest = maxActivation(Width);
  if (magnitude >= 0x7f800000u)
    return {nan(), 0.0f, false};
  const float amax = floatOf(magnitude);
  if (amax < kMinActivationMagnitude)
    return {0.0f, 0.0f, false};
  return {div(amax, kLargest), div(kLargest, amax), true};
}

/// One element of a regular block. |result| <= Q: docs/numerics.md has the proof.
SORTIE_NUMERICS_INLINE int32_t quantizeElement(float x, float reciprocal) {
  return roundToInt(mul(x, reciprocal));
}

/// Quantizes one block of `count` <= 128 elements and returns its scale. `Integer` is int8_t or
/// int16_t (int16_t holds either width).
template <ActivationWidth Width, typename Integer>
SORTIE_NUMERICS_INLINE float quantizeBlock(const float *x, int count, Integer *q) {
  const ActivationScale scale = activationScale<Width>(magnitudeBits(x, count));
  if (!scale.isRegular) {
    for (int i = 0; i < count; ++i)
      q[i] = 0;
    return scale.scale;
  }
  for (int i = 0; i < count; ++i)
    q[i] = static_cast<Integer>(quantizeElement(x[i], scale.reciprocal));
  return scale.scale;
}

/// Quantizes a row of `k` elements to `q` [k] and `scales` [activationBlocks(k)].
template <ActivationWidth Width, typename Integer>
SORTIE_NUMERICS_INLINE void quantizeRow(const float *x, int64_t k, Integer *q, float *scales) {
  for (int64_t first = 0; first < k; first += kActivationBlock) {
    const int64_t left = k - first;
    const int count = static_cast<int>(left < kActivationBlock ? left : kActivationBlock);
    scales[first / kActivationBlock] = quantizeBlock<Width>(x + first, count, q + first);
  }
}

} // namespace sortie::numerics

#endif // SORTIE_RUNTIME_NUMERICS_QUANTIZE_H
