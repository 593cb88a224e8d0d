// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The values of the interpreter: tensors of real numbers in float64.

#ifndef SORTIE_TEST_INTERPRETER_TENSOR_H
#define SORTIE_TEST_INTERPRETER_TENSOR_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"

#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <memory>
#include <vector>

namespace sortie::interpreter {

/// A number that means nothing, such as a sorted row past the last offset. It spreads through
/// arithmetic as a NaN does, and is never compared.
inline constexpr double kMeaningless = std::numeric_limits<double>::quiet_NaN();

inline bool isMeaningless(double number) { return std::isnan(number); }

/// A tensor of rank 1 or more, row-major. Elements are real numbers whatever their type is: i32 as
/// well as quantized activations.
struct Tensor {
  explicit Tensor(llvm::ArrayRef<int64_t> shape, double fill = kMeaningless);
  explicit Tensor(std::initializer_list<int64_t> shape, double fill = kMeaningless)
      : Tensor(llvm::ArrayRef(shape), fill) {}

  /// Rows lie along the last dimension, whatever the rank is.
  int64_t rows() const;
  int64_t columns() const { return shape.back(); }
  llvm::ArrayRef<double> row(int64_t index) const;
  llvm::MutableArrayRef<double> row(int64_t index);

  llvm::SmallVector<int64_t, 3> shape;
  std::vector<double> elements;
  /// Of [R, N]: the slot of each row, where the rows are sorted by expert; null where they are not,
  /// or where that cannot be seen. Of `offsets`: the slots of the rows that they divide.
  std::shared_ptr<const std::vector<double>> slots;
};

using TensorRef = std::shared_ptr<const Tensor>;

} // namespace sortie::interpreter

#endif // SORTIE_TEST_INTERPRETER_TENSOR_H
