// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What an operation works on while it runs: plain pointers and numbers. The files compiled for an
// instruction set include this header, so all its functions are inlined (Kernels.h says why).

#ifndef SORTIE_RUNTIME_CPU_OPERANDS_H
#define SORTIE_RUNTIME_CPU_OPERANDS_H

#include "runtime/cpu/Matrix.h"
#include "runtime/cpu/kernels/Unroll.h"
#include "runtime/numerics/layout.h"
#include "runtime/support/Parameter.h"

#include <cstddef>
#include <cstdint>

namespace sortie::cpu {

/// A dense array of the host as rows of its last dimension. An optional operand that is absent has
/// no data.
struct Rows {
  std::byte *data = nullptr;
  int64_t rows = 0;
  int64_t columns = 0;
  /// How a row is stored. Rows of 32-bit integers count as F32.
  numerics::RowKind kind = numerics::RowKind::F32;

  SORTIE_KERNEL_INLINE bool isPresent() const { return data != nullptr; }
  SORTIE_KERNEL_INLINE float *floats(int64_t row = 0) const {
    return reinterpret_cast<float *>(data) + row * columns;
  }
  SORTIE_KERNEL_INLINE int32_t *ints(int64_t row = 0) const {
    return reinterpret_cast<int32_t *>(data) + row * columns;
  }
};

/// The operands and parameters of an operation, in the places that its definition in the dialect
/// `moert` gives them.
struct Operands {
  static constexpr int kMostReads = 6, kMostWrites = 3, kMostMatrices = 2, kMostVectors = 4;
  static constexpr int kMostParameters = 8;

  Rows reads[kMostReads];
  Rows writes[kMostWrites];
  Matrix matrices[kMostMatrices] = {};
  const float *vectors[kMostVectors] = {}; ///< null where absent
  Parameter parameters[kMostParameters] = {};
  const int64_t *numbers = nullptr; ///< those that are too many for parameters
  int64_t numberCount = 0;
};

} // namespace sortie::cpu

#endif // SORTIE_RUNTIME_CPU_OPERANDS_H
