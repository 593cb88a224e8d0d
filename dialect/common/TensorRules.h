// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rules about shapes of tensors that verifiers of the dialects `moe` and `lm` share.

#ifndef SORTIE_DIALECT_COMMON_TENSORRULES_H
#define SORTIE_DIALECT_COMMON_TENSORRULES_H

#include "mlir/IR/Operation.h"

namespace sortie {

/// `value`, a ranked tensor or null, which is right, has this shape. Dynamic dimensions agree with
/// everything. An error names the value `what`.
llvm::LogicalResult verifyShape(mlir::Operation *op, llvm::StringRef what, mlir::Value value,
                                llvm::ArrayRef<int64_t> shape);

} // namespace sortie

#endif // SORTIE_DIALECT_COMMON_TENSORRULES_H
