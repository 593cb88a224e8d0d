// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The enums of Enums.td, which both dialects use, and their form as bare words.

#ifndef SORTIE_DIALECT_COMMON_ENUMS_H
#define SORTIE_DIALECT_COMMON_ENUMS_H

#include "mlir/IR/DialectImplementation.h"
#include "mlir/IR/OpImplementation.h"
#include "llvm/ADT/StringExtras.h"

#include "dialect/common/Enums.h.inc"

#include <optional>

namespace sortie {

/// `custom<Word>` of assembly formats: an attribute of Enums.td as its bare word.
template <typename EnumAttr>
mlir::ParseResult parseWord(mlir::OpAsmParser &parser, EnumAttr &attr) {
  using Enum = decltype(attr.getValue());
  const mlir::FailureOr<Enum> value = mlir::FieldParser<Enum>::parse(parser);
  if (failed(value))
    return mlir::failure();
  attr = EnumAttr::get(parser.getContext(), *value);
  return mlir::success();
}

template <typename EnumAttr>
void printWord(mlir::OpAsmPrinter &printer, mlir::Operation *, EnumAttr attr) {
  printer << stringifyEnum(attr.getValue());
}

} // namespace sortie

#endif // SORTIE_DIALECT_COMMON_ENUMS_H
