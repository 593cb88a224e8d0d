// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the ops of the dispatch level mean, as MoeOps.td states it.

#include "test/interpreter/Products.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace sortie;
using namespace sortie::interpreter;

//===----------------------------------------------------------------------===//
// moe.dispatch
//===----------------------------------------------------------------------===//

/// k of a tensor [T, k], or dynamic.
static int64_t slotsOf(Value tokens) {
  return cast<RankedTensorType>(tokens.getType()).getDimSize(1);
}

static std::shared_ptr<const std::vector<double>> slotsOfRows(const Tensor &permutation) {
  return std::make_shared<const std::vector<double>>(permutation.elements);
}

static void relateDispatch(moe::DispatchOp op, Relations &relations) {
  relations.sameShape(op.getIds(), op.getInverse());
  relations.scaled({op.getPermutation(), 0}, slotsOf(op.getIds()), {op.getIds(), 0});
  relations.holds(op.getIds(), IndexKind::Ids, op.getExperts());
}

/// The slots of each expert of the range, in order.
static FailureOr<SmallVector<SmallVector<int64_t>>> slotsByExpert(moe::DispatchOp op,
                                                                  const Tensor &ids) {
  const int64_t experts = op.getExperts();
  const int64_t first = op.getRange() ? (*op.getRange())[0] : 0;
  const int64_t count = op.getRange() ? (*op.getRange())[1] : experts;
  SmallVector<SmallVector<int64_t>> result(count);
  for (auto [slot, id] : llvm::enumerate(ids.elements)) {
    const FailureOr<int64_t> expert = checkIndex(op, "ids", id, experts);
    if (failed(expert))
      return failure();
    if (*expert >= first && *expert < first + count)
      result[*expert - first].push_back(slot);
  }
  return result;
}

static LogicalResult dispatch(moe::DispatchOp op, Frame &frame) {
  const Tensor &ids = frame[op.getIds()];
  const auto experts = slotsByExpert(op, ids);
  if (failed(experts))
    return failure();
  Tensor permutation({std::ssize(ids.elements)}); // What is not set means nothing.
  Tensor inverse(ids.shape, /*fill=*/-1);
  Tensor offsets({std::ssize(*experts) + 1});
  int64_t row = 0;
  for (auto [expert, slots] : llvm::enumerate(*experts)) {
    offsets.elements[expert] = static_cast<double>(row);
    for (const int64_t slot : slots) {
      permutation.elements[row] = static_cast<double>(slot);
      inverse.elements[slot] = static_cast<double>(row++);
    }
  }
  offsets.elements.back() = static_cast<double>(row);
  offsets.slots = slotsOfRows(permutation);
  frame.set(op.getPermutation(), std::move(permutation));
  frame.set(op.getInverse(), std::move(inverse));
  frame.set(op.getOffsets(), std::move(offsets));
  return success();
}

//===----------------------------------------------------------------------===//
// Rows through a permutation
//===----------------------------------------------------------------------===//

/// `input` has a row for each token, or, with `slots` 1, for each slot.
static void relateGathered(Value input, Value permutation, int64_t slots, Relations &relations) {
  relations.scaled({permutation, 0}, slots, {input, 0});
}

/// `permutation` has the slot of each row of `result`.
static void relatePermutation(Value permutation, Value result, Relations &relations) {
  relations.equal({permutation, 0}, {result, 0});
  relations.holds(permutation, IndexKind::Permutation, {permutation, 0});
}

/// The slot of a sorted row; -1 if the permutation means nothing there.
static FailureOr<int64_t> slotOfRow(Operation *op, const Tensor &permutation, int64_t row) {
  const double slot = permutation.elements[row];
  if (isMeaningless(slot))
    return -1;
  return checkIndex(op, "permutation", slot, std::ssize(permutation.elements));
}

//===----------------------------------------------------------------------===//
// moe.gather
//===----------------------------------------------------------------------===//

static void relateGather(moe::GatherOp op, Relations &relations) {
  relations.equal({op.getResult(), 1}, {op.getInput(), 1});
  relatePermutation(op.getPermutation(), op.getResult(), relations);
  relateGathered(op.getInput(), op.getPermutation(), op.getSlots(), relations);
}

static LogicalResult gather(moe::GatherOp op, Frame &frame) {
  const Tensor &input = frame[op.getInput()], &permutation = frame[op.getPermutation()];
  Tensor result({std::ssize(permutation.elements), input.columns()});
  result.slots = slotsOfRows(permutation);
  for (int64_t row = 0, rows = result.rows(); row < rows; ++row) {
    const FailureOr<int64_t> slot = slotOfRow(op, permutation, row);
    if (failed(slot))
      return failure();
    if (*slot >= 0)
      llvm::copy(input.row(*slot / static_cast<int64_t>(op.getSlots())), result.row(row).begin());
  }
  frame.set(op.getResult(), std::move(result));
  return success();
}

//===----------------------------------------------------------------------===//
// moe.unsort
//===----------------------------------------------------------------------===//

static void relateUnsort(moe::UnsortOp op, Relations &relations) {
  relations.equal({op.getResult(), 0}, {op.getInverse(), 0});
  relations.equal({op.getResult(), 1}, {op.getInverse(), 1});
  relations.equal({op.getResult(), 2}, {op.getRows(), 1});
  relations.scaled({op.getRows(), 0}, slotsOf(op.getInverse()), {op.getInverse(), 0});
  relations.holds(op.getInverse(), IndexKind::Inverse, {op.getRows(), 0});
}

static LogicalResult unsort(moe::UnsortOp op, Frame &frame) {
  const Tensor &rows = frame[op.getRows()], &inverse = frame[op.getInverse()];
  Tensor result({inverse.shape[0], inverse.shape[1], rows.columns()}, /*fill=*/0);
  for (auto [slot, row] : llvm::enumerate(inverse.elements)) {
    if (row == -1)
      continue;
    const FailureOr<int64_t> index = checkIndex(op, "inverse", row, rows.rows());
    if (failed(index))
      return failure();
    llvm::copy(rows.row(*index), result.row(slot).begin());
  }
  frame.set(op.getResult(), std::move(result));
  return success();
}

//===----------------------------------------------------------------------===//
// moe.quantize
//===----------------------------------------------------------------------===//

static void relateQuantize(moe::QuantizeOp op, Relations &relations) {
  relations.sameShape(op.getInput(), op.getResult());
}

/// In real numbers, quantization changes nothing.
static LogicalResult quantize(moe::QuantizeOp op, Frame &frame) {
  frame.set(op.getResult(), frame.share(op.getInput()));
  return success();
}

//===----------------------------------------------------------------------===//
// moe.grouped_matmul and moe.grouped_glu
//===----------------------------------------------------------------------===//

static moe::DispatchOp dispatchOf(Value offsets) {
  return offsets ? offsets.getDefiningOp<moe::DispatchOp>() : moe::DispatchOp();
}

template <typename GroupedOp> static void relateRows(GroupedOp op, Relations &relations) {
  relations.holds(op.getOffsets(), IndexKind::Offsets, {op.getResult(), 0});
  if (auto dispatch = dispatchOf(op.getOffsets()))
    relations.equal({dispatch.getPermutation(), 0}, {op.getResult(), 0});
  if (op.getPermutation())
    relatePermutation(op.getPermutation(), op.getResult(), relations);
  if (op.getSlots())
    relateGathered(op.getInput(), op.getPermutation(), *op.getSlots(), relations);
  else
    relations.equal({op.getInput(), 0}, {op.getResult(), 0});
}

/// The expert of a sorted row: 0 without offsets, none for a row past the last one.
static std::optional<int64_t> expertOf(const Tensor *offsets, int64_t row) {
  if (!offsets)
    return 0;
  const ArrayRef<double> bounds = offsets->elements;
  for (size_t expert = 0; expert + 1 < bounds.size(); ++expert)
    if (bounds[expert] <= static_cast<double>(row) && static_cast<double>(row) < bounds[expert + 1])
      return expert;
  return std::nullopt;
}

/// The slots of the rows of a grouped product, if they are known.
template <typename GroupedOp>
static std::shared_ptr<const std::vector<double>> slotsOfResult(GroupedOp op, const Frame &frame) {
  if (const Tensor *offsets = frame.find(op.getOffsets()); offsets && offsets->slots)
    return offsets->slots;
  if (const Tensor *permutation = frame.find(op.getPermutation()))
    return slotsOfRows(*permutation);
  return frame[op.getInput()].slots;
}

/// Makes the result [R, N]: `compute` gets the slot of each row that means something, its expert,
/// and the row of the input that it reads.
template <typename GroupedOp, typename Compute>
static LogicalResult computeRows(GroupedOp op, Value weights, Frame &frame, Compute compute) {
  const Tensor &input = frame[op.getInput()], &matrices = frame[weights];
  const Tensor *offsets = frame.find(op.getOffsets());
  const Tensor *permutation = frame.find(op.getPermutation());
  if (offsets && std::ssize(offsets->elements) != matrices.shape[0] + 1)
    return op.emitOpError() << "has " << offsets->elements.size() << " offsets for "
                            << matrices.shape[0] << " experts";
  const int64_t rows = permutation ? std::ssize(permutation->elements) : input.rows();
  Tensor result({rows, matrices.shape[matrices.shape.size() - 2]});
  result.slots = slotsOfResult(op, frame);
  for (int64_t row = 0; row < rows; ++row) {
    const FailureOr<int64_t> slot = permutation ? slotOfRow(op, *permutation, row) : row;
    if (failed(slot))
      return failure();
    const std::optional<int64_t> expert = expertOf(offsets, row);
    if (!expert || *slot < 0)
      continue;
    const int64_t source = op.getSlots() ? *slot / static_cast<int64_t>(*op.getSlots()) : row;
    compute(*slot, *expert, input.row(source), result.row(row));
  }
  frame.set(op.getResult(), std::move(result));
  return success();
}

static Product productOf(moe::GroupedMatmulOp op) {
  return {op.getWeights(), op.getExpertScale(), op.getBias()};
}

static void relateGroupedMatmul(moe::GroupedMatmulOp op, Relations &relations) {
  relateRows(op, relations);
  productOf(op).relate(op.getInput(), op.getResult(), relations);
  if (op.getScale())
    relations.scaled({op.getPermutation(), 0}, slotsOf(op.getScale()), {op.getScale(), 0});
}

static LogicalResult groupedMatmul(moe::GroupedMatmulOp op, Frame &frame) {
  const Tensor *scale = frame.find(op.getScale());
  if (scale && scale->elements.size() != frame[op.getPermutation()].elements.size())
    return op.emitOpError() << "scales " << scale->elements.size() << " slots";
  const auto compute = [&](int64_t slot, int64_t expert, ArrayRef<double> input,
                           MutableArrayRef<double> result) {
    productOf(op).multiply(input, expert, frame, result);
    if (scale)
      for (double &y : result)
        y *= scale->elements[slot];
  };
  return computeRows(op, op.getWeights(), frame, compute);
}

static Product gateOf(moe::GroupedGluOp op) {
  return {op.getGate(), op.getGateScale(), op.getGateBias()};
}
static Product upOf(moe::GroupedGluOp op) { return {op.getUp(), op.getUpScale(), op.getUpBias()}; }

static void relateGroupedGlu(moe::GroupedGluOp op, Relations &relations) {
  relateRows(op, relations);
  relations.sameShape(op.getGate(), op.getUp());
  gateOf(op).relate(op.getInput(), op.getResult(), relations);
  upOf(op).relate(op.getInput(), op.getResult(), relations);
}

static LogicalResult groupedGlu(moe::GroupedGluOp op, Frame &frame) {
  const auto compute = [&](int64_t, int64_t expert, ArrayRef<double> input,
                           MutableArrayRef<double> result) {
    SmallVector<double> up(result.size());
    gateOf(op).multiply(input, expert, frame, result);
    upOf(op).multiply(input, expert, frame, up);
    for (auto [y, u] : llvm::zip_equal(result, up))
      y = activate(op.getKind(), op.getAlpha(), op.getLimit(), /*gate=*/y, u);
  };
  return computeRows(op, op.getGate(), frame, compute);
}

//===----------------------------------------------------------------------===//
// tensor.collapse_shape, with which moe-dispatch-by-sort makes rows of slots
//===----------------------------------------------------------------------===//

static void relateCollapse(tensor::CollapseShapeOp op, Relations &relations) {
  for (auto [index, group] : llvm::enumerate(op.getReassociationIndices())) {
    // One dimension of a group may be dynamic. With two, nothing is known.
    const ArrayRef<int64_t> shape = op.getSrcType().getShape();
    const auto isDynamic = [&](int64_t dim) { return ShapedType::isDynamic(shape[dim]); };
    if (llvm::count_if(group, isDynamic) > 1)
      continue;
    const auto *found = llvm::find_if(group, isDynamic);
    const int64_t part = found == group.end() ? group.front() : *found;
    int64_t factor = 1;
    for (const int64_t dim : group)
      factor *= dim == part ? 1 : shape[dim];
    relations.scaled({op.getResult(), static_cast<unsigned>(index)}, factor,
                     {op.getSrc(), static_cast<unsigned>(part)});
  }
}

static LogicalResult collapse(tensor::CollapseShapeOp op, Frame &frame) {
  Tensor result = frame[op.getSrc()];
  const SmallVector<int64_t, 3> shape = result.shape;
  result.shape.clear();
  for (const auto &group : op.getReassociationIndices()) {
    int64_t size = 1;
    for (const int64_t dim : group)
      size *= shape[dim];
    result.shape.push_back(size);
  }
  frame.set(op.getResult(), std::move(result));
  return success();
}

void sortie::interpreter::addDispatchOps(MeaningTable &table) {
  table.add(relateDispatch, dispatch);
  table.add(relateGather, gather);
  table.add(relateUnsort, unsort);
  table.add(relateQuantize, quantize);
  table.add(relateGroupedMatmul, groupedMatmul);
  table.add(relateGroupedGlu, groupedGlu);
  table.add(relateCollapse, collapse);
}
