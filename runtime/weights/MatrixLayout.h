// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How a model file stores the matrices of a weight, as dialects, importer and runtime say it.

#ifndef SORTIE_RUNTIME_WEIGHTS_MATRIXLAYOUT_H
#define SORTIE_RUNTIME_WEIGHTS_MATRIXLAYOUT_H

#include "runtime/numerics/encoding.h"
#include "runtime/weights/DimensionPart.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"

#include <optional>

namespace sortie {

/// By default, matrices are stored as the weight has them.
struct MatrixLayout {
  /// The matrices of a weight of three dimensions lie one below the other in one of two.
  bool isJoined = false;
  /// Matrices of the file are [K, N], those of the weight [N, K].
  bool isTransposed = false;
  /// The encoding of the file, if it has blocks and the weight what they decode to.
  std::optional<numerics::Encoding> stored = std::nullopt;

  explicit operator bool() const { return isJoined || isTransposed || stored; }
  bool operator==(const MatrixLayout &) const = default;
};
// NOLINTNEXTLINE(readability-identifier-naming): LLVM finds it by this name
inline llvm::hash_code hash_value(const MatrixLayout &layout) {
  const int stored = layout.stored ? static_cast<int>(*layout.stored) : -1;
  return llvm::hash_combine(layout.isJoined, layout.isTransposed, stored);
}

/// The row-major shape of the tensor that holds a weight of this shape. Rows and columns that the
/// weight is a part of are those of the file.
inline llvm::SmallVector<int64_t, 3> tensorShapeOf(llvm::ArrayRef<int64_t> shape,
                                                   DimensionPart rows, DimensionPart columns,
                                                   const MatrixLayout &layout) {
  llvm::SmallVector<int64_t, 3> whole(shape);
  if (layout.isTransposed)
    std::swap(whole.back(), whole[whole.size() - 2]);
  if (rows)
    whole[whole.size() - 2] = rows.total;
  if (columns)
    whole.back() = columns.total;
  if (layout.isJoined) {
    whole[1] *= whole[0];
    whole.erase(whole.begin());
  }
  return whole;
}

} // namespace sortie

#endif // SORTIE_RUNTIME_WEIGHTS_MATRIXLAYOUT_H
