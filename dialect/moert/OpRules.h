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

} // namespace sortie::moert

#endif // SORTIE_DIALECT_MOERT_OPRULES_H
