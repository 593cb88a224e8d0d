// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Attributes of the dialect `moe`.

#ifndef SORTIE_DIALECT_MOE_MOEATTRIBUTES_H
#define SORTIE_DIALECT_MOE_MOEATTRIBUTES_H

#include "dialect/common/Determinism.h"
#include "dialect/common/ParameterRules.h"
#include "dialect/common/WeightTensors.h"
#include "dialect/moe/MoeDialect.h"

#include "mlir/IR/Attributes.h"

#define GET_ATTRDEF_CLASSES
#include "dialect/moe/MoeAttributes.h.inc"

namespace sortie::moe {

// Attributes as ops write them: directives of assembly formats.

/// `"name" rows(first of total)`, `["name", ...]`: a string, or a TensorsAttr.
mlir::ParseResult parseTensors(mlir::OpAsmParser &parser, mlir::Attribute &tensors);
void printTensors(mlir::OpAsmPrinter &printer, mlir::Operation *, mlir::Attribute tensors);

} // namespace sortie::moe

#endif // SORTIE_DIALECT_MOE_MOEATTRIBUTES_H
