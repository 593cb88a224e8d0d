// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Attributes of the dialect `moert`.

#ifndef SORTIE_DIALECT_MOERT_MOERTATTRIBUTES_H
#define SORTIE_DIALECT_MOERT_MOERTATTRIBUTES_H

#include "dialect/common/Common.h"
#include "dialect/moert/MoertDialect.h"

#include "mlir/IR/Attributes.h"
#include "mlir/IR/BuiltinAttributes.h"

#include <optional>
#include <string>

#define GET_ATTRDEF_CLASSES
#include "dialect/moert/MoertAttributes.h.inc"

namespace sortie::moert {

/// An extent as types and ops write it: `8*tokens+64`.
std::string toString(ExtentAttr extent);

/// Parses an extent as types and ops write it.
mlir::ParseResult parseExtent(mlir::AsmParser &parser, ExtentAttr &extent);

} // namespace sortie::moert

#endif // SORTIE_DIALECT_MOERT_MOERTATTRIBUTES_H
