// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// moe-verify-input: a compilation begins with a graph.

#include "passes/Passes.h"

using namespace mlir;

namespace sortie {
#define GEN_PASS_DEF_MOEVERIFYINPUT
#include "passes/Passes.h.inc"

namespace {

class MoeVerifyInput : public impl::MoeVerifyInputBase<MoeVerifyInput> {
public:
  void runOnOperation() override {
    if (failed(verify(getOperation())))
      signalPassFailure();
  }

private:
  /// Errors do not show the module, which may have kernels inside.
  static LogicalResult verify(ModuleOp module) {
    if (auto program = module->getAttrOfType<moert::ProgramAttr>(moert::MoertDialect::kProgramName))
      return mlir::emitError(module.getLoc(), "the module is a program already, compiled by '")
             << program.getProducer() << "' for target '" << program.getTarget()
             << "'; compile the graph that it was made from";
    if (llvm::all_of(*module.getBody(), llvm::IsaPred<lm::CacheOp>))
      return mlir::emitError(module.getLoc(), "the module has no functions, so there is nothing to "
                                              "compile; if the input is empty, look at the command "
                                              "that was to write it");
    return success();
  }
};

} // namespace
} // namespace sortie
