// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Attributes of the dialect `moert`.

#ifndef SORTIE_DIALECT_MOERT_MOERTATTRIBUTES_H
#define SORTIE_DIALECT_MOERT_MOERTATTRIBUTES_H

#include "dialect/common/Determinism.h"
#include "dialect/common/ParameterRules.h"
#include "dialect/common/TextRules.h"
#include "dialect/common/WeightTensors.h"
#include "dialect/moert/MoertDialect.h"

#include "mlir/IR/Attributes.h"
#include "mlir/IR/BuiltinAttributes.h"

#include <optional>
#include <string>

#include "dialect/moert/MoertEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialect/moert/MoertAttributes.h.inc"

namespace sortie::moert {

/// An extent as types and ops write it: `8*tokens+64`.
std::string toString(ExtentAttr extent);

/// Parses an extent as types and ops write it.
mlir::ParseResult parseExtent(mlir::AsmParser &parser, ExtentAttr &extent);

// Attributes as ops write them: bare, without mnemonic and angle brackets. With an operation, the
// functions are directives of assembly formats.

/// `8*tokens+8192 ceildiv 64 max 8*tokens`.
mlir::ParseResult parseGrid(mlir::AsmParser &parser, GridAttr &grid);
void printGrid(mlir::AsmPrinter &printer, GridAttr grid);
/// `@pack_q4_K_0 rows(16) bytes(18432)`.
mlir::ParseResult parsePack(mlir::AsmParser &parser, PackAttr &pack);
void printPack(mlir::AsmPrinter &printer, mlir::Operation *, PackAttr pack);
/// `"moert.glu_matmul" operations(6291456) offsets(1)`.
mlir::ParseResult parseWork(mlir::AsmParser &parser, WorkAttr &work);
void printWork(mlir::AsmPrinter &printer, mlir::Operation *, WorkAttr work);
/// `"name" rows(first of total)`, `["name", ...]`: a string, or a TensorsAttr.
mlir::ParseResult parseTensors(mlir::OpAsmParser &parser, mlir::Attribute &tensors);
void printTensors(mlir::OpAsmPrinter &printer, mlir::Operation *, mlir::Attribute tensors);

} // namespace sortie::moert

#endif // SORTIE_DIALECT_MOERT_MOERTATTRIBUTES_H
