// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// sortie-opt: MLIR's optimizer driver with Sortie's dialects and passes. It differs from mlir-opt
// where a file is read (data files, text that is nested too deeply and damaged bytecode are
// errors), where one is written (whole or not at all, never over an input, bytecode under a seal
// and without locations), and in the report of statistics, which works in every build of LLVM.

#include "dialect/common/Nesting.h"
#include "dialect/moe/MoeDialect.h"
#include "dialect/moert/MoertDialect.h"
#include "dialect/moert/Seal.h"
#include "passes/Passes.h"
#include "passes/StatisticsReport.h"
#include "runtime/program/ForeignFile.h"
#include "tools/common/OutputFile.h"
#include "tools/common/Version.h"
#include "tools/sortie-opt/OptionFiles.h"
#include "tools/sortie-opt/SealedBytecode.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/Extensions/InlinerExtension.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Support/FileUtilities.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/WithColor.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace sortie;

static DialectRegistry makeRegistry() {
  DialectRegistry registry;
  registry.insert<lm::LmDialect, moe::MoeDialect, moert::MoertDialect, func::FuncDialect,
                  arith::ArithDialect, tensor::TensorDialect>();
  func::registerInlinerExtension(registry);
  return registry;
}

/// Options beside those of MLIR's driver.
struct ToolOptions {
  llvm::cl::opt<bool> allowUnsealed{
      "allow-unsealed",
      llvm::cl::desc("Read bytecode of a program whose seal is damaged or missing"),
      llvm::cl::init(false)};
  llvm::cl::opt<bool> keepLocations{
      "keep-locations",
      llvm::cl::desc("Keep the paths and lines of the source in a program's bytecode; it is no "
                     "longer the same in another folder"),
      llvm::cl::init(false)};
};

static LogicalResult fail(const Twine &message) {
  llvm::WithColor::error(llvm::errs(), "sortie-opt") << message << "\n";
  return failure();
}

/// Checks what MLIR's driver takes for granted: MLIR, text that the stack can hold, and one module
/// in bytecode, which is read or written.
static LogicalResult checkForm(const llvm::MemoryBuffer &input, const MlirOptMainConfig &config) {
  const bool isSplit = !config.inputSplitMarker().empty();
  const StringRef name = input.getBufferIdentifier();
  if (config.shouldEmitBytecode() && isSplit)
    return fail("--emit-bytecode writes one module and --split-input-file makes several; give the "
                "parts as files of their own, or leave --emit-bytecode out");
  if (const StringRef kind = describeDataFile(input.getBuffer()); !kind.empty())
    return fail(name + ": is no graph or program: it " + kind);
  if (moert::isBytecode(input.getBuffer()))
    return isSplit ? fail(name + ": is bytecode, which cannot be split; leave --split-input-file "
                                 "out")
                   : success();
  if (llvm::Error error = checkNesting(input.getBuffer(), config.inputSplitMarker()))
    return fail(name + ": " + toString(std::move(error)));
  return success();
}

/// Optimizes the input into memory, then writes the output.
static LogicalResult run(StringRef inputPath, StringRef outputPath, DialectRegistry &registry,
                         const MlirOptMainConfig &config, const ToolOptions &tool) {
  if (llvm::Error error = checkOptionFiles(inputPath, outputPath, config))
    return fail(toString(std::move(error)));
  std::string message;
  std::unique_ptr<llvm::MemoryBuffer> input = openInputFile(inputPath, &message);
  if (!input)
    return fail(message);
  if (failed(checkForm(*input, config)))
    return failure();
  const BytecodeOptions options{registry, config.shouldAllowUnregisteredDialects(),
                                config.bytecodeVersionToEmit(), tool.keepLocations};
  // MLIR's driver would read it without.
  if (!tool.allowUnsealed)
    if (llvm::Error error = checkInputSeal(input->getBuffer(), options))
      return fail(input->getBufferIdentifier() + ": " + toString(std::move(error)));
  std::string output;
  llvm::raw_string_ostream os(output);
  if (failed(MlirOptMain(os, std::move(input), registry, config)))
    return failure();
  if (moert::isBytecode(output) && config.inputSplitMarker().empty())
    if (llvm::Error error = sealOutput(output, options))
      return fail(toString(std::move(error)));
  if (llvm::Error error = writeOutputFile(outputPath, output))
    return fail(toString(std::move(error)));
  return success();
}

/// Leaves what LLVM's libraries registered (hundreds of options of its code generators) to
/// --help-hidden. It is called before any option of ours is registered.
static void hideOptionsOfLlvm() {
  for (auto &[name, option] : llvm::cl::getRegisteredOptions())
    if (!llvm::is_contained({"help", "help-hidden", "version"}, name))
      option->setHiddenFlag(llvm::cl::Hidden);
}

/// Withdraws the choice between the two forms of MLIR's report of statistics, for ours has one.
/// It is called before the command line is parsed.
static void withdrawStatisticsDisplay() {
  registerPassManagerCLOptions();
  if (llvm::cl::Option *option =
          llvm::cl::getRegisteredOptions().lookup("mlir-pass-statistics-display"))
    option->removeArgument();
}

/// Takes over the driver's option of this name, whose own report is empty in LLVM as distributions
/// build it. It is called when the command line has been parsed.
static bool takePassStatistics() {
  auto *option = static_cast<llvm::cl::opt<bool> *>(
      llvm::cl::getRegisteredOptions().lookup("mlir-pass-statistics"));
  const bool isGiven = option && *option;
  if (isGiven)
    option->setValue(false);
  return isGiven;
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  hideOptionsOfLlvm();
  setVersionOf("sortie-opt");
  withdrawStatisticsDisplay();
  const ToolOptions tool;
  DialectRegistry registry = makeRegistry();
  // Those of MLIR's own passes that a model can pass through on its way.
  registerCanonicalizerPass();
  registerCSEPass();
  registerPrintIRPass();
  registerInlinerPass();
  registerSymbolDCEPass();
  registerStripDebugInfoPass();
  registerSortiePasses();
  const auto [input, output] = registerAndParseCLIOptions(
      argc, argv,
      "Sortie's compiler: optimizes Mixture-of-Experts layers and compiles them to programs\n\n"
      "  sortie-opt model.mlir --sortie-compile=\"target=cpu\" --emit-bytecode -o model.mlirbc\n"
      "  sortie-opt model.mlir --sortie-compile=\"target=cuda chip=sm_80,sm_90a\" ...\n"
      "  sortie-opt model.mlirbc      (prints a compiled program as text)\n\n"
      "'-' is the standard input or output. The output may not be the input.\n",
      registry);
  MlirOptMainConfig config = MlirOptMainConfig::createFromCLOptions();
  if (config.shouldShowDialects() || config.shouldListPasses())
    return asMainReturnCode(MlirOptMain(argc, argv, input, output, registry));
  StatisticsReport statistics;
  const bool wantsStatistics = takePassStatistics();
  if (wantsStatistics)
    config.setPassPipelineSetupFn([parsed = config, &statistics](PassManager &manager) {
      statistics.attach(manager);
      return parsed.setupPassPipeline(manager);
    });
  const LogicalResult result = run(input, output, registry, config, tool);
  if (wantsStatistics)
    statistics.print(llvm::errs());
  return asMainReturnCode(result);
}
