// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How rules that attributes and operations share tell what is wrong.

#ifndef SORTIE_DIALECT_COMMON_EMITERROR_H
#define SORTIE_DIALECT_COMMON_EMITERROR_H

#include "mlir/IR/Operation.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace sortie {

using EmitError = llvm::function_ref<mlir::InFlightDiagnostic()>;

/// Errors of an operation. It outlives the result.
inline auto errorsOf(mlir::Operation *op) {
  return [op] { return op->emitOpError(); };
}

} // namespace sortie

#endif // SORTIE_DIALECT_COMMON_EMITERROR_H
