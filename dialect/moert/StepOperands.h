// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a step of the runtime is made of, as its operation describes it.

#ifndef SORTIE_DIALECT_MOERT_STEPOPERANDS_H
#define SORTIE_DIALECT_MOERT_STEPOPERANDS_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Value.h"

#include <cstdint>
#include <variant>

namespace sortie::moert {

/// The operands and parameters of a step. Devices find them by their places, so an operand that is
/// absent has a place, too: a null value or symbol.
class StepOperands {
public:
  using Parameter = std::variant<int64_t, float>;

  StepOperands &read(mlir::Value buffer) { return add(reads, buffer); }
  /// A buffer that may be the very one that is written: what is written anywhere depends on nothing
  /// else of it but what stands there, or in the same row where all of a row is read first.
  StepOperands &readInPlace(mlir::Value buffer) {
    add(inPlace, buffer);
    return read(buffer);
  }
  /// Buffers that are read as indices, which nobody checks when they are used: moert.func sees to
  /// it that a moert.dispatch made them.
  StepOperands &readPermutation(mlir::Value buffer) { return read(permutation = buffer); }
  StepOperands &readInverse(mlir::Value buffer) { return read(inverse = buffer); }
  StepOperands &readOffsets(mlir::Value buffer) { return read(offsets = buffer); }
  StepOperands &write(mlir::Value buffer) { return add(writes, buffer); }
  /// A weight that is read as the matrix of a product.
  StepOperands &matrix(mlir::FlatSymbolRefAttr weight) { return add(matrices, weight); }
  /// A weight that is read as plain floats.
  StepOperands &vector(mlir::FlatSymbolRefAttr weight) { return add(vectors, weight); }
  StepOperands &parameter(int64_t value) { return add(parameters, Parameter(value)); }
  StepOperands &parameter(float value) { return add(parameters, Parameter(value)); }
  /// Numbers that are too many for parameters.
  StepOperands &table(llvm::ArrayRef<int64_t> values) {
    numbers = values;
    return *this;
  }

  llvm::SmallVector<mlir::Value, 4> reads;
  llvm::SmallVector<mlir::Value, 4> writes;
  llvm::SmallVector<mlir::Value, 2> inPlace; ///< of `reads`
  llvm::SmallVector<mlir::FlatSymbolRefAttr, 2> matrices;
  llvm::SmallVector<mlir::FlatSymbolRefAttr, 4> vectors;
  llvm::SmallVector<Parameter> parameters;
  llvm::ArrayRef<int64_t> numbers;
  mlir::Value permutation, inverse, offsets; ///< of `reads`; null where it has none

private:
  template <typename Element>
  StepOperands &add(llvm::SmallVectorImpl<Element> &list, Element element) {
    list.push_back(element);
    return *this;
  }
};

} // namespace sortie::moert

#endif // SORTIE_DIALECT_MOERT_STEPOPERANDS_H
