// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Names of semantic values. An op carries the names of its results (`moe.names`); a function lists
// the names of all its values, those that passes fused away among them (`moe.values`).

#ifndef SORTIE_PASSES_NAMES_H
#define SORTIE_PASSES_NAMES_H

#include "passes/Passes.h"

namespace sortie {

/// The name of a value, or "" if it has none.
llvm::StringRef nameOf(mlir::Value value);

/// True if `value` has a name and the program shall store every named value.
bool mustStore(mlir::Value value, Materialize materialize);

/// Gives the names of the results of `from` to the results of `to`, which hold the same values:
/// in the same order, or rows sorted by expert where they were in slot order.
void copyNames(mlir::Operation *from, mlir::Operation *to);

} // namespace sortie

#endif // SORTIE_PASSES_NAMES_H
