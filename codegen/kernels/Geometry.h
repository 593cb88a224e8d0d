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

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_GEOMETRY_H
