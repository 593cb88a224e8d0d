// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Packed matrices and groups of rows, as operations and kernels see them.

#ifndef SORTIE_RUNTIME_CPU_MATRIX_H
#define SORTIE_RUNTIME_CPU_MATRIX_H

#include "runtime/numerics/encoding.h"

#include <cstddef>
#include <cstdint>

namespace sortie::cpu {

/// A stack of `experts` matrices of `rows` (N) x `columns` (K) in one format; rows run along K.
/// A dense matrix has one expert.
struct MatrixShape {
  numerics::Format format;
  int64_t experts;
  int64_t rows;
  int64_t columns;
};

/// Rows are packed in panels of this many; a panel is the unit of packing.
inline constexpr int64_t kPanelRows = 16;

struct Matrix {
  MatrixShape shape;
  const std::byte *packed;
};

/// How the rows of a matmul are grouped and found.
struct RowMap {
  /// [experts + 1] first sorted row of each expert; null: all rows belong to one group (dense).
  const int32_t *offsets = nullptr;
  /// [rows] slot (token * slots + j) of each sorted row; null where nothing below needs it.
  const int32_t *permutation = nullptr;
  /// Routed slots per token. With `gather`, sorted row r reads input row permutation[r] / slots.
  int64_t slots = 1;
  bool gather = false;
  /// Not 0: each row of input and output is this many rows, one for each expert (a head of
  /// attention), so that expert e has row r * heads + e of both for each r. Without offsets.
  int64_t heads = 0;
};

} // namespace sortie::cpu

#endif // SORTIE_RUNTIME_CPU_MATRIX_H
