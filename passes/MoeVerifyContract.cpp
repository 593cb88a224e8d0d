// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// moe-verify-contract: no op breaks what the module promises.

#include "passes/Passes.h"

using namespace mlir;

namespace sortie {
#define GEN_PASS_DEF_MOEVERIFYCONTRACT
#include "passes/Passes.h.inc"

namespace {

/// The contract of the module, which states it from now on.
Determinism stateContract(ModuleOp module) {
  const Determinism promised = moe::getPromisedContract(module);
  module->setAttr(moe::MoeDialect::kContractName,
                  moe::ContractAttr::get(module.getContext(), promised));
  return promised;
}

LogicalResult verifyOp(moe::DeterminismOpInterface op, Determinism promised) {
  const Determinism kept = op.getKeptContract();
  if (satisfies(kept, promised))
    return success();
  // What the op keeps of the promise is of no interest, what it breaks is.
  const Determinism broken = promised & ~kept;
  return op->emitOpError("breaks the module's contract {")
         << stringifyDeterminism(promised)
         << "}: with this arithmetic, results do not stay the same"
         << " across {" << stringifyDeterminism(broken)
         << "}; choose another arithmetic or promise less in moe.contract";
}

class MoeVerifyContract : public impl::MoeVerifyContractBase<MoeVerifyContract> {
public:
  void runOnOperation() override {
    if (getOperation()->hasAttr(moert::MoertDialect::kProgramName))
      return;
    const Determinism promised = stateContract(getOperation());
    bool isKept = true;
    getOperation().walk([&](moe::DeterminismOpInterface op) {
      isKept &= succeeded(verifyOp(op, promised));
      ++verified;
    });
    if (!isKept)
      signalPassFailure();
  }
};

} // namespace
} // namespace sortie
