// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// sortie-translate: from model files to MLIR.

#include "HashWeights.h"
#include "ImportGguf.h"

#include "dialect/lm/LmOps.h"
#include "dialect/moe/MoeOps.h"
#include "runtime/support/Error.h"
#include "tools/common/FileClaims.h"
#include "tools/common/OutputFile.h"
#include "tools/common/Version.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/WithColor.h"

using namespace sortie;
namespace cl = llvm::cl;
using llvm::Error;
using llvm::Expected;

static cl::OptionCategory category("sortie-translate options");
static cl::opt<bool> importGgufFlag("import-gguf", cl::Required, cl::cat(category),
                                    cl::desc("Import a GGUF model into the dialects lm and moe"));
static cl::opt<std::string> inputPath(cl::Positional, cl::Required, cl::cat(category),
                                      cl::desc("<model.gguf>"));
static cl::opt<std::string> outputPath("o", cl::init("-"), cl::cat(category),
                                       cl::value_desc("model.mlir"),
                                       cl::desc("File to write; standard output by default"));
static cl::opt<model::Scope>
    what("what", cl::cat(category), cl::init(model::Scope::WholeModel), cl::desc("What to import:"),
         cl::values(clEnumValN(model::Scope::WholeModel, "model",
                               "the whole model, from tokens to logits (default)"),
                    clEnumValN(model::Scope::FeedForwardHalves, "ffn",
                               "the feed-forward halves of layers alone")));
static cl::opt<std::string> layersText("layers", cl::cat(category), cl::value_desc("a-b"),
                                       cl::desc("Layers whose feed-forward halves to import, "
                                                "from 0, both ends included; nothing else is "
                                                "imported then"));
static cl::opt<int64_t>
    contextLength("context", cl::cat(category), cl::value_desc("n"),
                  cl::desc("Positions of the longest sequence of a whole model; "
                           "what the file says by default"));

static cl::opt<bool>
    hashWeights("hash-weights", cl::cat(category),
                cl::desc("Record a hash of each tensor that the module names, so that sortie-run "
                         "--verify-weights can tell whether a file has changed by a bit. Reads "
                         "these tensors whole"));

static cl::opt<Determinism> contract(
    "contract", cl::cat(category), cl::init(kFullDeterminism),
    cl::desc("What has to change no bit; with less of it, faster arithmetic is allowed:"),
    cl::values(clEnumValN(kFullDeterminism, "run,batch,device", "run, batch and GPU (default)"),
               clEnumValN(Determinism::Run | Determinism::Batch, "run,batch",
                          "run and batch, on one GPU architecture"),
               clEnumValN(Determinism::Run, "run", "the run alone")));

// Where the module is not to be what the file says. The module records each of these.
static cl::opt<std::string>
    ignoredTensors("ignore-tensors", cl::cat(category), cl::value_desc("regex"),
                   cl::desc("Leave out the tensors of the layers whose whole names match, such as "
                            "'blk\\..*\\.ffn_gate_exps\\.bias'; recorded in the module"));
static cl::opt<std::string>
    ignoredKeys("ignore-keys", cl::cat(category), cl::value_desc("regex"),
                cl::desc("Leave out the metadata keys whose whole names match; recorded in the "
                         "module"));
static cl::opt<numerics::Scoring>
    gating("gating", cl::cat(category),
           cl::desc("What the router's scores are, for files that do not say "
                    "(expert_gating_func); recorded in the module:"),
           cl::values(clEnumValN(numerics::Scoring::Softmax, "softmax", "softmax over all experts"),
                      clEnumValN(numerics::Scoring::Sigmoid, "sigmoid", "sigmoid of each")));
static cl::opt<int64_t> expertsUsed(
    "experts-used", cl::cat(category), cl::value_desc("n"),
    cl::desc("Experts a token, whatever the file says; recorded in the module, unless the "
             "file says the same"));

static constexpr char kOverview[] =
    R"(sortie-translate: imports models into Sortie's dialects

Reads the metadata and the tensor table of a GGUF model and writes the model as it is defined: the
function 'forward', from tokens to logits with a cache for each layer, and one function for each
layer's feed-forward half (norm, router, experts, combine, residual), which are all there is with
--what=ffn. No weights are copied; the module names them, and the program that is compiled from it
reads them from the model's own file. What it does not understand of a model is an error, never left
out in silence; docs/import.md says what is read. For a split model, name its first part (-00001-of-0000N.gguf). The
output may be '-', the standard output, and none of the model's files.

Example:
  sortie-translate --import-gguf model.gguf -o model.mlir
  sortie-opt model.mlir --sortie-compile="target=cpu" --emit-bytecode -o model.mlirbc
)";

/// Finds out, before anything is read, whether the output is one of the model's files.
static Error claimFiles() {
  if (inputPath == "-")
    return makeError("a model is mapped into memory and cannot be read from the standard input; "
                     "give the name of its file");
  FileClaims claims;
  if (Error error = claims.claimOutput(outputPath, "-o"))
    return error;
  for (const std::string &file : gguf::modelFiles(inputPath))
    if (Error error = claims.claimInput(file, "the model"))
      return error;
  return Error::success();
}

/// Some layers are no whole model.
static Expected<ImportOptions> chooseScope(ImportOptions options) {
  options.what = what;
  if (options.layers && what.getNumOccurrences() && what == model::Scope::WholeModel)
    return makeError("--layers imports the feed-forward halves of some layers, and --what=model "
                     "all of a model; leave one of both out");
  if (options.layers)
    options.what = model::Scope::FeedForwardHalves;
  if (contextLength.getNumOccurrences())
    options.config.context = contextLength;
  if (options.config.context && options.what != model::Scope::WholeModel)
    return makeError("--context says how long the sequences of a whole model are; feed-forward "
                     "halves have none, so leave the option out");
  return options;
}

static Expected<ImportOptions> readOptions() {
  ImportOptions options;
  options.contract = contract;
  if (ignoredTensors.getNumOccurrences())
    options.ignoredTensors = ignoredTensors;
  if (ignoredKeys.getNumOccurrences())
    options.ignoredKeys = ignoredKeys;
  if (gating.getNumOccurrences())
    options.config.gating = gating;
  if (expertsUsed.getNumOccurrences())
    options.config.expertsUsed = expertsUsed;
  if (layersText.getNumOccurrences()) {
    Expected<LayerRange> range = parseLayerRange(layersText);
    if (!range)
      return range.takeError();
    options.layers = *range;
  }
  return chooseScope(std::move(options));
}

static Error translate() {
  if (Error error = claimFiles())
    return error;
  Expected<ImportOptions> options = readOptions();
  if (!options)
    return options.takeError();
  // The importer reads names, shapes and types alone, so files without data will do.
  Expected<std::unique_ptr<gguf::Model>> model = gguf::Model::open(
      inputPath, hashWeights ? gguf::DataPresence::Required : gguf::DataPresence::Optional);
  if (!model)
    return model.takeError();

  mlir::MLIRContext context;
  context.loadDialect<lm::LmDialect, moe::MoeDialect, mlir::func::FuncDialect>();
  Expected<ImportResult> result = importGguf(context, **model, *options);
  if (!result)
    return result.takeError();
  if (hashWeights)
    if (Error error = recordWeightHashes(*result->module, **model))
      return error;
  std::string text;
  llvm::raw_string_ostream stream(text);
  result->module->print(stream);
  stream << '\n';
  if (Error error = writeOutputFile(outputPath, text))
    return error;
  for (const std::string &remark : result->remarks)
    llvm::WithColor::remark(llvm::errs(), "sortie-translate") << remark << '\n';
  return Error::success();
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  cl::HideUnrelatedOptions(category);
  setVersionOf("sortie-translate");
  cl::ParseCommandLineOptions(argc, argv, kOverview);
  if (Error error = translate()) {
    llvm::WithColor::error(llvm::errs(), "sortie-translate") << toString(std::move(error)) << '\n';
    return 1;
  }
  return 0;
}
