// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rules about shapes of buffers and about weights that verifiers of several operations share. Each
// reports an error on the operation.

#ifndef SORTIE_DIALECT_MOERT_OPRULES_H
#define SORTIE_DIALECT_MOERT_OPRULES_H

#include "dialect/moert/MoertOps.h"

#include <utility>

namespace sortie::moert {

inline BufferType getBuffer(mlir::Value value) { return llvm::cast<BufferType>(value.getType()); }
inline ExtentAttr getDim(mlir::Value value, unsigned index) {
  return getBuffer(value).getDim(index);
}
inline ExtentAttr getConstant(mlir::Operation *op, int64_t value) {
  return ExtentAttr::get(op->getContext(), value);
}

llvm::LogicalResult verifyRank(mlir::Operation *op, llvm::StringRef what, mlir::Value value,
                               unsigned rank);

/// `value`, which may be null, has this shape. A null dimension is one that no extent can hold.
llvm::LogicalResult verifyShape(mlir::Operation *op, llvm::StringRef what, mlir::Value value,
                                llvm::ArrayRef<ExtentAttr> shape);

/// A value with the name that diagnostics give it.
using NamedValue = std::pair<llvm::StringRef, mlir::Value>;

llvm::LogicalResult verifySameShape(mlir::Operation *op, mlir::Value first,
                                    llvm::ArrayRef<NamedValue> others);

/// The constant last dimension of a buffer, which is a number of columns.
mlir::FailureOr<int64_t> getColumns(mlir::Operation *op, llvm::StringRef what, mlir::Value value);

mlir::FailureOr<WeightOp> lookupWeight(mlir::Operation *op, mlir::SymbolTableCollection &symbols,
                                       mlir::FlatSymbolRefAttr name);

/// The weight `name`, which may be null, is f32 and has this shape.
llvm::LogicalResult verifyVector(mlir::Operation *op, mlir::SymbolTableCollection &symbols,
                                 mlir::FlatSymbolRefAttr name, llvm::ArrayRef<int64_t> shape);

/// A product in `exact` arithmetic takes quantized rows, others f32 ones.
template <typename ProductOp> llvm::LogicalResult verifyArithmetic(ProductOp op) {
  const bool isExact = op.getArithmetic() == Arithmetic::Exact;
  if (llvm::cast<BufferType>(op.getInput().getType()).isQuantized() == isExact)
    return llvm::success();
  return op.emitOpError() << "arithmetic '" << stringifyArithmetic(op.getArithmetic()) << "' needs "
                          << (isExact ? "quantized" : "f32") << " input, got "
                          << op.getInput().getType();
}

/// A product in `exact` arithmetic takes a weight in blocks, others one of floats.
template <typename ProductOp> llvm::LogicalResult verifySuits(ProductOp op, WeightOp weight) {
  const bool isExact = op.getArithmetic() == Arithmetic::Exact;
  if (numerics::isQuantized(weight.getFormatInfo()) == isExact)
    return llvm::success();
  return op.emitOpError() << "arithmetic '" << stringifyArithmetic(op.getArithmetic())
                          << "' does not suit weight " << mlir::FlatSymbolRefAttr::get(weight)
                          << " of format " << weight.getFormat();
}

} // namespace sortie::moert

#endif // SORTIE_DIALECT_MOERT_OPRULES_H
