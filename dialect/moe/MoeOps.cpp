// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Ops of the dialect `moe`: verification, inferred result types, canonicalization. Constraints are
// cited by the numbers that MoeOps.td gives them. Dynamic dimensions agree with everything.

#include "dialect/moe/MoeOps.h"

#include "dialect/common/TensorRules.h"
#include "dialect/moe/ProductRules.h"

#include "runtime/numerics/contract.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace sortie;
using namespace sortie::moe;

/// Whether types written on an op agree with inferred ones: equal elements, no static dimensions
/// that differ.
static bool areCompatibleTypes(TypeRange inferred, TypeRange actual) {
  return llvm::equal(inferred, actual, [](Type lhs, Type rhs) {
    return getElementTypeOrSelf(lhs) == getElementTypeOrSelf(rhs) &&
           succeeded(verifyCompatibleShape(lhs, rhs));
  });
}

//===----------------------------------------------------------------------===//
// Helpers
//===----------------------------------------------------------------------===//

static RankedTensorType getTensor(Value value) { return cast<RankedTensorType>(value.getType()); }

static int64_t getDim(Value value, unsigned index) { return getTensor(value).getDimSize(index); }

static int64_t getLastDim(Value value) { return getTensor(value).getShape().back(); }

static bool agree(int64_t lhs, int64_t rhs) {
  return lhs == rhs || ShapedType::isDynamic(lhs) || ShapedType::isDynamic(rhs);
}

/// The dimension that two agreeing ones describe.
static int64_t merge(int64_t lhs, int64_t rhs) { return ShapedType::isDynamic(lhs) ? rhs : lhs; }

/// `lhs * rhs`, dynamic if either is or if the product overflows.
static int64_t multiplyDims(int64_t lhs, int64_t rhs) {
  int64_t product;
  if (ShapedType::isDynamic(lhs) || ShapedType::isDynamic(rhs) ||
      llvm::MulOverflow(lhs, rhs, product))
    return ShapedType::kDynamic;
  return product;
}

/// A dimension of a value with the name that diagnostics give it.
struct NamedDim {
  StringRef what;
  int64_t size;
};

static LogicalResult verifyAgree(Operation *op, NamedDim lhs, NamedDim rhs) {
  if (agree(lhs.size, rhs.size))
    return success();
  return op->emitOpError() << lhs.what << " is " << lhs.size << ", but " << rhs.what << " is "
                           << rhs.size;
}

LogicalResult moe::verifyArithmetic(Operation *op, Value weights,
                                    std::optional<Arithmetic> arithmetic) {
  if (!arithmetic || arithmetic == Arithmetic::Bf16)
    return success();
  const Type element = getTensor(weights).getElementType();
  if (isa<BlockType>(element) == (*arithmetic == Arithmetic::Exact))
    return success();
  return op->emitOpError() << "arithmetic '" << stringifyArithmetic(*arithmetic)
                           << "' does not suit weights of " << element;
}

LogicalResult moe::verifyQuantizedInput(Operation *op, Value input, Value weights,
                                        std::optional<Arithmetic> arithmetic) {
  if (!isa<ActivationType>(getTensor(input).getElementType()))
    return success();
  const Type element = getTensor(weights).getElementType();
  if (!isa<BlockType>(element))
    return op->emitOpError() << "quantized input needs block weights, got " << element;
  if (arithmetic && *arithmetic != Arithmetic::Exact)
    return op->emitOpError() << "quantized input needs arithmetic 'exact', got '"
                             << stringifyArithmetic(*arithmetic) << "'";
  return success();
}

/// (C1) and (C2) of norms.
static LogicalResult verifyNorm(Operation *op, Value input, Value weight, const APFloat &eps) {
  if (failed(verifyShape(op, "weight", weight, getLastDim(input))))
    return failure();
  return verifyEps([op] { return op->emitOpError(); }, eps);
}

#define GET_OP_CLASSES
#include "dialect/moe/MoeOps.cpp.inc"

void MoeDialect::registerOps() {
  addOperations<
#define GET_OP_LIST
#include "dialect/moe/MoeOps.cpp.inc"
      >();
}

//===----------------------------------------------------------------------===//
// Semantic level
//===----------------------------------------------------------------------===//

void moe::WeightOp::build(OpBuilder &builder, OperationState &state, Type result,
                          StringRef source) {
  build(builder, state, result, Attribute(builder.getStringAttr(source)));
}

void moe::WeightOp::build(OpBuilder &builder, OperationState &state, Type result,
                          ArrayRef<StringRef> names, DimensionPart rows, DimensionPart columns,
                          const MatrixLayout &layout) {
  WeightTensors tensors{{}, rows, columns, layout};
  for (StringRef name : names)
    tensors.names.push_back(builder.getStringAttr(name));
  build(builder, state, result, tensors.to<TensorsAttr>(builder.getContext()));
}

LogicalResult WeightOp::verify() {
  const WeightTensors tensors = getTensors();
  if (tensors.names.front().empty())
    return emitOpError("source must not be empty"); // (C1)
  const RankedTensorType type = getType();
  if (!type.hasStaticShape() || llvm::is_contained(type.getShape(), 0))
    return emitOpError() << "shape must be static and without zeros, got " << type; // (C2)
  const numerics::EncodingInfo encoding =
      numerics::encodingInfo(*getWeightEncoding(type.getElementType()));
  if (type.getShape().back() % encoding.elements != 0)
    return emitOpError() << "innermost dimension " << type.getShape().back()
                         << " is no multiple of the block size " << encoding.elements << " of "
                         << type.getElementType(); // (C3)
  return verifyWeightTensors([&] { return emitOpError(); }, tensors, type.getShape(),
                             encoding); // (C4) to (C8)
}

LogicalResult MatmulOp::inferReturnTypes(MLIRContext *context, std::optional<Location>,
                                         Adaptor adaptor, SmallVectorImpl<Type> &types) {
  types.push_back(RankedTensorType::get(
      {getDim(adaptor.getInput(), 0), getDim(adaptor.getWeights(), 0)}, Float32Type::get(context)));
  return success();
}

LogicalResult MatmulOp::verify() {
  if (failed(verifyAgree(*this, {"K of input", getDim(getInput(), 1)},
                         {"K of weights", getDim(getWeights(), 1)})) ||       // (C1)
      failed(verifyShape(*this, "bias", getBias(), getDim(getWeights(), 0)))) // (C2)
    return failure();
  return verifyArithmetic(*this, getWeights(), getArithmetic()); // (C3)
}

LogicalResult RouteOp::inferReturnTypes(MLIRContext *context, std::optional<Location>,
                                        Adaptor adaptor, SmallVectorImpl<Type> &types) {
  const SmallVector<int64_t> shape = {getDim(adaptor.getScores(), 0),
                                      static_cast<int64_t>(adaptor.getTop())};
  types.push_back(RankedTensorType::get(shape, IntegerType::get(context, 32)));
  types.push_back(RankedTensorType::get(shape, Float32Type::get(context)));
  return success();
}

LogicalResult RouteOp::verify() {
  const int64_t experts = getDim(getScores(), 1);
  Routing routing = {.experts = std::nullopt,
                     .selected = static_cast<int64_t>(getTop()),
                     .groups = getGroups(),
                     .groupsUsed = getGroupsUsed(),
                     .groupScore = getGroupScore(),
                     .scale = getScale()};
  if (!ShapedType::isDynamic(experts))
    routing.experts = experts;
  if (failed(verifyRouting([&] { return emitOpError(); }, routing))) // (C1), (C3) to (C5)
    return failure();
  return verifyShape(*this, "bias", getBias(), experts); // (C2)
}

LogicalResult RouteOp::canonicalize(RouteOp op, PatternRewriter &rewriter) {
  if (!op.getGroups() || op.getGroups() != op.getGroupsUsed())
    return failure();
  rewriter.modifyOpInPlace(op, [&] {
    op.removeGroupsAttr();
    op.removeGroupsUsedAttr();
    op.setGroupScore(GroupScore::BestTwo);
  });
  return success();
}

LogicalResult RoutedMatmulOp::inferReturnTypes(MLIRContext *context, std::optional<Location>,
                                               Adaptor adaptor, SmallVectorImpl<Type> &types) {
  const int64_t tokens = merge(getDim(adaptor.getInput(), 0), getDim(adaptor.getIds(), 0));
  types.push_back(
      RankedTensorType::get({tokens, getDim(adaptor.getIds(), 1), getDim(adaptor.getWeights(), 1)},
                            Float32Type::get(context)));
  return success();
}

LogicalResult RoutedMatmulOp::verify() {
  if (failed(verifyAgree(*this, {"K of input", getLastDim(getInput())},
                         {"K of weights", getDim(getWeights(), 2)})) ||
      failed(verifyAgree(*this, {"T of input", getDim(getInput(), 0)},
                         {"T of ids", getDim(getIds(), 0)})))
    return failure(); // (C1)
  if (getTensor(getInput()).getRank() == 3 &&
      failed(verifyAgree(*this, {"k of input", getDim(getInput(), 1)},
                         {"k of ids", getDim(getIds(), 1)})))
    return failure(); // (C1)
  if (failed(verifyShape(*this, "bias", getBias(),
                         {getDim(getWeights(), 0), getDim(getWeights(), 1)})))
    return failure(); // (C2)
  if (failed(verifyShape(*this, "expert_scale", getExpertScale(), getDim(getWeights(), 0))))
    return failure();                                            // (C4)
  return verifyArithmetic(*this, getWeights(), getArithmetic()); // (C3)
}

LogicalResult CombineOp::inferReturnTypes(MLIRContext *context, std::optional<Location>,
                                          Adaptor adaptor, SmallVectorImpl<Type> &types) {
  const Value slots = adaptor.getInverse() ? adaptor.getInverse() : adaptor.getRows();
  int64_t tokens = getDim(slots, 0);
  if (adaptor.getWeights())
    tokens = merge(tokens, getDim(adaptor.getWeights(), 0));
  types.push_back(
      RankedTensorType::get({tokens, getLastDim(adaptor.getRows())}, Float32Type::get(context)));
  return success();
}

LogicalResult CombineOp::verify() {
  const int64_t rank = getInverse() ? 2 : 3;
  if (getTensor(getRows()).getRank() != rank)
    return emitOpError() << "rows must be " << (getInverse() ? "[R, N] with" : "[T, k, N] without")
                         << " inverse, got " << getRows().getType(); // (C1)
  const Value slots = getInverse() ? getInverse() : getRows();
  return verifyShape(*this, "weights", getWeights(), {getDim(slots, 0), getDim(slots, 1)}); // (C2)
}

//===----------------------------------------------------------------------===//
// Dispatch level
//===----------------------------------------------------------------------===//

/// The number of experts that a dispatch sorts by.
template <typename DispatchLike> static int64_t getExpertCount(DispatchLike op) {
  const std::optional<ArrayRef<int64_t>> range = op.getRange();
  return range && range->size() == 2 ? (*range)[1] : static_cast<int64_t>(op.getExperts());
}

LogicalResult DispatchOp::inferReturnTypes(MLIRContext *context, std::optional<Location>,
                                           Adaptor adaptor, SmallVectorImpl<Type> &types) {
  const auto index = IntegerType::get(context, 32);
  const RankedTensorType ids = getTensor(adaptor.getIds());
  const int64_t rows = adaptor.getRange() ? ShapedType::kDynamic
                                          : multiplyDims(ids.getDimSize(0), ids.getDimSize(1));
  types.push_back(RankedTensorType::get(rows, index));
  types.push_back(RankedTensorType::get(ids.getShape(), index));
  types.push_back(RankedTensorType::get(getExpertCount(adaptor) + 1, index));
  return success();
}

LogicalResult DispatchOp::verify() {
  return verifyDispatch([&] { return emitOpError(); }, getExperts(), getRange()); // (C1), (C2)
}

LogicalResult DispatchOp::canonicalize(DispatchOp op, PatternRewriter &rewriter) {
  if (!op.getRange() || (*op.getRange())[1] != static_cast<int64_t>(op.getExperts()))
    return failure();
  rewriter.modifyOpInPlace(op, [&] { op.removeRangeAttr(); });
  return success();
}

LogicalResult GatherOp::inferReturnTypes(MLIRContext *context, std::optional<Location>,
                                         Adaptor adaptor, SmallVectorImpl<Type> &types) {
  const RankedTensorType input = getTensor(adaptor.getInput());
  types.push_back(RankedTensorType::get({getDim(adaptor.getPermutation(), 0), input.getDimSize(1)},
                                        input.getElementType()));
  return success();
}

LogicalResult GatherOp::verify() {
  if (static_cast<int64_t>(getSlots()) < 1)
    return emitOpError("slots must be at least 1"); // (C1)
  return success();
}

LogicalResult UnsortOp::inferReturnTypes(MLIRContext *context, std::optional<Location>,
                                         Adaptor adaptor, SmallVectorImpl<Type> &types) {
  types.push_back(
      RankedTensorType::get({getDim(adaptor.getInverse(), 0), getDim(adaptor.getInverse(), 1),
                             getDim(adaptor.getRows(), 1)},
                            Float32Type::get(context)));
  return success();
}

LogicalResult QuantizeOp::verify() {
  return verifyShape(*this, "result", getResult(), getTensor(getInput()).getShape()); // (C1)
}

/// One product over grouped rows: moe.grouped_matmul has one, moe.grouped_glu two.
struct GroupedProduct {
  StringRef weightsName;
  Value weights;
  StringRef biasName;
  Value bias;
  StringRef scaleName;
  Value scale; ///< by expert
};

/// (C8) of moe.grouped_matmul, (C9) of moe.grouped_glu.
template <typename GroupedOp>
static LogicalResult verifyExpertScale(GroupedOp op, const GroupedProduct &product) {
  if (product.scale && !op.getOffsets())
    return op.emitOpError() << product.scaleName << " is by expert, so it needs offsets";
  return verifyShape(op, product.scaleName, product.scale, getDim(product.weights, 0));
}

/// Constraints (C1), (C3), (C6), (C7), of the scales by expert and the K of (C2) of the grouped
/// ops.
template <typename GroupedOp>
static LogicalResult verifyProduct(GroupedOp op, const GroupedProduct &product) {
  const RankedTensorType weights = getTensor(product.weights);
  const bool grouped = static_cast<bool>(op.getOffsets());
  if (weights.getRank() != (grouped ? 3 : 2))
    return op.emitOpError() << product.weightsName << " must be "
                            << (grouped ? "[E, N, K] with" : "[N, K] without") << " offsets, got "
                            << weights; // (C1)
  const int64_t experts = weights.getDimSize(0);
  const int64_t bounds = ShapedType::isDynamic(experts) ? ShapedType::kDynamic : experts + 1;
  if (grouped && failed(verifyShape(op, "offsets", op.getOffsets(), bounds)))
    return failure(); // (C1)
  if (failed(verifyAgree(op, {"K of input", getDim(op.getInput(), 1)},
                         {"K of weights", weights.getShape().back()})))
    return failure(); // (C2)
  if (product.bias && getTensor(product.bias).getRank() != weights.getRank() - 1)
    return op.emitOpError() << product.biasName << " must have rank " << weights.getRank() - 1
                            << ", got " << product.bias.getType(); // (C3)
  if (failed(verifyShape(op, product.biasName, product.bias, weights.getShape().drop_back())))
    return failure(); // (C3)
  if (failed(verifyExpertScale(op, product)))
    return failure();
  if (failed(verifyArithmetic(op, product.weights, op.getArithmetic())))
    return failure();                                                                  // (C6)
  return verifyQuantizedInput(op, op.getInput(), product.weights, op.getArithmetic()); // (C7)
}

/// Constraints (C4), (C5) and the rows of (C2) of the grouped ops.
template <typename GroupedOp> static LogicalResult verifyRowMap(GroupedOp op, Value scale) {
  if (static_cast<bool>(op.getPermutation()) != (op.getSlots() || scale))
    return op.emitOpError("permutation must be given exactly if slots or scale is"); // (C4)
  if (op.getSlots() && static_cast<int64_t>(*op.getSlots()) < 1)
    return op.emitOpError("slots must be at least 1"); // (C5)
  if (!op.getPermutation() || op.getSlots())
    return success();
  return verifyAgree(op, {"R of input", getDim(op.getInput(), 0)},
                     {"R of permutation", getDim(op.getPermutation(), 0)}); // (C2)
}

/// R: the rows of the result of a grouped op.
template <typename GroupedOp> static int64_t getRows(GroupedOp op) {
  if (!op.getPermutation())
    return getDim(op.getInput(), 0);
  const int64_t rows = getDim(op.getPermutation(), 0);
  return op.getSlots() ? rows : merge(rows, getDim(op.getInput(), 0));
}

/// N: the second dimension from the end of the weights.
static int64_t getFeatures(Value weights) {
  const RankedTensorType type = getTensor(weights);
  return type.getDimSize(type.getRank() - 2);
}

LogicalResult GroupedMatmulOp::inferReturnTypes(MLIRContext *context, std::optional<Location>,
                                                Adaptor adaptor, SmallVectorImpl<Type> &types) {
  types.push_back(RankedTensorType::get({getRows(adaptor), getFeatures(adaptor.getWeights())},
                                        Float32Type::get(context)));
  return success();
}

LogicalResult GroupedMatmulOp::verify() {
  if (failed(verifyProduct(
          *this, {"weights", getWeights(), "bias", getBias(), "expert_scale", getExpertScale()})))
    return failure();
  return verifyRowMap(*this, getScale());
}

LogicalResult GroupedGluOp::verify() {
  if (failed(verifyProduct(
          *this, {"gate", getGate(), "gate_bias", getGateBias(), "gate_scale", getGateScale()})) ||
      failed(verifyProduct(*this,
                           {"up", getUp(), "up_bias", getUpBias(), "up_scale", getUpScale()})) ||
      failed(verifyShape(*this, "up", getUp(), getTensor(getGate()).getShape())) || // (C1)
      failed(verifyRowMap(*this, /*scale=*/Value())))
    return failure();
  if (failed(verifyShape(*this, "result", getResult(), {getRows(*this), getFeatures(getGate())})))
    return failure();                                                                 // (C2)
  return verifyGlu([&] { return emitOpError(); }, getKind(), getAlpha(), getLimit()); // (C8)
}

//===----------------------------------------------------------------------===//
// What becomes of ops in a program
//===----------------------------------------------------------------------===//

ResultShape moe::shapeLike(Value operand) {
  ResultShape shape;
  for (int64_t dim = 0; dim < getTensor(operand).getRank(); ++dim)
    shape.push_back({operand, static_cast<unsigned>(dim)});
  return shape;
}

ResultShape DispatchOp::getResultShape(OpResult result) {
  if (result == getOffsets())
    return {ResultExtent::constant(getDim(getOffsets(), 0))};
  if (result == getInverse())
    return shapeLike(getIds());
  return {{getIds(), 0, getDim(getIds(), 1)}};
}

/// The result of a product with `matrix`, [N, K] or [E, N, K].
template <typename ProductOp> static ResultShape getProductShape(ProductOp op, Value matrix) {
  const Value rows = op.getSlots() ? Value(op.getPermutation()) : Value(op.getInput());
  const int64_t columns = *std::next(getTensor(matrix).getShape().rbegin());
  return {{rows}, ResultExtent::constant(columns)};
}

/// Without offsets (a dense product) the rows stay in the order of the input, unless the product
/// gathers them.
template <typename ProductOp> static RowOrder getProductOrder(ProductOp op) {
  if (op.getOffsets())
    return {RowOrder::Kind::Sorted, op.getOffsets()};
  if (op.getSlots())
    return {RowOrder::Kind::Sorted, op.getPermutation()};
  return {RowOrder::Kind::AsOperand, op.getInput()};
}

ResultShape GroupedMatmulOp::getResultShape(OpResult) {
  return getProductShape(*this, getWeights());
}
RowOrder GroupedMatmulOp::getRowOrder() { return getProductOrder(*this); }
ResultShape GroupedGluOp::getResultShape(OpResult) { return getProductShape(*this, getGate()); }
RowOrder GroupedGluOp::getRowOrder() { return getProductOrder(*this); }
