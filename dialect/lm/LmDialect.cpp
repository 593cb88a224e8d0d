// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The dialect `lm` itself: registration, and its type.

#include "dialect/lm/LmDialect.h"

#include "dialect/common/AttentionRules.h"
#include "dialect/moe/MoeDialect.h"
#include "runtime/numerics/attention.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/Transforms/InliningUtils.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace sortie;
using namespace sortie::lm;

#include "dialect/lm/LmDialect.cpp.inc"

#define GET_TYPEDEF_CLASSES
#include "dialect/lm/LmTypes.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "dialect/lm/LmAttributes.cpp.inc"

namespace {

/// No op has a region, and caches are values: all may be inlined anywhere.
struct LmInlinerInterface : DialectInlinerInterface {
  using DialectInlinerInterface::DialectInlinerInterface;

  bool isLegalToInline(Operation *, Region *, bool, IRMapping &) const final { return true; }
};

} // namespace

void LmDialect::initialize() {
  addInterfaces<LmInlinerInterface>();
  registerTypes();
  registerAttributes();
  registerOps();
}

void LmDialect::registerTypes() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialect/lm/LmTypes.cpp.inc"
      >();
}

void LmDialect::registerAttributes() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialect/lm/LmAttributes.cpp.inc"
      >();
}

/// `4 x 128 x 128` or `latent 512 + 64`.
static ParseResult parseCacheSizes(AsmParser &parser, int64_t &heads, int64_t &key, int64_t &value,
                                   int64_t &rotated) {
  if (failed(parser.parseOptionalKeyword("latent")))
    return failure(parser.parseInteger(heads) || parser.parseKeyword("x") ||
                   parser.parseInteger(key) || parser.parseKeyword("x") ||
                   parser.parseInteger(value));
  if (parser.parseInteger(key) || parser.parsePlus())
    return failure();
  const SMLoc location = parser.getCurrentLocation();
  if (parser.parseInteger(rotated))
    return failure();
  if (rotated == 0)
    return parser.emitError(location, "the rotated part of a latent cache is empty");
  heads = 1;
  value = key;
  return success();
}

/// With or without a width: `<4 x 128 x 128>` or `<4 x 128 x 128, int16>`.
Type CacheType::parse(AsmParser &parser) {
  const SMLoc location = parser.getCurrentLocation();
  int64_t heads = 0, key = 0, value = 0, rotated = 0;
  std::optional<IntegerWidth> width;
  if (parser.parseLess() || parseCacheSizes(parser, heads, key, value, rotated))
    return {};
  if (succeeded(parser.parseOptionalComma())) {
    const FailureOr<IntegerWidth> word = FieldParser<IntegerWidth>::parse(parser);
    if (failed(word))
      return {};
    const IntegerWidth chosen = *word;
    width = chosen;
  }
  if (parser.parseGreater())
    return {};
  return getChecked([&] { return parser.emitError(location); }, parser.getContext(), heads, key,
                    value, rotated, width);
}

void CacheType::print(AsmPrinter &printer) const {
  printer << '<';
  if (isLatent())
    printer << "latent " << getKey() << " + " << getRotated();
  else
    printer << getHeads() << " x " << getKey() << " x " << getValue();
  if (getWidth())
    printer << ", " << stringifyIntegerWidth(*getWidth());
  printer << '>';
}

LogicalResult CacheType::verify(function_ref<InFlightDiagnostic()> emitError, int64_t heads,
                                int64_t key, int64_t value, int64_t rotated,
                                std::optional<IntegerWidth>) {
  if (failed(verifyHeadCount(emitError, heads)))
    return failure(); // (C1)
  for (const int64_t elements : {key, value})
    if (elements < 1 || elements > numerics::kMaxHead)
      return emitError() << "heads of a cache have 1 to " << numerics::kMaxHead << " elements, got "
                         << elements; // (C1)
  if (rotated < 0 || rotated > numerics::kMaxHead)
    return emitError() << "the rotated part of a latent cache has 1 to " << numerics::kMaxHead
                       << " elements, got " << rotated; // (C2)
  if (rotated != 0 && (heads != 1 || key != value))
    return emitError() << "a latent cache has one head whose key is its value"; // (C2)
  return success();
}
