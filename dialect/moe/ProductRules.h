// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rules of matrix products, which ops of the dialects `moe` and `lm` share.

#ifndef SORTIE_DIALECT_MOE_PRODUCTRULES_H
#define SORTIE_DIALECT_MOE_PRODUCTRULES_H

#include "dialect/common/Enums.h"

#include "mlir/IR/Operation.h"

#include <optional>

namespace sortie::moe {

/// `exact` multiplies block weights, `float` and `bf16` the others.
llvm::LogicalResult verifyArithmetic(mlir::Operation *op, mlir::Value weights,
                                     std::optional<Arithmetic> arithmetic);

/// Quantized activations are multiplied by block weights, exactly.
llvm::LogicalResult verifyQuantizedInput(mlir::Operation *op, mlir::Value input,
                                         mlir::Value weights, std::optional<Arithmetic> arithmetic);

} // namespace sortie::moe

#endif // SORTIE_DIALECT_MOE_PRODUCTRULES_H
