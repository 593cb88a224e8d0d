// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Attributes of the dialect `moe`.

#include "dialect/moe/MoeAttributes.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace sortie;
using namespace sortie::moe;

#define GET_ATTRDEF_CLASSES
#include "dialect/moe/MoeAttributes.cpp.inc"

void MoeDialect::registerAttributes() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialect/moe/MoeAttributes.cpp.inc"
      >();
}

LogicalResult ContractAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                   Determinism members) {
  return verifyDeterminism(emitError, members); // (C2); the parser sees to (C1)
}

ParseResult sortie::moe::parseTensors(OpAsmParser &parser, Attribute &tensors) {
  return parseTensorsOf<TensorsAttr>(parser, tensors);
}

void sortie::moe::printTensors(OpAsmPrinter &printer, Operation *, Attribute tensors) {
  printTensorsOf<TensorsAttr>(printer, tensors);
}

LogicalResult TensorsAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                  ArrayRef<StringAttr> names, DimensionPart rows,
                                  DimensionPart columns, MatrixLayout layout) {
  return verifyTensorsAttr(emitError, names, rows, columns, layout);
}
