// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Ops of the dialect `lm`: verification, and what they become in programs. Constraints are cited by
// the numbers that LmOps.td gives them. Dynamic dimensions agree with everything.

#include "dialect/lm/LmOps.h"

#include "dialect/common/AttentionRules.h"
#include "dialect/common/ParameterRules.h"
#include "dialect/common/PrintableName.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace sortie;
using namespace sortie::lm;

#define GET_OP_CLASSES
#include "dialect/lm/LmOps.cpp.inc"

void LmDialect::registerOps() {
  addOperations<
#define GET_OP_LIST
#include "dialect/lm/LmOps.cpp.inc"
      >();
}

//===----------------------------------------------------------------------===//
// Helpers
//===----------------------------------------------------------------------===//

static int64_t getDim(Value value, unsigned index) {
  return cast<RankedTensorType>(value.getType()).getDimSize(index);
}

/// Emits errors on an operation.
static auto errorsOf(Operation *op) {
  return [op] { return op->emitOpError(); };
}

/// `value`, which may be null, has this shape.
static LogicalResult verifyShape(Operation *op, StringRef what, Value value,
                                 ArrayRef<int64_t> shape) {
  if (!value ||
      succeeded(verifyCompatibleShape(cast<RankedTensorType>(value.getType()).getShape(), shape)))
    return success();
  InFlightDiagnostic diagnostic = op->emitOpError() << what << " must be [";
  llvm::interleaveComma(shape, diagnostic, [&](int64_t dim) {
    if (ShapedType::isDynamic(dim))
      diagnostic << "?";
    else
      diagnostic << dim;
  });
  return diagnostic << "], got " << value.getType();
}

/// The elements of each head of rows `[T, heads*D]`; nothing where the type does not say.
static FailureOr<std::optional<int64_t>> getHead(Operation *op, StringRef what, Value rows,
                                                 int64_t heads) {
  const int64_t columns = getDim(rows, 1);
  if (ShapedType::isDynamic(columns)) {
    if (failed(verifyHeadCount(errorsOf(op), heads)))
      return failure();
    return std::optional<int64_t>();
  }
  const FailureOr<int64_t> width = getHeadWidth(errorsOf(op), what, columns, heads);
  if (failed(width))
    return failure();
  return std::optional(*width);
}

/// (C2) of lm.append and lm.attend.
template <typename CacheOp> static LogicalResult verifyPlaces(CacheOp op, int64_t tokens) {
  if (failed(verifyShape(op, "positions", op.getPositions(), tokens)))
    return failure();
  return verifyShape(op, "sequences", op.getSequences(), tokens);
}

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

LogicalResult EmbedOp::verify() {
  return verifyShape(*this, "result", getResult(),
                     {getDim(getTokens(), 0), getDim(getTable(), 1)}); // (C1)
}

LogicalResult SelectRowsOp::verify() {
  return verifyShape(*this, "result", getResult(),
                     {getDim(getRows(), 0), getDim(getInput(), 1)}); // (C1)
}

LogicalResult HeadNormOp::verify() {
  const auto head = getHead(*this, "input", getInput(), static_cast<int64_t>(getHeads()));
  if (failed(head))
    return failure(); // (C1)
  if (failed(verifyShape(*this, "weight", getWeight(), head->value_or(ShapedType::kDynamic))))
    return failure();                          // (C2)
  return verifyEps(errorsOf(*this), getEps()); // (C3)
}

LogicalResult RotateOp::verify() {
  const auto head = getHead(*this, "input", getInput(), static_cast<int64_t>(getHeads()));
  if (failed(head) ||
      failed(verifyShape(*this, "positions", getPositions(), getDim(getInput(), 0))))
    return failure(); // (C1)
  return verifyRotation(errorsOf(*this), getFrequencies(),
                        head->value_or(2 * getFrequencies().size()), getFactor()); // (C2), (C3)
}

//===----------------------------------------------------------------------===//
// The cache
//===----------------------------------------------------------------------===//

LogicalResult CacheOp::verify() {
  if (getSymName().empty())
    return emitOpError("must have a name that is not empty"); // (C1)
  if (!isPrintableName(getSymName()))
    return emitOpError("its name ") << kPrintableNameRule; // (C1)
  return success();
}

/// (C1) of lm.read_cache and lm.write_cache.
static LogicalResult verifyCacheSymbol(Operation *op, SymbolTableCollection &symbols,
                                       FlatSymbolRefAttr name, CacheType type) {
  auto cache = symbols.lookupNearestSymbolFrom<CacheOp>(op, name);
  if (!cache)
    return op->emitOpError() << "there is no lm.cache " << name;
  if (cache.getCache() != type)
    return op->emitOpError() << "cache " << name << " is " << cache.getCache() << ", got " << type;
  return success();
}

LogicalResult ReadCacheOp::verifySymbolUses(SymbolTableCollection &symbols) {
  return verifyCacheSymbol(*this, symbols, getCacheAttr(), getType());
}

LogicalResult WriteCacheOp::verifySymbolUses(SymbolTableCollection &symbols) {
  return verifyCacheSymbol(*this, symbols, getCacheAttr(), getValue().getType());
}

LogicalResult AppendOp::verify() {
  const CacheType cache = getType();
  const int64_t tokens = getDim(getKeys(), 0);
  if (failed(verifyShape(*this, "keys", getKeys(), {tokens, cache.getHeads() * cache.getKey()})) ||
      failed(
          verifyShape(*this, "values", getValues(), {tokens, cache.getHeads() * cache.getValue()})))
    return failure();                 // (C1)
  return verifyPlaces(*this, tokens); // (C2)
}

/// What programs say of a cache: the type says it here. The width has been chosen.
static void addCacheAttributes(CacheType cache, moe::RuntimeOperands &operands) {
  Builder builder(cache.getContext());
  operands.attribute("kv_heads", builder.getI64IntegerAttr(cache.getHeads()));
  if (cache.getWidth())
    operands.attribute("width", IntegerWidthAttr::get(cache.getContext(), *cache.getWidth()));
}

moe::RuntimeOperands AppendOp::getRuntimeOperands() {
  moe::RuntimeOperands operands;
  operands.row(getKeys()).row(getValues());
  operands.row(getPositions()).row(getSequences()).row(getPages());
  addCacheAttributes(getType(), operands);
  return operands;
}

LogicalResult AttendOp::verify() {
  const CacheType cache = getCache().getType();
  const auto heads = static_cast<int64_t>(getHeads());
  const int64_t tokens = getDim(getQueries(), 0);
  if (failed(verifyHeadGroups(errorsOf(*this), heads, cache.getHeads())) ||
      failed(verifyShape(*this, "queries", getQueries(), {tokens, heads * cache.getKey()})) ||
      failed(verifyShape(*this, "result", getResult(), {tokens, heads * cache.getValue()})))
    return failure();                                           // (C1)
  if (failed(verifyPlaces(*this, tokens)) ||                    // (C2)
      failed(verifyShape(*this, "sinks", getSinks(), heads)) || // (C3)
      failed(verifySoftmax(errorsOf(*this), getScale(),
                           static_cast<int64_t>(getWindow())))) // (C4)
    return failure();
  if (getQueryWidth().has_value() != cache.getWidth().has_value())
    return emitOpError("query_width must be given if and only if the cache has a width"); // (C5)
  return success();
}

moe::RuntimeOperands AttendOp::getRuntimeOperands() {
  moe::RuntimeOperands operands;
  operands.row(getQueries()).row(getCache());
  operands.row(getPositions()).row(getSequences()).row(getPages());
  operands.weight("sinks", getSinks());
  addCacheAttributes(getCache().getType(), operands);
  return operands;
}

moe::ResultShape AttendOp::getResultShape(OpResult) {
  const int64_t columns = static_cast<int64_t>(getHeads()) * getCache().getType().getValue();
  return {{getQueries()}, moe::ResultExtent::constant(columns)};
}
