// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products of quantized weights and quantized rows, `exact` arithmetic: grouped by expert through
// the tile map, or dense, or each head of a row by the matrix of its own; plain, or gate and up
// with their activation. docs/cuda.md has the picture, ExactBlock.h says what a Spec is.
//
// Grid: x = ceil(N / columns of a block, or of a slice), y = tiles (grouped) or ceil(rows /
// kTileRows), with heads z = heads and y = ceil(rows of a head / kTileRows). kExactThreads threads,
// exactGeometry().sharedBytes of shared memory.

#ifndef SORTIE_CODEGEN_KERNELS_EXACT_EXACTPRODUCT_H
#define SORTIE_CODEGEN_KERNELS_EXACT_EXACTPRODUCT_H

#include "codegen/kernels/exact/NarrowTile.h"
#include "codegen/kernels/exact/WideTile.h"

namespace sortie::kernels {

/// What is left of the block's tile after `done` rows.
template <typename Spec> SORTIE_DEVICE Tile tileAfter(const ExactOperands &operands, int done) {
  constexpr int kHeads = ExactBlock<Spec>::kHeads;
  const int index = hw::recomputed(hw::blockIndexY());
  Tile tile{0, index * kTileRows, 0, 0};
  if constexpr (Spec::kIsGrouped) {
    tile = hw::loadSettled(operands.tiles + index);
  } else {
    int rows = operands.rows;
    if constexpr (kHeads != 0) {
      tile.expert = hw::recomputed(hw::blockIndexZ());
      rows /= kHeads;
    }
    const int left = rows - tile.firstRow;
    tile.rows = left < kTileRows ? left : kTileRows;
  }
  return {tile.expert, tile.firstRow + done, tile.rows - done, done};
}

/// A tile of many rows, in as many passes as the shared memory asks for.
template <typename Spec, typename Begin>
SORTIE_DEVICE void multiplyWideTile(const ExactOperands &operands, const Tile &first, Begin begin) {
  using Block = ExactBlock<Spec>;
  WideTile<Spec>::run(operands, first, begin);
  if constexpr (Block::kTokens < kTileRows) {
#pragma unroll 1
    for (;;) {
      const int done = Block::tile().done + Block::kTokens; // no register across the products
      const Tile tile = tileAfter<Spec>(operands, done);
      if (tile.rows <= 0)
        return;
      hw::syncBlock(); // this pass writes where the outputs of the one before wait
      WideTile<Spec>::run(operands, tile, [] {});
    }
  }
}

/// Whether there are few tiles, so that each one is to be sliced.
template <typename Spec> SORTIE_DEVICE bool hasFewTiles(const ExactOperands &operands) {
  constexpr int kHeads = ExactBlock<Spec>::kHeads;
  if (hw::gridCountY() * (kHeads == 0 ? 1 : kHeads) <= Spec::kFewTiles)
    return true;
  return Spec::kIsGrouped && hw::loadSettled(operands.tiles + Spec::kFewTiles).rows == 0;
}

/// Calls `begin` once in every thread, but in those of a block that has nothing to do beside one
/// that has. What launches before have written is touched after that, except for the tile map.
template <typename Spec, typename Begin>
SORTIE_DEVICE void exactProduct(const ExactOperands &operands, Begin begin) {
  using Block = ExactBlock<Spec>;
  constexpr ExactGeometry kGeometry = Block::kGeometry;
  const Tile tile = tileAfter<Spec>(operands, 0);
  if (tile.rows <= 0) {
    begin();
    return;
  }
  if constexpr (kGeometry.sliced.tokens != 0) {
    if (tile.rows <= kGeometry.sliced.tokens && hasFewTiles<Spec>(operands)) {
      NarrowTile<Spec, Block::kSlices>::run(operands, tile, begin);
      return;
    }
  }
  if (hw::blockIndexX() % Block::kSlices != 0)
    return; // the first of these blocks waits
  if constexpr (kGeometry.narrow.tokens != 0) {
    if (tile.rows <= kGeometry.narrow.tokens) {
      NarrowTile<Spec, 1>::run(operands, tile, begin);
      return;
    }
  }
  multiplyWideTile<Spec>(operands, tile, begin);
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_EXACT_EXACTPRODUCT_H
