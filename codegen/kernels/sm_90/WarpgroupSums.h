// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sums of a token's q over the groups of an activation block, which minimums multiply, as products
// of warpgroups take them.
//
// Float minimums take the four sums of a token as floats. Integer minimums are one product in fp16,
// whose sums are exact: of int16, v = 512 h + l with both digits in neighbouring columns, as limbs
// are, so that a lane has both; of int8, v = 64 h + l with h in the first half of a column, l in
// the second, and A with 64 times the minimum for h. A column has 16 bytes. l is not negative, so
// no sum is -0.0.

#ifndef SORTIE_CODEGEN_KERNELS_SM_90_WARPGROUPSUMS_H
#define SORTIE_CODEGEN_KERNELS_SM_90_WARPGROUPSUMS_H

#include "codegen/kernels/sm_90/WarpgroupBlock.h"

namespace sortie::kernels {

template <Format F, int Limbs> struct WarpgroupSums {
  static constexpr Minimum kMinimum = formatInfo(F).minimum;
  static constexpr bool kAreUsed = kMinimum != Minimum::None;
  static constexpr bool kAreFloats = kMinimum == Minimum::AddedFloat;
  static constexpr int kGroups = kSectionElements / kGroup;
  static constexpr int kDigitBits = Limbs == 2 ? 9 : 6;
  static constexpr int kTokenBytes = Limbs * kShortColumnBytes;

  /// Stores sum `j` of a token, whose place is `token`.
  SORTIE_DEVICE void store(char *token, int j, const RawSum<Limbs> &raw) {
    const int32_t low = hw::dot2Low(static_cast<int32_t>(raw.word[0]), 0x0101u, 0);
    int32_t sum = low;
    if constexpr (Limbs == 2)
      sum += hw::dot2Low(static_cast<int32_t>(raw.word[1]), 0x0101u, 0) * kLimbBase;
    if constexpr (kAreFloats) {
      reinterpret_cast<float *>(token)[j] = toFloat(sum);
    } else {
      const int32_t high = sum >> kDigitBits;
      const uint32_t pair = hw::packHalves(toFloat(high), toFloat(sum - (high << kDigitBits)));
      auto *halves = reinterpret_cast<uint16_t *>(token) + j;
      constexpr int kToLow = Limbs == 2 ? kShortColumnBytes / 2 : kGroups;
      halves[0] = static_cast<uint16_t>(pair & 0xffffu);
      halves[kToLow] = static_cast<uint16_t>(pair >> 16);
    }
  }

  /// A of the minimums of the lane's two rows, a byte each.
  SORTIE_DEVICE void makeOperand(const SubScales (&rows)[2], uint32_t (&a)[4]) {
    const int t = hw::laneIndex() % 4;
    const float factor = Limbs == 1 && t < 2 ? float{1 << kDigitBits} : 1.0f;
    const bool isUsed = Limbs == 1 || t < 2;
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      const uint32_t pair = rows[r].minimums[0] >> (t % 2 * 16);
      const float low = mul(toFloat(static_cast<int32_t>(pair & 0xffu)), factor);
      const float high = mul(toFloat(static_cast<int32_t>(pair >> 8 & 0xffu)), factor);
      a[r] = isUsed ? hw::packHalves(low, high) : 0;
      a[2 + r] = 0;
    }
  }

  /// t after the minimums. `sums` are four sums of the product, `o` is one of the lane's outputs
  /// among them.
  SORTIE_DEVICE float subtract(const float *sums, int o, float dmin, float t) {
    // As subtractMinimums(), whose sum is rounded once.
    const float sum =
        Limbs == 2 ? fma(float{1 << kDigitBits}, sums[2 * o], sums[2 * o + 1]) : sums[o];
    return fma(-sum, dmin, t);
  }
};

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_SM_90_WARPGROUPSUMS_H
