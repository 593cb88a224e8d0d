// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The pipeline that feeds an exact product: stages of one activation block of K in a ring in shared
// memory. Weights, limbs and scales come by cp.async, the sums of tokens (TokenSums.h) through
// registers, loaded two stages and stored one stage ahead. Addresses follow from the thread anew in
// each stage: kept, they would take registers that the products need.

#ifndef SORTIE_CODEGEN_KERNELS_EXACTSTAGES_H
#define SORTIE_CODEGEN_KERNELS_EXACTSTAGES_H

#include "codegen/kernels/PendingSums.h"

namespace sortie::kernels {

/// A thread's part of the copies of all stages.
template <typename Spec> class ExactStages {
  using Block = ExactBlock<Spec>;
  static constexpr ExactGeometry kGeometry = Block::kGeometry;
  static constexpr ActRowLayout kRow = actRowLayout(Spec::kInput, Spec::kColumns);
  static_assert(kRow.bytes % 16 == 0 && kRow.limbs % 16 == 0 && kRow.limbStride % 16 == 0);

  /// Threads that copy a token's limbs of a stage, 16 bytes each.
  static constexpr int kUnits = kHalfElements / 16;
  static constexpr int kTokensAtOnce = kExactThreads / (Block::kLimbs * kUnits);
  static constexpr int kCopies = static_cast<int>(ceilDiv(Block::kTokens, kTokensAtOnce));

public:
  /// Starts the weights of the first stage, for which the tile's table is not needed.
  SORTIE_MEMBER explicit ExactStages(const ExactOperands &operands, int expert)
      : operands(operands) {
    Block::withFormat([&]<Format F>() { panel = Block::template panelUnit<F, 1>(expert); });
    copyWeights(0);
  }

  /// Starts the first stages. The tile's table has been filled.
  SORTIE_MEMBER void start() {
    loadSums(0);
    copyTokens(0);
    hw::commitCopies();
#pragma unroll
    for (int stage = 1; stage < kGeometry.stages - 1; ++stage)
      copyStage(stage);
    storeSums(0);
    loadSums(1);
  }

  /// Waits until `stage` is there for all threads, and goes on with those to come.
  SORTIE_MEMBER void advance(int stage) {
    hw::waitForCopies<kGeometry.stages - 2>();
    // What arrived is everybody's now, and the stage before has been read by all.
    hw::syncBlock();
    storeSums(stage + 1);
    loadSums(stage + 2);
    copyStage(stage + kGeometry.stages - 1);
  }

  /// Where a stage is in shared memory.
  SORTIE_DEVICE int offsetOf(int stage) {
    return kGeometry.stagesOffset + stage % kGeometry.stages * kGeometry.stageBytes;
  }

private:
  //===- Weights -----------------------------------------------------------===//

  SORTIE_MEMBER void copyWeights(int stage) const {
    if (!Block::template hasPanel<1>())
      return;
    Block::withFormat([&]<Format F>() {
      const int thread = hw::threadIndexAnew();
      copyHalf<F>(hw::sharedMemory<char>(offsetOf(stage) +
                                         thread / hw::kWarpSize * kGeometry.warpBytes +
                                         thread % hw::kWarpSize * kLaneBytes),
                  Block::weights(operands, hw::recomputed(panel)), stage);
    });
  }

  //===- Tokens ------------------------------------------------------------===//

  /// Limbs of the tokens, and their scales, up to a multiple of kTokenStep. What lies past the
  /// end of the tile has the row of its first token, and is not stored.
  SORTIE_MEMBER void copyTokens(int stage) const {
    const int thread = hw::threadIndexAnew();
    const int used = tokensInUse();
    const int column = thread / kUnits % (Block::kLimbs * Block::kTokens);
    const int first = column / Block::kLimbs;
    const int unit = thread % kUnits * 16;
    const char *from = input() + (column % Block::kLimbs * static_cast<int>(kRow.limbStride) +
                                  unit + stage * kHalfElements);
    const int slot = offsetOf(stage);
    const int to = slot + kGeometry.limbsOffset + column * kColumnStride + unit;
    const int32_t *rows = Block::rowTable() + first;
#pragma unroll
    for (int i = 0; i < kCopies; ++i)
      hw::copyAsyncIf<16>(
          thread < Block::kTokens * kUnits * Block::kLimbs && first + i * kTokensAtOnce < used,
          hw::sharedMemory<char>(to + i * kTokensAtOnce * Block::kLimbs * kColumnStride),
          from + rows[i * kTokensAtOnce] * kRow.bytes);
    const int token = thread % Block::kTokens;
    hw::copyAsyncIf<4>(thread < used,
                       hw::sharedMemory<char>(slot + kGeometry.scalesOffset + token * 4),
                       input() + Block::rowTable()[token] * kRow.bytes + kRow.scales + stage * 4);
  }

  SORTIE_DEVICE int tokensInUse() {
    return (Block::tile().rows + kTokenStep - 1) / kTokenStep * kTokenStep;
  }

  //===- Sums of tokens ----------------------------------------------------===//

  SORTIE_MEMBER void loadSums(int stage) {
    Block::forEachSums([&]<Format F, int I>() {
      if constexpr (I == 0)
        firstSums.load(input(), stage, hw::threadIndexAnew());
      else
        secondSums.load(input(), stage, hw::threadIndexAnew());
    });
  }

  SORTIE_MEMBER void storeSums(int stage) const {
    Block::forEachSums([&]<Format F, int I>() {
      const int to = offsetOf(stage) + Block::template sumsOffset<F>(kGeometry);
      if constexpr (I == 0)
        firstSums.store(to, kGeometry.stageBytes, hw::threadIndexAnew());
      else
        secondSums.store(to, kGeometry.stageBytes, hw::threadIndexAnew());
    });
  }

  //===- Stages ------------------------------------------------------------===//

  /// Each stage has a group of copies, also those past the last.
  SORTIE_MEMBER void copyStage(int stage) const {
    if (stage < Block::kStageCount) {
      copyWeights(stage);
      copyTokens(stage);
    }
    hw::commitCopies();
  }

  SORTIE_MEMBER const char *input() const { return static_cast<const char *>(operands.input); }

  template <Format F> using Sums = PendingSums<Spec, F, 1, Block::kTokens, kExactThreads>;

  const ExactOperands &operands;
  uint32_t panel; ///< Block::panelUnit()
  Sums<Spec::kFirst> firstSums;
  Sums<Spec::kSecond> secondSums;
};

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_EXACTSTAGES_H
