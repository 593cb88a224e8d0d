// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the minimums of a format multiply: sums of a token's q over the sub-blocks of an activation
// block, formed once for each stage, not by each of the warps that need them.
//
// Float minimums take the sum of a group as a float. Integer minimums are one small matrix product
// with the weight rows' minimums as the A operand, so sums become int8 there. A sum has up to 20
// bits and a sign; it is high * 1024 + low, and each of the two digits (-512 to 511) is 4 q + r. Of
// the four lanes that share a row of the operand, one multiplies r by the minimum, two multiply q
// by twice the minimum, and one has nothing to do: minimums are below 64.

#ifndef SORTIE_CODEGEN_KERNELS_EXACT_TOKENSUMS_H
#define SORTIE_CODEGEN_KERNELS_EXACT_TOKENSUMS_H

#include "codegen/kernels/exact/ProductLane.h"
#include "runtime/numerics/dot.h"

#include <sortie_hardware.h>

namespace sortie::kernels {

/// What a quantized row has of a sum: two int16 of each limb, or one of each in one word. A thread
/// that holds the former does not wait for it.
template <int Limbs> struct RawSum {
  uint32_t word[Limbs];
};

/// Sums of one token and activation block in shared memory, tokenSumBytes(F) bytes: kCount floats;
/// or, of integer minimums, r and then q of all digits, each as words [kCount / 4][low, high].
template <Format F> struct TokenSums {
  static constexpr FormatInfo kInfo = formatInfo(F);
  static constexpr bool kAreUsed = kInfo.minimum != Minimum::None;
  static constexpr bool kAreFloats = kInfo.minimum == Minimum::AddedFloat;
  static constexpr int kCount = kSectionElements / kInfo.subBlock;
  static constexpr int kBytes = tokenSumBytes(F);
  static constexpr int kWords = kCount / 4; ///< of a row's minimums
  static constexpr int kDigitBits = 10;

  /// What a quantized row has of sum `j` of activation block `block`.
  template <RowKind Kind, int K>
  SORTIE_DEVICE RawSum<limbCount(Kind)> load(const char *row, int block, int j) {
    constexpr ActRowLayout kRow = actRowLayout(Kind, K);
    constexpr int kBytesOfSum = kInfo.subBlock / kSumElements * 2;
    const char *sums = row + kRow.sums + (block * kCount + j) * kBytesOfSum;
    RawSum<limbCount(Kind)> raw = {};
#pragma unroll
    for (int l = 0; l < limbCount(Kind); ++l) {
      const char *ofLimb = sums + l * kRow.sumStride;
      if constexpr (kAreTwo)
        raw.word[l] = hw::loadReadOnly(reinterpret_cast<const uint32_t *>(ofLimb));
      else // one register: Q2_K needs the other
        raw.word[0] |= uint32_t{hw::loadReadOnly(reinterpret_cast<const uint16_t *>(ofLimb))}
                       << (16 * l);
    }
    return raw;
  }

  template <int Limbs> SORTIE_DEVICE void store(char *token, int j, const RawSum<Limbs> &raw) {
    int32_t sum = sumOf(raw, 0);
    if constexpr (Limbs == 2)
      sum += sumOf(raw, 1) * kLimbBase;
    store(token, j, sum);
  }

  /// What the lane's minimums are multiplied by.
  SORTIE_DEVICE uint32_t factor() { return 0x2201u >> (hw::threadIndexAnew() % 4 * 4) & 0xfu; }

  /// sums[o] = the sum of minimum * q for the lane's outputs of a product: of its two rows of
  /// minimums (multiplied by factor()) and the group of tokens whose sums begin at `tokens`. An mma
  /// has both digits of four tokens as its columns.
  template <int Limbs>
  SORTIE_DEVICE void multiply(const uint32_t (&first)[2], const uint32_t (&second)[2],
                              const char *tokens, int32_t (&sums)[ProductLane<Limbs>::kOutputs]) {
    constexpr int kOfLane = ProductLane<Limbs>::kTokensOfLane;
    const int lane = hw::laneIndex();
    const int at =
        lane / 8 * kOfLane * kBytes + lane / 4 % 2 * 4 + (lane % 4 == 0 ? 0 : kBytes / 2);
    const auto *words = reinterpret_cast<const uint32_t *>(tokens + at);
#pragma unroll
    for (int t = 0; t < kOfLane; ++t) {
      const uint32_t *token = words + t * kBytes / 4;
      int32_t digits[4] = {};
      if constexpr (kWords == 1)
        hw::multiplyK16(digits, first[0], second[0], token[0]);
      else
        hw::multiplyK32(digits, {first[0], second[0], first[1], second[1]}, token[0], token[2]);
#pragma unroll
      for (int r = 0; r < 2; ++r)
        sums[r * kOfLane + t] = digits[2 * r] + (digits[2 * r + 1] << kDigitBits);
    }
  }

private:
  /// Rows have a sum for each 16 elements: one of a sub-block, or two.
  static constexpr bool kAreTwo = kInfo.subBlock != kSumElements;

  template <int Limbs> SORTIE_DEVICE int32_t sumOf(const RawSum<Limbs> &raw, int limb) {
    if constexpr (kAreTwo)
      return hw::dot2Low(static_cast<int32_t>(raw.word[limb]), 0x0101u, 0);
    return static_cast<int16_t>(raw.word[0] >> (16 * limb) & 0xffffu);
  }

  SORTIE_DEVICE void store(char *token, int j, int32_t sum) {
    if constexpr (kAreFloats) {
      reinterpret_cast<float *>(token)[j] = toFloat(sum);
    } else {
      constexpr int32_t kDigit = 1 << kDigitBits;
      const int32_t high = (sum + kDigit / 2) >> kDigitBits;
      storeDigit(token + j / 4 * 8 + j % 4, sum - high * kDigit);
      storeDigit(token + j / 4 * 8 + 4 + j % 4, high);
    }
  }

  SORTIE_DEVICE void storeDigit(char *at, int32_t digit) {
    at[0] = static_cast<char>(digit & 3);
    at[kBytes / 2] = static_cast<char>(digit >> 2);
  }
};

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_EXACT_TOKENSUMS_H
