// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Grouped exact products for sm_90a: few rows as ExactProduct.h multiplies them, more with products
// of warpgroups, in blocks that stay. Both read the same packed weights: the registers of A of a
// warp are those of mma.m16n8k32. docs/hopper.md has the picture and the numbers.
//
// A Spec is that of ExactProduct.h, of a grouped product, and:
//   int kExperts;   that the offsets are of
//   int kBlocks;    blocks that work where rows are many
//
// Grid, threads: those of ExactProduct.h. How many tiles the grid has room for tells how many rows
// there are, by 64. The shared memory of both ways.

#ifndef SORTIE_CODEGEN_KERNELS_SM_90_WARPGROUPPRODUCT_H
#define SORTIE_CODEGEN_KERNELS_SM_90_WARPGROUPPRODUCT_H

#include "codegen/kernels/exact/NarrowTile.h"
#include "codegen/kernels/sm_90/WarpgroupOutputs.h"
#include "codegen/kernels/sm_90/WarpgroupProducer.h"

namespace sortie::kernels {

/// The items of a warp that multiplies.
template <typename Spec> SORTIE_DEVICE void consumeItems(const ExactOperands &operands) {
  using Block = WarpgroupBlock<Spec>;
  RingPlace place = {0, 0};
  Block::forEachItem([&](const WarpgroupItem &item) {
    const int columns = columnsFor(item.rows, Block::kLimbs);
    if (columns == 16)
      WarpgroupOutputs<Spec, 16>::run(operands, item, place);
    else if (columns == 32)
      WarpgroupOutputs<Spec, 32>::run(operands, item, place);
    else if (columns == 48)
      WarpgroupOutputs<Spec, 48>::run(operands, item, place);
    else if (columns == 64)
      WarpgroupOutputs<Spec, 64>::run(operands, item, place);
    if constexpr (Block::kLimbs == 2) {
      if (columns == 96)
        WarpgroupOutputs<Spec, 96>::run(operands, item, place);
      else if (columns == 128)
        WarpgroupOutputs<Spec, 128>::run(operands, item, place);
    }
  });
}

/// Sums of tokens have gaps that nobody writes and products read.
template <typename Spec> SORTIE_DEVICE void clearSums() {
  constexpr WarpgroupGeometry kGeometry = WarpgroupBlock<Spec>::kGeometry;
  constexpr int kWords = (kGeometry.scalesOffset - kGeometry.sumsOffset) / 4;
  for (int stage = 0; stage < kGeometry.stages; ++stage)
    for (int i = hw::threadIndex(); i < kWords; i += kExactThreads)
      reinterpret_cast<uint32_t *>(WarpgroupBlock<Spec>::stageAt({stage, 0}) +
                                   kGeometry.sumsOffset)[i] = 0;
}

template <typename Spec>
SORTIE_DEVICE void multiplyWithWarpgroups(const ExactOperands &operands, const int32_t *offsets) {
  using Block = WarpgroupBlock<Spec>;
  if (Block::blockNumber() >= Spec::kBlocks)
    return;
  if (hw::warpIndex() == 0)
    Block::makeTables(offsets);
  if (hw::threadIndex() == 0) {
    Block::makeBarriers();
    ExactBlock<Spec>::template storeCodebook<Spec::kFirst>();
    ExactBlock<Spec>::template storeCodebook<Spec::kSecond>();
  }
  clearSums<Spec>();
  hw::fenceBeforeCopies();
  hw::syncBlock();
  if (hw::warpIndex() < kConsumerWarps) {
    hw::takeRegisters<kConsumerRegisters>();
    consumeItems<Spec>(operands);
  } else {
    hw::giveRegisters<kProducerRegisters>();
    const int producer = hw::warpIndex() - kConsumerWarps;
    if (producer < kTokenWarps)
      TokenProducer<Spec>(operands).run();
    else if (producer == kTokenWarps)
      WeightProducer<Spec>::run(operands);
  }
}

/// Tiles of few rows, as narrow ones. A tile that has more is multiplied in several passes: code
/// for wide tiles beside that for warpgroups would need local memory.
template <typename Spec, typename Begin>
SORTIE_DEVICE void multiplyFewRows(const ExactOperands &operands, Begin begin) {
  constexpr ExactGeometry kGeometry = ExactBlock<Spec>::kGeometry;
  constexpr int kTokens = kGeometry.narrow.tokens;
  const Tile tile = hw::loadSettled(operands.tiles + hw::blockIndexY());
  if (tile.rows <= 0) {
    begin();
    return;
  }
  if constexpr (kGeometry.sliced.tokens != 0) {
    const bool areFew = hw::gridCountY() <= Spec::kFewTiles ||
                        hw::loadSettled(operands.tiles + Spec::kFewTiles).rows == 0;
    if (areFew && tile.rows <= kGeometry.sliced.tokens) {
      NarrowTile<Spec, Spec::kSlices>::run(operands, tile, begin);
      return;
    }
  }
  if (hw::blockIndexX() % Spec::kSlices != 0)
    return; // the first of these blocks waits
  int done = 0;
#pragma unroll 1
  do {
    const int left = tile.rows - done;
    const Tile part = {tile.expert, tile.firstRow + done, left < kTokens ? left : kTokens, 0};
    NarrowTile<Spec, 1>::run(operands, part, [&] {
      if (done == 0)
        begin();
    });
    done += kTokens;
    hw::syncBlock(); // the next pass writes where the outputs of this one wait
  } while (done < tile.rows);
}

/// Calls `begin` once in every thread, but in those of a block that has nothing to do beside one
/// that has. What launches before have written is touched after that, except for the tile map.
template <typename Spec, typename Begin>
SORTIE_DEVICE void warpgroupProduct(const ExactOperands &operands, const int32_t *offsets,
                                    Begin begin) {
  if (hw::gridCountY() <= fewTileBlocks(Spec::kExperts)) {
    multiplyFewRows<Spec>(operands, begin);
    return;
  }
  begin();
  multiplyWithWarpgroups<Spec>(operands, offsets);
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_SM_90_WARPGROUPPRODUCT_H
