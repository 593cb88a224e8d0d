// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Element types of the dialect `moe`: parsing, printing, verification.

#include "dialect/moe/MoeTypes.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace sortie;
using namespace sortie::moe;

static ParseResult parseEncoding(AsmParser &parser, numerics::Encoding &encoding) {
  StringRef name;
  const SMLoc location = parser.getCurrentLocation();
  if (parser.parseKeyword(&name))
    return failure();
  const numerics::EncodingInfo *info = numerics::findEncoding(name.data(), name.size());
  if (!info)
    return parser.emitError(location, "unknown weight format '") << name << "'";
  encoding = info->encoding;
  return success();
}

static void printEncoding(AsmPrinter &printer, numerics::Encoding encoding) {
  printer << numerics::encodingInfo(encoding).name;
}

static ParseResult parseActivationWidth(AsmParser &parser, numerics::ActivationWidth &width) {
  StringRef word;
  const SMLoc location = parser.getCurrentLocation();
  if (parser.parseKeyword(&word))
    return failure();
  if (word != "int16" && word != "int8")
    return parser.emitError(location, "unknown activation width '")
           << word << "', expected int16 or int8";
  width = word == "int16" ? numerics::ActivationWidth::Int16 : numerics::ActivationWidth::Int8;
  return success();
}

static void printActivationWidth(AsmPrinter &printer, numerics::ActivationWidth width) {
  printer << (width == numerics::ActivationWidth::Int16 ? "int16" : "int8");
}

#define GET_TYPEDEF_CLASSES
#include "dialect/moe/MoeTypes.cpp.inc"

void MoeDialect::registerTypes() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialect/moe/MoeTypes.cpp.inc"
      >();
}

LogicalResult BlockType::verify(function_ref<InFlightDiagnostic()> emitError,
                                numerics::Encoding encoding) {
  // (C1)
  const numerics::EncodingInfo info = numerics::encodingInfo(encoding);
  if (!numerics::isQuantized(info))
    return emitError() << "'" << info.name << "' is no block format, use the builtin type";
  return success();
}

std::optional<numerics::Encoding> sortie::moe::getWeightEncoding(Type element) {
  return TypeSwitch<Type, std::optional<numerics::Encoding>>(element)
      .Case([](BlockType type) { return type.getEncoding(); })
      .Case([](Float32Type) { return numerics::Encoding::F32; })
      .Case([](Float16Type) { return numerics::Encoding::F16; })
      .Case([](BFloat16Type) { return numerics::Encoding::BF16; })
      .Default(std::nullopt);
}

Type sortie::moe::getWeightElementType(MLIRContext *context, numerics::Encoding encoding) {
  switch (encoding) {
  case numerics::Encoding::F32:
    return Float32Type::get(context);
  case numerics::Encoding::F16:
    return Float16Type::get(context);
  case numerics::Encoding::BF16:
    return BFloat16Type::get(context);
  default:
    return BlockType::get(context, encoding);
  }
}
