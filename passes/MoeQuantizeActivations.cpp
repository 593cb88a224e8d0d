// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// moe-quantize-activations: every value that exact matmuls read is quantized once.

#include "passes/Passes.h"

#include "mlir/IR/PatternMatch.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace sortie {
#define GEN_PASS_DEF_MOEQUANTIZEACTIVATIONS
#include "passes/Passes.h.inc"

namespace {

class MoeQuantizeActivations : public impl::MoeQuantizeActivationsBase<MoeQuantizeActivations> {
public:
  using Base::Base;

  void runOnOperation() override {
    quantizedValues.clear();
    WalkResult result = getOperation().walk([&](Operation *op) -> WalkResult {
      return llvm::TypeSwitch<Operation *, LogicalResult>(op)
          .Case<moe::GroupedMatmulOp, moe::GroupedGluOp, lm::HeadMatmulOp>(
              [&](auto matmul) { return quantizeInput(matmul); })
          .Default(success());
    });
    if (result.wasInterrupted())
      signalPassFailure();
  }

private:
  template <typename MatmulOp> LogicalResult quantizeInput(MatmulOp op);
  /// `value` quantized to rows of this shape right after its definition, made at the first call.
  Value quantizeOnce(Value value, ArrayRef<int64_t> shape);

  llvm::DenseMap<std::pair<Value, Type>, Value> quantizedValues;
};

/// The shape of what a product reads.
template <typename MatmulOp> SmallVector<int64_t> shapeOfInput(MatmulOp op) {
  return SmallVector<int64_t>(op.getInput().getType().getShape());
}
/// Each head is a row of its own.
SmallVector<int64_t> shapeOfInput(lm::HeadMatmulOp op) {
  const ArrayRef<int64_t> weights = op.getWeights().getType().getShape();
  return {op.getInput().getType().getDimSize(0), weights[0], weights[2]};
}

template <typename MatmulOp> LogicalResult MoeQuantizeActivations::quantizeInput(MatmulOp op) {
  if (auto type = dyn_cast<moe::ActivationType>(op.getInput().getType().getElementType())) {
    if (type.getWidth() == activations)
      return success();
    return op.emitOpError("reads activations that are quantized to another width already; give "
                          "moe-quantize-activations the same `activations`");
  }
  if (op.getArithmetic() != Arithmetic::Exact)
    return success();
  op.getInputMutable().assign(quantizeOnce(op.getInput(), shapeOfInput(op)));
  ++readers;
  return success();
}

Value MoeQuantizeActivations::quantizeOnce(Value value, ArrayRef<int64_t> shape) {
  auto type =
      RankedTensorType::get(shape, moe::ActivationType::get(&getContext(), activations.getValue()));
  Value &entry = quantizedValues[{value, type}];
  if (entry)
    return entry;
  OpBuilder builder(&getContext());
  builder.setInsertionPointAfterValue(value);
  if (type.getRank() == 2)
    entry = moe::QuantizeOp::create(builder, value.getLoc(), type, value);
  else
    entry = lm::QuantizeHeadsOp::create(builder, value.getLoc(), type, value);
  ++quantized;
  return entry;
}

} // namespace
} // namespace sortie
