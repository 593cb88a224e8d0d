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

static ParseResult parseFormat(AsmParser &parser, numerics::Format &format) {
  StringRef name;
  const SMLoc location = parser.getCurrentLocation();
  if (parser.parseKeyword(&name))
    return failure();
  const numerics::FormatInfo *info = numerics::findFormat(name.data(), name.size());
  if (!info)
    return parser.emitError(location, "unknown weight format '") << name << "'";
  format = info->format;
  return success();
}

static void printFormat(AsmPrinter &printer, numerics::Format format) {
  printer << numerics::formatInfo(format).name;
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
                                numerics::Format format) {
  // (C1)
  const numerics::FormatInfo info = numerics::formatInfo(format);
  if (!numerics::isQuantized(info))
    return emitError() << "'" << info.name << "' is no block format, use the builtin type";
  return success();
}

int64_t BlockType::getBlockSize() const { return numerics::formatInfo(getFormat()).elements; }

std::optional<numerics::Format> sortie::moe::getWeightFormat(Type element) {
  return TypeSwitch<Type, std::optional<numerics::Format>>(element)
      .Case([](BlockType type) { return type.getFormat(); })
      .Case([](Float32Type) { return numerics::Format::F32; })
      .Case([](Float16Type) { return numerics::Format::F16; })
      .Case([](BFloat16Type) { return numerics::Format::BF16; })
      .Default(std::nullopt);
}

Type sortie::moe::getWeightElementType(MLIRContext *context, numerics::Format format) {
  switch (format) {
  case numerics::Format::F32:
    return Float32Type::get(context);
  case numerics::Format::F16:
    return Float16Type::get(context);
  case numerics::Format::BF16:
    return BFloat16Type::get(context);
  default:
    return BlockType::get(context, format);
  }
}
