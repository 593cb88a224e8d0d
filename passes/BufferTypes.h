// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The buffers that the tensors of a function become: tensor types say `?` where buffer types must
// say how many rows there are for a number of tokens.

#ifndef SORTIE_PASSES_BUFFERTYPES_H
#define SORTIE_PASSES_BUFFERTYPES_H

#include "passes/Passes.h"

namespace sortie {

class BufferTypes {
public:
  /// Finds the buffer type of every argument and every tensor that is computed in the function, a
  /// single block of dispatch-level ops. Arguments have as many rows as the symbol `tokens`, of
  /// which all dynamic extents are multiples, where their type says `?`. Fails, with an error,
  /// where an extent would not be affine in the number of tokens, or callers could not pass a
  /// value.
  static mlir::FailureOr<BufferTypes> compute(mlir::func::FuncOp function, llvm::StringRef tokens);

  /// The buffer type of an argument or a computed tensor; weights have none.
  moert::BufferType of(mlir::Value tensor) const { return types.lookup(tensor); }

private:
  using Shape = llvm::SmallVector<moert::ExtentAttr, 4>;

  mlir::LogicalResult addArgument(mlir::BlockArgument argument, llvm::StringRef tokens);
  mlir::LogicalResult addResult(mlir::OpResult result);
  mlir::LogicalResult add(mlir::Value tensor, llvm::ArrayRef<moert::ExtentAttr> shape);

  /// The extents of what an op computes, from those of its operands.
  Shape shapeOf(mlir::OpResult result) const;

  llvm::DenseMap<mlir::Value, moert::BufferType> types;
};

} // namespace sortie

#endif // SORTIE_PASSES_BUFFERTYPES_H
