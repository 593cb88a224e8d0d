// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// moe-fuse-requantize: the gated activation comes out quantized.

#include "passes/Names.h"

#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;

namespace sortie {
#define GEN_PASS_DEF_MOEFUSEREQUANTIZE
#include "passes/Passes.h.inc"

namespace {

/// quantize(grouped_glu(...)) -> grouped_glu(...) with quantized rows.
struct FuseRequantize : OpRewritePattern<moe::QuantizeOp> {
  FuseRequantize(MLIRContext *context, Materialize materialize, Statistic &fused)
      : OpRewritePattern(context), materialize(materialize), fused(fused) {}

  LogicalResult matchAndRewrite(moe::QuantizeOp op, PatternRewriter &rewriter) const override {
    auto glu = op.getInput().getDefiningOp<moe::GroupedGluOp>();
    if (!glu || !glu->hasOneUse())
      return rewriter.notifyMatchFailure(op, "input is no gated activation of its own");
    if (mustStore(glu.getResult(), materialize))
      return rewriter.notifyMatchFailure(op, "the activation has a name and shall be stored");
    rewriter.setInsertionPoint(glu);
    Operation *quantized = rewriter.clone(*glu);
    quantized->getResult(0).setType(op.getType());
    // The name means the fp32 rows, which are no more.
    quantized->removeAttr(moe::MoeDialect::kNamesName);
    rewriter.replaceOp(op, quantized);
    rewriter.eraseOp(glu);
    ++fused;
    return success();
  }

  Materialize materialize;
  Statistic &fused;
};

class MoeFuseRequantize : public impl::MoeFuseRequantizeBase<MoeFuseRequantize> {
public:
  using Base::Base;
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<FuseRequantize>(&getContext(), materialize, fused);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
} // namespace sortie
