// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// moe-fuse-glu: gate matmul, up matmul and gated activation become one op.

#include "passes/Names.h"

#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;

namespace sortie {
#define GEN_PASS_DEF_MOEFUSEGLU
#include "passes/Passes.h.inc"

namespace {

bool isBlockWeight(moe::GroupedMatmulOp op) {
  return isa<moe::BlockType>(op.getWeights().getType().getElementType());
}

/// Why two matmuls cannot be one op, or "".
StringRef findMismatch(moe::GroupedMatmulOp gate, moe::GroupedMatmulOp up) {
  if (gate.getInput() != up.getInput() || gate.getOffsets() != up.getOffsets() ||
      gate.getPermutation() != up.getPermutation() || gate.getSlots() != up.getSlots())
    return "gate and up read different rows";
  if (gate.getScale() || up.getScale())
    return "rows are scaled before the activation";
  if (gate.getArithmetic() != up.getArithmetic() || isBlockWeight(gate) != isBlockWeight(up))
    return "gate and up have different arithmetic";
  return "";
}

struct FuseGlu : OpRewritePattern<moe::GluOp> {
  FuseGlu(MLIRContext *context, Materialize materialize, Statistic &fused)
      : OpRewritePattern(context), materialize(materialize), fused(fused) {}

  LogicalResult matchAndRewrite(moe::GluOp op, PatternRewriter &rewriter) const override {
    auto gate = op.getGate().getDefiningOp<moe::GroupedMatmulOp>();
    auto up = op.getUp().getDefiningOp<moe::GroupedMatmulOp>();
    if (!gate || !up || !gate->hasOneUse() || !up->hasOneUse())
      return rewriter.notifyMatchFailure(op, "operands are not matmuls of its own");
    if (mustStore(gate.getResult(), materialize) || mustStore(up.getResult(), materialize))
      return rewriter.notifyMatchFailure(op, "operands have names and shall be stored");
    if (StringRef mismatch = findMismatch(gate, up); !mismatch.empty())
      return rewriter.notifyMatchFailure(op, mismatch);
    auto glu = moe::GroupedGluOp::create(
        rewriter, op.getLoc(), op.getType(), gate.getInput(), gate.getWeights(), up.getWeights(),
        gate.getOffsets(), gate.getPermutation(), gate.getExpertScale(), up.getExpertScale(),
        gate.getBias(), up.getBias(), gate.getSlotsAttr(), op.getKindAttr(), op.getAlphaAttr(),
        op.getLimitAttr(), gate.getArithmeticAttr());
    copyNames(op, glu);
    rewriter.replaceOp(op, glu);
    ++fused;
    return success();
  }

  Materialize materialize;
  Statistic &fused;
};

class MoeFuseGlu : public impl::MoeFuseGluBase<MoeFuseGlu> {
public:
  using Base::Base;
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<FuseGlu>(&getContext(), materialize, fused);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
} // namespace sortie
