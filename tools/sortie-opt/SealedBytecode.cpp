// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "tools/sortie-opt/SealedBytecode.h"

#include "dialect/moert/MoertDialect.h"
#include "dialect/moert/Seal.h"
#include "runtime/support/Error.h"

#include "mlir/Bytecode/BytecodeWriter.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace sortie;

namespace {

/// A module that was parsed from bytecode, with what it needs to be written again.
class Module {
public:
  Module(StringRef bytecode, const BytecodeOptions &options)
      : context(options.dialects, MLIRContext::Threading::DISABLED) {
    context.allowUnregisteredDialects(options.allowUnregisteredDialects);
    // Bytecode that cannot be read is reported by the driver, which reads it as well.
    const ScopedDiagnosticHandler silence(&context, [](Diagnostic &) { return success(); });
    root =
        parseSourceString(bytecode, ParserConfig(&context, /*verifyAfterParse=*/false, &resources));
  }

  Operation *getRoot() { return root ? root.get() : nullptr; }
  bool isProgram() { return root && (*root)->hasAttr(moert::MoertDialect::kProgramName); }
  FallbackAsmResourceMap &getResources() { return resources; }

private:
  MLIRContext context;
  FallbackAsmResourceMap resources;
  OwningOpRef<Operation *> root;
};

/// Makes all locations unknown: of operations and of the arguments of their blocks.
void stripLocations(Operation *root) {
  const Location unknown = UnknownLoc::get(root->getContext());
  root->walk([&](Operation *op) {
    op->setLoc(unknown);
    for (Region &region : op->getRegions())
      for (BlockArgument argument : region.getArguments())
        argument.setLoc(unknown);
  });
}

/// Orders the uses of every value as a parser of text leaves them, the last one first. The order is
/// written into bytecode, and would tell by which ways passes came to the module.
class UseSorter {
public:
  void run(Operation *root) {
    root->walk<WalkOrder::PreOrder>([&](Operation *op) { positions[op] = positions.size(); });
    root->walk([&](Operation *op) {
      for (Value result : op->getResults())
        sort(result);
      for (Region &region : op->getRegions())
        for (BlockArgument argument : region.getArguments())
          sort(argument);
    });
  }

private:
  void sort(Value value) {
    SmallVector<OpOperand *> uses = llvm::to_vector(llvm::make_pointer_range(value.getUses()));
    if (uses.size() < 2)
      return;
    SmallVector<OpOperand *> sorted = uses;
    llvm::sort(sorted, [&](OpOperand *lhs, OpOperand *rhs) {
      return std::pair(positions.at(lhs->getOwner()), lhs->getOperandNumber()) >
             std::pair(positions.at(rhs->getOwner()), rhs->getOperandNumber());
    });
    llvm::DenseMap<OpOperand *, unsigned> places;
    for (auto [place, use] : llvm::enumerate(sorted))
      places[use] = place;
    value.shuffleUseList(llvm::map_to_vector(uses, [&](OpOperand *use) { return places.at(use); }));
  }

  llvm::DenseMap<Operation *, size_t> positions;
};

} // namespace

llvm::Error sortie::checkInputSeal(StringRef input, const BytecodeOptions &options) {
  if (!moert::isBytecode(input))
    return llvm::Error::success();
  if (moert::hasSeal(input))
    return moert::checkSeal(input);
  if (!Module(input, options).isProgram())
    return llvm::Error::success();
  return makeError("the program has no seal: it is damaged, or another tool wrote it; compile it "
                   "again, copy it again, or give --allow-unsealed to read it as it is");
}

llvm::Error sortie::sealOutput(std::string &bytecode, const BytecodeOptions &options) {
  Module module(bytecode, options);
  if (!module.getRoot())
    return makeError("cannot seal the output: its bytecode cannot be read again");
  if (module.isProgram()) {
    if (!options.keepLocations)
      stripLocations(module.getRoot());
    UseSorter().run(module.getRoot());
  }
  BytecodeWriterConfig config(module.getResources(), moert::kUnsealedProducer);
  if (options.version)
    config.setDesiredBytecodeVersion(*options.version);
  std::string sealed;
  llvm::raw_string_ostream os(sealed);
  if (failed(writeBytecodeToFile(module.getRoot(), os, config)))
    return makeError("cannot seal the output: its bytecode cannot be written again");
  if (llvm::Error error = moert::sealBytecode(sealed))
    return error;
  bytecode = std::move(sealed);
  return llvm::Error::success();
}
