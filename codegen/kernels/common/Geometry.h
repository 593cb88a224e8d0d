// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the geometry of every family of kernels is written with, and the tiles that a dispatch makes
// and products follow. The compiler that launches kernels and the kernels themselves include this.

#ifndef SORTIE_CODEGEN_KERNELS_COMMON_GEOMETRY_H
#define SORTIE_CODEGEN_KERNELS_COMMON_GEOMETRY_H

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

/// Most sorted rows of a tile, and entries of the tile map for `rows` sorted rows.
constexpr int kTileRows = 64;
SORTIE_NUMERICS_CONSTEXPR int64_t tileCount(int64_t rows, int64_t experts) {
  return lesser(ceilDiv(rows, kTileRows) + experts, rows);
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_COMMON_GEOMETRY_H
