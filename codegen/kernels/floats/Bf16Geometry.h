// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Threads, thread blocks and shared memory of products in `bf16` arithmetic, for the compiler that
// launches them and for the kernels themselves. Bits do not depend on any of it.

#ifndef SORTIE_CODEGEN_KERNELS_FLOATS_BF16GEOMETRY_H
#define SORTIE_CODEGEN_KERNELS_FLOATS_BF16GEOMETRY_H

#include "codegen/kernels/common/Geometry.h"

namespace sortie::kernels {

/// Rows of weights that a thread block multiplies by a tile. In a gated product, half of each
/// matrix.
constexpr int kBf16Columns = 128;
constexpr int kBf16GluColumns = kBf16Columns / 2;

/// A warp multiplies this many rows of weights by as many rows of activations.
constexpr int kBf16WarpRows = 32;
constexpr int kBf16ColumnWarps = kBf16Columns / kBf16WarpRows;
constexpr int kBf16RowWarps = kTileRows / kBf16WarpRows;
constexpr int kBf16Threads = kBf16ColumnWarps * kBf16RowWarps * kWarp;
static_assert(kTileRows % kBf16WarpRows == 0);

/// Bytes of a row of weights in a stage, which have this many elements of K.
constexpr int kBf16RowBytes = 128;
SORTIE_NUMERICS_CONSTEXPR int bf16Depth(int elementBytes) { return kBf16RowBytes / elementBytes; }
/// Bytes of a stage: weights as in the file, activations as bfloat16.
SORTIE_NUMERICS_CONSTEXPR int bf16StageBytes(int elementBytes) {
  return kBf16Columns * kBf16RowBytes + kTileRows * bf16Depth(elementBytes) * 2;
}

/// An activation block of the tile, where the output is quantized; behind the stages.
constexpr int kBf16ActivationBytes = kTileRows * numerics::kActivationBlock * 4;
/// What any chip has; two blocks fit a multiprocessor of an A100.
constexpr int kBf16SharedLimit = 80 * 1024;
/// As many stages as fit, from two to four.
SORTIE_NUMERICS_CONSTEXPR int bf16Stages(int elementBytes, bool isOutputQuantized) {
  const int bytes = kBf16SharedLimit - (isOutputQuantized ? kBf16ActivationBytes : 0);
  return static_cast<int>(lesser(greater(bytes / bf16StageBytes(elementBytes), 2), 4));
}
SORTIE_NUMERICS_CONSTEXPR int bf16SharedBytes(int elementBytes, bool isOutputQuantized) {
  return bf16Stages(elementBytes, isOutputQuantized) * bf16StageBytes(elementBytes) +
         (isOutputQuantized ? kBf16ActivationBytes : 0);
}

/// The first dimension of the grid of a product with N columns of output.
SORTIE_NUMERICS_CONSTEXPR int64_t bf16Blocks(int64_t n) { return ceilDiv(n, kBf16Columns); }
SORTIE_NUMERICS_CONSTEXPR int64_t bf16GluBlocks(int64_t n, bool isOutputQuantized) {
  return ceilDiv(n, isOutputQuantized ? numerics::kActivationBlock : kBf16GluColumns);
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_FLOATS_BF16GEOMETRY_H
