// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The dot product of one weight row and one activation row, as the contract defines it and in the
// plainest code: the reference of every kernel. The roundings of `exact` arithmetic, which kernels
// share, are the functions at the top.

#ifndef SORTIE_RUNTIME_NUMERICS_DOT_H
#define SORTIE_RUNTIME_NUMERICS_DOT_H

#include "runtime/numerics/decode.h"
#include "runtime/numerics/quantize.h"
#include "runtime/numerics/reduce.h"

namespace sortie::numerics {

//===- The roundings of `exact` arithmetic --------------------------------===//

/// The float of an integer run from the sums over its limbs, F = fma(128, RN(S_hi), RN(S_lo)).
SORTIE_NUMERICS_INLINE float combineLimbs(int32_t high, int32_t low) {
  return fma(static_cast<float>(kLimbBase), toFloat(high), toFloat(low));
}

/// t after one more run: RN(F * d) for the first of an activation block, fma(F, d, t) then.
SORTIE_NUMERICS_INLINE float firstRun(float run, float d) { return mul(run, d); }
SORTIE_NUMERICS_INLINE float addRun(float run, float d, float t) { return fma(run, d, t); }

/// t after a float minimum: `sum` is the sum of a group's q, which a float holds exactly.
SORTIE_NUMERICS_INLINE float addMinimum(float sum, float m, float t) { return fma(sum, m, t); }

/// t after the integer minimums: `sum` is the sum of minimum * q over the activation block.
SORTIE_NUMERICS_INLINE float subtractMinimums(int32_t sum, float dmin, float t) {
  return fma(-toFloat(sum), dmin, t);
}

/// The chunk's sum after one more activation block; it starts at +0.0.
SORTIE_NUMERICS_INLINE float addBlock(float t, float activationScale, float sum) {
  return fma(t, activationScale, sum);
}

//===- The reference ------------------------------------------------------===//

namespace detail {

/// F of the run of `count` elements from element `first` of a decoded block on. `q` are the run's
/// activations.
template <Format F, ActivationWidth Width>
SORTIE_NUMERICS_INLINE float integerRunValue(const DecodedBlock &block, int first, int count,
                                             const int16_t *q) {
  constexpr int kSubBlock = formatInfo(F).subBlock;
  int32_t high = 0;
  int32_t low = 0;
  for (int i = 0; i < count; ++i) {
    const int32_t weight = block.subScales[(first + i) / kSubBlock] * block.levels[first + i];
    if constexpr (Width == ActivationWidth::Int16)
      high += weight * highLimb(q[i]);
    low += weight * (Width == ActivationWidth::Int16 ? lowLimb(q[i]) : q[i]);
  }
  return Width == ActivationWidth::Int16 ? combineLimbs(high, low) : toFloat(low);
}

/// t of an activation block in the formats with a float scale per group. `count` is a multiple of
/// 32; groups past the end of the row do not exist.
template <Encoding E, ActivationWidth Width>
SORTIE_NUMERICS_INLINE float groupScaleTerm(EncodedRow row, int64_t firstGroup, const int16_t *q,
                                            int count) {
  constexpr Format kFormat = formatOf(E);
  constexpr FormatInfo kInfo = formatInfo(kFormat);
  DecodedBlock block;
  float t = 0.0f;
  for (int g = 0; g < count / kGroup; ++g) {
    decodeBlock<E>(row, firstGroup + g, block);
    const float run = integerRunValue<kFormat, Width>(block, 0, kGroup, q + g * kGroup);
    t = g == 0 ? firstRun(run, block.d) : addRun(run, block.d, t);
  }
  if constexpr (kInfo.minimum == Minimum::AddedFloat) {
    for (int g = 0; g < count / kGroup; ++g) {
      decodeBlock<E>(row, firstGroup + g, block);
      int32_t sum = 0;
      for (int i = 0; i < kGroup; ++i)
        sum += q[g * kGroup + i];
      t = addMinimum(toFloat(sum), block.m, t);
    }
  }
  return t;
}

/// t of activation block `b` of a row in the formats with integer sub-scales.
template <Encoding E, ActivationWidth Width>
SORTIE_NUMERICS_INLINE float subScaleTerm(EncodedRow row, int64_t b, const int16_t *q) {
  constexpr Format kFormat = formatOf(E);
  constexpr FormatInfo kInfo = formatInfo(kFormat);
  constexpr int64_t kHalves = kInfo.elements / kActivationBlock;
  const int first = static_cast<int>(b % kHalves) * kActivationBlock;
  DecodedBlock block;
  decodeBlock<E>(row, b / kHalves, block);
  const float run = integerRunValue<kFormat, Width>(block, first, kActivationBlock, q);
  float t = firstRun(run, block.d);
  if constexpr (kInfo.minimum == Minimum::SubtractedInteger) {
    int32_t sum = 0;
    for (int i = 0; i < kActivationBlock; ++i)
      sum += block.minimums[(first + i) / kInfo.subBlock] * q[i];
    t = subtractMinimums(sum, block.m, t);
  }
  return t;
}

} // namespace detail

/// t of activation block `b` of a row of `k` elements: everything but the activation's scale.
template <Encoding E, ActivationWidth Width>
SORTIE_NUMERICS_INLINE float exactBlockTerm(EncodedRow row, const int16_t *q, int64_t k,
                                            int64_t b) {
  const int64_t first = b * kActivationBlock;
  if constexpr (hasSubScales(formatInfo(formatOf(E)))) {
    return detail::subScaleTerm<E, Width>(row, b, q + first);
  } else {
    const int64_t left = k - first;
    const int count = static_cast<int>(left < kActivationBlock ? left : kActivationBlock);
    return detail::groupScaleTerm<E, Width>(row, first / kGroup, q + first, count);
  }
}

/// The `exact` dot product of a weight row of `k` elements (a multiple of the encoding's block)
/// with a quantized activation row: `q` [k] and `scales` [activationBlocks(k)], as `quantizeRow`
/// makes them.
template <Encoding E, ActivationWidth Width>
SORTIE_NUMERICS_INLINE float exactDot(EncodedRow row, const int16_t *q, const float *scales,
                                      int64_t k) {
  const int64_t blocks = activationBlocks(k);
  float total = 0.0f;
  for (int64_t first = 0; first < blocks; first += kBlocksPerChunk) {
    float sum = 0.0f;
    for (int64_t b = first; b < first + kBlocksPerChunk && b < blocks; ++b)
      sum = addBlock(exactBlockTerm<E, Width>(row, q, k, b), scales[b], sum);
    total = first == 0 ? sum : add(total, sum);
  }
  return total;
}

} // namespace sortie::numerics

#endif // SORTIE_RUNTIME_NUMERICS_DOT_H
