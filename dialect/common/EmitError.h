// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How the rules of attributes tell what is wrong.

#ifndef SORTIE_DIALECT_COMMON_EMITERROR_H
#define SORTIE_DIALECT_COMMON_EMITERROR_H

#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace sortie {

using EmitError = llvm::function_ref<mlir::InFlightDiagnostic()>;

} // namespace sortie

#endif // SORTIE_DIALECT_COMMON_EMITERROR_H
