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
          .Case<moe::GroupedMatmulOp, moe::GroupedGluOp>(
              [&](auto matmul) { return quantizeInput(matmul); })
          .Default(success());
    });
    if (result.wasInterrupted())
      signalPassFailure();
  }

private:
  template <typename MatmulOp> LogicalResult quantizeInput(MatmulOp op);
  /// `value` quantized right after its definition, made at the first call.
  Value quantizeOnce(Value value);

  llvm::DenseMap<Value, Value> quantizedValues;
};

template <typename MatmulOp> LogicalResult MoeQuantizeActivations::quantizeInput(MatmulOp op) {
  if (auto type = dyn_cast<moe::ActivationType>(op.getInput().getType().getElementType())) {
    if (type.getWidth() == activations)
      return success();
    return op.emitOpError("reads activations that are quantized to another width already; give "
                          "moe-quantize-activations the same `activations`");
  }
  if (op.getArithmetic() != Arithmetic::Exact)
    return success();
  op.getInputMutable().assign(quantizeOnce(op.getInput()));
  ++readers;
  return success();
}

Value MoeQuantizeActivations::quantizeOnce(Value value) {
  Value &entry = quantizedValues[value];
  if (entry)
    return entry;
  OpBuilder builder(&getContext());
  builder.setInsertionPointAfterValue(value);
  auto type = cast<RankedTensorType>(value.getType());
  type = type.clone(moe::ActivationType::get(&getContext(), activations));
  entry = moe::QuantizeOp::create(builder, value.getLoc(), type, value);
  ++quantized;
  return entry;
}

} // namespace
} // namespace sortie
