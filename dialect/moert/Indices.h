// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where the indices of a function come from.

#ifndef SORTIE_DIALECT_MOERT_INDICES_H
#define SORTIE_DIALECT_MOERT_INDICES_H

#include "dialect/moert/MoertOps.h"

namespace sortie::moert {

/// (C9) of moert.func: what gathers, grouped products, unsorts and combines use as an index without
/// looking comes from one moert.dispatch of the function. An error names the operation.
llvm::LogicalResult verifyIndices(FuncOp func);

} // namespace sortie::moert

#endif // SORTIE_DIALECT_MOERT_INDICES_H
