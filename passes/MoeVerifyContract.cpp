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

/// The contract of the module; a module that states none promises everything from now on.
Determinism readOrStateContract(ModuleOp module) {
  StringRef name = moe::MoeDialect::kContractName;
  if (auto contract = module->getAttrOfType<moe::ContractAttr>(name))
    return contract.getMembers();
  module->setAttr(name, moe::ContractAttr::get(module.getContext(), kFullDeterminism));
  return kFullDeterminism;
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
    const Determinism promised = readOrStateContract(getOperation());
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
