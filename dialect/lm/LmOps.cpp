// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Ops of the dialect `lm`: verification, and what they become in programs. Constraints are cited by
// the numbers that LmOps.td gives them. Dynamic dimensions agree with everything.

#include "dialect/lm/LmOps.h"

#include "dialect/common/AttentionRules.h"
#include "dialect/common/ParameterRules.h"
#include "dialect/common/PrintableName.h"
#include "dialect/common/TensorRules.h"
#include "dialect/moe/ProductRules.h"

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
  return static_cast<const std::optional<int64_t> &>(width);
}

/// (C2) of the ops that append to a cache or attend.
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
// Heads
//===----------------------------------------------------------------------===//

LogicalResult SliceHeadsOp::verify() {
  const auto heads = static_cast<int64_t>(getHeads());
  const auto first = static_cast<int64_t>(getFirst());
  const auto from = getHead(*this, "input", getInput(), heads);
  if (failed(from))
    return failure(); // (C1)
  const auto to = getHead(*this, "result", getResult(), heads);
  if (failed(to) || failed(verifyShape(*this, "result", getResult(),
                                       {getDim(getInput(), 0), getDim(getResult(), 1)})))
    return failure(); // (C1)
  // What is not known of a size agrees with everything.
  return verifySlice(errorsOf(*this), first, to->value_or(0),
                     from->value_or(std::numeric_limits<int64_t>::max())); // (C2)
}

LogicalResult QuantizeHeadsOp::verify() {
  const int64_t heads = getDim(getResult(), 1), elements = getDim(getResult(), 2);
  const bool isStatic = !ShapedType::isDynamic(heads) && !ShapedType::isDynamic(elements);
  if (failed(verifyShape(*this, "result", getResult(), {getDim(getInput(), 0), heads, elements})))
    return failure(); // (C1)
  return verifyShape(
      *this, "input", getInput(),
      {getDim(getInput(), 0), isStatic ? heads * elements : ShapedType::kDynamic}); // (C1)
}

moe::ResultShape QuantizeHeadsOp::getResultShape(OpResult) {
  return {{getInput(), 0},
          moe::ResultExtent::constant(getDim(getResult(), 1)),
          moe::ResultExtent::constant(getDim(getResult(), 2))};
}

/// A product of sizes; dynamic if one of them is.
static int64_t multiply(int64_t a, int64_t b) {
  return ShapedType::isDynamic(a) || ShapedType::isDynamic(b) ? ShapedType::kDynamic : a * b;
}

LogicalResult HeadMatmulOp::verify() {
  const int64_t heads = getDim(getWeights(), 0), outputs = getDim(getWeights(), 1),
                elements = getDim(getWeights(), 2);
  const int64_t tokens = getDim(getInput(), 0);
  const bool isQuantized = isa<moe::ActivationType>(getInput().getType().getElementType());
  if (getInput().getType().getRank() != (isQuantized ? 3 : 2))
    return emitOpError() << "input must have " << (isQuantized ? "3 dimensions" : "2 dimensions")
                         << ", got " << getInput().getType(); // (C1)
  const SmallVector<int64_t> input = isQuantized
                                         ? SmallVector<int64_t>{tokens, heads, elements}
                                         : SmallVector<int64_t>{tokens, multiply(heads, elements)};
  if (failed(verifyShape(*this, "input", getInput(), input)) ||
      failed(verifyShape(*this, "result", getResult(), {tokens, multiply(heads, outputs)})))
    return failure(); // (C1)
  if (failed(moe::verifyArithmetic(*this, getWeights(), getArithmetic())))
    return failure();                                                                 // (C2)
  return moe::verifyQuantizedInput(*this, getInput(), getWeights(), getArithmetic()); // (C2)
}

moe::RuntimeOperands HeadMatmulOp::getRuntimeOperands() {
  const IntegerAttr heads = Builder(getContext()).getI64IntegerAttr(getDim(getWeights(), 0));
  return moe::RuntimeOperands()
      .row(getInput())
      .weight("weights", getWeights())
      .attribute("heads", heads);
}

moe::ResultShape HeadMatmulOp::getResultShape(OpResult) {
  const ArrayRef<int64_t> shape = getWeights().getType().getShape();
  return {{getInput()}, moe::ResultExtent::constant(shape[0] * shape[1])};
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

/// The part of (C1) of ops over caches that is about the kind of cache.
static LogicalResult verifyCacheKind(Operation *op, CacheType cache, bool isLatent) {
  if (cache.isLatent() == isLatent)
    return success();
  return op->emitOpError() << (isLatent ? "needs" : "cannot have") << " a cache of latents, got "
                           << cache;
}

LogicalResult AppendOp::verify() {
  const CacheType cache = getType();
  if (failed(verifyCacheKind(*this, cache, /*isLatent=*/false)))
    return failure(); // (C1)
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
  if (!cache.isLatent())
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

LogicalResult AppendLatentOp::verify() {
  const CacheType cache = getType();
  if (failed(verifyCacheKind(*this, cache, /*isLatent=*/true)))
    return failure(); // (C1)
  const int64_t tokens = getDim(getLatents(), 0);
  if (failed(verifyShape(*this, "latents", getLatents(), {tokens, cache.getKey()})) ||
      failed(verifyShape(*this, "rotated", getRotated(), {tokens, cache.getRotated()})))
    return failure();                 // (C1)
  return verifyPlaces(*this, tokens); // (C2)
}

moe::RuntimeOperands AppendLatentOp::getRuntimeOperands() {
  moe::RuntimeOperands operands;
  operands.row(getLatents()).row(getRotated());
  operands.row(getPositions()).row(getSequences()).row(getPages());
  addCacheAttributes(getType(), operands);
  return operands;
}

/// The width of queries is chosen together with that of the cache.
template <typename AttendOp> static LogicalResult verifyQueryWidth(AttendOp op) {
  if (op.getQueryWidth().has_value() == op.getCache().getType().getWidth().has_value())
    return success();
  return op.emitOpError("query_width must be given if and only if the cache has a width");
}

LogicalResult AttendOp::verify() {
  const CacheType cache = getCache().getType();
  if (failed(verifyCacheKind(*this, cache, /*isLatent=*/false)))
    return failure(); // (C1)
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
  return verifyQueryWidth(*this); // (C5)
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

LogicalResult AttendLatentOp::verify() {
  const CacheType cache = getCache().getType();
  if (failed(verifyCacheKind(*this, cache, /*isLatent=*/true)))
    return failure(); // (C1)
  const auto heads = static_cast<int64_t>(getHeads());
  const int64_t tokens = getDim(getQueries(), 0);
  const SmallVector<int64_t> latents = {tokens, heads * cache.getKey()};
  if (failed(verifyHeadCount(errorsOf(*this), heads)) ||
      failed(verifyShape(*this, "queries", getQueries(), latents)) ||
      failed(verifyShape(*this, "rotated", getRotated(), {tokens, heads * cache.getRotated()})) ||
      failed(verifyShape(*this, "result", getResult(), latents)))
    return failure();                                                   // (C1)
  if (failed(verifyPlaces(*this, tokens)) ||                            // (C2)
      failed(verifySoftmax(errorsOf(*this), getScale(), /*window=*/0))) // (C3)
    return failure();
  return verifyQueryWidth(*this); // (C4)
}

moe::RuntimeOperands AttendLatentOp::getRuntimeOperands() {
  moe::RuntimeOperands operands;
  operands.row(getQueries()).row(getRotated()).row(getCache());
  operands.row(getPositions()).row(getSequences()).row(getPages());
  addCacheAttributes(getCache().getType(), operands);
  return operands;
}
