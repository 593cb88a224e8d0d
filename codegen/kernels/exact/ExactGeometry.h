// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What an exact product needs of the machine, as constants that the compiler (to launch it) and the
// kernel (to be it) both compute: the tile, the stages of the pipeline and their place in shared
// memory.

#ifndef SORTIE_CODEGEN_KERNELS_EXACT_EXACTGEOMETRY_H
#define SORTIE_CODEGEN_KERNELS_EXACT_EXACTGEOMETRY_H

#include "codegen/kernels/common/Geometry.h"
#include "codegen/kernels/packing/PackedLayout.h"
#include "runtime/numerics/layout.h"

namespace sortie::kernels {

/// Warps of a thread block; each multiplies one panel of weight rows.
constexpr int kExactWarps = 16;
constexpr int kExactThreads = kExactWarps * kWarp;
/// Columns of the output of a block: of a gated product, where half of the warps have panels of
/// gate and the others those of up, and of a plain one.
constexpr int kGatedColumns = kExactWarps / 2 * kPanelRows;
constexpr int kPlainColumns = kExactWarps * kPanelRows;

/// Columns of one mma, a limb of a token each: 8 tokens, or both limbs of 4.
constexpr int kMmaColumns = 8;
/// Most tokens that a warp multiplies at a time. Tiles have room for a multiple.
constexpr int kTokensAtATime = 16;
/// A wide tile has the tokens up to a multiple of this: of the last ones, half as many are
/// multiplied at a time if no more are left.
constexpr int kTokenStep = kTokensAtATime / 2;

/// Bytes between two mma columns, in a stage of a wide tile and in a chunk of a narrow one.
constexpr int kColumnStride = kSectionElements;
constexpr int kChunkColumnStride = kChunk;
/// A warp's copies are fastest where each 128 bytes of them are one line of shared memory, so what
/// is copied begins at a multiple of this.
constexpr int kLineBytes = 128;
SORTIE_NUMERICS_CONSTEXPR int alignToLine(int bytes) {
  return (bytes + kLineBytes - 1) / kLineBytes * kLineBytes;
}
/// Where 16-byte unit `unit` of an mma column is in it. Units change places within a line, so that
/// the same one of eight columns lies in different banks.
SORTIE_NUMERICS_CONSTEXPR int placeOfUnit(int column, int unit) {
  return (unit ^ column % kMmaColumns) * 16;
}

/// An entry of the tile map that the dispatch writes. `rows` is 0 past the last tile.
struct alignas(16) Tile {
  int32_t expert;
  int32_t firstRow;
  int32_t rows;
  int32_t done; ///< rows of it that earlier passes have multiplied; 0 in the map
};

/// The heads of a Spec (ExactBlock.h), or 0.
template <typename Spec> SORTIE_NUMERICS_CONSTEXPR int headsOf() {
  if constexpr (requires { Spec::kHeads; })
    return Spec::kHeads;
  else
    return 0;
}

/// Shared memory of a block with a narrow tile, in bytes: after the table of the tile two buffers
/// of each slice, each with limbs, sums (TokenSums.h) and scales of the tokens in a chunk of K;
/// then totals of the outputs, or of each chunk if there are slices; then stages with a block of
/// weights of each warp.
struct NarrowGeometry {
  int tokens; ///< of the widest narrow tile, or 0: there are no such tiles
  int stages; ///< 2 to kMostStages
  int warpBytes;
  int firstSumsOffset;
  int secondSumsOffset;
  int scalesOffset;
  int bufferBytes;
  int totalsOffset; ///< sums of the chunks that have ended; rows of one chunk have none
  int stagesOffset;
  int sharedBytes;
};

/// Shared memory of a block with a wide tile, in bytes: the table of the tile, totals of its
/// outputs, the stages of the pipeline. A stage is one activation block of K; it holds the weights
/// of each warp, then limbs, scales and sums of the tokens.
struct ExactGeometry {
  int tokens; ///< of the widest tile: 16, 32 or 64; wider ones take several passes
  int stages; ///< of the pipeline: 2 to kMostStages, or 0 where the memory is too small
  int warpBytes;
  int limbsOffset;
  int scalesOffset;
  int firstSumsOffset;  ///< for the format of gate, or of the only matrix
  int secondSumsOffset; ///< for that of up
  int stageBytes;
  int totalsOffset;
  int stagesOffset;
  NarrowGeometry narrow; ///< 8 or 16 tokens
  NarrowGeometry sliced; ///< one mma of tokens
  int sharedBytes;       ///< for tiles of all kinds
};

/// Most stages of a pipeline.
constexpr int kMostStages = 4;
/// The barriers of a wide tile's stages, two of each (ExactStages.h).
constexpr int kBarriersOffset = 16 + kTileRows * 4;
/// The codebooks (ExactPanel.h), 16 levels each.
constexpr int kCodebooksOffset = kBarriersOffset + 2 * kMostStages * 8;
/// The tile, then the input row of each of its tokens, then the barriers and the codebooks.
constexpr int kTileTableBytes = alignToLine(kCodebooksOffset + 2 * 16);
/// Bytes of all outputs of a block, before gate and up are joined, for one token.
constexpr int kTotalBytes = kExactThreads * kPanelRows / kWarp * 4;
/// Floats of a token that wait to be stored: gate and up, or the columns of a plain product.
constexpr int kValueStride = kPlainColumns + 4;

/// Bytes that the minimums of a format need of a token and stage.
SORTIE_NUMERICS_CONSTEXPR int tokenSumBytes(Format format) {
  const FormatInfo info = formatInfo(format);
  return info.minimum == Minimum::None ? 0 : kSectionElements / info.subBlock * 4;
}

/// Whether two formats want the same sums of a token.
SORTIE_NUMERICS_CONSTEXPR bool haveSameSums(Format first, Format second) {
  return formatInfo(first).minimum == formatInfo(second).minimum &&
         tokenSumBytes(first) == tokenSumBytes(second);
}

namespace detail {

/// Bytes of a panel in a stage: the planes of a section, and the scales of its whole block.
SORTIE_NUMERICS_CONSTEXPR int stagePanelBytes(Format format) {
  const PackedSizes sizes = packedSizes(format);
  return sizes.blockBytes - (sizes.sections - 1) * sizes.sectionBytes;
}

SORTIE_NUMERICS_CONSTEXPR int larger(int a, int b) { return a > b ? a : b; }

SORTIE_NUMERICS_CONSTEXPR NarrowGeometry narrowGeometry(Format first, Format second, RowKind input,
                                                        int64_t k, int slices, int sharedLimit,
                                                        int tokens) {
  const int sumBlocks = kBlocksPerChunk * tokens;
  NarrowGeometry g{};
  g.tokens = tokens;
  g.warpBytes = alignToLine(larger(packedSizes(first).blockBytes, packedSizes(second).blockBytes));
  g.firstSumsOffset = tokens * limbCount(input) * kChunkColumnStride;
  g.secondSumsOffset =
      g.firstSumsOffset + (haveSameSums(first, second) ? 0 : sumBlocks * tokenSumBytes(first));
  g.scalesOffset = g.secondSumsOffset + sumBlocks * tokenSumBytes(second);
  g.bufferBytes = alignToLine(g.scalesOffset + sumBlocks * 4);
  g.totalsOffset = kTileTableBytes + 2 * slices * g.bufferBytes;
  const int64_t totals = slices > 1 ? ceilDiv(k, kChunk) : k > kChunk ? 1 : 0;
  g.stagesOffset = g.totalsOffset + static_cast<int>(totals) * tokens * (kTotalBytes / slices);
  const int stages = (sharedLimit - g.stagesOffset) / (kExactWarps * g.warpBytes);
  if (stages < 2)
    return {};
  g.stages = stages > kMostStages ? kMostStages : stages;
  g.sharedBytes = g.stagesOffset + g.stages * kExactWarps * g.warpBytes;
  return g;
}

SORTIE_NUMERICS_CONSTEXPR ExactGeometry exactGeometryOf(Format first, Format second, RowKind input,
                                                        int64_t k, int slices, int sharedLimit,
                                                        int tokens) {
  ExactGeometry g{};
  g.tokens = tokens;
  g.warpBytes = alignToLine(larger(stagePanelBytes(first), stagePanelBytes(second)));
  g.limbsOffset = kExactWarps * g.warpBytes;
  g.scalesOffset = g.limbsOffset + tokens * limbCount(input) * kColumnStride;
  g.firstSumsOffset = g.scalesOffset + tokens * 4;
  g.secondSumsOffset =
      g.firstSumsOffset + (haveSameSums(first, second) ? 0 : tokens * tokenSumBytes(first));
  g.stageBytes = alignToLine(g.secondSumsOffset + tokens * tokenSumBytes(second));
  g.totalsOffset = kTileTableBytes;
  g.stagesOffset = g.totalsOffset + (k > kChunk ? tokens * kTotalBytes : 0);
  const int stages = (sharedLimit - g.stagesOffset) / g.stageBytes;
  g.stages = stages < 2 ? 0 : stages > kMostStages ? kMostStages : stages;
  g.narrow = narrowGeometry(first, second, input, k, 1, sharedLimit, kTokensAtATime);
  if (g.narrow.stages < 3)
    g.narrow = narrowGeometry(first, second, input, k, 1, sharedLimit, kTokenStep);
  if (slices > 1)
    g.sliced = narrowGeometry(first, second, input, k, slices, sharedLimit,
                              kMmaColumns / limbCount(input));
  g.sharedBytes = larger(
      larger(g.stagesOffset + g.stages * g.stageBytes, kTileTableBytes + tokens * kValueStride * 4),
      larger(g.narrow.sharedBytes, g.sliced.sharedBytes));
  return g;
}
} // namespace detail

/// The widest tile that `sharedLimit` bytes allow with three stages, or else with two. `first` and
/// `second` are the formats of gate and up, or both that of a plain product; `k` is the length of a
/// row; `slices` is Spec::kSlices.
SORTIE_NUMERICS_CONSTEXPR ExactGeometry exactGeometry(Format first, Format second, RowKind input,
                                                      int64_t k, int slices, int sharedLimit) {
  for (int stages = 3; stages >= 2; --stages)
    for (int tokens = kTileRows; tokens >= kTokensAtATime; tokens /= 2) {
      const ExactGeometry geometry =
          detail::exactGeometryOf(first, second, input, k, slices, sharedLimit, tokens);
      if (geometry.stages >= stages && geometry.sharedBytes <= sharedLimit)
        return geometry;
    }
  return {};
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_EXACT_EXACTGEOMETRY_H
