// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One activation block of the exact dot product, 16 weight rows by 8 tokens, with mma.sync: integer
// sums over runs, then t as docs/numerics.md orders it. A lane computes four outputs, element e:
// row lane / 4 + 8 (e / 2), token 2 (lane mod 4) + e mod 2.

#ifndef SORTIE_CODEGEN_KERNELS_EXACTDOT_H
#define SORTIE_CODEGEN_KERNELS_EXACTDOT_H

#include "codegen/kernels/ExactPanel.h"
#include "runtime/numerics/dot.h"
#include "runtime/numerics/layout.h"

namespace sortie::kernels {

/// A lane's part of 8 tokens and 64 elements: of each limb (the low one first), the words of token
/// lane / 4, elements 16 i + 4 (lane mod 4).
template <int Limbs> struct TokenWords {
  uint32_t limb[Limbs][4];
};
constexpr int kQuarterElements = 64;

/// Eight tokens and one activation block in shared memory.
template <int Limbs> struct TokenBlock {
  const char *limbs; ///< of the first token, the low limb
  int tokenStride;   ///< bytes between two tokens
  int limbStride;    ///< bytes between two limbs
};

/// The elements [64 quarter, 64 quarter + 64).
template <int Limbs>
SORTIE_DEVICE TokenWords<Limbs> loadTokens(const TokenBlock<Limbs> &tokens, int quarter) {
  const int lane = hw::laneIndex();
  const char *row = tokens.limbs + lane % 8 * tokens.tokenStride + lane / 8 * 16;
  TokenWords<Limbs> words;
#pragma unroll
  for (int l = 0; l < Limbs; ++l)
    hw::loadMatrices(words.limb[l], row + l * tokens.limbStride + quarter * kQuarterElements);
  return words;
}

//===- Integer runs -------------------------------------------------------===//

/// The A operand of sub-block `s` of a half (32 elements, or 16): its levels, or one byte for all
/// elements of a row.
template <Format F> struct SubBlock {
  static constexpr bool kIs16 = formatInfo(F).formatClass == FormatClass::SubScale16;
  static constexpr int kCount = kHalfElements / formatInfo(F).subBlock;
  static constexpr int kPerQuarter = kCount / 2;
  static constexpr int kRegisters = kRegistersPerHalf / kCount;
  uint32_t operand[kRegisters];
};

template <Format F>
SORTIE_DEVICE SubBlock<F> levelsOf(const uint32_t (&levels)[kRegistersPerHalf], int s) {
  SubBlock<F> block;
#pragma unroll
  for (int i = 0; i < SubBlock<F>::kRegisters; ++i)
    block.operand[i] = levels[SubBlock<F>::kRegisters * s + i];
  return block;
}

/// `bytes[r]` is the byte of the lane's row r, four times.
template <Format F> SORTIE_DEVICE SubBlock<F> constantRows(const uint32_t (&bytes)[2]) {
  SubBlock<F> block;
#pragma unroll
  for (int i = 0; i < SubBlock<F>::kRegisters; ++i)
    block.operand[i] = bytes[i % 2];
  return block;
}

/// sum += operand * limb over sub-block `s` of the quarter that `limb` holds.
template <Format F>
SORTIE_DEVICE void multiplySubBlock(int32_t (&sum)[4], const SubBlock<F> &a,
                                    const uint32_t (&limb)[4], int s) {
  if constexpr (SubBlock<F>::kIs16)
    hw::multiplyK16(sum, a.operand[0], a.operand[1], limb[s]);
  else
    hw::multiplyK32(sum, a.operand, limb[2 * s], limb[2 * s + 1]);
}

SORTIE_DEVICE void clear(int32_t (&sum)[4]) {
#pragma unroll
  for (int e = 0; e < 4; ++e)
    sum[e] = 0;
}

/// The high limb's sum becomes one of q, to which the low limb's is added.
SORTIE_DEVICE void raise(int32_t (&sum)[4]) {
#pragma unroll
  for (int e = 0; e < 4; ++e)
    sum[e] *= kLimbBase;
}

/// sum = operand * q over sub-block `s` of a quarter, the limbs combined. Only where the contract
/// allows that. The two products do not wait for each other, except where there are eight
/// sub-blocks, whose sums take all registers.
template <Format F, int Limbs>
SORTIE_DEVICE void multiplyCombined(int32_t (&sum)[4], const SubBlock<F> &a,
                                    const TokenWords<Limbs> &words, int s) {
  clear(sum);
  if constexpr (Limbs == 1) {
    multiplySubBlock<F>(sum, a, words.limb[0], s);
  } else if constexpr (SubBlock<F>::kIs16) {
    multiplySubBlock<F>(sum, a, words.limb[1], s);
    raise(sum);
    multiplySubBlock<F>(sum, a, words.limb[0], s);
  } else {
    int32_t high[4] = {};
    multiplySubBlock<F>(high, a, words.limb[1], s);
    multiplySubBlock<F>(sum, a, words.limb[0], s);
    raise(high);
#pragma unroll
    for (int e = 0; e < 4; ++e)
      sum[e] += high[e];
  }
}

/// Sub-scale `s` of a row. Where there are eight, they are unpacked at each use: kept apart, they
/// would take too many registers.
template <Format F> SORTIE_DEVICE int32_t subScale(const SubScales &row, int s) {
  const uint32_t word = row.scales[s / 4];
  return signedByte(SubBlock<F>::kIs16 ? hw::recomputed(word) : word, s % 4);
}

/// run += sub-scale * sum, for the lane's two rows.
template <Format F>
SORTIE_DEVICE void addScaled(int32_t (&run)[4], const int32_t (&sum)[4], const SubScales (&rows)[2],
                             int s) {
#pragma unroll
  for (int e = 0; e < 4; ++e)
    run[e] += subScale<F>(rows[e / 2], s) * sum[e];
}

//===- Formats with sub-scales --------------------------------------------===//

/// Calls `body(words, s, i)` for each sub-block `s` of the half, which is number `i` of the quarter
/// that `words` holds.
template <Format F, int Limbs, typename Body>
SORTIE_DEVICE void forEachSubBlock(const TokenBlock<Limbs> &tokens, Body body) {
#pragma unroll
  for (int quarter = 0; quarter < 2; ++quarter) {
    const TokenWords<Limbs> words = loadTokens(tokens, quarter);
#pragma unroll
    for (int i = 0; i < SubBlock<F>::kPerQuarter; ++i)
      body(words, quarter * SubBlock<F>::kPerQuarter + i, i);
  }
}

/// F of the block: the run of 128 elements.
template <Format F, int Limbs>
SORTIE_DEVICE void blockRun(const ExactPanel<F> &panel, const TokenBlock<Limbs> &tokens,
                            float (&run)[4]) {
  constexpr bool kAreApart = Limbs == 2 && !isCombinable(formatInfo(F));
  int32_t low[4] = {};  // or of both limbs
  int32_t high[4] = {}; // where the limbs must stay apart
  forEachSubBlock<F>(tokens, [&](const TokenWords<Limbs> &words, int s, int i) {
    const SubBlock<F> levels = levelsOf<F>(panel.levels, s);
    int32_t sum[4];
    if constexpr (kAreApart) {
      clear(sum);
      multiplySubBlock<F>(sum, levels, words.limb[1], i);
      addScaled<F>(high, sum, panel.rows, s);
      clear(sum);
      multiplySubBlock<F>(sum, levels, words.limb[0], i);
    } else {
      multiplyCombined<F>(sum, levels, words, i);
    }
    addScaled<F>(low, sum, panel.rows, s);
  });
#pragma unroll
  for (int e = 0; e < 4; ++e)
    run[e] = kAreApart ? combineLimbs(high[e], low[e]) : toFloat(low[e]);
}

/// sum += minimum * limb over the block: a product of which the A operand repeats a row's minimum
/// over each sub-block.
template <Format F, int Limbs>
SORTIE_DEVICE void addMinimums(const ExactPanel<F> &panel, const TokenBlock<Limbs> &tokens,
                               int limb, int32_t (&sum)[4]) {
  forEachSubBlock<F>(tokens, [&](const TokenWords<Limbs> &words, int s, int i) {
    uint32_t bytes[2];
#pragma unroll
    for (int r = 0; r < 2; ++r)
      bytes[r] = hw::selectBytes(panel.rows[r].minimums[s / 4], 0, 0x1111u * (s % 4));
    multiplySubBlock<F>(sum, constantRows<F>(bytes), words.limb[limb], i);
  });
}

/// t of one activation block. The minimums take their own turn, so that registers do for both.
template <Format F, int Limbs>
SORTIE_DEVICE void blockTerm(const ExactPanel<F, true> &panel, const TokenBlock<Limbs> &tokens,
                             float (&t)[4]) {
  blockRun<F>(panel, tokens, t);
#pragma unroll
  for (int e = 0; e < 4; ++e)
    t[e] = firstRun(t[e], scaleOf(panel.rows[e / 2]));
  if constexpr (formatInfo(F).minimum == Minimum::SubtractedInteger) {
    int32_t sums[4] = {};
    if constexpr (Limbs == 2) {
      addMinimums<F>(panel, tokens, 1, sums);
      raise(sums);
    }
    addMinimums<F>(panel, tokens, 0, sums);
#pragma unroll
    for (int e = 0; e < 4; ++e)
      t[e] = subtractMinimums(sums[e], minimumScaleOf(panel.rows[e / 2]), t[e]);
  }
}

//===- Formats with a float scale a group ---------------------------------===//

/// t of one activation block.
template <Format F, int Limbs>
SORTIE_DEVICE void blockTerm(const ExactPanel<F, false> &panel, const TokenBlock<Limbs> &tokens,
                             float (&t)[4]) {
  forEachSubBlock<F>(tokens, [&](const TokenWords<Limbs> &words, int g, int i) {
    int32_t sum[4];
    multiplyCombined<F>(sum, levelsOf<F>(panel.levels, g), words, i);
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      const float d = panel.rows[e / 2].d[g];
      t[e] = g == 0 ? firstRun(toFloat(sum[e]), d) : addRun(toFloat(sum[e]), d, t[e]);
    }
  });
  if constexpr (formatInfo(F).minimum == Minimum::AddedFloat) {
    forEachSubBlock<F>(tokens, [&](const TokenWords<Limbs> &words, int g, int i) {
      constexpr uint32_t kOnes[2] = {0x01010101u, 0x01010101u};
      int32_t sum[4];
      multiplyCombined<F>(sum, constantRows<F>(kOnes), words, i);
#pragma unroll
      for (int e = 0; e < 4; ++e)
        t[e] = addMinimum(sum[e], panel.rows[e / 2].m[g], t[e]);
    });
  }
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_EXACTDOT_H
