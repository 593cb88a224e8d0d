// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/interpreter/WrongRewrites.h"
#include "dialect/lm/LmOps.h"
#include "dialect/moe/MoeOps.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace sortie;

namespace {

/// Rewrites one op so that it means something else; does nothing to ops of other kinds.
using WrongRewrite = void (*)(Operation *);

void dropBias(Operation *op) {
  llvm::TypeSwitch<Operation *>(op)
      .Case<moe::MatmulOp, moe::RoutedMatmulOp, moe::GroupedMatmulOp, moe::RouteOp>(
          [](auto biased) { biased.getBiasMutable().clear(); });
}

void dropExpertScale(Operation *op) {
  llvm::TypeSwitch<Operation *>(op)
      .Case<moe::RoutedMatmulOp, moe::GroupedMatmulOp>(
          [](auto matmul) { matmul.getExpertScaleMutable().clear(); })
      .Case([](moe::GroupedGluOp glu) { glu.getUpScaleMutable().clear(); });
}

void swapGateAndUp(Operation *op) {
  llvm::TypeSwitch<Operation *>(op)
      .Case([](moe::GluOp glu) { glu->setOperands({glu.getUp(), glu.getGate()}); })
      .Case([](moe::GroupedGluOp glu) {
        const Value gate = glu.getGate();
        glu.getGateMutable().assign(glu.getUp());
        glu.getUpMutable().assign(gate);
      });
}

void dropRoutingWeight(Operation *op) {
  llvm::TypeSwitch<Operation *>(op)
      .Case([](moe::CombineOp combine) { combine.getWeightsMutable().clear(); })
      .Case([](moe::GroupedMatmulOp matmul) {
        matmul.getScaleMutable().clear();
        if (!matmul.getSlots())
          matmul.getPermutationMutable().clear();
      });
}

void dropNormalization(Operation *op) {
  if (auto route = dyn_cast<moe::RouteOp>(op))
    route.setNormalize(false);
}

void dropGroups(Operation *op) {
  auto route = dyn_cast<moe::RouteOp>(op);
  if (!route)
    return;
  route.removeGroupsAttr();
  route.removeGroupsUsedAttr();
  route.setGroupScore(GroupScore::BestTwo); // The other one needs groups.
}

void chooseByOtherGroupScore(Operation *op) {
  if (auto route = dyn_cast<moe::RouteOp>(op); route && route.getGroups())
    route.setGroupScore(route.getGroupScore() == GroupScore::Best ? GroupScore::BestTwo
                                                                  : GroupScore::Best);
}

/// A gather reads as if tokens had twice as many slots.
void doubleSlots(Operation *op) {
  if (auto gather = dyn_cast<moe::GatherOp>(op))
    gather.setSlots(gather.getSlots() * 2);
}

void renameWeight(Operation *op) {
  if (auto weight = dyn_cast<moe::WeightOp>(op))
    weight.setSourceAttr(StringAttr::get(op->getContext(), "another"));
}

/// The name of a value goes to the value that it is made of.
void moveName(Operation *op) {
  const StringRef names = moe::MoeDialect::kNamesName;
  Operation *source = op->getNumOperands() ? op->getOperand(0).getDefiningOp() : nullptr;
  if (!source || !op->hasAttr(names) || source->hasAttr(names) ||
      source->getNumResults() != op->getNumResults())
    return;
  source->setAttr(names, op->getAttr(names));
  op->removeAttr(names);
}

void dropSinks(Operation *op) {
  if (auto attend = dyn_cast<lm::AttendOp>(op))
    attend.getSinksMutable().clear();
}

void dropWindow(Operation *op) {
  if (auto attend = dyn_cast<lm::AttendOp>(op))
    attend.setWindow(0);
}

/// The attention sees the cache as it was before something was appended.
void attendTooEarly(Operation *op) {
  auto attend = dyn_cast<lm::AttendOp>(op);
  if (!attend)
    return;
  if (auto append = attend.getCache().getDefiningOp<lm::AppendOp>())
    attend.getCacheMutable().assign(append.getCache());
}

void swapPairs(Operation *op) {
  if (auto rotate = dyn_cast<lm::RotateOp>(op))
    rotate.setPairs(rotate.getPairs() == PairOrder::Halves ? PairOrder::Neighbours
                                                           : PairOrder::Halves);
}

/// Keys become values, where both have one size.
void swapKeysAndValues(Operation *op) {
  auto append = dyn_cast<lm::AppendOp>(op);
  if (!append || append.getKeys().getType() != append.getValues().getType())
    return;
  const Value keys = append.getKeys();
  append.getKeysMutable().assign(append.getValues());
  append.getValuesMutable().assign(keys);
}

/// What has been appended does not stay for the next run.
void keepEarlierCache(Operation *op) {
  auto write = dyn_cast<lm::WriteCacheOp>(op);
  if (!write)
    return;
  if (auto append = write.getValue().getDefiningOp<lm::AppendOp>())
    write.getValueMutable().assign(append.getCache());
}

void forgetCache(Operation *op) {
  if (isa<lm::WriteCacheOp>(op))
    op->erase();
}

void removeFunction(Operation *op) {
  if (isa<func::FuncOp>(op))
    op->erase();
}

WrongRewrite findRewrite(StringRef name) {
  return llvm::StringSwitch<WrongRewrite>(name)
      .Case("drop-bias", dropBias)
      .Case("drop-expert-scale", dropExpertScale)
      .Case("swap-gate-and-up", swapGateAndUp)
      .Case("drop-routing-weight", dropRoutingWeight)
      .Case("drop-normalization", dropNormalization)
      .Case("drop-groups", dropGroups)
      .Case("other-group-score", chooseByOtherGroupScore)
      .Case("double-slots", doubleSlots)
      .Case("rename-weight", renameWeight)
      .Case("move-name", moveName)
      .Case("drop-sinks", dropSinks)
      .Case("drop-window", dropWindow)
      .Case("attend-too-early", attendTooEarly)
      .Case("swap-pairs", swapPairs)
      .Case("swap-keys-and-values", swapKeysAndValues)
      .Case("keep-earlier-cache", keepEarlierCache)
      .Case("forget-cache", forgetCache)
      .Case("remove-function", removeFunction)
      .Default(nullptr);
}

class TestWrongRewrite : public PassWrapper<TestWrongRewrite, OperationPass<ModuleOp>> {
public:
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(TestWrongRewrite)

  TestWrongRewrite() = default;
  TestWrongRewrite(const TestWrongRewrite &other) : PassWrapper(other) {}

  StringRef getArgument() const final { return "test-wrong-rewrite"; }
  StringRef getDescription() const final {
    return "Changes what functions mean, which is to be found";
  }

  void runOnOperation() override {
    const WrongRewrite rewrite = findRewrite(which);
    if (!rewrite) {
      emitError(getOperation().getLoc()) << "test-wrong-rewrite: there is no '" << which << "'";
      return signalPassFailure();
    }
    getOperation().walk(rewrite);
  }

  Option<std::string> which{*this, "of", llvm::cl::desc("What is rewritten")};
};

} // namespace

void sortie::interpreter::registerWrongRewrites() { PassRegistration<TestWrongRewrite>(); }
