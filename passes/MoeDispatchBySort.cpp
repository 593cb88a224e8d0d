// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// moe-dispatch-by-sort: routed matmuls become grouped matmuls over rows sorted by expert.

#include "passes/Names.h"
#include "passes/RowOrder.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;

namespace sortie {
#define GEN_PASS_DEF_MOEDISPATCHBYSORT
#include "passes/Passes.h.inc"

namespace {

class MoeDispatchBySort : public impl::MoeDispatchBySortBase<MoeDispatchBySort> {
public:
  void runOnOperation() override;

private:
  /// The one dispatch of `op.getIds()`, made if need be; null after an error.
  moe::DispatchOp findOrMakeDispatch(IRRewriter &rewriter, moe::RoutedMatmulOp op);
  LogicalResult rewriteRouted(IRRewriter &rewriter, moe::RoutedMatmulOp op);
  void rewriteDense(IRRewriter &rewriter, moe::MatmulOp op);
};

int64_t numExperts(moe::RoutedMatmulOp op) { return op.getWeights().getType().getShape().front(); }

moe::DispatchOp MoeDispatchBySort::findOrMakeDispatch(IRRewriter &rewriter,
                                                      moe::RoutedMatmulOp op) {
  const int64_t experts = numExperts(op);
  for (Operation *user : op.getIds().getUsers()) {
    auto dispatch = dyn_cast<moe::DispatchOp>(user);
    if (!dispatch || dispatch.getRange() || !isAvailable(dispatch.getOffsets(), op))
      continue;
    if (static_cast<int64_t>(dispatch.getExperts()) == experts)
      return dispatch;
    InFlightDiagnostic error = op.emitOpError("has ")
                               << experts << " experts, but its ids also choose among "
                               << dispatch.getExperts();
    error.attachNote(dispatch.getLoc()) << "the ids are sorted here";
    return nullptr;
  }
  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPointAfterValue(op.getIds());
  ++dispatches;
  return moe::DispatchOp::create(rewriter, op.getLoc(), op.getIds(), experts,
                                 /*range=*/DenseI64ArrayAttr());
}

/// The rows of `op`'s input in sorted order.
Value gatherRows(IRRewriter &rewriter, moe::RoutedMatmulOp op, moe::DispatchOp dispatch) {
  Value input = op.getInput();
  int64_t slots = op.getIds().getType().getShape().back();
  if (op.getInput().getType().getRank() == 3) {
    // Every slot has a row of its own: slot t*k + j is row t*k + j of the collapsed tensor.
    const ReassociationIndices rows = {0, 1}, columns = {2};
    input = tensor::CollapseShapeOp::create(rewriter, op.getLoc(), input,
                                            ArrayRef<ReassociationIndices>{rows, columns});
    slots = 1;
  }
  return moe::GatherOp::create(rewriter, op.getLoc(), input, dispatch.getPermutation(), slots);
}

LogicalResult MoeDispatchBySort::rewriteRouted(IRRewriter &rewriter, moe::RoutedMatmulOp op) {
  if (ShapedType::isDynamic(numExperts(op)) || op.getIds().getType().isDynamicDim(1))
    return op.emitOpError("needs a static number of experts and of slots a token");
  rewriter.setInsertionPoint(op);
  moe::DispatchOp dispatch = findOrMakeDispatch(rewriter, op);
  if (!dispatch)
    return failure();
  Value rows = gatherRows(rewriter, op, dispatch);
  auto product = moe::GroupedMatmulOp::create(
      rewriter, op.getLoc(), rows, op.getWeights(), dispatch.getOffsets(),
      /*permutation=*/Value(), op.getExpertScale(), op.getBias(), /*scale=*/Value(),
      /*slots=*/IntegerAttr(), op.getArithmeticAttr());
  // Its rows are the named value in another order, which a checkpoint can undo.
  copyNames(op, product);
  rewriter.replaceOpWithNewOp<moe::UnsortOp>(op, op.getType(), product, dispatch.getInverse());
  ++routed;
  return success();
}

void MoeDispatchBySort::rewriteDense(IRRewriter &rewriter, moe::MatmulOp op) {
  rewriter.setInsertionPoint(op);
  auto product = moe::GroupedMatmulOp::create(
      rewriter, op.getLoc(), op.getInput(), op.getWeights(), /*offsets=*/Value(),
      /*permutation=*/Value(), /*expert_scale=*/Value(), op.getBias(), /*scale=*/Value(),
      /*slots=*/IntegerAttr(), op.getArithmeticAttr());
  copyNames(op, product);
  rewriter.replaceOp(op, product);
  ++dense;
}

void MoeDispatchBySort::runOnOperation() {
  IRRewriter rewriter(&getContext());
  WalkResult result = getOperation().walk([&](Operation *op) {
    if (auto matmul = dyn_cast<moe::MatmulOp>(op))
      rewriteDense(rewriter, matmul);
    else if (auto routedMatmul = dyn_cast<moe::RoutedMatmulOp>(op))
      if (failed(rewriteRouted(rewriter, routedMatmul)))
        return WalkResult::interrupt();
    return WalkResult::advance();
  });
  if (result.wasInterrupted())
    signalPassFailure();
}

} // namespace
} // namespace sortie
