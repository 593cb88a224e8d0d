// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// moe-fuse-gather: grouped matmuls read token rows through the permutation.

#include "passes/Passes.h"

#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;

namespace sortie {
#define GEN_PASS_DEF_MOEFUSEGATHER
#include "passes/Passes.h.inc"

namespace {

/// grouped_matmul(gather(x, permutation)) -> grouped_matmul(x) permutation slots; grouped_glu, too.
template <typename MatmulOp> struct FuseGather : OpRewritePattern<MatmulOp> {
  FuseGather(MLIRContext *context, Statistic &fused)
      : OpRewritePattern<MatmulOp>(context), fused(fused) {}

  LogicalResult matchAndRewrite(MatmulOp op, PatternRewriter &rewriter) const override {
    auto gather = op.getInput().template getDefiningOp<moe::GatherOp>();
    if (!gather)
      return rewriter.notifyMatchFailure(op, "input is not gathered");
    if (op.getSlots())
      return rewriter.notifyMatchFailure(op, "has taken in another gather");
    // A matmul that is scaled by slot has the permutation already; it must be the same.
    if (op.getPermutation() && op.getPermutation() != gather.getPermutation())
      return rewriter.notifyMatchFailure(op, "is scaled by another permutation");
    rewriter.modifyOpInPlace(op, [&] {
      op.getInputMutable().assign(gather.getInput());
      op.getPermutationMutable().assign(gather.getPermutation());
      op.setSlots(gather.getSlots());
    });
    ++fused;
    return success();
  }

  Statistic &fused;
};

class MoeFuseGather : public impl::MoeFuseGatherBase<MoeFuseGather> {
public:
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<FuseGather<moe::GroupedMatmulOp>, FuseGather<moe::GroupedGluOp>>(&getContext(),
                                                                                  fused);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
} // namespace sortie
