// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One activation block of the exact dot product, 16 weight rows by a few groups of tokens, with
// mma.sync: integer sums over runs, then t as docs/numerics.md orders it. A group is the tokens of
// one mma (ProductLane.h). `Count` is the number of groups: several hide each other's latencies.

#ifndef SORTIE_CODEGEN_KERNELS_EXACT_EXACTDOT_H
#define SORTIE_CODEGEN_KERNELS_EXACT_EXACTDOT_H

#include "codegen/kernels/exact/ExactPanel.h"
#include "codegen/kernels/exact/TokenSums.h"
#include "runtime/numerics/dot.h"
#include "runtime/numerics/layout.h"

namespace sortie::kernels {

/// Groups of tokens and one activation block in shared memory.
struct TokenBlock {
  int columns;        ///< what the lane addresses of the first group, see laneOfColumns()
  int stride;         ///< bytes between two mma columns: a token's low limbs, then its high ones
  const char *sums;   ///< of the first token (TokenSums.h)
  const char *scales; ///< of the first token, floats next to each other
};

/// What a lane addresses for the first step of loadColumns(), from the first mma column on. The
/// second step is in the other half of the same line.
SORTIE_DEVICE int laneOfColumns(int stride) {
  const int column = hw::laneIndex() % kMmaColumns;
  return column * stride + placeOfUnit(column, hw::laneIndex() / kMmaColumns);
}

/// Elements along K that loadColumns() loads.
constexpr int kStepElements = 64;

/// Step `step` of the mma columns of group `u`: words[i] has elements 16 i + 4 (lane mod 4) of
/// column lane / 4.
SORTIE_DEVICE void loadColumns(const TokenBlock &tokens, int u, int step, uint32_t (&words)[4]) {
  hw::loadMatrices(words, hw::sharedMemory<char>((tokens.columns ^ step * kStepElements) +
                                                 u * kMmaColumns * tokens.stride));
}

//===- Integer runs ------------------------------------------------------===//

/// The A operand of what mma sums by itself, part `s` of a section: a sub-block of 32 elements or
/// 16, or, of folded sub-blocks, 32 elements of them.
template <Format F> struct SubBlock {
  static constexpr bool kIs16 =
      formatInfo(F).formatClass == FormatClass::SubScale16 && !kIsFolded<F>;
  static constexpr int kCount = kSectionElements / (kIs16 ? 16 : 32);
  static constexpr int kRegisters = kRegistersPerSection / kCount;
  uint32_t operand[kRegisters];
};

template <Format F>
SORTIE_DEVICE SubBlock<F> operandOf(const uint32_t (&levels)[kRegistersPerSection], int s) {
  SubBlock<F> block;
#pragma unroll
  for (int i = 0; i < SubBlock<F>::kRegisters; ++i)
    block.operand[i] = levels[SubBlock<F>::kRegisters * s + i];
  return block;
}

/// sum += operand * columns over sub-block `i` of the step that `words` hold.
template <Format F>
SORTIE_DEVICE void multiplySubBlock(int32_t (&sum)[4], const SubBlock<F> &a,
                                    const uint32_t (&words)[4], int i) {
  if constexpr (SubBlock<F>::kIs16)
    hw::multiplyK16(sum, a.operand[0], a.operand[1], words[i]);
  else
    hw::multiplyK32(sum, a.operand, words[2 * i], words[2 * i + 1]);
}

/// The sums of the lane's outputs over q from those over its mma columns. It is called only where
/// the contract allows limbs to be combined as integers.
template <int Limbs>
SORTIE_DEVICE void combineColumns(const int32_t (&columns)[4],
                                  int32_t (&sums)[ProductLane<Limbs>::kOutputs]) {
#pragma unroll
  for (int o = 0; o < ProductLane<Limbs>::kOutputs; ++o)
    sums[o] = Limbs == 2 ? columns[2 * o] + columns[2 * o + 1] * kLimbBase : columns[o];
}

/// Sub-scale `s` of a row, unpacked at each use: kept apart, they would take too many registers.
SORTIE_DEVICE int32_t subScale(const SubScales &row, int s) {
  return hw::signedByteAnew(row.scales[s / 4], s % 4);
}

/// run += sub-scale * sum, for sums of the first of the lane's rows and then of the second.
template <int Count>
SORTIE_DEVICE void addScaled(int32_t (&run)[Count], const int32_t (&sum)[Count],
                             const int32_t (&scale)[2]) {
#pragma unroll
  for (int i = 0; i < Count; ++i)
    run[i] += scale[i / (Count / 2)] * sum[i];
}

/// Calls `body(words, s, i)` for each sub-block `s` of the section, which is number `i` of the step
/// that `words[u]` hold.
template <Format F, int Count, typename Body>
SORTIE_DEVICE void forEachSubBlock(const TokenBlock &tokens, Body body) {
  constexpr int kSteps = kSectionElements / kStepElements;
  constexpr int kPerStep = SubBlock<F>::kCount / kSteps;
#pragma unroll
  for (int step = 0; step < kSteps; ++step) {
    if constexpr (SubBlock<F>::kIs16 || Count > 2)
      hw::syncWarp(); // or all steps are loaded at once, into registers that are not there
    uint32_t words[Count][4];
#pragma unroll
    for (int u = 0; u < Count; ++u)
      loadColumns(tokens, u, step, words[u]);
#pragma unroll
    for (int i = 0; i < kPerStep; ++i)
      body(words, step * kPerStep + i, i);
  }
}

//===- Formats with sub-scales -------------------------------------------===//

/// F of the lane's outputs from the sums of a run over its mma columns.
template <Format F, int Limbs>
SORTIE_DEVICE void runOfColumns(const int32_t (&columns)[4],
                                float (&run)[ProductLane<Limbs>::kOutputs]) {
  constexpr int kOutputs = ProductLane<Limbs>::kOutputs;
  if constexpr (Limbs == 2 && !isCombinable(formatInfo(F))) {
#pragma unroll
    for (int o = 0; o < kOutputs; ++o)
      run[o] = combineLimbs(columns[2 * o + 1], columns[2 * o]);
  } else {
    int32_t sums[kOutputs];
    combineColumns<Limbs>(columns, sums);
#pragma unroll
    for (int o = 0; o < kOutputs; ++o)
      run[o] = toFloat(sums[o]);
  }
}

/// F of the block: the run of 128 elements.
template <Format F, int Count, int Limbs>
SORTIE_DEVICE void blockRun(const ExactPanel<F> &panel, const TokenBlock &tokens,
                            float (&run)[Count][ProductLane<Limbs>::kOutputs]) {
  constexpr int kOutputs = ProductLane<Limbs>::kOutputs;
  // Limbs are combined in each sub-block, or at the end: if they must, and if it costs no more.
  constexpr bool kIsEarly = isCombinable(formatInfo(F)) && !kIsFolded<F> && !SubBlock<F>::kIs16;
  int32_t sums[Count][kIsEarly ? kOutputs : 4] = {};
  forEachSubBlock<F, Count>(tokens, [&](const uint32_t (&words)[Count][4], int s, int i) {
    const SubBlock<F> operand = operandOf<F>(panel.levels, s);
    if constexpr (kIsFolded<F>) {
#pragma unroll
      for (int u = 0; u < Count; ++u)
        multiplySubBlock<F>(sums[u], operand, words[u], i);
      return;
    }
    const int32_t scales[2] = {subScale(panel.rows[0], s), subScale(panel.rows[1], s)};
#pragma unroll
    for (int u = 0; u < Count; ++u) {
      int32_t columns[4] = {};
      multiplySubBlock<F>(columns, operand, words[u], i);
      if constexpr (kIsEarly) {
        int32_t sum[kOutputs];
        combineColumns<Limbs>(columns, sum);
        addScaled(sums[u], sum, scales);
      } else {
        addScaled(sums[u], columns, scales);
      }
    }
  });
#pragma unroll
  for (int u = 0; u < Count; ++u)
    if constexpr (kIsEarly) {
#pragma unroll
      for (int o = 0; o < kOutputs; ++o)
        run[u][o] = toFloat(sums[u][o]);
    } else {
      runOfColumns<F, Limbs>(sums[u], run[u]);
    }
}

/// t of one activation block.
template <Format F, int Limbs, int Count>
SORTIE_DEVICE void blockTerm(const ExactPanel<F, true> &panel, const TokenBlock &tokens,
                             float (&t)[Count][ProductLane<Limbs>::kOutputs]) {
  using Lane = ProductLane<Limbs>;
  blockRun<F, Count, Limbs>(panel, tokens, t);
#pragma unroll
  for (int u = 0; u < Count; ++u) {
#pragma unroll
    for (int o = 0; o < Lane::kOutputs; ++o)
      t[u][o] = firstRun(t[u][o], scaleOf<F>(panel.rows[Lane::whichRow(o)]));
    if constexpr (TokenSums<F>::kAreUsed) {
      int32_t sums[Lane::kOutputs];
      TokenSums<F>::template multiply<Limbs>(panel.rows[0].minimums, panel.rows[1].minimums,
                                             tokens.sums + u * Lane::kTokens * TokenSums<F>::kBytes,
                                             sums);
#pragma unroll
      for (int o = 0; o < Lane::kOutputs; ++o)
        t[u][o] = subtractMinimums(sums[o], minimumScaleOf(panel.rows[Lane::whichRow(o)]), t[u][o]);
    }
  }
}

//===- Formats with a float scale for each group -------------------------===//

/// Adds the float minimums of the four groups to t.
template <Format F, int Limbs>
SORTIE_DEVICE void addMinimums(const ExactPanel<F, false> &panel, const char *tokens,
                               float (&t)[ProductLane<Limbs>::kOutputs]) {
  using Lane = ProductLane<Limbs>;
#pragma unroll
  for (int i = 0; i < Lane::kTokensOfLane; ++i) {
    const hw::Words4 sums =
        *reinterpret_cast<const hw::Words4 *>(tokens + Lane::tokenOf(i) * TokenSums<F>::kBytes);
#pragma unroll
    for (int g = 0; g < 4; ++g)
#pragma unroll
      for (int r = 0; r < 2; ++r) {
        float &sum = t[r * Lane::kTokensOfLane + i];
        sum = addMinimum(floatOf(sums.word[g]), panel.rows[r].m[g], sum);
      }
  }
}

/// t of one activation block.
template <Format F, int Limbs, int Count>
SORTIE_DEVICE void blockTerm(const ExactPanel<F, false> &panel, const TokenBlock &tokens,
                             float (&t)[Count][ProductLane<Limbs>::kOutputs]) {
  using Lane = ProductLane<Limbs>;
  forEachSubBlock<F, Count>(tokens, [&](const uint32_t (&words)[Count][4], int g, int i) {
#pragma unroll
    for (int u = 0; u < Count; ++u) {
      int32_t columns[4] = {};
      int32_t sum[Lane::kOutputs];
      multiplySubBlock<F>(columns, operandOf<F>(panel.levels, g), words[u], i);
      combineColumns<Limbs>(columns, sum);
#pragma unroll
      for (int o = 0; o < Lane::kOutputs; ++o) {
        const float d = panel.rows[Lane::whichRow(o)].d[g];
        t[u][o] = g == 0 ? firstRun(toFloat(sum[o]), d) : addRun(toFloat(sum[o]), d, t[u][o]);
      }
    }
  });
  if constexpr (TokenSums<F>::kAreUsed)
#pragma unroll
    for (int u = 0; u < Count; ++u)
      addMinimums<F, Limbs>(panel, tokens.sums + u * Lane::kTokens * TokenSums<F>::kBytes, t[u]);
}

//===- Sums --------------------------------------------------------------===//

/// Adds to `sums` of groups First to First + Count - 1 what one activation block contributes.
template <Format F, int First, int Count, int Limbs, int Groups, int Outputs>
SORTIE_DEVICE void addBlocks(const ExactPanel<F> &panel, const TokenBlock &tokens,
                             float (&sums)[Groups][Outputs]) {
  using Lane = ProductLane<Limbs>;
  static_assert(Outputs == Lane::kOutputs);
  constexpr int kToken = First * Lane::kTokens;
  const int offset = First * kMmaColumns * tokens.stride;
  float t[Count][Outputs];
  blockTerm<F, Limbs>(panel,
                      TokenBlock{tokens.columns + offset, tokens.stride,
                                 tokens.sums + kToken * TokenSums<F>::kBytes, nullptr},
                      t);
  struct alignas(Lane::kTokensOfLane * 4) Scales {
    float token[Lane::kTokensOfLane];
  };
  const auto *scales = reinterpret_cast<const Scales *>(tokens.scales + kToken * 4);
#pragma unroll
  for (int u = 0; u < Count; ++u) {
    const Scales ofLane = scales[u * Lane::kTokens / Lane::kTokensOfLane + hw::laneIndex() % 4];
#pragma unroll
    for (int o = 0; o < Outputs; ++o)
      sums[First + u][o] =
          addBlock(t[u][o], ofLane.token[o % Lane::kTokensOfLane], sums[First + u][o]);
  }
}

/// The same for all groups below `count`, `AtOnce` at a time, or half as many where no more are
/// left.
template <Format F, int Limbs, int AtOnce, int First = 0, int Groups, int Outputs>
SORTIE_DEVICE void addGroups(const ExactPanel<F> &panel, const TokenBlock &tokens, int count,
                             float (&sums)[Groups][Outputs]) {
  if constexpr (First < Groups) {
    static_assert(Groups % AtOnce == 0);
    constexpr int kFewer = AtOnce / 2;
    if (First + kFewer < count) {
      addBlocks<F, First, AtOnce, Limbs>(panel, tokens, sums);
    } else if constexpr (kFewer != 0) {
      if (First < count)
        addBlocks<F, First, kFewer, Limbs>(panel, tokens, sums);
    }
    addGroups<F, Limbs, AtOnce, First + AtOnce>(panel, tokens, count, sums);
  }
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_EXACT_EXACTDOT_H
