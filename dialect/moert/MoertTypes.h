// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The buffer type of the dialect `moert`.

#ifndef SORTIE_DIALECT_MOERT_MOERTTYPES_H
#define SORTIE_DIALECT_MOERT_MOERTTYPES_H

#include "dialect/moert/MoertAttributes.h"
#include "dialect/moert/MoertDialect.h"

#include "mlir/IR/Types.h"

#define GET_TYPEDEF_CLASSES
#include "dialect/moert/MoertTypes.h.inc"

namespace sortie::moert {

/// Bytes of a row of `elements` elements.
int64_t getRowBytes(ElementKind kind, int64_t elements);

} // namespace sortie::moert

#endif // SORTIE_DIALECT_MOERT_MOERTTYPES_H
