// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Attributes of the dialect `moert`: parsing, printing, verification.

#include "dialect/moert/MoertAttributes.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace sortie;
using namespace sortie::moert;

//===----------------------------------------------------------------------===//
// Extents
//===----------------------------------------------------------------------===//

/// The rest of an extent whose symbol has been parsed: `+ constant`, or nothing.
static ParseResult parseConstant(AsmParser &parser, int64_t &constant) {
  constant = 0;
  if (failed(parser.parseOptionalPlus()))
    return success();
  return parser.parseInteger(constant);
}

/// Parses `constant`, `symbol`, `symbol+constant`, `scale*symbol` or `scale*symbol+constant`.
static ParseResult parseExtentParameters(AsmParser &parser, int64_t &scale, std::string &symbol,
                                         int64_t &constant) {
  scale = 1;
  const OptionalParseResult number = parser.parseOptionalInteger(scale);
  if (number.has_value()) {
    if (failed(*number))
      return failure();
    if (failed(parser.parseOptionalStar())) {
      constant = scale;
      scale = 0;
      return success();
    }
  }
  StringRef word;
  if (parser.parseKeyword(&word))
    return failure();
  symbol = word.str();
  return parseConstant(parser, constant);
}

static void writeExtent(raw_ostream &os, int64_t scale, StringRef symbol, int64_t constant) {
  if (scale == 0) {
    os << constant;
    return;
  }
  if (scale != 1)
    os << scale << '*';
  os << symbol;
  if (constant != 0)
    os << '+' << constant;
}

static void printExtentParameters(AsmPrinter &printer, int64_t scale, StringRef symbol,
                                  int64_t constant) {
  writeExtent(printer.getStream(), scale, symbol, constant);
}

std::string sortie::moert::toString(ExtentAttr extent) {
  std::string text;
  llvm::raw_string_ostream os(text);
  writeExtent(os, extent.getScale(), extent.getSymbol(), extent.getConstant());
  return text;
}

ParseResult sortie::moert::parseExtent(AsmParser &parser, ExtentAttr &extent) {
  const SMLoc location = parser.getCurrentLocation();
  int64_t scale = 0, constant = 0;
  std::string symbol;
  if (parseExtentParameters(parser, scale, symbol, constant))
    return failure();
  extent = parser.getChecked<ExtentAttr>(location, parser.getContext(), scale, symbol, constant);
  return success(extent != nullptr);
}

//===----------------------------------------------------------------------===//
// Features
//===----------------------------------------------------------------------===//

static ParseResult parseFeatures(AsmParser &parser, SmallVector<StringAttr> &features) {
  std::string name;
  if (failed(parser.parseOptionalString(&name)))
    return success();
  do {
    if (!features.empty() && parser.parseString(&name))
      return failure();
    features.push_back(StringAttr::get(parser.getContext(), name));
  } while (succeeded(parser.parseOptionalComma()));
  return success();
}

static void printFeatures(AsmPrinter &printer, ArrayRef<StringAttr> features) {
  llvm::interleaveComma(features, printer);
}

#define GET_ATTRDEF_CLASSES
#include "dialect/moert/MoertAttributes.cpp.inc"

void MoertDialect::registerAttributes() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialect/moert/MoertAttributes.cpp.inc"
      >();
}

//===----------------------------------------------------------------------===//
// Verification
//===----------------------------------------------------------------------===//

LogicalResult ExtentAttr::verify(function_ref<InFlightDiagnostic()> emitError, int64_t scale,
                                 StringRef symbol, int64_t constant) {
  if (scale < 0 || scale > kLimit || constant < 0 || constant > kLimit)
    return emitError() << "scale and constant of an extent must be 0 to 2^48, got " << scale
                       << " and " << constant; // (C1)
  if (scale == 0 ? !symbol.empty() : !isIdentifier(symbol))
    return emitError() << "an extent needs a symbol exactly if its scale is not 0, got " << scale
                       << " and '" << symbol << "'"; // (C2)
  return success();
}

std::optional<int64_t> ExtentAttr::evaluate(int64_t symbolValue) const {
  int64_t product, sum;
  if (llvm::MulOverflow(getScale(), symbolValue, product) ||
      llvm::AddOverflow(product, getConstant(), sum))
    return std::nullopt;
  return sum;
}

ExtentAttr ExtentAttr::multiply(int64_t factor) const {
  int64_t scale, constant;
  if (factor < 0 || llvm::MulOverflow(getScale(), factor, scale) ||
      llvm::MulOverflow(getConstant(), factor, constant) || scale > kLimit || constant > kLimit)
    return {};
  return get(getContext(), scale, scale == 0 ? StringRef() : getSymbol(), constant);
}

LogicalResult ProgramAttr::verify(function_ref<InFlightDiagnostic()> emitError, int64_t abi,
                                  int64_t numerics, StringRef target, Determinism contract,
                                  ArrayRef<StringAttr> features, StringRef producer) {
  if (abi < 0 || numerics < 0)
    return emitError() << "abi and numerics must not be negative"; // (C1)
  if (target.empty() || producer.empty())
    return emitError() << "target and producer must not be empty"; // (C2)
  if (failed(verifyDeterminism(emitError, contract)))
    return failure(); // (C3)
  llvm::StringSet<> seen;
  for (StringAttr feature : features)
    if (feature.empty() || !seen.insert(feature.getValue()).second)
      return emitError() << "names of features must not be empty and all different"; // (C4)
  return success();
}
