// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rows of floats of one width as rows of another. Grid (rows), kRoundThreads threads, no shared
// memory.

#ifndef SORTIE_CODEGEN_KERNELS_ROWS_CONVERT_H
#define SORTIE_CODEGEN_KERNELS_ROWS_CONVERT_H

#include "codegen/kernels/rows/RowGeometry.h"
#include "runtime/numerics/convert.h"

#include <sortie_hardware.h>

namespace sortie::kernels {

/// y = x, each [rows, Columns].
template <typename From, typename To, int Columns>
SORTIE_DEVICE void convertRows(const From *x, To *y) {
  const int64_t first = int64_t{hw::blockIndexX()} * Columns;
  for (int column = hw::threadIndex(); column < Columns; column += hw::threadCount())
    numerics::convert(x[first + column], y[first + column]);
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_ROWS_CONVERT_H
