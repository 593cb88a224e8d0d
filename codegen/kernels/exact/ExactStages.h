// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The pipeline that feeds an exact product: stages of one activation block of K in a ring in shared
// memory. Weights, limbs and scales come by cp.async, the sums of tokens (TokenSums.h) through
// registers, loaded two stages and stored one stage ahead. Addresses follow from the thread anew in
// each stage: kept, they would take registers that the products need.
//
// Each stage has two mbarriers, at which every thread arrives once in each turn of the ring: one
// says that the stage is there, the other that it has been read. So with four stages warps drift
// apart by one or two. At a barrier of the block they would copy, decode and multiply in step, and
// wait in step for the same units. (With fewer stages the place of the one just read is filled at
// once, which is as good as such a barrier.) One lane's arrival for its warp would be no faster,
// and racecheck could not follow it.

#ifndef SORTIE_CODEGEN_KERNELS_EXACT_EXACTSTAGES_H
#define SORTIE_CODEGEN_KERNELS_EXACT_EXACTSTAGES_H

#include "codegen/kernels/exact/PendingSums.h"

namespace sortie::kernels {

/// A thread's part of the copies of all stages.
template <typename Spec> class ExactStages {
  using Block = ExactBlock<Spec>;
  static constexpr ExactGeometry kGeometry = Block::kGeometry;
  static constexpr ActRowLayout kRow = actRowLayout(Spec::kInput, Spec::kK);
  static_assert(kRow.bytes % 16 == 0 && kRow.limbs % 16 == 0 && kRow.limbStride % 16 == 0);

  /// Threads that copy a token's limbs of a stage, 16 bytes each.
  static constexpr int kUnits = kSectionElements / 16;
  static constexpr int kTokensAtOnce = kExactThreads / (Block::kLimbs * kUnits);
  static constexpr int kCopies = static_cast<int>(ceilDiv(Block::kTokens, kTokensAtOnce));

  /// Stages that are on their way while one is multiplied. Of four stages the last is left out, so
  /// that warps can drift apart by a stage more.
  static constexpr int kAhead =
      kGeometry.stages == kMostStages ? kGeometry.stages - 2 : kGeometry.stages - 1;
  /// A stage is announced while the one before is multiplied, by when its copies have landed; if
  /// only one is on its way, they have only been started then.
  static constexpr bool kIsEarly = kAhead > 1;

public:
  /// Starts the weights of the first stage, for which the tile's table is not needed.
  SORTIE_MEMBER explicit ExactStages(const ExactOperands &operands, int expert)
      : operands(operands) {
    Block::withFormat([&]<Format F>() { panel = Block::template panelUnit<F, 1>(expert); });
    copyWeights(0);
  }

  /// Makes the barriers, which can be used after the next barrier of the block. Each is made by an
  /// instruction of its own: compute-sanitizer takes their number from that of the instructions.
  SORTIE_DEVICE void makeBarriers() {
    if (hw::threadIndex() == 0)
#pragma unroll
      for (int i = 0; i < 2 * kGeometry.stages; ++i)
        hw::initMbarrier(barriers() + i, kExactThreads);
  }

  /// Starts the first stages. The tile's table has been filled, the barriers have been made.
  SORTIE_MEMBER void start() {
    pending.load(input(), 0, hw::threadIndexAnew());
    copyTokens(0, rowsToCopy());
    hw::commitCopies();
#pragma unroll
    for (int stage = 1; stage < kAhead; ++stage)
      copyStage(stage);
    storeSums(0);
    pending.load(input(), 1, hw::threadIndexAnew());
    announce(0);
  }

  /// Waits until `stage` is there for all threads. The thread has read what the one before held,
  /// and says so here: at the end of that stage it would still need to know the barrier's address.
  SORTIE_MEMBER void await(int stage) const {
    if (stage > 0) {
      hw::arriveMbarrier(isRead(stage - 1));
      if constexpr (!kIsEarly)
        announce(stage);
    }
    hw::waitForPhase(isThere(stage), turnOf(stage) % 2);
  }

  /// Goes on with the stages after `stage`, which has been awaited.
  SORTIE_MEMBER void advance(int stage) {
    storeSums(stage + 1);
    pending.load(input(), stage + 2, hw::threadIndexAnew());
    copyStage(stage + kAhead);
    if constexpr (kIsEarly)
      announce(stage + 1);
  }

  /// Gives the barriers' memory back, when all warps have read the last stage.
  SORTIE_DEVICE void removeBarriers() {
    if (hw::threadIndex() < 2 * kGeometry.stages)
      hw::invalidateMbarrier(barriers() + hw::threadIndex());
  }

  /// Where a stage is in shared memory.
  SORTIE_DEVICE int offsetOf(int stage) {
    return kGeometry.stagesOffset + stage % kGeometry.stages * kGeometry.stageBytes;
  }

private:
  //===- Barriers ---------------------------------------------------------===//

  SORTIE_DEVICE hw::Mbarrier *barriers() { return hw::sharedMemory<hw::Mbarrier>(kBarriersOffset); }
  SORTIE_DEVICE hw::Mbarrier *isThere(int stage) { return barriers() + stage % kGeometry.stages; }
  SORTIE_DEVICE hw::Mbarrier *isRead(int stage) { return isThere(stage) + kGeometry.stages; }
  SORTIE_DEVICE int turnOf(int stage) { return stage / kGeometry.stages; }

  /// What the thread has copied and stored of `stage` is there.
  SORTIE_DEVICE void announce(int stage) {
    hw::waitForCopies<kAhead - 1>();
    hw::arriveMbarrier(isThere(stage));
  }

  //===- Weights ----------------------------------------------------------===//

  SORTIE_MEMBER void copyWeights(int stage) const {
    if (!Block::template hasPanel<1>())
      return;
    Block::withFormat([&]<Format F>() {
      const int thread = hw::threadIndexAnew();
      copySection<F>(hw::sharedMemory<char>(offsetOf(stage) +
                                            thread / hw::kWarpSize * kGeometry.warpBytes +
                                            thread % hw::kWarpSize * kLaneBytes),
                     Block::weights(operands, hw::recomputed(panel)), stage);
    });
  }

  //===- Tokens -----------------------------------------------------------===//

  /// The rows of the tokens that the thread copies: loaded before its first copy, since copies and
  /// loads of shared memory take their turns.
  struct Rows {
    int32_t ofLimbs[kCopies];
    int32_t ofScale;
  };
  SORTIE_DEVICE Rows rowsToCopy() {
    const int thread = hw::threadIndexAnew();
    Rows rows;
#pragma unroll
    for (int i = 0; i < kCopies; ++i)
      rows.ofLimbs[i] = Block::rowTable()[columnOf(thread) / Block::kLimbs + i * kTokensAtOnce];
    rows.ofScale = Block::rowTable()[thread % Block::kTokens];
    return rows;
  }

  /// The first mma column whose limbs the thread copies.
  SORTIE_DEVICE int columnOf(int thread) {
    return thread / kUnits % (Block::kLimbs * Block::kTokens);
  }

  /// Limbs of the tokens, and their scales, up to a multiple of kTokenStep. What lies past the
  /// end of the tile has the row of its first token, and is not stored.
  SORTIE_MEMBER void copyTokens(int stage, const Rows &rows) const {
    const int thread = hw::threadIndexAnew();
    const int used = tokensInUse();
    const int column = columnOf(thread);
    const int first = column / Block::kLimbs;
    const int unit = thread % kUnits;
    const char *from = input() + (column % Block::kLimbs * static_cast<int>(kRow.limbStride) +
                                  unit * 16 + stage * kSectionElements);
    const int slot = offsetOf(stage);
    const int to =
        slot + kGeometry.limbsOffset + column * kColumnStride + placeOfUnit(column, unit);
#pragma unroll
    for (int i = 0; i < kCopies; ++i)
      hw::copyAsyncIf<16>(
          thread < Block::kTokens * kUnits * Block::kLimbs && first + i * kTokensAtOnce < used,
          hw::sharedMemory<char>(to + i * kTokensAtOnce * Block::kLimbs * kColumnStride),
          from + rows.ofLimbs[i] * kRow.bytes);
    const int token = thread % Block::kTokens;
    hw::copyAsyncIf<4>(thread < used,
                       hw::sharedMemory<char>(slot + kGeometry.scalesOffset + token * 4),
                       input() + rows.ofScale * kRow.bytes + kRow.scales + stage * 4);
  }

  SORTIE_DEVICE int tokensInUse() {
    return (Block::tile().rows + kTokenStep - 1) / kTokenStep * kTokenStep;
  }

  //===- Sums of tokens ---------------------------------------------------===//

  SORTIE_MEMBER void storeSums(int stage) {
    const int at = offsetOf(stage);
    pending.store(at + kGeometry.firstSumsOffset, at + kGeometry.secondSumsOffset,
                  hw::threadIndexAnew());
  }

  //===- Stages -----------------------------------------------------------===//

  /// Copies a stage once the one before in its place has been read. Each has a group of copies,
  /// also those past the last.
  SORTIE_MEMBER void copyStage(int stage) const {
    if (stage < Block::kStageCount) {
      const Rows rows = rowsToCopy();
      if (turnOf(stage) > 0)
        hw::waitForPhase(isRead(stage), (turnOf(stage) - 1) % 2);
      copyWeights(stage);
      copyTokens(stage, rows);
    }
    hw::commitCopies();
  }

  SORTIE_MEMBER const char *input() const { return static_cast<const char *>(operands.input); }

  const ExactOperands &operands;
  uint32_t panel; ///< Block::panelUnit()
  PendingSums<Spec, 1, Block::kTokens, kExactThreads> pending;
};

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_EXACT_EXACTSTAGES_H
