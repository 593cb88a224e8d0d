// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One activation block of the exact dot product, 16 weight rows by 8 tokens or twice 8, with
// mma.sync: integer sums over runs, then t as docs/numerics.md orders it. A lane computes four
// outputs of each 8 tokens, element e: row lane / 4 + 8 (e / 2), token 2 (lane mod 4) + e mod 2.
//
// `Count` is the number of groups of 8 tokens. Two at a time hide each other's latencies.

#ifndef SORTIE_CODEGEN_KERNELS_EXACTDOT_H
#define SORTIE_CODEGEN_KERNELS_EXACTDOT_H

#include "codegen/kernels/ExactPanel.h"
#include "codegen/kernels/TokenSums.h"
#include "runtime/numerics/dot.h"
#include "runtime/numerics/layout.h"

namespace sortie::kernels {

/// A lane's part of 8 tokens and a step along K: of each limb (the low one first), the words of
/// token lane / 4, elements 16 i + 4 (lane mod 4).
template <int Limbs> struct TokenWords {
  static constexpr int kElements = 64 / Limbs; ///< of a step
  static constexpr int kWords = 4 / Limbs;
  uint32_t limb[Limbs][kWords];
};

/// Tokens and one activation block in shared memory, in groups of 8.
template <int Limbs> struct TokenBlock {
  int limbs;          ///< the lane's place in the first product, see laneOfTokens()
  int stride;         ///< bytes between two tokens
  const char *sums;   ///< of the first token (TokenSums.h)
  const char *scales; ///< of the first token, floats next to each other
};

/// The bytes that a lane addresses for loadTokens(), from the low limbs of the first token on.
template <int Limbs> SORTIE_DEVICE int laneOfTokens(int stride, int limbStride) {
  constexpr int kWords = TokenWords<Limbs>::kWords;
  const int matrix = hw::laneIndex() / 8;
  return hw::laneIndex() % 8 * stride + matrix / kWords * limbStride + matrix % kWords * 16;
}

/// Step `step` of the 8 tokens of group `u`.
template <int Limbs>
SORTIE_DEVICE TokenWords<Limbs> loadTokens(const TokenBlock<Limbs> &tokens, int u, int step) {
  constexpr int kWords = TokenWords<Limbs>::kWords;
  uint32_t rows[4];
  hw::loadMatrices(rows,
                   hw::sharedMemory<char>(tokens.limbs + u * kTokensPerProduct * tokens.stride +
                                          step * TokenWords<Limbs>::kElements));
  TokenWords<Limbs> words;
#pragma unroll
  for (int i = 0; i < 4; ++i)
    words.limb[i / kWords][i % kWords] = rows[i];
  return words;
}

//===- Integer runs -------------------------------------------------------===//

/// The A operand of sub-block `s` of a half (32 elements, or 16).
template <Format F> struct SubBlock {
  static constexpr bool kIs16 = formatInfo(F).formatClass == FormatClass::SubScale16;
  static constexpr int kCount = kHalfElements / formatInfo(F).subBlock;
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

/// sum = operand * limb over sub-block `s` of the step that `limb` holds.
template <Format F, int Words>
SORTIE_DEVICE void multiplySubBlock(int32_t (&sum)[4], const SubBlock<F> &a,
                                    const uint32_t (&limb)[Words], int s) {
#pragma unroll
  for (int e = 0; e < 4; ++e)
    sum[e] = 0;
  if constexpr (SubBlock<F>::kIs16)
    hw::multiplyK16(sum, a.operand[0], a.operand[1], limb[s]);
  else
    hw::multiplyK32(sum, a.operand, limb[2 * s], limb[2 * s + 1]);
}

/// sum = operand * q over sub-block `s` of a step, the limbs combined. Only where the contract
/// allows that.
template <Format F, int Limbs>
SORTIE_DEVICE void multiplyCombined(int32_t (&sum)[4], const SubBlock<F> &a,
                                    const TokenWords<Limbs> &words, int s) {
  multiplySubBlock<F>(sum, a, words.limb[0], s);
  if constexpr (Limbs == 2) {
    int32_t high[4];
    multiplySubBlock<F>(high, a, words.limb[1], s);
#pragma unroll
    for (int e = 0; e < 4; ++e)
      sum[e] += high[e] * kLimbBase;
  }
}

/// Sub-scale `s` of a row. Where there are eight, they are unpacked at each use: kept apart, they
/// would take too many registers.
template <Format F> SORTIE_DEVICE int32_t subScale(const SubScales &row, int s) {
  const uint32_t word = row.scales[s / 4];
  return signedByte(SubBlock<F>::kIs16 ? hw::recomputed(word) : word, s % 4);
}

/// run += sub-scale * sum, for the lane's two rows.
SORTIE_DEVICE void addScaled(int32_t (&run)[4], const int32_t (&sum)[4],
                             const int32_t (&scale)[2]) {
#pragma unroll
  for (int e = 0; e < 4; ++e)
    run[e] += scale[e / 2] * sum[e];
}

/// Calls `body(words, s, i)` for each sub-block `s` of the half, which is number `i` of the step
/// that `words[u]` hold.
template <Format F, int Count, int Limbs, typename Body>
SORTIE_DEVICE void forEachSubBlock(const TokenBlock<Limbs> &tokens, Body body) {
  constexpr int kSteps = kHalfElements / TokenWords<Limbs>::kElements;
  constexpr int kPerStep = SubBlock<F>::kCount / kSteps;
#pragma unroll
  for (int step = 0; step < kSteps; ++step) {
    if constexpr (SubBlock<F>::kIs16 && Limbs == 2)
      hw::syncWarp(); // or all steps are loaded at once, into registers that are not there
    TokenWords<Limbs> words[Count];
#pragma unroll
    for (int u = 0; u < Count; ++u)
      words[u] = loadTokens(tokens, u, step);
#pragma unroll
    for (int i = 0; i < kPerStep; ++i)
      body(words, step * kPerStep + i, i);
  }
}

//===- Formats with sub-scales --------------------------------------------===//

/// F of the block: the run of 128 elements.
template <Format F, int Count, int Limbs>
SORTIE_DEVICE void blockRun(const ExactPanel<F> &panel, const TokenBlock<Limbs> &tokens,
                            float (&run)[Count][4]) {
  // Sums over 16 elements cost as much apart, and take fewer registers.
  constexpr bool kAreApart = Limbs == 2 && (SubBlock<F>::kIs16 || !isCombinable(formatInfo(F)));
  int32_t low[Count][4] = {};  // or of both limbs
  int32_t high[Count][4] = {}; // where the limbs must stay apart
  forEachSubBlock<F, Count>(tokens, [&](const TokenWords<Limbs>(&words)[Count], int s, int i) {
    const SubBlock<F> levels = levelsOf<F>(panel.levels, s);
    const int32_t scales[2] = {subScale<F>(panel.rows[0], s), subScale<F>(panel.rows[1], s)};
#pragma unroll
    for (int u = 0; u < Count; ++u) {
      int32_t sum[4];
      if constexpr (kAreApart) {
        multiplySubBlock<F>(sum, levels, words[u].limb[1], i);
        addScaled(high[u], sum, scales);
        multiplySubBlock<F>(sum, levels, words[u].limb[0], i);
      } else {
        multiplyCombined<F>(sum, levels, words[u], i);
      }
      addScaled(low[u], sum, scales);
    }
  });
#pragma unroll
  for (int u = 0; u < Count; ++u)
#pragma unroll
    for (int e = 0; e < 4; ++e)
      run[u][e] = kAreApart ? combineLimbs(high[u][e], low[u][e]) : toFloat(low[u][e]);
}

/// t of one activation block.
template <Format F, int Count, int Limbs>
SORTIE_DEVICE void blockTerm(const ExactPanel<F, true> &panel, const TokenBlock<Limbs> &tokens,
                             float (&t)[Count][4]) {
  blockRun<F>(panel, tokens, t);
#pragma unroll
  for (int u = 0; u < Count; ++u) {
#pragma unroll
    for (int e = 0; e < 4; ++e)
      t[u][e] = firstRun(t[u][e], scaleOf(panel.rows[e / 2]));
    if constexpr (TokenSums<F>::kAreUsed) {
      int32_t sums[4];
      TokenSums<F>::multiply(panel.rows[0].minimums, panel.rows[1].minimums,
                             tokens.sums + u * kTokensPerProduct * TokenSums<F>::kBytes, sums);
#pragma unroll
      for (int e = 0; e < 4; ++e)
        t[u][e] = subtractMinimums(sums[e], minimumScaleOf(panel.rows[e / 2]), t[u][e]);
    }
  }
}

//===- Formats with a float scale a group ---------------------------------===//

/// t of one activation block.
template <Format F, int Count, int Limbs>
SORTIE_DEVICE void blockTerm(const ExactPanel<F, false> &panel, const TokenBlock<Limbs> &tokens,
                             float (&t)[Count][4]) {
  forEachSubBlock<F, Count>(tokens, [&](const TokenWords<Limbs>(&words)[Count], int g, int i) {
#pragma unroll
    for (int u = 0; u < Count; ++u) {
      int32_t sum[4];
      multiplyCombined<F>(sum, levelsOf<F>(panel.levels, g), words[u], i);
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const float d = panel.rows[e / 2].d[g];
        t[u][e] = g == 0 ? firstRun(toFloat(sum[e]), d) : addRun(toFloat(sum[e]), d, t[u][e]);
      }
    }
  });
  if constexpr (TokenSums<F>::kAreUsed) {
#pragma unroll
    for (int u = 0; u < Count; ++u)
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        const int token = u * kTokensPerProduct + hw::laneIndex() % 4 * 2 + i;
        const hw::Words4 sums =
            *reinterpret_cast<const hw::Words4 *>(tokens.sums + token * TokenSums<F>::kBytes);
#pragma unroll
        for (int g = 0; g < 4; ++g)
#pragma unroll
          for (int r = 0; r < 2; ++r)
            t[u][2 * r + i] =
                addMinimum(floatOf(sums.word[g]), panel.rows[r].m[g], t[u][2 * r + i]);
      }
  }
}

//===- Sums ---------------------------------------------------------------===//

/// Groups that are multiplied at a time: two hide each other's latencies, where registers allow it.
template <Format F, int Limbs>
constexpr int kGroupsAtOnce = SubBlock<F>::kIs16 && Limbs == 2 ? 1 : 2;

/// Adds to `sums` of groups First to First + Count - 1 what one activation block contributes.
template <Format F, int First, int Count, int Limbs, int Groups>
SORTIE_DEVICE void addBlocks(const ExactPanel<F> &panel, const TokenBlock<Limbs> &tokens,
                             float (&sums)[Groups][4]) {
  if constexpr (Count > kGroupsAtOnce<F, Limbs>) {
    addBlocks<F, First, 1>(panel, tokens, sums);
    addBlocks<F, First + 1, Count - 1>(panel, tokens, sums);
    return;
  }
  constexpr int kToken = First * kTokensPerProduct;
  float t[Count][4];
  blockTerm<F>(panel,
               TokenBlock<Limbs>{tokens.limbs + kToken * tokens.stride, tokens.stride,
                                 tokens.sums + kToken * TokenSums<F>::kBytes, nullptr},
               t);
  const auto *scales = reinterpret_cast<const hw::Words2 *>(tokens.scales + kToken * 4);
#pragma unroll
  for (int u = 0; u < Count; ++u) {
    const hw::Words2 two = scales[u * kTokensPerProduct / 2 + hw::laneIndex() % 4];
#pragma unroll
    for (int e = 0; e < 4; ++e)
      sums[First + u][e] = addBlock(t[u][e], floatOf(two.word[e % 2]), sums[First + u][e]);
  }
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_EXACTDOT_H
