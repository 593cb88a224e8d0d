// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// sortie-translate: from model files to MLIR.

#include "ImportGguf.h"

#include "dialect/moe/MoeOps.h"
#include "tools/common/OutputFile.h"

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
                                    cl::desc("Import a GGUF model into the moe dialect"));
static cl::opt<std::string> inputPath(cl::Positional, cl::Required, cl::cat(category),
                                      cl::desc("<model.gguf>"));
static cl::opt<std::string> outputPath("o", cl::init("-"), cl::cat(category),
                                       cl::value_desc("model.mlir"),
                                       cl::desc("File to write; standard output by default"));
static cl::opt<std::string> layersText("layers", cl::cat(category), cl::value_desc("a-b"),
                                       cl::desc("Layers to import, from 0, both ends included; "
                                                "all by default"));

static cl::opt<Determinism> contract(
    "contract", cl::cat(category), cl::init(kFullDeterminism),
    cl::desc("What has to change no bit; with less of it, faster arithmetic is allowed:"),
    cl::values(clEnumValN(kFullDeterminism, "run,batch,device", "run, batch and GPU (default)"),
               clEnumValN(Determinism::Run | Determinism::Batch, "run,batch",
                          "run and batch, on one GPU architecture"),
               clEnumValN(Determinism::Run, "run", "the run alone")));

static constexpr char kOverview[] =
    R"(sortie-translate: imports models into Sortie's moe dialect

Reads the metadata and the tensor table of a GGUF model and writes one function for each layer: its
feed-forward half (norm, router, experts, combine, residual) as the model defines it. No weights are
copied; the module names them, and the program that is compiled from it reads them from the model's
own file. For a split model, name its first part (-00001-of-0000N.gguf).

Example:
  sortie-translate --import-gguf model.gguf --layers 0-3 -o model.mlir
  sortie-opt model.mlir --sortie-compile="target=cpu" --emit-bytecode -o model.mlirbc
)";

static Error translate() {
  std::optional<LayerRange> layers;
  if (layersText.getNumOccurrences()) {
    Expected<LayerRange> range = parseLayerRange(layersText);
    if (!range)
      return range.takeError();
    layers = *range;
  }
  // The importer reads names, shapes and types alone, so files without data will do.
  Expected<std::unique_ptr<gguf::Model>> model =
      gguf::Model::open(inputPath, gguf::DataPresence::Optional);
  if (!model)
    return model.takeError();

  mlir::MLIRContext context;
  context.loadDialect<moe::MoeDialect, mlir::func::FuncDialect>();
  Expected<mlir::OwningOpRef<mlir::ModuleOp>> module =
      importGguf(context, **model, layers, contract);
  if (!module)
    return module.takeError();
  std::string text;
  llvm::raw_string_ostream stream(text);
  (*module)->print(stream);
  stream << '\n';
  return writeOutputFile(outputPath, text);
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  cl::HideUnrelatedOptions(category);
  cl::ParseCommandLineOptions(argc, argv, kOverview);
  if (Error error = translate()) {
    llvm::WithColor::error(llvm::errs(), "sortie-translate") << toString(std::move(error)) << '\n';
    return 1;
  }
  return 0;
}
