// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Threads, thread blocks and shared memory of the kernels that are not exact products, for the
// compiler that launches them and for the kernels themselves. Bits do not depend on any of it.

#ifndef SORTIE_CODEGEN_KERNELS_GEOMETRY_H
#define SORTIE_CODEGEN_KERNELS_GEOMETRY_H

#include "runtime/numerics/contract.h"

namespace sortie::kernels {

using numerics::int32_t;
using numerics::int64_t;
using numerics::uint16_t;
using numerics::uint32_t;
using numerics::uint8_t;

constexpr int kWarp = 32;

SORTIE_NUMERICS_CONSTEXPR int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }
SORTIE_NUMERICS_CONSTEXPR int64_t lesser(int64_t a, int64_t b) { return a < b ? a : b; }
SORTIE_NUMERICS_CONSTEXPR int64_t greater(int64_t a, int64_t b) { return a > b ? a : b; }
SORTIE_NUMERICS_CONSTEXPR int wholeWarps(int64_t threads, int64_t least, int64_t most) {
  return static_cast<int>(lesser(greater(ceilDiv(threads, kWarp) * kWarp, least), most));
}

//===- Elementwise.h, Combine.h: grid (rows, blocks) ----------------------===//

/// A thread takes four neighbouring columns of a row.
SORTIE_NUMERICS_CONSTEXPR int rowThreads(int64_t columns) {
  return wholeWarps(ceilDiv(columns, 4), kWarp, 256);
}
/// Thread blocks a row: the second dimension of the grid.
SORTIE_NUMERICS_CONSTEXPR int64_t rowBlocks(int64_t columns) {
  return ceilDiv(columns, int64_t{4} * rowThreads(columns));
}

//===- RoundBf16.h: grid (rows) -------------------------------------------===//

constexpr int kRoundThreads = 256;

//===- Norm.h: grid (rows) ------------------------------------------------===//

SORTIE_NUMERICS_CONSTEXPR int normThreads(int64_t columns) {
  return wholeWarps(ceilDiv(columns, numerics::kPartials), 64, 512);
}
SORTIE_NUMERICS_CONSTEXPR int normSharedBytes(int64_t columns) {
  return static_cast<int>(ceilDiv(columns, numerics::kChunk)) * 4;
}

//===- Quantize.h: grid (rows, blocks) ------------------------------------===//

/// A warp takes one activation block.
SORTIE_NUMERICS_CONSTEXPR int quantizeThreads(int64_t columns) {
  return wholeWarps(numerics::activationBlocks(columns) * kWarp, kWarp, 256);
}
SORTIE_NUMERICS_CONSTEXPR int64_t quantizeBlocks(int64_t columns) {
  return ceilDiv(numerics::activationBlocks(columns) * kWarp, quantizeThreads(columns));
}

//===- Route.h: grid (tokens ceildiv kRouteTokens) ------------------------===//

/// A warp takes one token.
constexpr int kRouteTokens = 4;
constexpr int kRouteThreads = kRouteTokens * kWarp;

/// How a warp scores groups of experts: this many lanes share a group.
SORTIE_NUMERICS_CONSTEXPR int routeGroupLanes(int experts, int groups) {
  int lanes = 1;
  while (lanes * 2 * groups <= kWarp && lanes * 2 <= experts / groups)
    lanes *= 2;
  return lanes;
}
/// Words of shared memory of a warp: scores, then the ranks of experts and groups where groups are
/// selected.
SORTIE_NUMERICS_CONSTEXPR int routeWarpWords(int experts, int groups, int groupsUsed) {
  const int ranks = experts + groups * routeGroupLanes(experts, groups);
  return experts + (groupsUsed < groups ? ranks + groups : 0);
}
SORTIE_NUMERICS_CONSTEXPR int routeSharedBytes(int experts, int groups, int groupsUsed) {
  return kRouteTokens * routeWarpWords(experts, groups, groupsUsed) * 4;
}

//===- Dispatch.h ---------------------------------------------------------===//

/// Slots that a thread block handles, in order of warps, rounds and lanes.
constexpr int kDispatchSegment = 2048;
constexpr int kDispatchThreads = 512;
constexpr int kDispatchWarps = kDispatchThreads / kWarp;
constexpr int kDispatchRounds = kDispatchSegment / kDispatchThreads;

/// int32 a row of the histogram, one row a segment: the counts of the `experts` of this program,
/// then ~(first slot with a bad id) or 0.
SORTIE_NUMERICS_CONSTEXPR int dispatchColumns(int experts) { return experts + 1; }
/// Experts rounded up to whole warps.
SORTIE_NUMERICS_CONSTEXPR int dispatchPadded(int experts) {
  return static_cast<int>(ceilDiv(experts, kWarp)) * kWarp;
}
/// 16-bit counts of each warp, then bad slots of each warp.
SORTIE_NUMERICS_CONSTEXPR int dispatchCountSharedBytes(int experts) {
  return kDispatchWarps * dispatchPadded(experts) * 2 + kDispatchWarps * 4;
}
/// The same, then counts and starts of rows and of tiles, sums of their pieces, first rows.
SORTIE_NUMERICS_CONSTEXPR int dispatchScatterSharedBytes(int experts) {
  return dispatchCountSharedBytes(experts) + (5 * dispatchPadded(experts) + 2 * kWarp) * 4;
}

/// Most sorted rows of a tile, and entries of the tile map for `rows` sorted rows.
constexpr int kTileRows = 64;
SORTIE_NUMERICS_CONSTEXPR int64_t tileCount(int64_t rows, int64_t experts) {
  return lesser(ceilDiv(rows, kTileRows) + experts, rows);
}

//===- FloatTile.h, FloatProduct.h ----------------------------------------===//

constexpr int kFloatThreads = 256;
/// Rows that a thread block multiplies at a time; wider tiles take several passes.
constexpr int kFloatTileRows = 32;
/// Rows of weights that a thread block multiplies at a time. In a gated product, half of each
/// matrix.
constexpr int kFloatColumns = 32;
constexpr int kFloatGluColumns = kFloatColumns / 2;
/// Stages of operands, then (products whose output is quantized) an activation block of the tile.
constexpr int kFloatRingBytes = 96 * 1024;
constexpr int kFloatSmallRingBytes = 64 * 1024;
constexpr int kFloatActivationBytes = kFloatTileRows * numerics::kActivationBlock * 4;
/// Of grouped and gated products.
SORTIE_NUMERICS_CONSTEXPR int floatSharedBytes(bool isOutputQuantized) {
  return isOutputQuantized ? kFloatSmallRingBytes + kFloatActivationBytes : kFloatRingBytes;
}
/// The first dimension of the grid of a gated product with N columns of output.
SORTIE_NUMERICS_CONSTEXPR int64_t floatGluBlocks(int64_t n, bool isOutputQuantized) {
  return ceilDiv(n, isOutputQuantized ? numerics::kActivationBlock : kFloatGluColumns);
}

/// How a dense product divides its work. A wide one has a thread block for each 32 columns
/// and kTileRows rows.
/// A narrow one, such as the router's, must use the whole GPU for one token and for thousands: with
/// few rows a block takes a few columns and half warps take chunks of them; with many the blocks
/// share the tiles.
struct FloatDense {
  bool isNarrow;
  int columns;   ///< of a thread block: the first dimension of the grid is N ceildiv this
  int rows;      ///< of a thread block: the second dimension is rows ceildiv this ...
  int maxBlocks; ///< ... and at most this; 0: no more than there are
  int splitRows; ///< up to this many rows, half warps take the chunks of each column
  int streams;   ///< with more rows, up to this many chunks of a tile are multiplied at a time
};
SORTIE_NUMERICS_CONSTEXPR FloatDense floatDense(int64_t k, int64_t n) {
  constexpr int kNarrow = 1024;
  constexpr int kBlocks = 128; // about one a multiprocessor
  constexpr int kUnlimited = 65535;
  constexpr int kHalfWarps = kFloatThreads / numerics::kPartials;
  if (n > kNarrow)
    return {false, kFloatColumns, kTileRows, 0, 0, 1};
  const auto columns = static_cast<int>(ceilDiv(n, kBlocks));
  const int64_t chunks = ceilDiv(k, numerics::kChunk);
  const int64_t tasks = columns * chunks; // of four rows, one a half warp
  const int rows = 4 * static_cast<int>(greater(kHalfWarps / tasks, 1));
  if (n < kFloatColumns)
    return {true, columns, rows, kUnlimited, 0x7fffffff, 1};
  const int streams = chunks > 4 ? 8 : chunks > 2 ? 4 : chunks > 1 ? 2 : 1;
  return {true, columns, rows, 4, rows, streams};
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_GEOMETRY_H
