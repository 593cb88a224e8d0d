// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rows of floats as rows of bfloat16: the operands of cuBLAS. Grid (rows), kRoundThreads threads,
// no shared memory. Also packs weights, in panels of one row.

#ifndef SORTIE_CODEGEN_KERNELS_ROWS_ROUNDBF16_H
#define SORTIE_CODEGEN_KERNELS_ROWS_ROUNDBF16_H

#include "codegen/kernels/rows/RowGeometry.h"
#include "runtime/numerics/float.h"

#include <sortie_hardware.h>

namespace sortie::kernels {

/// y = x, each [rows, Columns], to the nearest bfloat16.
template <typename Value, int Columns>
SORTIE_DEVICE void roundRows(const Value *x, numerics::BFloat16 *y) {
  const int64_t first = int64_t{hw::blockIndexX()} * Columns;
  for (int column = hw::threadIndex(); column < Columns; column += hw::threadCount())
    y[first + column] = numerics::toBFloat16(numerics::widen(x[first + column]));
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_ROWS_ROUNDBF16_H
