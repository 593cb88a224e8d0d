// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// moe-fuse-routing-weight: the down matmul multiplies its rows by the routing weights.

#include "passes/Names.h"
#include "passes/RowOrder.h"

#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;

namespace sortie {
#define GEN_PASS_DEF_MOEFUSEROUTINGWEIGHT
#include "passes/Passes.h.inc"

namespace {

/// combine(grouped_matmul(...), weights) -> combine(grouped_matmul(...) scaled by the weights).
struct FuseRoutingWeight : OpRewritePattern<moe::CombineOp> {
  FuseRoutingWeight(MLIRContext *context, Materialize materialize, Statistic &fused)
      : OpRewritePattern(context), materialize(materialize), fused(fused) {}

  LogicalResult matchAndRewrite(moe::CombineOp op, PatternRewriter &rewriter) const override {
    if (!op.getWeights() || !op.getInverse())
      return rewriter.notifyMatchFailure(op, "adds no weighted, sorted rows");
    auto rows = op.getRows().getDefiningOp<moe::GroupedMatmulOp>();
    if (!rows || !rows->hasOneUse() || rows.getScale())
      return rewriter.notifyMatchFailure(op, "rows are no unscaled matmul of its own");
    if (mustStore(rows.getResult(), materialize))
      return rewriter.notifyMatchFailure(op, "the rows have a name and shall be stored");
    moe::DispatchOp dispatch = rowOrderOf(rows);
    if (!dispatch || dispatch.getInverse() != op.getInverse())
      return rewriter.notifyMatchFailure(op, "rows are sorted by another dispatch");
    if (rows.getPermutation() && rows.getPermutation() != dispatch.getPermutation())
      return rewriter.notifyMatchFailure(op, "rows are gathered by another permutation");
    if (!isAvailable(op.getWeights(), rows) || !isAvailable(dispatch.getPermutation(), rows))
      return rewriter.notifyMatchFailure(op, "the weights come after the rows");
    rewriter.modifyOpInPlace(rows, [&] {
      rows.getPermutationMutable().assign(dispatch.getPermutation());
      rows.getScaleMutable().assign(op.getWeights());
      // The name means the rows without their weights, which are no more.
      rows->removeAttr(moe::MoeDialect::kNamesName);
    });
    rewriter.modifyOpInPlace(op, [&] { op.getWeightsMutable().clear(); });
    ++fused;
    return success();
  }

  Materialize materialize;
  Statistic &fused;
};

class MoeFuseRoutingWeight : public impl::MoeFuseRoutingWeightBase<MoeFuseRoutingWeight> {
public:
  using Base::Base;
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<FuseRoutingWeight>(&getContext(), materialize, fused);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
} // namespace sortie
