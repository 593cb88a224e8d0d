// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Operations of language models: verification, and what their steps are made of. Constraints are
// cited by the numbers that MoertOps.td gives them.

#include "dialect/common/AttentionRules.h"
#include "dialect/moert/OpRules.h"
#include "runtime/numerics/cache.h"

using namespace mlir;
using namespace sortie;
using namespace sortie::moert;

//===----------------------------------------------------------------------===//
// Helpers
//===----------------------------------------------------------------------===//

/// Emits errors on an operation.
static auto errorsOf(Operation *op) {
  return [op] { return op->emitOpError(); };
}

/// Rows of one width: `[T, K]` with a constant K, which is the result.
static FailureOr<int64_t> getRowWidth(Operation *op, StringRef what, Value rows) {
  if (failed(verifyRank(op, what, rows, 2)))
    return failure();
  return getColumns(op, what, rows);
}

/// The elements of each head of `[T, heads*D]`.
static FailureOr<int64_t> getHead(Operation *op, StringRef what, Value rows, int64_t heads) {
  const FailureOr<int64_t> columns = getRowWidth(op, what, rows);
  if (failed(columns))
    return failure();
  return getHeadWidth(errorsOf(op), what, *columns, heads);
}

/// (C2) of moert.append and moert.attend: places in a cache for each of `tokens`.
template <typename CacheOp> static LogicalResult verifyPlaces(CacheOp op, ExtentAttr tokens) {
  if (failed(verifyShape(op, "positions", op.getPositions(), tokens)) ||
      failed(verifyShape(op, "sequences", op.getSequences(), tokens)))
    return failure();
  return getRowWidth(op, "pages", op.getPages());
}

static numerics::ActivationWidth toNumerics(IntegerWidth width) {
  return width == IntegerWidth::Int16 ? numerics::ActivationWidth::Int16
                                      : numerics::ActivationWidth::Int8;
}

/// (C3) of moert.append and moert.attend: the cache has pages for these heads.
template <typename CacheOp>
static LogicalResult verifyCache(CacheOp op, int64_t kvHeads, int64_t key, int64_t value) {
  const FailureOr<int64_t> words = getRowWidth(op, "cache", op.getCache());
  if (failed(words))
    return failure();
  const int64_t expected = numerics::cachePageWords(toNumerics(op.getWidth()), kvHeads, key, value);
  if (*words == expected)
    return success();
  return op.emitOpError() << "pages of " << kvHeads << " heads of " << key << " and " << value
                          << " elements of " << stringifyIntegerWidth(op.getWidth()) << " have "
                          << expected << " words, cache is " << op.getCache().getType();
}

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

LogicalResult EmbedOp::verify() {
  if (failed(verifyRank(*this, "tokens", getTokens(), 1)))
    return failure(); // (C1)
  const FailureOr<int64_t> columns = getRowWidth(*this, "output", getOutput());
  if (failed(columns))
    return failure(); // (C1)
  return verifyShape(*this, "output", getOutput(),
                     {getDim(getTokens(), 0), getConstant(*this, *columns)}); // (C1)
}

LogicalResult EmbedOp::verifySymbolUses(SymbolTableCollection &symbols) {
  FailureOr<moert::WeightOp> table = lookupWeight(*this, symbols, getTableAttr());
  if (failed(table))
    return failure();
  const int64_t columns = getDim(getOutput(), 1).getConstant();
  if (table->getShape().size() == 2 && table->getShape().back() == columns)
    return success();
  return emitOpError() << "weight " << getTableAttr() << " must be a matrix with rows of "
                       << columns << " elements"; // (C2)
}

LogicalResult HeadNormOp::verify() {
  if (failed(getHead(*this, "input", getInput(), static_cast<int64_t>(getHeads()))) ||
      failed(verifySameShape(*this, getInput(), {{"output", getOutput()}})))
    return failure();                          // (C1)
  return verifyEps(errorsOf(*this), getEps()); // (C3)
}

LogicalResult HeadNormOp::verifySymbolUses(SymbolTableCollection &symbols) {
  const int64_t head = getDim(getInput(), 1).getConstant() / static_cast<int64_t>(getHeads());
  return verifyVector(*this, symbols, getWeightAttr(), head); // (C2)
}

LogicalResult RotateOp::verify() {
  const FailureOr<int64_t> head =
      getHead(*this, "input", getInput(), static_cast<int64_t>(getHeads()));
  if (failed(head) || failed(verifySameShape(*this, getInput(), {{"output", getOutput()}})) ||
      failed(verifyShape(*this, "positions", getPositions(), getDim(getInput(), 0))))
    return failure();                                                           // (C1)
  return verifyRotation(errorsOf(*this), getFrequencies(), *head, getFactor()); // (C2), (C3)
}

//===----------------------------------------------------------------------===//
// The cache
//===----------------------------------------------------------------------===//

LogicalResult AppendOp::verify() {
  const auto heads = static_cast<int64_t>(getKvHeads());
  const FailureOr<int64_t> key = getHead(*this, "keys", getKeys(), heads);
  if (failed(key))
    return failure(); // (C1)
  const FailureOr<int64_t> value = getHead(*this, "values", getValues(), heads);
  const ExtentAttr tokens = getDim(getKeys(), 0);
  if (failed(value) ||
      failed(verifyShape(*this, "values", getValues(), {tokens, getDim(getValues(), 1)})))
    return failure(); // (C1)
  if (failed(verifyPlaces(*this, tokens)))
    return failure(); // (C2)
  if (!getCache().getDefiningOp<StateBufferOp>())
    return emitOpError("appends to a state, got another buffer"); // (C3)
  return verifyCache(*this, heads, *key, *value);                 // (C3)
}

LogicalResult AttendOp::verify() {
  const auto heads = static_cast<int64_t>(getHeads());
  const auto kvHeads = static_cast<int64_t>(getKvHeads());
  if (failed(verifyHeadGroups(errorsOf(*this), heads, kvHeads)))
    return failure(); // (C1)
  const FailureOr<int64_t> key = getHead(*this, "queries", getQueries(), heads);
  if (failed(key))
    return failure(); // (C1)
  const FailureOr<int64_t> value = getHead(*this, "output", getOutput(), heads);
  const ExtentAttr tokens = getDim(getQueries(), 0);
  if (failed(value) ||
      failed(verifyShape(*this, "output", getOutput(), {tokens, getDim(getOutput(), 1)})))
    return failure();                                    // (C1)
  if (failed(verifyPlaces(*this, tokens)) ||             // (C2)
      failed(verifyCache(*this, kvHeads, *key, *value))) // (C3)
    return failure();
  return verifySoftmax(errorsOf(*this), getScale(), static_cast<int64_t>(getWindow())); // (C5)
}

LogicalResult AttendOp::verifySymbolUses(SymbolTableCollection &symbols) {
  return verifyVector(*this, symbols, getSinksAttr(), static_cast<int64_t>(getHeads())); // (C4)
}

StepOperands AttendOp::getStepOperands() {
  return StepOperands()
      .read(getQueries())
      .read(getCache())
      .read(getPositions())
      .read(getSequences())
      .read(getPages())
      .vector(getSinksAttr())
      .write(getOutput())
      .parameter(static_cast<int64_t>(getHeads()))
      .parameter(static_cast<int64_t>(getKvHeads()))
      .parameter(numerics::exponentScale(getScale().convertToDouble()))
      .parameter(static_cast<int64_t>(getWindow()))
      .parameter(static_cast<int64_t>(getQueryWidth()))
      .parameter(static_cast<int64_t>(getWidth()));
}
