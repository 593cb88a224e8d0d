// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products of quantized weights and quantized rows, `exact` arithmetic: grouped by expert through
// the tile map, or dense; plain, or gate and up with their activation. docs/cuda.md has the
// picture, ExactBlock.h says what a Spec is.
//
// Grid: x = ceil(kRows / columns of a block), y = tiles (grouped) or ceil(rows / kTileRows).
// kExactThreads threads, exactGeometry().sharedBytes of shared memory.

#ifndef SORTIE_CODEGEN_KERNELS_EXACTPRODUCT_H
#define SORTIE_CODEGEN_KERNELS_EXACTPRODUCT_H

#include "codegen/kernels/NarrowTile.h"
#include "codegen/kernels/WideTile.h"

namespace sortie::kernels {

/// What is left of the block's tile after `done` rows.
template <typename Spec> SORTIE_DEVICE Tile tileAfter(const ExactOperands &operands, int done) {
  const int index = hw::recomputed(hw::blockIndexY());
  Tile tile{0, index * kTileRows, 0, 0};
  if constexpr (Spec::kIsGrouped) {
    tile = operands.tiles[index];
  } else {
    const int left = operands.rows - tile.firstRow;
    tile.rows = left < kTileRows ? left : kTileRows;
  }
  return {tile.expert, tile.firstRow + done, tile.rows - done, done};
}

template <typename Spec>
SORTIE_DEVICE void multiplyTile(const ExactOperands &operands, const Tile &tile) {
  constexpr int kNarrow = ExactBlock<Spec>::kGeometry.narrow.tokens;
  if constexpr (kNarrow != 0) {
    if (tile.rows <= kNarrow) {
      NarrowTile<Spec>::run(operands, tile);
      return;
    }
  }
  WideTile<Spec>::run(operands, tile);
}

template <typename Spec> SORTIE_DEVICE void exactProduct(const ExactOperands &operands) {
  using Block = ExactBlock<Spec>;
  int done = 0;
#pragma unroll 1
  do {
    const Tile tile = tileAfter<Spec>(operands, done);
    if (tile.rows <= 0)
      return;
    multiplyTile<Spec>(operands, tile);
    if constexpr (Block::kTokens >= kTileRows)
      return;
    done = Block::tile().done + Block::kTokens; // from memory: a register less for the products
    hw::syncBlock(); // the next pass writes where the outputs of this one wait
  } while (done < kTileRows);
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_EXACTPRODUCT_H
