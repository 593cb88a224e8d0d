// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Functions by which the runtime reaches pages of a session's caches: to fork sequences, and to
// save and load them.

#ifndef SORTIE_PASSES_CACHEFUNCTIONS_H
#define SORTIE_PASSES_CACHEFUNCTIONS_H

#include "passes/Passes.h"

namespace sortie {

/// The number of pages of a call, and the most that it can be. A copy needs memory for so many.
inline constexpr llvm::StringLiteral kCopiesSymbol = "copies";
inline constexpr int64_t kMostCopies = 16;

/// An error if the module has caches, and something in it has a name that the functions need.
mlir::LogicalResult checkCacheFunctionNames(mlir::ModuleOp module);

/// Adds to the end of a program, whose states are its caches, the functions that
/// docs/whole-models.md names; `copies` is their symbol.
void addCacheFunctions(mlir::ModuleOp module, mlir::StringAttr copies);

} // namespace sortie

#endif // SORTIE_PASSES_CACHEFUNCTIONS_H
