// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Element types of the dialect `moe`.

#ifndef SORTIE_DIALECT_MOE_MOETYPES_H
#define SORTIE_DIALECT_MOE_MOETYPES_H

#include "dialect/moe/MoeDialect.h"
#include "runtime/numerics/encoding.h"

#include "mlir/IR/Types.h"

#include <optional>

#define GET_TYPEDEF_CLASSES
#include "dialect/moe/MoeTypes.h.inc"

namespace sortie::moe {

/// The encoding of a weight's elements: of `!moe.block`, f32, f16 or bf16.
std::optional<numerics::Encoding> getWeightEncoding(mlir::Type element);

/// The element type of weights in `encoding`; the inverse of getWeightEncoding.
mlir::Type getWeightElementType(mlir::MLIRContext *context, numerics::Encoding encoding);

} // namespace sortie::moe

#endif // SORTIE_DIALECT_MOE_MOETYPES_H
