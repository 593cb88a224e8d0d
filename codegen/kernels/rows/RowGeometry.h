// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Threads, thread blocks and shared memory of the kernels of this folder, for the compiler that
// launches them and for the kernels themselves. Bits do not depend on any of it.

#ifndef SORTIE_CODEGEN_KERNELS_ROWS_ROWGEOMETRY_H
#define SORTIE_CODEGEN_KERNELS_ROWS_ROWGEOMETRY_H

#include "codegen/kernels/common/Geometry.h"

namespace sortie::kernels {

//===- Elementwise.h, Combine.h: grid (rows, blocks) ---------------------===//

/// A thread takes four neighbouring columns of a row.
SORTIE_NUMERICS_CONSTEXPR int rowThreads(int64_t columns) {
  return wholeWarps(ceilDiv(columns, 4), kWarp, 256);
}
/// Thread blocks for each row: the second dimension of the grid.
SORTIE_NUMERICS_CONSTEXPR int64_t rowBlocks(int64_t columns) {
  return ceilDiv(columns, int64_t{4} * rowThreads(columns));
}

/// Threads of a block that does several of them in turn, with a row for itself.
SORTIE_NUMERICS_CONSTEXPR int turnThreads(int64_t columns) {
  return wholeWarps(ceilDiv(columns, 4), kWarp, 512);
}

//===- Convert.h, RoundBf16.h: grid (rows) -------------------------------===//

constexpr int kRoundThreads = 256;

//===- IndexedRows.h: grid (rows + 1, blocks) ----------------------------===//

/// Bytes that a thread copies at once, of rows that begin at multiples of their length.
SORTIE_NUMERICS_CONSTEXPR int indexedUnitBytes(int64_t rowBytes) {
  return rowBytes % 16 == 0 ? 16 : rowBytes % 4 == 0 ? 4 : 2;
}
SORTIE_NUMERICS_CONSTEXPR int indexedThreads(int64_t units) {
  return wholeWarps(units, kWarp, 256);
}
SORTIE_NUMERICS_CONSTEXPR int64_t indexedBlocks(int64_t units) {
  return ceilDiv(units, indexedThreads(units));
}
/// A word for each warp.
SORTIE_NUMERICS_CONSTEXPR int indexedSharedBytes(int64_t units) {
  return indexedThreads(units) / kWarp * 4;
}

//===- Heads.h, headNormRows(): grid (rows, blocks) ----------------------===//

constexpr int kHeadThreads = 256;

/// Thread blocks for each row, of heads with about two elements for each thread.
SORTIE_NUMERICS_CONSTEXPR int64_t headBlocks(int64_t heads, int64_t head) {
  return lesser(heads, ceilDiv(heads * head, int64_t{2} * kHeadThreads));
}

//===- Norm.h: grid (rows) -----------------------------------------------===//

SORTIE_NUMERICS_CONSTEXPR int normThreads(int64_t columns) {
  return wholeWarps(ceilDiv(columns, numerics::kPartials), 64, 512);
}
SORTIE_NUMERICS_CONSTEXPR int normSharedBytes(int64_t columns) {
  return static_cast<int>(ceilDiv(columns, numerics::kChunk)) * 4;
}

//===- Quantize.h: grid (rows, blocks) -----------------------------------===//

/// A warp takes one activation block.
SORTIE_NUMERICS_CONSTEXPR int quantizeThreads(int64_t columns) {
  return wholeWarps(numerics::activationBlocks(columns) * kWarp, kWarp, 256);
}
SORTIE_NUMERICS_CONSTEXPR int64_t quantizeBlocks(int64_t columns) {
  return ceilDiv(numerics::activationBlocks(columns) * kWarp, quantizeThreads(columns));
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_ROWS_ROWGEOMETRY_H
