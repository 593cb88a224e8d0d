// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The buffer type of the dialect `moert`: parsing, printing, verification, sizes.

#include "dialect/moert/MoertTypes.h"

#include "runtime/numerics/layout.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace sortie;
using namespace sortie::moert;

#include "dialect/moert/MoertEnums.cpp.inc"

#define GET_TYPEDEF_CLASSES
#include "dialect/moert/MoertTypes.cpp.inc"

void MoertDialect::registerTypes() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialect/moert/MoertTypes.cpp.inc"
      >();
}

//===----------------------------------------------------------------------===//
// Sizes
//===----------------------------------------------------------------------===//

int64_t sortie::moert::getRowBytes(ElementKind kind, int64_t elements) {
  switch (kind) {
  case ElementKind::F32:
  case ElementKind::I32:
    return elements * 4;
  case ElementKind::BF16:
  case ElementKind::F16:
    return elements * 2;
  case ElementKind::Act16:
    return numerics::actRowBytes(numerics::RowKind::Int16, elements);
  case ElementKind::Act8:
    return numerics::actRowBytes(numerics::RowKind::Int8, elements);
  }
  llvm_unreachable("the parser knows no other kind");
}

/// Bytes of a buffer, or null where an extent cannot hold them. At most one dimension has a symbol,
/// and the last one has none if `kind` is quantized.
static ExtentAttr computeByteSize(ArrayRef<ExtentAttr> shape, ElementKind kind) {
  ExtentAttr last = shape.back();
  if (last.isConstant() && getRowBytes(kind, last.getConstant()) > ExtentAttr::kLimit)
    return {};
  ExtentAttr size = last.isConstant()
                        ? ExtentAttr::get(last.getContext(), getRowBytes(kind, last.getConstant()))
                        : last.multiply(getRowBytes(kind, 1));
  for (ExtentAttr dim : shape.drop_back()) {
    if (!size)
      return {};
    size = dim.isConstant() ? size.multiply(dim.getConstant()) : dim.multiply(size.getConstant());
  }
  return size;
}

ExtentAttr BufferType::getByteSize() const { return computeByteSize(getShape(), getKind()); }

//===----------------------------------------------------------------------===//
// Verification
//===----------------------------------------------------------------------===//

LogicalResult BufferType::verify(function_ref<InFlightDiagnostic()> emitError,
                                 ArrayRef<ExtentAttr> shape, ElementKind kind, int64_t device,
                                 StringRef space) {
  if (shape.empty() || shape.size() > kMaxRank)
    return emitError() << "a buffer has 1 to " << kMaxRank << " dimensions, got "
                       << shape.size(); // (C1)
  for (ExtentAttr dim : shape)
    if (dim.isConstant() && dim.getConstant() < 1)
      return emitError() << "a constant dimension must be at least 1"; // (C1)
  if (llvm::count_if(shape, [](ExtentAttr dim) { return !dim.isConstant(); }) > 1)
    return emitError() << "at most one dimension may have a symbol"; // (C2)
  const bool quantized = kind == ElementKind::Act16 || kind == ElementKind::Act8;
  if (quantized && !shape.back().isConstant())
    return emitError() << "the last dimension of " << stringifyElementKind(kind)
                       << " must be constant"; // (C3)
  if (device < 0 || space.empty())
    return emitError() << "device must not be negative, space not empty"; // (C4)
  if (!computeByteSize(shape, kind))
    return emitError() << "the size in bytes exceeds 2^48"; // (C5)
  return success();
}

//===----------------------------------------------------------------------===//
// Parsing and printing
//===----------------------------------------------------------------------===//

static ParseResult parseKind(AsmParser &parser, SMLoc location, StringRef word, ElementKind &kind) {
  const std::optional<ElementKind> parsed = symbolizeElementKind(word);
  if (!parsed)
    return parser.emitError(location, "unknown element kind '")
           << word << "', expected f32, i32, bf16, f16, act16 or act8";
  kind = *parsed;
  return success();
}

/// Parses dimensions, each followed by `x`, then the element kind. A word is a dimension if `x` or
/// `+` follows, so that a symbol may have any name.
static ParseResult parseShape(AsmParser &parser, SmallVectorImpl<ExtentAttr> &shape,
                              ElementKind &kind) {
  while (true) {
    const SMLoc location = parser.getCurrentLocation();
    StringRef word;
    if (failed(parser.parseOptionalKeyword(&word))) {
      if (parseExtent(parser, shape.emplace_back()) || parser.parseKeyword("x"))
        return failure();
      continue;
    }
    int64_t constant = 0;
    const bool isSum = succeeded(parser.parseOptionalPlus());
    if (isSum && (parser.parseInteger(constant) || parser.parseKeyword("x")))
      return failure();
    if (!isSum && failed(parser.parseOptionalKeyword("x")))
      return parseKind(parser, location, word, kind);
    shape.push_back(
        parser.getChecked<ExtentAttr>(location, parser.getContext(), int64_t(1), word, constant));
    if (!shape.back())
      return failure();
  }
}

/// Parses `, device = N` and `, space = "name"`, each optional, in this order.
static ParseResult parsePlacement(AsmParser &parser, int64_t &device, std::string &space) {
  device = 0;
  space = BufferType::kGlobalSpace.str();
  if (failed(parser.parseOptionalComma()))
    return success();
  if (succeeded(parser.parseOptionalKeyword("device"))) {
    if (parser.parseEqual() || parser.parseInteger(device))
      return failure();
    if (failed(parser.parseOptionalComma()))
      return success();
  }
  return failure(parser.parseKeyword("space") || parser.parseEqual() || parser.parseString(&space));
}

Type BufferType::parse(AsmParser &parser) {
  const SMLoc location = parser.getCurrentLocation();
  SmallVector<ExtentAttr> shape;
  ElementKind kind;
  int64_t device;
  std::string space;
  if (parser.parseLess() || parseShape(parser, shape, kind) ||
      parsePlacement(parser, device, space) || parser.parseGreater())
    return {};
  return parser.getChecked<BufferType>(location, parser.getContext(), shape, kind, device, space);
}

void BufferType::print(AsmPrinter &printer) const {
  printer << '<';
  for (ExtentAttr dim : getShape())
    printer << toString(dim) << " x ";
  printer << stringifyElementKind(getKind());
  if (getDevice() != 0)
    printer << ", device = " << getDevice();
  if (getSpace() != kGlobalSpace) {
    printer << ", space = ";
    printer.printString(getSpace());
  }
  printer << '>';
}
