// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// moe-sink-unsort: rows stay sorted from the first expert matmul to the combine.

#include "passes/Names.h"
#include "passes/RowOrder.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;

namespace sortie {
#define GEN_PASS_DEF_MOESINKUNSORT
#include "passes/Passes.h.inc"

namespace {

/// Whether it can be seen that the rows lie in the order that the unsort undoes.
bool isSortedFor(moe::UnsortOp unsort) {
  moe::DispatchOp dispatch = rowOrderOf(unsort.getRows());
  return dispatch && dispatch.getInverse() == unsort.getInverse();
}

/// glu(unsort(gate), unsort(up)) -> unsort(glu(gate, up)), and the same for all elementwise ops.
struct SinkPastElementwise : OpTraitRewritePattern<moe::Elementwise> {
  SinkPastElementwise(MLIRContext *context, Statistic &sunk)
      : OpTraitRewritePattern(context), sunk(sunk) {}

  LogicalResult matchAndRewrite(Operation *op, PatternRewriter &rewriter) const override {
    auto first = op->getOperand(0).getDefiningOp<moe::UnsortOp>();
    if (!first)
      return rewriter.notifyMatchFailure(op, "the first operand is not unsorted");
    SmallVector<Value> rows;
    for (Value operand : op->getOperands()) {
      auto unsort = operand.getDefiningOp<moe::UnsortOp>();
      if (!unsort || unsort.getInverse() != first.getInverse())
        return rewriter.notifyMatchFailure(op, "operands are not unsorted by one inverse");
      if (unsort.getRows().getType() != first.getRows().getType())
        return rewriter.notifyMatchFailure(op, "sorted rows have different types");
      rows.push_back(unsort.getRows());
    }
    // A name comes along to the sorted rows, if the audit can bring them back in order.
    const Value result = op->getResult(0);
    if (!nameOf(result).empty() && !isSortedFor(first))
      return rewriter.notifyMatchFailure(op, "has a name, and rows in an order that is not seen");
    // The same op on sorted rows; attributes, names among them, come along.
    Operation *sorted = rewriter.clone(*op);
    sorted->setOperands(rows);
    sorted->getResult(0).setType(first.getRows().getType());
    rewriter.replaceOpWithNewOp<moe::UnsortOp>(op, result.getType(), sorted->getResult(0),
                                               first.getInverse());
    ++sunk;
    return success();
  }

  Statistic &sunk;
};

/// gather(collapse(unsort(rows, inverse)), permutation) -> rows, of one dispatch.
struct CancelGather : OpRewritePattern<moe::GatherOp> {
  CancelGather(MLIRContext *context, Statistic &cancelled)
      : OpRewritePattern(context), cancelled(cancelled) {}

  LogicalResult matchAndRewrite(moe::GatherOp op, PatternRewriter &rewriter) const override {
    auto collapse = op.getInput().getDefiningOp<tensor::CollapseShapeOp>();
    auto unsort = collapse ? collapse.getSrc().getDefiningOp<moe::UnsortOp>() : moe::UnsortOp();
    if (!unsort || op.getSlots() != 1)
      return rewriter.notifyMatchFailure(op, "does not read unsorted rows slot by slot");
    auto dispatch = op.getPermutation().getDefiningOp<moe::DispatchOp>();
    if (!dispatch || unsort.getInverse() != dispatch.getInverse())
      return rewriter.notifyMatchFailure(op, "permutation and inverse have different dispatches");
    if (unsort.getRows().getType() != op.getType())
      return rewriter.notifyMatchFailure(op, "sorted rows have another type");
    rewriter.replaceOp(op, unsort.getRows());
    ++cancelled;
    return success();
  }

  Statistic &cancelled;
};

/// combine(unsort(rows, inverse)) -> combine(rows) through the inverse.
struct CombineSorted : OpRewritePattern<moe::CombineOp> {
  CombineSorted(MLIRContext *context, Statistic &combined)
      : OpRewritePattern(context), combined(combined) {}

  LogicalResult matchAndRewrite(moe::CombineOp op, PatternRewriter &rewriter) const override {
    auto unsort = op.getRows().getDefiningOp<moe::UnsortOp>();
    if (!unsort)
      return rewriter.notifyMatchFailure(op, "rows are not unsorted");
    rewriter.modifyOpInPlace(op, [&] {
      op.getRowsMutable().assign(unsort.getRows());
      op.getInverseMutable().assign(unsort.getInverse());
    });
    ++combined;
    return success();
  }

  Statistic &combined;
};

class MoeSinkUnsort : public impl::MoeSinkUnsortBase<MoeSinkUnsort> {
public:
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<SinkPastElementwise>(&getContext(), sunk);
    patterns.add<CancelGather>(&getContext(), cancelled);
    patterns.add<CombineSorted>(&getContext(), combined);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
} // namespace sortie
