// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What an exact product needs of the machine, as constants that the compiler (to launch it) and the
// kernel (to be it) both compute: the tile, the stages of the pipeline and their place in shared
// memory.

#ifndef SORTIE_CODEGEN_KERNELS_EXACTGEOMETRY_H
#define SORTIE_CODEGEN_KERNELS_EXACTGEOMETRY_H

#include "codegen/kernels/Geometry.h"
#include "codegen/kernels/PackedLayout.h"
#include "runtime/numerics/layout.h"

namespace sortie::kernels {

/// Warps of a thread block; each multiplies one panel of weight rows.
constexpr int kExactWarps = 16;
constexpr int kExactThreads = kExactWarps * kWarp;
/// Columns of the output of a block: of a gated product, where half of the warps have panels of
/// gate and the others those of up, and of a plain one.
constexpr int kGatedColumns = kExactWarps / 2 * kPanelRows;
constexpr int kPlainColumns = kExactWarps * kPanelRows;

/// Tokens of one mma.
constexpr int kTokensPerProduct = 8;

/// An entry of the tile map that the dispatch writes. `rows` is 0 past the last tile.
struct alignas(16) Tile {
  int32_t expert;
  int32_t firstRow;
  int32_t rows;
  int32_t unused;
};

/// Shared memory of a block, in bytes: the table of the tile, the sums of its outputs, the stages
/// of the pipeline. A stage holds the weights of each warp, then limbs and scales of the tokens.
struct ExactGeometry {
  int products; ///< mma columns of the widest tile; wider ones of the map take several passes
  int stages;   ///< of the pipeline: 2 to 4, or 0 where the memory is too small
  int elements; ///< of K in a stage
  int warpBytes;
  int tokenStride; ///< between the limbs of two tokens
  int limbStride;  ///< between the limbs of all tokens
  int limbsOffset;
  int scalesOffset;
  int stageBytes;
  int totalsOffset; ///< sums of the chunks that have ended; rows of one chunk have none
  int stagesOffset;
  int sharedBytes;
};

/// The tile, then the input row of each of its tokens.
constexpr int kTileTableBytes = 16 + kTileRows * 4;
/// A thread's four outputs of one product.
constexpr int kSumBytes = kExactThreads * 16;
/// Floats of a token that wait to be stored: gate and up, or the columns of a plain product.
constexpr int kValueStride = kPlainColumns + 4;

namespace detail {

/// Bytes of a panel in a stage: a block, or a half of one with the scales of the whole.
SORTIE_NUMERICS_CONSTEXPR int stagePanelBytes(Format format, int elements) {
  const PackedSizes sizes = packedSizes(format);
  if (elements >= sizes.blockElements)
    return elements / sizes.blockElements * sizes.blockBytes;
  return sizes.blockBytes - (sizes.halves - 1) * sizes.halfBytes;
}

SORTIE_NUMERICS_CONSTEXPR int larger(int a, int b) { return a > b ? a : b; }

SORTIE_NUMERICS_CONSTEXPR ExactGeometry exactGeometryOf(Format first, Format second, RowKind input,
                                                        int64_t k, int sharedLimit, int products,
                                                        int elements) {
  const int limbs = limbCount(input);
  const int tokens = products * kTokensPerProduct;
  ExactGeometry g{};
  g.products = products;
  g.elements = elements;
  g.warpBytes = larger(stagePanelBytes(first, elements), stagePanelBytes(second, elements));
  // An odd number of 16-byte units, so that the rows of a matrix lie in different banks.
  g.tokenStride = elements + 16;
  g.limbStride = tokens * g.tokenStride;
  g.limbsOffset = kExactWarps * g.warpBytes;
  g.scalesOffset = g.limbsOffset + limbs * g.limbStride;
  g.stageBytes = g.scalesOffset + tokens * (elements / kHalfElements) * 4;
  g.totalsOffset = kTileTableBytes + products * kSumBytes;
  g.stagesOffset = g.totalsOffset + (k > kChunk ? products * kSumBytes : 0);
  const int stages = (sharedLimit - g.stagesOffset) / g.stageBytes;
  g.stages = stages < 2 ? 0 : stages > 4 ? 4 : stages;
  g.sharedBytes = g.stagesOffset + larger(g.stages * g.stageBytes, tokens * kValueStride * 4);
  return g;
}
} // namespace detail

/// The widest tile that `sharedLimit` bytes allow, with stages of a whole block of the format where
/// that is possible. `first` and `second` are the formats of gate and up, or both that of a plain
/// product; `k` is the length of a row.
SORTIE_NUMERICS_CONSTEXPR ExactGeometry exactGeometry(Format first, Format second, RowKind input,
                                                      int64_t k, int sharedLimit) {
  const int block =
      detail::larger(packedSizes(first).blockElements, packedSizes(second).blockElements);
  for (int products = kTileRows / kTokensPerProduct; products > 0; --products)
    for (int elements = block; elements >= kHalfElements; elements /= 2) {
      const ExactGeometry geometry =
          detail::exactGeometryOf(first, second, input, k, sharedLimit, products, elements);
      if (geometry.stages != 0 && geometry.sharedBytes <= sharedLimit)
        return geometry;
    }
  return {};
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_EXACTGEOMETRY_H
