// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Operations of language models: verification, and what their steps are made of. Constraints are
// cited by the numbers that MoertOps.td gives them.

#include "dialect/common/AttentionRules.h"
#include "dialect/common/Widths.h"
#include "dialect/moert/OpRules.h"
#include "runtime/numerics/cache.h"

using namespace mlir;
using namespace sortie;
using namespace sortie::moert;

//===----------------------------------------------------------------------===//
// Helpers
//===----------------------------------------------------------------------===//

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

/// (C2) of the ops that append to a cache or attend: places in a cache for each of `tokens`.
template <typename CacheOp> static LogicalResult verifyPlaces(CacheOp op, ExtentAttr tokens) {
  if (failed(verifyShape(op, "positions", op.getPositions(), tokens)) ||
      failed(verifyShape(op, "sequences", op.getSequences(), tokens)))
    return failure();
  return getRowWidth(op, "pages", op.getPages());
}

/// The sizes of what a page holds for each position.
struct PageSizes {
  int64_t kvHeads;
  int64_t key;
  int64_t value;
  int64_t rotated = 0; ///< of the second part of keys; 0: of one part
};

/// (C3) of the ops that append to a cache or attend: the cache has pages of these sizes.
template <typename CacheOp> static LogicalResult verifyCache(CacheOp op, const PageSizes &sizes) {
  const FailureOr<int64_t> words = getRowWidth(op, "cache", op.getCache());
  if (failed(words))
    return failure();
  const int64_t expected = numerics::cachePageWords(
      sortie::toNumerics(op.getWidth()), sizes.kvHeads, sizes.key, sizes.value, sizes.rotated);
  if (*words == expected)
    return success();
  InFlightDiagnostic error = op.emitOpError();
  if (sizes.rotated != 0)
    error << "pages of latents of " << sizes.key << " and keys of " << sizes.rotated;
  else
    error << "pages of " << sizes.kvHeads << " heads of " << sizes.key << " and " << sizes.value;
  return error << " elements of " << stringifyIntegerWidth(op.getWidth()) << " have " << expected
               << " words, cache is " << op.getCache().getType();
}

/// The part of (C3) of what appends to a cache: there is something that stays from run to run.
template <typename AppendOp> static LogicalResult verifyState(AppendOp op) {
  if (op.getCache().template getDefiningOp<StateBufferOp>())
    return success();
  return op.emitOpError("appends to a state, got another buffer");
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
// Heads
//===----------------------------------------------------------------------===//

LogicalResult SliceHeadsOp::verify() {
  const auto heads = static_cast<int64_t>(getHeads());
  const FailureOr<int64_t> from = getHead(*this, "input", getInput(), heads);
  if (failed(from))
    return failure(); // (C1)
  const FailureOr<int64_t> to = getHead(*this, "output", getOutput(), heads);
  if (failed(to) || failed(verifyShape(*this, "output", getOutput(),
                                       {getDim(getInput(), 0), getDim(getOutput(), 1)})))
    return failure();                                                                // (C1)
  return verifySlice(errorsOf(*this), static_cast<int64_t>(getFirst()), *to, *from); // (C2)
}

/// Rows `[T, H, K]` for the heads of `[T, H*K]`: H.
static FailureOr<int64_t> getHeadCount(Operation *op, StringRef what, Value heads) {
  if (failed(verifyRank(op, what, heads, 3)))
    return failure();
  const ExtentAttr count = getDim(heads, 1);
  if (count.isConstant())
    return count.getConstant();
  return op->emitOpError() << what << " must have a constant number of heads, got "
                           << heads.getType();
}

LogicalResult QuantizeHeadsOp::verify() {
  const FailureOr<int64_t> heads = getHeadCount(*this, "output", getOutput());
  if (failed(heads))
    return failure(); // (C1)
  return verifyShape(*this, "input", getInput(),
                     {getDim(getOutput(), 0), getDim(getOutput(), 2).multiply(*heads)}); // (C1)
}

LogicalResult HeadMatmulOp::verify() {
  const auto heads = static_cast<int64_t>(getHeads());
  if (failed(getHead(*this, "output", getOutput(), heads)))
    return failure(); // (C1)
  if (failed(verifyArithmetic(*this)))
    return failure(); // (C2)
  const ExtentAttr tokens = getDim(getOutput(), 0);
  if (getArithmetic() == Arithmetic::Exact) {
    if (failed(verifyRank(*this, "input", getInput(), 3)))
      return failure(); // (C2)
    return verifyShape(*this, "input", getInput(),
                       {tokens, getConstant(*this, heads), getDim(getInput(), 2)}); // (C2)
  }
  if (failed(getHead(*this, "input", getInput(), heads)))
    return failure();                                                              // (C2)
  return verifyShape(*this, "input", getInput(), {tokens, getDim(getInput(), 1)}); // (C2)
}

LogicalResult HeadMatmulOp::verifySymbolUses(SymbolTableCollection &symbols) {
  if (failed(verifyKeepsContract(*this, getArithmetic())))
    return failure(); // (C2)
  FailureOr<moert::WeightOp> weight = lookupWeight(*this, symbols, getWeightsAttr());
  if (failed(weight))
    return failure();
  const auto heads = static_cast<int64_t>(getHeads());
  const bool isExact = getArithmetic() == Arithmetic::Exact;
  const int64_t columns = getDim(getInput(), isExact ? 2 : 1).getConstant();
  const int64_t shape[] = {heads, getDim(getOutput(), 1).getConstant() / heads,
                           isExact ? columns : columns / heads};
  if (weight->getShape() != ArrayRef(shape))
    return emitOpError() << "weight " << getWeightsAttr() << " must be " << shape[0] << "x"
                         << shape[1] << "x" << shape[2]
                         << ": heads, and the columns of output and input"; // (C1)
  return verifySuits(*this, *weight);                                       // (C2)
}

StepOperands HeadMatmulOp::getStepOperands() {
  return StepOperands()
      .read(getInput())
      .matrix(getWeightsAttr())
      .write(getOutput())
      .parameter(static_cast<int64_t>(getHeads()))
      .parameter(int64_t{getArithmetic() == Arithmetic::Bf16});
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
  if (failed(verifyState(*this)))
    return failure();                               // (C3)
  return verifyCache(*this, {heads, *key, *value}); // (C3)
}

LogicalResult AppendLatentOp::verify() {
  const FailureOr<int64_t> latent = getHead(*this, "latents", getLatents(), 1);
  if (failed(latent))
    return failure(); // (C1)
  const FailureOr<int64_t> rotated = getHead(*this, "rotated", getRotated(), 1);
  const ExtentAttr tokens = getDim(getLatents(), 0);
  if (failed(rotated) ||
      failed(verifyShape(*this, "rotated", getRotated(), {tokens, getDim(getRotated(), 1)})))
    return failure();                        // (C1)
  if (failed(verifyPlaces(*this, tokens)) || // (C2)
      failed(verifyState(*this)))            // (C3)
    return failure();
  return verifyCache(*this, {1, *latent, *latent, *rotated}); // (C3)
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
    return failure();                                      // (C1)
  if (failed(verifyPlaces(*this, tokens)) ||               // (C2)
      failed(verifyCache(*this, {kvHeads, *key, *value}))) // (C3)
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

LogicalResult AttendLatentOp::verify() {
  const auto heads = static_cast<int64_t>(getHeads());
  const FailureOr<int64_t> latent = getHead(*this, "queries", getQueries(), heads);
  if (failed(latent))
    return failure(); // (C1)
  const FailureOr<int64_t> rotated = getHead(*this, "rotated", getRotated(), heads);
  const ExtentAttr tokens = getDim(getQueries(), 0);
  if (failed(rotated) ||
      failed(verifyShape(*this, "rotated", getRotated(), {tokens, getDim(getRotated(), 1)})) ||
      failed(verifySameShape(*this, getQueries(), {{"output", getOutput()}})))
    return failure();                                              // (C1)
  if (failed(verifyPlaces(*this, tokens)) ||                       // (C2)
      failed(verifyCache(*this, {1, *latent, *latent, *rotated}))) // (C3)
    return failure();
  return verifySoftmax(errorsOf(*this), getScale(), /*window=*/0); // (C4)
}

StepOperands AttendLatentOp::getStepOperands() {
  return StepOperands()
      .read(getQueries())
      .read(getRotated())
      .read(getCache())
      .read(getPositions())
      .read(getSequences())
      .read(getPages())
      .write(getOutput())
      .parameter(static_cast<int64_t>(getHeads()))
      .parameter(numerics::exponentScale(getScale().convertToDouble()))
      .parameter(static_cast<int64_t>(getQueryWidth()))
      .parameter(static_cast<int64_t>(getWidth()));
}
