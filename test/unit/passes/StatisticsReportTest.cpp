// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Whose statistics are reported: those of the project's class, whatever their pass is called.

#include "passes/StatisticsReport.h"
#include "passes/Statistic.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassManager.h"

#include "gtest/gtest.h"

using namespace mlir;

namespace {

/// A pass that is called like those of Passes.td and counts by MLIR's class and by ours.
class MixedPass : public PassWrapper<MixedPass, OperationPass<ModuleOp>> {
public:
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(MixedPass)

  MixedPass() = default;
  MixedPass(const MixedPass &other) : PassWrapper(other) {}
  StringRef getArgument() const final { return "moe-mixed"; }
  void runOnOperation() final {
    ++theirs;
    ours += 3;
  }

private:
  Pass::Statistic theirs{this, "theirs", "Counted by MLIR's class"};
  sortie::Statistic ours{this, "ours", "Counted by ours"};
};

/// As one of a plugin's may be: of no class that the project knows.
class ForeignPass : public PassWrapper<ForeignPass, OperationPass<ModuleOp>> {
public:
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(ForeignPass)

  ForeignPass() = default;
  ForeignPass(const ForeignPass &other) : PassWrapper(other) {}
  StringRef getArgument() const final { return "moert-foreign"; }
  void runOnOperation() final { ++theirs; }

private:
  Pass::Statistic theirs{this, "theirs", "Counted by MLIR's class"};
};

} // namespace

TEST(StatisticsReport, readsWhatTheProjectsClassCounts) {
  MLIRContext context;
  const OwningOpRef<ModuleOp> module = ModuleOp::create(UnknownLoc::get(&context));
  sortie::StatisticsReport report;
  PassManager manager(&context);
  report.attach(manager);
  manager.addPass(std::make_unique<ForeignPass>());
  manager.addPass(std::make_unique<MixedPass>());
  manager.addPass(std::make_unique<MixedPass>());
  ASSERT_TRUE(succeeded(manager.run(*module)));
  std::string text;
  llvm::raw_string_ostream os(text);
  report.print(os);
  EXPECT_EQ(text, "Pass statistics report\nmoe-mixed\n         6 ours - Counted by ours\n");
}
