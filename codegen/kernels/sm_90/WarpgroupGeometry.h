// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What an exact product with warpgroups (WarpgroupProduct.h) needs of the machine, as constants
// that the compiler and the kernel both compute: tiles, stages, and their places in shared memory.

#ifndef SORTIE_CODEGEN_KERNELS_SM_90_WARPGROUPGEOMETRY_H
#define SORTIE_CODEGEN_KERNELS_SM_90_WARPGROUPGEOMETRY_H

#include "codegen/kernels/exact/ExactGeometry.h"

namespace sortie::kernels {

/// Of the four warpgroups of a block two multiply, each warp a panel. Of the others four warps copy
/// tokens and one copies weights.
constexpr int kConsumerWarps = 8;
constexpr int kTokenWarps = 4;
constexpr int kConsumerThreads = kConsumerWarps * kWarp;
constexpr int kProducerThreads = kExactThreads - kConsumerThreads;
/// Registers of a thread, of 128 that the block is launched with.
constexpr int kConsumerRegisters = 208;
constexpr int kProducerRegisters = 48;
static_assert(kConsumerRegisters * kConsumerThreads + kProducerRegisters * kProducerThreads <=
              65536);

/// Columns of the output of an item. A gated product multiplies those of gate, then those of up.
constexpr int kItemColumns = kConsumerWarps * kPanelRows;
/// Columns of a product of a warpgroup at most: tokens, or both limbs of half as many.
constexpr int kUnitColumns = 64;

/// Bytes of a column of the product of minimums.
constexpr int kShortColumnBytes = 16;
/// Floats of a token that wait to be quantized.
constexpr int kGatedStride = kItemColumns + 4;

//===- Tiles -------------------------------------------------------------===//

/// Columns that a tile of so many tokens has: those of two products of a warpgroup at most.
SORTIE_NUMERICS_CONSTEXPR int columnsFor(int tokens, int limbs) {
  const int columns = tokens * limbs;
  return columns <= kUnitColumns ? (columns + 15) / 16 * 16 : columns <= 96 ? 96 : 128;
}

/// The tiles of an expert: the widest and a rest. Equal ones are never narrower in all.
SORTIE_NUMERICS_CONSTEXPR int tilesOf(int rows) { return (rows + kTileRows - 1) / kTileRows; }

//===- Few rows ----------------------------------------------------------===//

/// Up to so many sorted rows of an expert on average are few: there the kernel of other chips is
/// bound by the bytes of the weights, and faster (docs/hopper.md).
constexpr int kFewRowsOfExpert = 8;

/// Tiles that a grid has room for (tileCount()) where rows are few.
SORTIE_NUMERICS_CONSTEXPR int fewTileBlocks(int experts) {
  return experts + static_cast<int>(ceilDiv(experts * kFewRowsOfExpert, kTileRows));
}

//===- Shared memory -----------------------------------------------------===//

/// Whether a format can be multiplied so: a product of a warpgroup sums sub-blocks of 32. Where
/// both limbs must be kept apart beside minimums (Q5_K), registers do not suffice.
SORTIE_NUMERICS_CONSTEXPR bool isForWarpgroups(Format format, RowKind input) {
  const FormatInfo info = formatInfo(format);
  if (info.formatClass == FormatClass::SubScale16)
    return false;
  return info.formatClass == FormatClass::GroupScale || limbCount(input) == 1 ||
         info.minimum == Minimum::None || isCombinable(info);
}

/// Shared memory of a block in bytes. After the codebooks, which are where other exact products
/// have them: barriers, tables of the experts, gate's sums until up's are there (later the
/// activations), totals of the chunks before, stages. A stage is an activation block of K: limbs,
/// sums and scales of the tokens, then weights of each warp.
struct WarpgroupGeometry {
  int tokens; ///< of the widest tile: kTileRows
  int stages; ///< 2 to kMostWarpgroupStages, or 0 where the memory is too small
  int sumsOffset;
  int scalesOffset;
  int weightsOffset;
  int warpBytes;
  int stageBytes;
  int barriersOffset;
  int itemsOffset; ///< items before those of each expert, then all
  int rowsOffset;  ///< rows before those of each expert, then all
  int parkedOffset;
  int totalsOffset;
  int stagesOffset;
  int sharedBytes;
};

constexpr int kMostWarpgroupStages = 8;
/// Lines begin at multiples of this.
constexpr int kLinesAlignment = 1024;

/// `first` and `second` are the formats of gate and up, or both that of a plain product; `k` is the
/// length of a row, `experts` how many the tiles belong to.
SORTIE_NUMERICS_CONSTEXPR WarpgroupGeometry warpgroupGeometry(Format first, Format second,
                                                              RowKind input, int64_t k,
                                                              bool isGated, int experts,
                                                              int sharedLimit) {
  constexpr int kOutputBytes = kTileRows * kItemColumns * 4;
  WarpgroupGeometry g{};
  g.tokens = kTileRows;
  const int columns = kTileRows * limbCount(input);
  g.sumsOffset = columns * kColumnStride;
  g.scalesOffset = g.sumsOffset + columns * kShortColumnBytes;
  g.weightsOffset = g.scalesOffset + kTileRows * 4;
  g.warpBytes =
      alignToLine(detail::larger(detail::stagePanelBytes(first), detail::stagePanelBytes(second)));
  g.stageBytes = (g.weightsOffset + kConsumerWarps * g.warpBytes + kLinesAlignment - 1) /
                 kLinesAlignment * kLinesAlignment;
  g.barriersOffset = kTileTableBytes;
  g.itemsOffset = g.barriersOffset + 2 * kMostWarpgroupStages * 8;
  g.rowsOffset = g.itemsOffset + (experts + 1) * 4;
  g.parkedOffset = alignToLine(g.rowsOffset + (experts + 1) * 4);
  g.totalsOffset = g.parkedOffset + (isGated ? kTileRows * kGatedStride * 4 : 0);
  const int end = g.totalsOffset + (k > kChunk ? kOutputBytes : 0);
  g.stagesOffset = (end + kLinesAlignment - 1) / kLinesAlignment * kLinesAlignment;
  const int stages = (sharedLimit - g.stagesOffset) / g.stageBytes;
  g.stages = stages < 2 ? 0 : stages > kMostWarpgroupStages ? kMostWarpgroupStages : stages;
  g.sharedBytes = g.stagesOffset + g.stages * g.stageBytes;
  return g;
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_SM_90_WARPGROUPGEOMETRY_H
