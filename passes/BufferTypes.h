// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The buffers that the tensors of a function become: tensor types say `?` where buffer types must
// say how many rows there are for a number of tokens.

#ifndef SORTIE_PASSES_BUFFERTYPES_H
#define SORTIE_PASSES_BUFFERTYPES_H

#include "passes/Passes.h"

#include "llvm/ADT/StringMap.h"

namespace sortie {

/// What the program calls each symbol that the module asks for.
using SymbolNames = llvm::StringMap<mlir::StringAttr>;

/// The number of a function's tokens, and that of the pages of a session's caches.
inline constexpr llvm::StringLiteral kTokensSymbol = "tokens";
inline constexpr llvm::StringLiteral kPagesSymbol = "pages";

/// The symbol that the module asks for as the dynamic first dimension of an argument.
llvm::StringRef symbolOf(mlir::BlockArgument argument);

/// The memory of a cache of pages. Its width has been chosen.
moert::BufferType cacheBufferType(lm::CacheType cache, llvm::StringRef pages);

class BufferTypes {
public:
  /// Finds the buffer type of every argument and of every tensor and cache that is computed in the
  /// function, a single block of dispatch-level ops. Arguments have as many rows as their symbol,
  /// of which all dynamic extents are multiples, where their type says `?`. Fails, with an error,
  /// where an extent would not be affine in a symbol, or callers could not pass a value.
  static mlir::FailureOr<BufferTypes> compute(mlir::func::FuncOp function,
                                              const SymbolNames &symbols);

  /// The buffer type of an argument, a computed tensor or a cache; weights have none.
  moert::BufferType of(mlir::Value value) const { return types.lookup(value); }

private:
  using Shape = llvm::SmallVector<moert::ExtentAttr, 4>;

  explicit BufferTypes(const SymbolNames &symbols) : symbols(symbols) {}

  mlir::LogicalResult addArgument(mlir::BlockArgument argument);
  mlir::LogicalResult addResult(mlir::OpResult result);
  mlir::LogicalResult add(mlir::Value tensor, llvm::ArrayRef<moert::ExtentAttr> shape);

  /// The extents of what an op computes, from those of its operands.
  Shape shapeOf(mlir::OpResult result) const;

  const SymbolNames &symbols;
  llvm::DenseMap<mlir::Value, moert::BufferType> types;
};

} // namespace sortie

#endif // SORTIE_PASSES_BUFFERTYPES_H
