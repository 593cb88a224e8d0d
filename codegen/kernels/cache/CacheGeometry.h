// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Threads, thread blocks and shared memory of the kernels of this folder, for the compiler that
// launches them and for the kernels themselves. Bits do not depend on any of it.

#ifndef SORTIE_CODEGEN_KERNELS_CACHE_CACHEGEOMETRY_H
#define SORTIE_CODEGEN_KERNELS_CACHE_CACHEGEOMETRY_H

#include "codegen/kernels/common/Geometry.h"
#include "runtime/numerics/cache.h"

namespace sortie::kernels {

//===- CheckPlaces.h -----------------------------------------------------===//

/// Tokens that a thread block checks: a segment.
constexpr int kPlaceTokens = 32;
constexpr int kPlaceThreads = 256;
/// In shared memory: a word for each warp, then the places of a tile of tokens.
constexpr int kPlaceTile = kPlaceThreads / kWarp * 4;
constexpr int kPlaceSharedBytes = kPlaceTile + kPlaceThreads * 8;

//===- Append.h: grid (tokens, blocks) -----------------------------------===//

/// A warp takes one row of a head, of `rows` that a token has in all.
SORTIE_NUMERICS_CONSTEXPR int appendThreads(int64_t rows) {
  return wholeWarps(rows * kWarp, kWarp, 128);
}
/// Thread blocks for each token: the second dimension of the grid.
SORTIE_NUMERICS_CONSTEXPR int64_t appendBlocks(int64_t rows) {
  return ceilDiv(rows * kWarp, appendThreads(rows));
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_CACHE_CACHEGEOMETRY_H
