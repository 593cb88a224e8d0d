// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What must hold of the values of caches in a function, so that a program can keep each cache in
// one place and append to it there.

#ifndef SORTIE_PASSES_CACHECHAINS_H
#define SORTIE_PASSES_CACHECHAINS_H

#include "passes/Passes.h"

namespace sortie {

/// Each cache is read once at most. Of its values, which appends make one from another, none is
/// appended to twice, used after it has been appended to, or kept under another name; and the last
/// one is kept where there is an append. An error names the op that breaks this.
mlir::LogicalResult verifyCacheChains(mlir::func::FuncOp function);

} // namespace sortie

#endif // SORTIE_PASSES_CACHECHAINS_H
