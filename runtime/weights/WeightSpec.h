// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a program says about a tensor that it needs.

#ifndef SORTIE_RUNTIME_WEIGHTS_WEIGHTSPEC_H
#define SORTIE_RUNTIME_WEIGHTS_WEIGHTSPEC_H

#include "runtime/cpu/ops.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"

#include <string>

namespace sortie {

struct WeightSpec {
  /// Name in the model.
  std::string tensor;
  numerics::Format format;
  /// Row-major, 1 to 3 dimensions.
  llvm::SmallVector<int64_t, 3> shape;
  /// How the program's steps read it: as the matrix of a product, as plain floats (norms, biases).
  bool isMatrix = false;
  bool isVector = false;

  int64_t columns() const { return shape.back(); }
  /// Rows of all experts together.
  int64_t rows() const {
    int64_t count = 1;
    for (const int64_t extent : llvm::ArrayRef(shape).drop_back())
      count *= extent;
    return count;
  }
  uint64_t rowBytes() const { return numerics::rowBytes(numerics::formatInfo(format), columns()); }
  uint64_t fileBytes() const { return rows() * rowBytes(); }

  /// A matrix [N, K] is one expert.
  cpu::MatrixShape matrixShape() const {
    const int64_t experts = shape.size() == 3 ? shape.front() : 1;
    return {format, experts, rows() / experts, columns()};
  }
  /// Bytes of the packed matrix and of the floats.
  uint64_t packedBytes() const {
    const uint64_t matrix = isMatrix ? cpu::packedBytes(matrixShape()) : 0;
    return matrix + (isVector ? rows() * columns() * sizeof(float) : 0);
  }

  /// "tensor 'blk.0.ffn_norm.weight' (f32, 2048)".
  std::string describe() const;
};

} // namespace sortie

#endif // SORTIE_RUNTIME_WEIGHTS_WEIGHTSPEC_H
