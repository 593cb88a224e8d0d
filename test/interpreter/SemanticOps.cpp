// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the ops of the semantic level mean, as MoeOps.td states it.

#include "test/interpreter/Products.h"
#include "test/interpreter/Routing.h"

#include <cmath>

using namespace mlir;
using namespace sortie;
using namespace sortie::interpreter;

//===----------------------------------------------------------------------===//
// moe.weight
//===----------------------------------------------------------------------===//

static void relateWeight(moe::WeightOp, Relations &) {}

static LogicalResult weight(moe::WeightOp op, Frame &frame) {
  frame.set(op.getResult(), frame.weights.get(op));
  return success();
}

//===----------------------------------------------------------------------===//
// moe.rms_norm
//===----------------------------------------------------------------------===//

static void relateRmsNorm(moe::RmsNormOp op, Relations &relations) {
  relations.sameShape(op.getInput(), op.getResult());
  relations.equal(lastDimension(op.getInput()), {op.getWeight(), 0});
}

static LogicalResult rmsNorm(moe::RmsNormOp op, Frame &frame) {
  Tensor result = frame[op.getInput()];
  for (int64_t index = 0, rows = result.rows(); index < rows; ++index) {
    const MutableArrayRef<double> row = result.row(index);
    double squares = 0;
    for (const double x : row)
      squares += x * x;
    const double mean = squares / static_cast<double>(row.size());
    const double factor = 1 / std::sqrt(mean + op.getEps().convertToDouble());
    for (auto [x, w] : llvm::zip_equal(row, frame[op.getWeight()].elements))
      x = x * factor * w;
  }
  frame.set(op.getResult(), std::move(result));
  return success();
}

//===----------------------------------------------------------------------===//
// moe.matmul
//===----------------------------------------------------------------------===//

static Product productOf(moe::MatmulOp op) { return {op.getWeights(), Value(), op.getBias()}; }

static void relateMatmul(moe::MatmulOp op, Relations &relations) {
  relations.equal({op.getInput(), 0}, {op.getResult(), 0});
  productOf(op).relate(op.getInput(), op.getResult(), relations);
}

static LogicalResult matmul(moe::MatmulOp op, Frame &frame) {
  const Tensor &input = frame[op.getInput()];
  Tensor result({input.rows(), frame[op.getWeights()].shape[0]});
  result.slots = input.slots;
  for (int64_t row = 0, rows = input.rows(); row < rows; ++row)
    productOf(op).multiply(input.row(row), /*expert=*/0, frame, result.row(row));
  frame.set(op.getResult(), std::move(result));
  return success();
}

//===----------------------------------------------------------------------===//
// moe.route
//===----------------------------------------------------------------------===//

static void relateRoute(moe::RouteOp op, Relations &relations) {
  relations.equal({op.getScores(), 0}, {op.getIds(), 0});
  relations.sameShape(op.getIds(), op.getWeights());
  relations.equal({op.getBias(), 0}, {op.getScores(), 1});
}

static LogicalResult routeTokens(moe::RouteOp op, Frame &frame) {
  const Tensor &scores = frame[op.getScores()];
  const Tensor *bias = frame.find(op.getBias());
  Tensor ids({scores.rows(), static_cast<int64_t>(op.getTop())});
  Tensor weights(ids.shape);
  for (int64_t token = 0, tokens = scores.rows(); token < tokens; ++token) {
    const Selection selection =
        route(op, scores.row(token), bias ? bias->row(0) : ArrayRef<double>());
    if (selection.isNearlyTied)
      return op.emitOpError() << "the experts of token " << token
                              << " are nearly tied, so rounding would select; give another --seed";
    llvm::copy(selection.ids, ids.row(token).begin());
    llvm::copy(selection.weights, weights.row(token).begin());
  }
  frame.set(op.getIds(), std::move(ids));
  frame.set(op.getWeights(), std::move(weights));
  return success();
}

//===----------------------------------------------------------------------===//
// moe.routed_matmul
//===----------------------------------------------------------------------===//

static Product productOf(moe::RoutedMatmulOp op) {
  return {op.getWeights(), op.getExpertScale(), op.getBias()};
}

static bool hasRowsOfSlots(moe::RoutedMatmulOp op) {
  return op.getInput().getType().getRank() == 3;
}

static void relateRoutedMatmul(moe::RoutedMatmulOp op, Relations &relations) {
  relations.equal({op.getInput(), 0}, {op.getIds(), 0});
  if (hasRowsOfSlots(op))
    relations.equal({op.getInput(), 1}, {op.getIds(), 1});
  relations.equal({op.getResult(), 0}, {op.getIds(), 0});
  relations.equal({op.getResult(), 1}, {op.getIds(), 1});
  relations.holds(op.getIds(), IndexKind::Ids, {op.getWeights(), 0});
  productOf(op).relate(op.getInput(), op.getResult(), relations);
}

static LogicalResult routedMatmul(moe::RoutedMatmulOp op, Frame &frame) {
  const Tensor &input = frame[op.getInput()], &ids = frame[op.getIds()];
  const int64_t experts = frame[op.getWeights()].shape[0];
  Tensor result({ids.shape[0], ids.shape[1], frame[op.getWeights()].shape[1]});
  for (int64_t slot = 0, slots = result.rows(); slot < slots; ++slot) {
    const FailureOr<int64_t> expert = checkIndex(op, "ids", ids.elements[slot], experts);
    if (failed(expert))
      return failure();
    const int64_t row = hasRowsOfSlots(op) ? slot : slot / ids.shape[1];
    productOf(op).multiply(input.row(row), *expert, frame, result.row(slot));
  }
  frame.set(op.getResult(), std::move(result));
  return success();
}

//===----------------------------------------------------------------------===//
// moe.glu
//===----------------------------------------------------------------------===//

static void relateGlu(moe::GluOp op, Relations &relations) {
  relations.sameShape(op.getGate(), op.getUp());
  relations.sameShape(op.getGate(), op.getResult());
}

static LogicalResult glu(moe::GluOp op, Frame &frame) {
  Tensor result = frame[op.getGate()];
  for (auto [y, up] : llvm::zip_equal(result.elements, frame[op.getUp()].elements))
    y = activate(op.getKind(), op.getAlpha(), op.getLimit(), /*gate=*/y, up);
  frame.set(op.getResult(), std::move(result));
  return success();
}

//===----------------------------------------------------------------------===//
// moe.combine
//===----------------------------------------------------------------------===//

static void relateCombine(moe::CombineOp op, Relations &relations) {
  const Value slots = op.getInverse() ? op.getInverse() : op.getRows();
  relations.equal({op.getResult(), 0}, {slots, 0});
  relations.equal({op.getWeights(), 0}, {slots, 0});
  relations.equal({op.getWeights(), 1}, {slots, 1});
  relations.equal(lastDimension(op.getResult()), lastDimension(op.getRows()));
  if (!op.getInverse())
    return;
  relations.scaled({op.getRows(), 0}, op.getInverse().getType().getDimSize(1), {slots, 0});
  relations.holds(op.getInverse(), IndexKind::Inverse, {op.getRows(), 0});
}

/// The row of a slot; -1 for a slot whose expert lies elsewhere.
static FailureOr<int64_t> rowOfSlot(moe::CombineOp op, int64_t slot, const Frame &frame) {
  const Tensor *inverse = frame.find(op.getInverse());
  if (!inverse)
    return slot;
  const double row = inverse->elements[slot];
  return row == -1 ? -1 : checkIndex(op, "inverse", row, frame[op.getRows()].rows());
}

static LogicalResult combine(moe::CombineOp op, Frame &frame) {
  const Tensor &rows = frame[op.getRows()];
  const Tensor &slots = op.getInverse() ? frame[op.getInverse()] : rows;
  const Tensor *weights = frame.find(op.getWeights());
  Tensor result({slots.shape[0], rows.columns()}, /*fill=*/0);
  for (int64_t slot = 0, count = slots.shape[0] * slots.shape[1]; slot < count; ++slot) {
    const FailureOr<int64_t> row = rowOfSlot(op, slot, frame);
    if (failed(row))
      return failure();
    if (*row < 0)
      continue;
    for (auto [y, x] : llvm::zip_equal(result.row(slot / slots.shape[1]), rows.row(*row)))
      y += weights ? weights->elements[slot] * x : x;
  }
  frame.set(op.getResult(), std::move(result));
  return success();
}

//===----------------------------------------------------------------------===//
// moe.add
//===----------------------------------------------------------------------===//

static void relateAdd(moe::AddOp op, Relations &relations) {
  relations.sameShape(op.getLhs(), op.getRhs());
  relations.sameShape(op.getLhs(), op.getResult());
}

static LogicalResult add(moe::AddOp op, Frame &frame) {
  Tensor result = frame[op.getLhs()];
  for (auto [y, rhs] : llvm::zip_equal(result.elements, frame[op.getRhs()].elements))
    y += rhs;
  frame.set(op.getResult(), std::move(result));
  return success();
}

//===----------------------------------------------------------------------===//
// moe.scale
//===----------------------------------------------------------------------===//

static void relateScale(moe::ScaleOp op, Relations &relations) {
  relations.sameShape(op.getInput(), op.getResult());
}

static LogicalResult scale(moe::ScaleOp op, Frame &frame) {
  Tensor result = frame[op.getInput()];
  for (double &x : result.elements)
    x *= op.getFactor().convertToDouble();
  frame.set(op.getResult(), std::move(result));
  return success();
}

void sortie::interpreter::addSemanticOps(MeaningTable &table) {
  table.add(relateWeight, weight);
  table.add(relateRmsNorm, rmsNorm);
  table.add(relateMatmul, matmul);
  table.add(relateRoute, routeTokens);
  table.add(relateRoutedMatmul, routedMatmul);
  table.add(relateGlu, glu);
  table.add(relateCombine, combine);
  table.add(relateAdd, add);
  table.add(relateScale, scale);
}
