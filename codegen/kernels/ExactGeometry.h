// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What an exact product needs of the machine, as constants that the compiler (to launch it) and the
// kernel (to be it) both compute: the tile, the stages of the pipeline and their place in shared
// memory.

#ifndef SORTIE_CODEGEN_KERNELS_EXACTGEOMETRY_H
#define SORTIE_CODEGEN_KERNELS_EXACTGEOMETRY_H

#include "codegen/kernels/PackedLayout.h"
#include "runtime/numerics/layout.h"

namespace sortie::kernels {

/// Warps of a thread block; each computes two panels of weight rows.
constexpr int kExactWarps = 8;
constexpr int kExactThreads = kExactWarps * 32;
/// Columns of the output of a block: of a gated product (a panel of gate and one of up a warp), and
/// of another.
constexpr int kGatedColumns = kExactWarps * kPanelRows;
constexpr int kPlainColumns = 2 * kGatedColumns;

/// Most rows of a tile: sorted rows of one expert that one block of threads multiplies.
constexpr int kTileRows = 64;
/// Tokens of one mma.
constexpr int kTokensPerProduct = 8;

/// An entry of the tile map that the dispatch writes. `rows` is 0 past the last tile.
struct alignas(16) Tile {
  int32_t expert;
  int32_t firstRow;
  int32_t rows;
  int32_t unused;
};

/// Sizes of a pipeline stage: `A` and `B` are the formats of a warp's two panels, `products` the
/// number of mma columns of 8 tokens.
template <Format A, Format B, RowKind Input> struct ExactStage {
  static constexpr int kElements = PackedLayout<A>::kBlockElements > PackedLayout<B>::kBlockElements
                                       ? PackedLayout<A>::kBlockElements
                                       : PackedLayout<B>::kBlockElements;
  static constexpr int kHalves = kElements / kHalfElements;
  static constexpr int kLimbs = limbCount(Input);

  template <Format F> static constexpr int kBlocksOf = kElements / PackedLayout<F>::kBlockElements;
  template <Format F> static constexpr int kBytesOf = kBlocksOf<F> * PackedLayout<F>::kBlockBytes;

  /// Of one warp: its block of the first panel, then that of the second.
  static constexpr int kWarpBytes = kBytesOf<A> + kBytesOf<B>;
  static constexpr int kWeightBytes = kExactWarps * kWarpBytes;

  /// Bytes between the limbs of two tokens: an odd number of 16-byte units, so that the rows of a
  /// matrix lie in different banks.
  static constexpr int kTokenStride = kElements + 16;
  static constexpr int kSumBytes = kElements / kSumElements * 2;
  static constexpr int kScaleBytes = kHalves * 4;
  static constexpr int kTokenBytes = kLimbs * (kTokenStride + kSumBytes) + kScaleBytes;

  static constexpr int bytes(int products) {
    return kWeightBytes + products * kTokensPerProduct * kTokenBytes;
  }
};

/// Stages of the pipeline for a tile of `products` columns, or 0 if two do not fit into
/// `sharedLimit` bytes. More than six hide nothing more.
template <typename Stage> constexpr int exactStages(int products, int sharedLimit) {
  const int stages = sharedLimit / Stage::bytes(products);
  return stages < 2 ? 0 : stages > 6 ? 6 : stages;
}

/// The widest tile, in products of 8 tokens, that `sharedLimit` allows: 8, 4, 2 or 1. A wider tile
/// of the map is multiplied in several passes.
template <typename Stage> constexpr int exactProducts(int sharedLimit) {
  int products = kTileRows / kTokensPerProduct;
  while (products > 1 && exactStages<Stage>(products, sharedLimit) == 0)
    products /= 2;
  return products;
}

constexpr int exactMax(int a, int b) { return a > b ? a : b; }

/// Dynamic shared memory of a launch: the pipeline of any width, or the outputs of the widest tile
/// on their way to memory.
template <typename Stage> constexpr int exactSharedBytes(int columns, int sharedLimit) {
  int bytes = 0;
  for (int products = exactProducts<Stage>(sharedLimit); products >= 1; products /= 2) {
    const int pipeline = exactStages<Stage>(products, sharedLimit) * Stage::bytes(products);
    const int outputs = products * kTokensPerProduct * (columns + 4) * 4;
    bytes = exactMax(bytes, exactMax(pipeline, outputs));
  }
  return bytes;
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_EXACTGEOMETRY_H
