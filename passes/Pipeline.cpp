// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The pipeline `--sortie-compile`: public passes in one order.

#include "dialect/common/Widths.h"
#include "passes/Passes.h"

#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

namespace sortie {

/// Adds the passes that lead from what the model means to sorted rows and grouped matmuls.
static void buildDispatchLevel(OpPassManager &manager, const CompileOptions &options) {
  OpPassManager &functions = manager.nest<func::FuncOp>();
  functions.addPass(createMoeDispatchBySort());
  functions.addPass(createMoeSinkUnsort());
  functions.addPass(createMoeFuseGather());
  functions.addPass(createMoeFuseGlu({options.materialize}));
}

/// The arithmetic of every matmul, and the quantization that it needs.
static void buildArithmetic(OpPassManager &manager, const CompileOptions &options) {
  manager.addPass(createMoeChooseArithmetic({options.unquantized}));
  manager.addPass(createLmChooseWidths({toWord(options.activations), options.kv}));
  OpPassManager &functions = manager.nest<func::FuncOp>();
  functions.addPass(createMoeQuantizeActivations({options.activations}));
  functions.addPass(createMoeFuseRequantize({options.materialize}));
  functions.addPass(createMoeFuseRoutingWeight({options.materialize}));
}

static constexpr StringLiteral kCpuTarget = "cpu";
static constexpr StringLiteral kCudaTarget = "cuda";

static MoertSelectKernelsOptions selectOptions(const CompileOptions &options) {
  MoertSelectKernelsOptions select;
  select.chips.assign(options.chips.begin(), options.chips.end());
  select.cublas = options.cublas;
  select.warpgroups = options.warpgroups;
  select.joinLaunches = options.joinLaunches;
  return select;
}

static MoertCompileKernelsOptions compileOptions(const CompileOptions &options) {
  MoertCompileKernelsOptions compile;
  compile.printSchedule = options.printSchedule;
  return compile;
}

void buildMoePipeline(OpPassManager &manager, const CompileOptions &options) {
  manager.addPass(createMoeVerifyInput());
  manager.addPass(createMoeNameValues());
  manager.addPass(createMoeVerifyContract());
  buildDispatchLevel(manager, options);
  buildArithmetic(manager, options);
  manager.addPass(createCanonicalizerPass());
  manager.addPass(createCSEPass());
  // Whatever the passes above did, they did not break the promise.
  manager.addPass(createMoeVerifyContract());
}

void buildCompilePipeline(OpPassManager &manager, const CompileOptions &options) {
  buildMoePipeline(manager, options);
  manager.addPass(createMoeLowerToMoert({options.maxTokens}));
  const bool isCuda = options.target == kCudaTarget;
  if (isCuda)
    manager.addPass(createMoertSelectKernels(selectOptions(options)));
  manager.addNestedPass<moert::FuncOp>(createMoertPlanMemory());
  if (isCuda)
    manager.addPass(createMoertCompileKernels(compileOptions(options)));
}

/// What the options' parser cannot refuse by itself.
static LogicalResult checkOptions(const CompileOptions &options,
                                  function_ref<LogicalResult(const Twine &)> emitError) {
  if (options.target != kCpuTarget && options.target != kCudaTarget)
    return emitError("unknown target '" + options.target + "', expected cpu or cuda");
  if (options.target == kCpuTarget &&
      (!options.chips.empty() || options.printSchedule || options.cublas || options.warpgroups ||
       !options.joinLaunches))
    return emitError(
        "chip, print-schedule, cublas, warpgroups and join-launches belong to target=cuda");
  if (options.maxTokens < 1 || options.maxTokens > INT32_MAX)
    return emitError("max-tokens must be 1 to 2147483647, got " + Twine(options.maxTokens));
  return success();
}

void registerSortiePasses() {
  registerIndividualPasses();
  registerPassPipeline(
      "sortie-compile", "Compile a semantic `moe` module to a planned `moert` program",
      [](OpPassManager &manager, StringRef text,
         function_ref<LogicalResult(const Twine &)> emitError) -> LogicalResult {
        CompileOptions options;
        if (failed(options.parseFromString(text)) || failed(checkOptions(options, emitError)))
          return failure();
        buildCompilePipeline(manager, options);
        return success();
      },
      [](function_ref<void(const detail::PassOptions &)> visit) { visit(CompileOptions()); });
}

} // namespace sortie
