// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Threads, thread blocks and shared memory of products in `float` arithmetic, for the compiler that
// launches them and for the kernels themselves. Bits do not depend on any of it.

#ifndef SORTIE_CODEGEN_KERNELS_FLOATS_FLOATGEOMETRY_H
#define SORTIE_CODEGEN_KERNELS_FLOATS_FLOATGEOMETRY_H

#include "codegen/kernels/common/Geometry.h"

namespace sortie::kernels {

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
/// Shared memory of grouped and gated products.
SORTIE_NUMERICS_CONSTEXPR int floatSharedBytes(bool isOutputQuantized) {
  return isOutputQuantized ? kFloatSmallRingBytes + kFloatActivationBytes : kFloatRingBytes;
}
/// The first dimension of the grid of a gated product with N columns of output.
SORTIE_NUMERICS_CONSTEXPR int64_t floatGluBlocks(int64_t n, bool isOutputQuantized) {
  return ceilDiv(n, isOutputQuantized ? numerics::kActivationBlock : kFloatGluColumns);
}

/// How a dense product divides its work. A wide one has a thread block for each 32 columns and
/// kTileRows rows. A narrow one, such as the router's, must use the whole GPU for one token and for
/// thousands: with few rows a block takes a few columns and half warps take chunks of them; with
/// many the blocks share the tiles.
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
  constexpr int kBlocks = 128;      // about one for each multiprocessor
  constexpr int kUnlimited = 65535; // the most that a grid allows
  constexpr int kHalfWarps = kFloatThreads / numerics::kPartials;
  if (n > kNarrow)
    return {false, kFloatColumns, kTileRows, 0, 0, 1};
  const auto columns = static_cast<int>(ceilDiv(n, kBlocks));
  const int64_t chunks = ceilDiv(k, numerics::kChunk);
  const int64_t tasks = columns * chunks; // of four rows, one for each half warp
  const int rows = 4 * static_cast<int>(greater(kHalfWarps / tasks, 1));
  if (n < kFloatColumns)
    return {true, columns, rows, kUnlimited, 0x7fffffff, 1};
  const int streams = chunks > 4 ? 8 : chunks > 2 ? 4 : chunks > 1 ? 2 : 1;
  return {true, columns, rows, 4, rows, streams};
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_FLOATS_FLOATGEOMETRY_H
