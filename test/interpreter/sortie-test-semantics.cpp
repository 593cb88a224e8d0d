// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// sortie-test-semantics: runs passes and says of each whether it kept what the functions mean.

#include "passes/Passes.h"
#include "test/interpreter/PassJudge.h"
#include "test/interpreter/WrongRewrites.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Support/FileUtilities.h"
#include "mlir/Support/ToolUtilities.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/ToolOutputFile.h"
#include "llvm/Support/WithColor.h"

using namespace mlir;
using namespace sortie;
using namespace sortie::interpreter;

namespace cl = llvm::cl;

static cl::opt<std::string> input(cl::Positional, cl::desc("<module>"), cl::init("-"));
static cl::opt<std::string>
    each("each", cl::ValueOptional,
         cl::desc("Judge the passes of --sortie-compile up to the lowering, with these options"));
static cl::opt<bool> splitInput("split-input-file",
                                cl::desc("The input has several modules, between '// -----'"));
static cl::list<int64_t> tokens("tokens", cl::CommaSeparated,
                                cl::desc("Numbers of tokens (default: 5,1,0)"));
static cl::opt<uint64_t> seed("seed", cl::desc("Seed of inputs and weights"), cl::init(1));
static cl::opt<double> tolerance("tolerance", cl::desc("How far numbers may be apart, relatively"),
                                 cl::init(1e-9));

/// What the command line asks for.
struct Request {
  JudgeOptions options;
  const PassPipelineCLParser &passes;
};

static LogicalResult fail(const Twine &message) {
  llvm::WithColor::error(llvm::errs(), "sortie-test-semantics") << message << "\n";
  return failure();
}

static LogicalResult addPasses(PassManager &manager, const PassPipelineCLParser &passes) {
  if (passes.hasAnyOccurrences() == (each.getNumOccurrences() > 0))
    return fail("give the passes to judge: either their flags, as for sortie-opt, or --each");
  if (passes.hasAnyOccurrences())
    return passes.addToPipeline(manager, fail);
  CompileOptions options;
  if (failed(options.parseFromString(each)))
    return failure();
  buildMoePipeline(manager, options);
  return success();
}

/// Makes every tensor that nobody reads a result of its function, so that it is compared, and no
/// rewrite removes it.
static void returnUnusedValues(func::FuncOp function) {
  if (function.isExternal() || !llvm::hasSingleElement(function.getBody()))
    return;
  Block &body = function.getBody().front();
  SmallVector<Value> unused;
  for (Operation &op : body.without_terminator())
    if (!isa<moe::WeightOp>(op))
      llvm::append_range(unused, llvm::make_filter_range(op.getResults(), [](Value value) {
                           return value.use_empty() && isa<RankedTensorType>(value.getType());
                         }));
  Operation *terminator = body.getTerminator();
  for (const Value value : unused) {
    if (failed(function.insertResult(function.getNumResults(), value.getType(), {})))
      return;
    terminator->insertOperands(terminator->getNumOperands(), value);
  }
}

static LogicalResult judgeModule(ModuleOp module, const Request &request) {
  module.walk(returnUnusedValues);
  PassManager manager(module.getContext(), ModuleOp::getOperationName(),
                      PassManager::Nesting::Implicit);
  if (failed(addPasses(manager, request.passes)))
    return failure();
  Verdict verdict;
  manager.addInstrumentation(std::make_unique<PassJudge>(request.options, verdict, llvm::outs()));
  return success(succeeded(manager.run(module)) && verdict.isGood);
}

static LogicalResult judgeText(std::unique_ptr<llvm::MemoryBuffer> text, const Request &request) {
  DialectRegistry registry;
  registry.insert<lm::LmDialect, moe::MoeDialect, moert::MoertDialect, func::FuncDialect,
                  arith::ArithDialect, tensor::TensorDialect>();
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  auto sources = std::make_shared<llvm::SourceMgr>();
  sources->AddNewSourceBuffer(std::move(text), llvm::SMLoc());
  const SourceMgrDiagnosticHandler handler(*sources, &context);
  const OwningOpRef<ModuleOp> module = parseSourceFile<ModuleOp>(sources, &context);
  return module ? judgeModule(*module, request) : failure();
}

/// Judges the module of the input, or one after the other.
static LogicalResult run(const PassPipelineCLParser &passes) {
  std::string message;
  std::unique_ptr<llvm::MemoryBuffer> text = openInputFile(input, &message);
  if (!text)
    return fail(message);
  std::vector<int64_t> counts(tokens.begin(), tokens.end());
  if (counts.empty())
    counts = {5, 1, 0};
  const Request request{{counts, seed, tolerance}, passes};
  const auto judge = [&](std::unique_ptr<llvm::MemoryBuffer> module, raw_ostream &) {
    return judgeText(std::move(module), request);
  };
  return splitAndProcessBuffer(std::move(text), judge, llvm::outs(),
                               splitInput ? kDefaultSplitMarker : "");
}

int main(int argc, char **argv) {
  const llvm::InitLLVM init(argc, argv);
  llvm::errs().tie(&llvm::outs()); // Errors come in the order of the passes.
  registerCanonicalizerPass();
  registerCSEPass();
  registerSymbolDCEPass();
  registerSortiePasses();
  registerWrongRewrites();
  const PassPipelineCLParser passes("", "Passes to judge");
  cl::ParseCommandLineOptions(argc, argv,
                              "Judges passes on the dialects `lm` and `moe` by meaning: interprets "
                              "each function in float64 "
                              "before and after each pass\n\n  sortie-test-semantics layer.mlir "
                              "--moe-fuse-glu --moe-sink-unsort\n"
                              "  sortie-test-semantics layer.mlir --each=\"materialize=all\"\n");
  return succeeded(run(passes)) ? EXIT_SUCCESS : EXIT_FAILURE;
}
