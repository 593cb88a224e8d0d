// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rows of floats, of which a thread takes four neighbouring columns: one access of 16 bytes where
// every row starts at a multiple of that.

#ifndef SORTIE_CODEGEN_KERNELS_COMMON_FOURFLOATS_H
#define SORTIE_CODEGEN_KERNELS_COMMON_FOURFLOATS_H

#include "codegen/kernels/common/Geometry.h"

#include <sortie_hardware.h>

namespace sortie::kernels {

struct alignas(16) FourFloats {
  float value[4];
};

/// The columns from `column` (a multiple of 4) on of a row of `Columns`; +0.0 past its end.
template <int Columns> SORTIE_DEVICE FourFloats loadFour(const float *row, int column) {
  FourFloats four{};
  if constexpr (Columns % 4 == 0) {
    if (column < Columns)
      four = *reinterpret_cast<const FourFloats *>(row + column);
  } else {
#pragma unroll
    for (int i = 0; i < 4; ++i)
      if (column + i < Columns)
        four.value[i] = row[column + i];
  }
  return four;
}

/// Writes what lies inside the row.
template <int Columns> SORTIE_DEVICE void storeFour(float *row, int column, FourFloats four) {
  if constexpr (Columns % 4 == 0) {
    if (column < Columns)
      *reinterpret_cast<FourFloats *>(row + column) = four;
  } else {
#pragma unroll
    for (int i = 0; i < 4; ++i)
      if (column + i < Columns)
        row[column + i] = four.value[i];
  }
}

/// The thread's row in a grid (rows, blocks).
SORTIE_DEVICE int64_t gridRow() { return hw::blockIndexX(); }

/// Calls `take` with the first of each four columns that the thread has of a row of `Columns`,
/// however many blocks of a grid (rows, blocks) have the row.
template <int Columns, typename Take> SORTIE_DEVICE void forFourColumns(const Take &take) {
  const int stride = hw::gridCountY() * hw::threadCount() * 4;
  for (int column = (hw::blockIndexY() * hw::threadCount() + hw::threadIndex()) * 4;
       column < Columns; column += stride)
    take(column);
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_COMMON_FOURFLOATS_H
