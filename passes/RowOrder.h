// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// In which order the rows of a value lie, and whether a value can be used at a place.

#ifndef SORTIE_PASSES_ROWORDER_H
#define SORTIE_PASSES_ROWORDER_H

#include "passes/Passes.h"

namespace sortie {

/// The dispatch whose sorted order the rows of `value` follow; null if they lie in token or slot
/// order (or in one that cannot be seen from the ops that made it).
moe::DispatchOp rowOrderOf(mlir::Value value);

/// True if `value` is defined before `user` in the same block, as an argument or by an op.
bool isAvailable(mlir::Value value, mlir::Operation *user);

} // namespace sortie

#endif // SORTIE_PASSES_ROWORDER_H
