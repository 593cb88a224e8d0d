// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// moe-choose-arithmetic: `exact`, `float` or `bf16` for every matmul that has no arithmetic yet.

#include "passes/Passes.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace sortie {
#define GEN_PASS_DEF_MOECHOOSEARITHMETIC
#include "passes/Passes.h.inc"

namespace {

/// True for matmuls with a group of rows for each expert: nearly all of a layer's work.
template <typename MatmulOp> bool isGrouped(MatmulOp op) { return op.getOffsets() != nullptr; }
bool isGrouped(moe::RoutedMatmulOp) { return true; }
bool isGrouped(moe::MatmulOp) { return false; }
bool isGrouped(lm::HeadMatmulOp) { return false; }

/// Whether the result chooses experts. A router is little work, and roundings would show as another
/// choice.
bool isRouter(Operation *op) {
  return llvm::any_of(op->getUsers(), [](Operation *user) { return isa<moe::RouteOp>(user); });
}

template <typename MatmulOp> SmallVector<RankedTensorType> weightTypes(MatmulOp op) {
  return {op.getWeights().getType()};
}
SmallVector<RankedTensorType> weightTypes(moe::GroupedGluOp op) {
  return {op.getGate().getType(), op.getUp().getType()};
}

class MoeChooseArithmetic : public impl::MoeChooseArithmeticBase<MoeChooseArithmetic> {
public:
  using MoeChooseArithmeticBase::MoeChooseArithmeticBase;

  void runOnOperation() override {
    slowExperts = 0;
    firstSlowExpert = nullptr;
    WalkResult result = getOperation().walk([&](Operation *op) -> WalkResult {
      return llvm::TypeSwitch<Operation *, LogicalResult>(op)
          .Case<moe::MatmulOp, moe::RoutedMatmulOp, moe::GroupedMatmulOp, moe::GroupedGluOp,
                lm::HeadMatmulOp>([&](auto matmul) { return choose(matmul); })
          .Default(success());
    });
    if (result.wasInterrupted())
      return signalPassFailure();
    remarkSlowExperts();
  }

private:
  template <typename MatmulOp> FailureOr<Arithmetic> chooseUnquantized(MatmulOp op);
  template <typename MatmulOp> LogicalResult choose(MatmulOp op);
  void remarkSlowExperts();

  /// Expert matmuls in `float` arithmetic, and the first of them.
  unsigned slowExperts = 0;
  Operation *firstSlowExpert = nullptr;
};

/// Refused here, so that the promise is not broken even until the next moe-verify-contract.
template <typename MatmulOp>
FailureOr<Arithmetic> MoeChooseArithmetic::chooseUnquantized(MatmulOp op) {
  if (isRouter(op))
    return Arithmetic::Float;
  const Determinism promised = moe::getPromisedContract(getOperation());
  if (satisfies(getContractOfArithmetic(unquantized.getValue()), promised))
    return unquantized.getValue();
  return op.emitOpError("cannot have the arithmetic of unquantized=")
         << stringifyArithmetic(unquantized) << ", which does not keep the module's contract {"
         << stringifyDeterminism(promised) << "}; promise less in moe.contract";
}

template <typename MatmulOp> LogicalResult MoeChooseArithmetic::choose(MatmulOp op) {
  const SmallVector<RankedTensorType> types = weightTypes(op);
  const bool isBlock = isa<moe::BlockType>(types.front().getElementType());
  for (RankedTensorType type : types)
    if (isa<moe::BlockType>(type.getElementType()) != isBlock)
      return op.emitOpError(
          "has weights in blocks beside unquantized ones: no arithmetic suits both");
  if (!op.getArithmetic()) {
    const FailureOr<Arithmetic> chosen = isBlock ? Arithmetic::Exact : chooseUnquantized(op);
    if (failed(chosen))
      return failure();
    op.setArithmeticAttr(moe::ArithmeticAttr::get(op.getContext(), *chosen));
  }
  exact += op.getArithmetic() == Arithmetic::Exact;
  bf16 += op.getArithmetic() == Arithmetic::Bf16;
  if (op.getArithmetic() == Arithmetic::Float) {
    ++floating;
    if (isGrouped(op) && slowExperts++ == 0)
      firstSlowExpert = op;
  }
  return success();
}

/// One remark for the module: a model has the same format in all of its layers.
void MoeChooseArithmetic::remarkSlowExperts() {
  if (slowExperts == 0)
    return;
  firstSlowExpert->emitRemark()
      << "this and " << slowExperts - 1 << " more expert matmuls have unquantized weights and use "
      << "`float` arithmetic, which keeps the whole contract and is slow; a model with "
      << "block-quantized experts (q8_0, say) gets `exact`, which keeps it as well and is faster, "
      << "and unquantized=bf16 uses tensor cores where moe.contract does not promise `device`";
}

} // namespace
} // namespace sortie
