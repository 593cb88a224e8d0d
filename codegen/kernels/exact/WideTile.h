// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Exact products of many tokens: a stage of the pipeline is one activation block of K, its weights
// are decoded once for all tokens of the tile.

#ifndef SORTIE_CODEGEN_KERNELS_EXACT_WIDETILE_H
#define SORTIE_CODEGEN_KERNELS_EXACT_WIDETILE_H

#include "codegen/kernels/exact/ExactDot.h"
#include "codegen/kernels/exact/ExactOutputs.h"
#include "codegen/kernels/exact/ExactStages.h"

namespace sortie::kernels {

/// The product of a tile of too many rows for a narrow tile and the columns of a block.
template <typename Spec> class WideTile {
  using Block = ExactBlock<Spec>;
  using Stages = ExactStages<Spec>;
  static constexpr ExactGeometry kGeometry = Block::kGeometry;
  using Lane = typename Block::Lane;
  static constexpr int kGroups = Block::kTokens / Lane::kTokens;
  /// The sums of a warp's panel and the tile.
  using Sums = float[kGroups][Lane::kOutputs];

public:
  /// Multiplies the tile. The first weights are on their way when it calls `begin`.
  template <typename Begin>
  SORTIE_DEVICE void run(const ExactOperands &operands, const Tile &tile, Begin begin) {
    Stages stages(operands, tile.expert);
    begin();
    Block::fillTable(operands, tile);
    Stages::makeBarriers();
    hw::syncBlock();
    stages.start();
    Sums sums = {};
#pragma unroll 1
    for (int stage = 0; stage < Block::kStageCount; ++stage) {
      stages.await(stage);
      const int at = Stages::offsetOf(stage); // behind the copies it would cost Q5_K a spill
      stages.advance(stage);
      if (Block::template hasPanel<1>())
        Block::withFormat([&]<Format F>() { multiplyStage<F>(stage, at, sums); });
      if (stage % kBlocksPerChunk == kBlocksPerChunk - 1 || stage == Block::kStageCount - 1)
        Block::endChunk(kGeometry.totalsOffset, stage, sums);
    }
    hw::syncBlock();
    Stages::removeBarriers();
    ExactOutputs<Spec, 1>::store(operands, sums);
  }

private:
  /// Stage `stage`, which is `at` in shared memory.
  template <Format F> SORTIE_DEVICE void multiplyStage(int stage, int at, Sums &sums) {
    const char *slot = hw::sharedMemory<char>(at);
    const char *planes = slot + hw::threadIndexAnew() / hw::kWarpSize * kGeometry.warpBytes;
    constexpr PackedSizes kSizes = packedSizes(F);
    ExactPanel<F> panel;
    loadPanel<F>(planes, planes + kSizes.sectionBytes, stage % kSizes.sections, panel);
    constexpr int kSumsOffset = Block::sumsOffset(kGeometry, F);
    const int lane = laneOfColumns(kColumnStride);
    const TokenBlock tokens = {hw::recomputed(at + kGeometry.limbsOffset + lane), kColumnStride,
                               slot + kSumsOffset, slot + kGeometry.scalesOffset};
    // Sub-blocks of 16 and float minimums need more registers beside the sums.
    constexpr bool kIsTight =
        Block::kLimbs == 2 && (SubBlock<F>::kIs16 || TokenSums<F>::kAreFloats);
    constexpr int kAtOnce = kTokensAtATime / Lane::kTokens / (kIsTight ? 2 : 1);
    addGroups<F, Block::kLimbs, kAtOnce>(panel, tokens, Block::groups(), sums);
  }
};

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_EXACT_WIDETILE_H
