// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One activation block of the exact dot product, 16 weight rows by 8 tokens, with mma.sync: integer
// sums over runs, then t as docs/numerics.md orders it. A lane computes four outputs, element e: row
// lane / 4 + 8 (e / 2), token 2 (lane mod 4) + e mod 2.

#ifndef SORTIE_CODEGEN_KERNELS_EXACTDOT_H
#define SORTIE_CODEGEN_KERNELS_EXACTDOT_H

#include "codegen/kernels/ExactPanel.h"
#include "runtime/numerics/dot.h"
#include "runtime/numerics/layout.h"

namespace sortie::kernels {

/// What a format wants to know of the activations besides their limbs.
enum class TokenSums {
  None,
  OfGroups, ///< sums of 32 integers
  OfPairs,  ///< sums of 16 limbs, as they lie in the row
};

template <Format F> constexpr TokenSums tokenSumsOf() {
  if (formatInfo(F).minimum == Minimum::None)
    return TokenSums::None;
  return formatInfo(F).formatClass == FormatClass::SubScale16 ? TokenSums::OfPairs
                                                              : TokenSums::OfGroups;
}

/// A lane's part of 8 tokens and one activation block.
template <int Limbs> struct TokenBlock {
  /// Of each limb (the low one first), the words of token lane / 4: elements 16 i + 4 (lane mod 4).
  uint32_t limbs[Limbs][8];
  /// Of the tokens 2 (lane mod 4) and the next:
  float scales[2];
  int32_t groupSums[2][4];       ///< TokenSums::OfGroups
  int32_t pairSums[Limbs][2][4]; ///< TokenSums::OfPairs: two int16 a word
};

/// Copies the limbs of the eight tokens from `first` on; `stride` bytes lie between two tokens.
SORTIE_DEVICE void loadLimb(const char *first, int stride, uint32_t (&words)[8]) {
  const int lane = hw::laneIndex();
  const char *row = first + lane % 8 * stride + lane / 8 * 16;
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    uint32_t quarter[4];
    hw::loadMatrices(quarter, row + 64 * i);
#pragma unroll
    for (int j = 0; j < 4; ++j)
      words[4 * i + j] = quarter[j];
  }
}

/// The four words of 16-element sums of a token and limb.
SORTIE_DEVICE void loadPairSums(const char *at, int32_t (&sums)[4]) {
  const hw::Words4 words = *reinterpret_cast<const hw::Words4 *>(at);
#pragma unroll
  for (int i = 0; i < 4; ++i)
    sums[i] = static_cast<int32_t>(words.word[i]);
}

/// Sums of 32 integers out of the sums of 16 limbs.
template <int Limbs>
SORTIE_DEVICE void addPairSums(const int32_t (&pairs)[Limbs][2][4], int32_t (&groups)[2][4]) {
  constexpr uint32_t kOnes = 0x0101;
  constexpr uint32_t kBases = kLimbBase * 0x0101;
#pragma unroll
  for (int c = 0; c < 2; ++c)
#pragma unroll
    for (int g = 0; g < 4; ++g) {
      groups[c][g] = hw::dot2Low(pairs[0][c][g], kOnes, 0);
      if constexpr (Limbs == 2)
        groups[c][g] = hw::dot2Low(pairs[1][c][g], kBases, groups[c][g]);
    }
}

//===- Integer runs -------------------------------------------------------===//

/// sum += levels * limb over sub-block `s` of a half: 32 elements, or 16.
template <Format F>
SORTIE_DEVICE void multiplySubBlock(int32_t (&sum)[4], const uint32_t (&levels)[kRegistersPerHalf],
                                    const uint32_t (&limb)[8], int s) {
  if constexpr (formatInfo(F).formatClass == FormatClass::SubScale16) {
    hw::multiplyK16(sum, levels[2 * s], levels[2 * s + 1], limb[s]);
  } else {
    const uint32_t operand[4] = {levels[4 * s], levels[4 * s + 1], levels[4 * s + 2],
                                 levels[4 * s + 3]};
    hw::multiplyK32(sum, operand, limb[2 * s], limb[2 * s + 1]);
  }
}

/// sum = levels * q over sub-block `s`, the limbs combined. Only where the contract allows that.
template <Format F, int Limbs>
SORTIE_DEVICE void multiplyCombined(int32_t (&sum)[4],
                                    const uint32_t (&levels)[kRegistersPerHalf],
                                    const uint32_t (&limbs)[Limbs][8], int s) {
#pragma unroll
  for (int e = 0; e < 4; ++e)
    sum[e] = 0;
  if constexpr (Limbs == 2) {
    multiplySubBlock<F>(sum, levels, limbs[1], s);
#pragma unroll
    for (int e = 0; e < 4; ++e)
      sum[e] *= kLimbBase;
  }
  multiplySubBlock<F>(sum, levels, limbs[0], s);
}

template <int Words> SORTIE_DEVICE int32_t byteAt(const uint32_t (&words)[Words], int i) {
  return signedByte(words[i / 4], i % 4);
}

/// run += sub-scale * sum, for the lane's two rows.
SORTIE_DEVICE void addScaled(int32_t (&run)[4], const int32_t (&sum)[4], const SubScales (&rows)[2],
                             int s) {
#pragma unroll
  for (int e = 0; e < 4; ++e)
    run[e] += byteAt(rows[e / 2].scales, s) * sum[e];
}

/// F of the block, in formats with sub-scales.
template <Format F, int Limbs>
SORTIE_DEVICE void subScaleRun(const ExactPanel<F> &panel, const TokenBlock<Limbs> &tokens,
                               float (&run)[4]) {
  constexpr int kSubBlocks = PackedLayout<F>::kSubBlocks / 2;
  if constexpr (Limbs == 1 || isCombinable(formatInfo(F))) {
    int32_t sums[4] = {};
#pragma unroll
    for (int s = 0; s < kSubBlocks; ++s) {
      int32_t sum[4];
      multiplyCombined<F>(sum, panel.levels, tokens.limbs, s);
      addScaled(sums, sum, panel.rows, s);
    }
#pragma unroll
    for (int e = 0; e < 4; ++e)
      run[e] = toFloat(sums[e]);
  } else {
    int32_t high[4] = {};
    int32_t low[4] = {};
#pragma unroll
    for (int s = 0; s < kSubBlocks; ++s) {
      int32_t sum[4] = {};
      multiplySubBlock<F>(sum, panel.levels, tokens.limbs[1], s);
      addScaled(high, sum, panel.rows, s);
      int32_t lowSum[4] = {};
      multiplySubBlock<F>(lowSum, panel.levels, tokens.limbs[0], s);
      addScaled(low, lowSum, panel.rows, s);
    }
#pragma unroll
    for (int e = 0; e < 4; ++e)
      run[e] = combineLimbs(high[e], low[e]);
  }
}

/// M of the block: the sum of minimum * q, for one row and one of the lane's tokens.
template <Format F, int Limbs>
SORTIE_DEVICE int32_t minimumSum(const SubScales &row, const TokenBlock<Limbs> &tokens, int c) {
  int32_t sum = 0;
  if constexpr (tokenSumsOf<F>() == TokenSums::OfGroups) {
#pragma unroll
    for (int g = 0; g < 4; ++g)
      sum += byteAt(row.minimums, g) * tokens.groupSums[c][g];
    return sum;
  }
#pragma unroll
  for (int limb = Limbs - 1; limb >= 0; --limb) {
    sum *= kLimbBase;
#pragma unroll
    for (int p = 0; p < 4; ++p) {
      const int32_t pair = tokens.pairSums[limb][c][p];
      const uint32_t minimums = row.minimums[p / 2];
      sum = p % 2 == 0 ? hw::dot2Low(pair, minimums, sum) : hw::dot2High(pair, minimums, sum);
    }
  }
  return sum;
}

//===- t ------------------------------------------------------------------===//

/// t of one activation block, formats with sub-scales.
template <Format F, int Limbs>
SORTIE_DEVICE void blockTerm(const ExactPanel<F, true> &panel, const TokenBlock<Limbs> &tokens,
                             float (&t)[4]) {
  float run[4];
  subScaleRun<F>(panel, tokens, run);
#pragma unroll
  for (int e = 0; e < 4; ++e) {
    const SubScales &row = panel.rows[e / 2];
    t[e] = firstRun(run[e], row.d);
    if constexpr (formatInfo(F).minimum == Minimum::SubtractedInteger)
      t[e] = subtractMinimums(minimumSum<F>(row, tokens, e % 2), row.dmin, t[e]);
  }
}

/// t of one activation block, formats with a float scale a group.
template <Format F, int Limbs>
SORTIE_DEVICE void blockTerm(const ExactPanel<F, false> &panel, const TokenBlock<Limbs> &tokens,
                             float (&t)[4]) {
#pragma unroll
  for (int g = 0; g < kGroupsPerBlock; ++g) {
    int32_t sum[4];
    multiplyCombined<F>(sum, panel.levels, tokens.limbs, g);
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      const float d = panel.rows[e / 2].d[g];
      t[e] = g == 0 ? firstRun(toFloat(sum[e]), d) : addRun(toFloat(sum[e]), d, t[e]);
    }
  }
  if constexpr (formatInfo(F).minimum == Minimum::AddedFloat) {
#pragma unroll
    for (int g = 0; g < kGroupsPerBlock; ++g)
#pragma unroll
      for (int e = 0; e < 4; ++e)
        t[e] = addMinimum(tokens.groupSums[e % 2][g], panel.rows[e / 2].m[g], t[e]);
  }
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_EXACTDOT_H
