// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// sortie-opt: MLIR's optimizer driver with Sortie's dialects and passes. Two things differ from
// mlir-opt: output files appear whole or not at all, and bytecode of a compiled program is sealed.

#include "dialect/moe/MoeDialect.h"
#include "dialect/moert/MoertDialect.h"
#include "dialect/moert/Seal.h"
#include "passes/Passes.h"
#include "tools/common/OutputFile.h"

#include "mlir/Bytecode/BytecodeWriter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/Parser/Parser.h"
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
  registry.insert<moe::MoeDialect, moert::MoertDialect, func::FuncDialect, arith::ArithDialect,
                  tensor::TensorDialect>();
  return registry;
}

/// Seals `bytecode` if it is a compiled program. It is read and written again with the producer
/// string that a seal needs: the driver has no way to ask for one, and a longer string put in
/// afterwards would break the alignment of everything behind it.
static LogicalResult sealProgram(std::string &bytecode, const DialectRegistry &registry,
                                 const MlirOptMainConfig &config) {
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  FallbackAsmResourceMap resources;
  const ParserConfig parserConfig(&context, /*verifyAfterParse=*/false, &resources);
  context.allowUnregisteredDialects(config.shouldAllowUnregisteredDialects());
  OwningOpRef<Operation *> root = parseSourceString(bytecode, parserConfig);
  if (!root)
    return failure();
  if (!(*root)->hasAttr(moert::MoertDialect::kProgramName))
    return success();
  BytecodeWriterConfig writerConfig(resources, moert::kUnsealedProducer);
  if (std::optional<int64_t> version = config.bytecodeVersionToEmit())
    writerConfig.setDesiredBytecodeVersion(*version);
  std::string sealed;
  llvm::raw_string_ostream os(sealed);
  if (failed(writeBytecodeToFile(*root, os, writerConfig)))
    return failure();
  if (llvm::Error error = moert::sealBytecode(sealed))
    return emitError(root->getLoc()) << "cannot seal the program: " << toString(std::move(error));
  bytecode = std::move(sealed);
  return success();
}

/// Optimizes the input into memory, then writes the output.
static LogicalResult run(StringRef inputPath, StringRef outputPath, DialectRegistry &registry,
                         const MlirOptMainConfig &config) {
  std::string message;
  std::unique_ptr<llvm::MemoryBuffer> input = openInputFile(inputPath, &message);
  if (!input) {
    llvm::WithColor::error(llvm::errs(), "sortie-opt") << message << "\n";
    return failure();
  }
  std::string output;
  llvm::raw_string_ostream os(output);
  if (failed(MlirOptMain(os, std::move(input), registry, config)))
    return failure();
  if (moert::isBytecode(output) && config.inputSplitMarker().empty() &&
      failed(sealProgram(output, registry, config)))
    return failure();
  if (llvm::Error error = writeOutputFile(outputPath, output)) {
    llvm::WithColor::error(llvm::errs(), "sortie-opt") << toString(std::move(error)) << "\n";
    return failure();
  }
  return success();
}

/// Leaves what LLVM's libraries registered (hundreds of options of its code generators) to
/// --help-hidden. To be called before any option of ours is registered.
static void hideOptionsOfLlvm() {
  for (auto &[name, option] : llvm::cl::getRegisteredOptions())
    if (!llvm::is_contained({"help", "help-hidden", "version"}, name))
      option->setHiddenFlag(llvm::cl::Hidden);
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  hideOptionsOfLlvm();
  DialectRegistry registry = makeRegistry();
  // Of MLIR's own passes, those that a model can pass through on its way.
  registerCanonicalizerPass();
  registerCSEPass();
  registerPrintIRPass();
  registerSortiePasses();
  const auto [input, output] = registerAndParseCLIOptions(
      argc, argv,
      "Sortie's compiler: optimizes Mixture-of-Experts layers and compiles them to programs\n\n"
      "  sortie-opt model.mlir --sortie-compile=\"target=cpu\" --emit-bytecode -o model.mlirbc\n"
      "  sortie-opt model.mlir --sortie-compile=\"target=cuda chip=sm_80,sm_90a\" ...\n"
      "  sortie-opt model.mlirbc      (prints a compiled program as text)\n",
      registry);
  const MlirOptMainConfig config = MlirOptMainConfig::createFromCLOptions();
  if (config.shouldShowDialects() || config.shouldListPasses())
    return asMainReturnCode(MlirOptMain(argc, argv, input, output, registry));
  return asMainReturnCode(run(input, output, registry, config));
}
