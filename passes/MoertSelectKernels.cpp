// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// moert-select-kernels: operations of a device become launches of kernels for CUDA. The folder
// selection/ says by which kernels.

#include "passes/selection/FunctionSelection.h"

using namespace mlir;

namespace sortie {
#define GEN_PASS_DEF_MOERTSELECTKERNELS
#include "passes/Passes.h.inc"

namespace {

using codegen::Chip;

constexpr StringLiteral kTarget = "cuda";

class MoertSelectKernels : public impl::MoertSelectKernelsBase<MoertSelectKernels> {
public:
  using MoertSelectKernelsBase::MoertSelectKernelsBase;
  void runOnOperation() override;

private:
  /// The chips of the option, and those that PTX stands for.
  FailureOr<SmallVector<const Chip *>> findChips();
  /// The functions that are for CUDA, now or from now on.
  SmallVector<moert::FuncOp> findFunctions();
  LogicalResult checkUnplanned();
  LogicalResult checkCublas(moert::ProgramAttr program);
  /// The program that comes of `program`.
  moert::ProgramAttr selectedProgram(moert::ProgramAttr program, bool hasLibraryCalls);
};

FailureOr<SmallVector<const Chip *>> MoertSelectKernels::findChips() {
  SmallVector<const Chip *> found;
  SmallVector<std::string> names(chips.begin(), chips.end());
  if (names.empty())
    names = {"sm_80", "sm_90a"};
  names.push_back("compute_80");
  for (const std::string &name : names) {
    const Chip *chip = codegen::findChip(name);
    if (!chip) {
      emitError(getOperation().getLoc(), "unknown chip '")
          << name << "', expected some of " << llvm::join(codegen::getChipNames(), ", ");
      return failure();
    }
    if (!llvm::is_contained(found, chip))
      found.push_back(chip);
  }
  return found;
}

SmallVector<moert::FuncOp> MoertSelectKernels::findFunctions() {
  const auto isForCuda = [](moert::FuncOp function) {
    return function.getTarget().value_or(kTarget) == kTarget;
  };
  return llvm::to_vector(
      llvm::make_filter_range(getOperation().getOps<moert::FuncOp>(), isForCuda));
}

LogicalResult MoertSelectKernels::checkUnplanned() {
  const auto needsBuffers = [&](Operation &op) {
    return isa<moert::DispatchOp, moert::ReadRowsOp, moert::WriteRowsOp, moert::EmbedOp,
               moert::AppendOp, moert::AppendLatentOp, moert::AttendOp, moert::AttendLatentOp>(
               op) ||
           (cublas && isa<moert::MatmulOp, moert::GluMatmulOp>(op));
  };
  for (moert::FuncOp function : findFunctions())
    if (function.getArenaAttr() && llvm::any_of(function.getBody().getOps(), needsBuffers))
      return function.emitOpError("has planned memory already; kernels need buffers of their own, "
                                  "so moert-select-kernels comes before moert-plan-memory");
  return success();
}

LogicalResult MoertSelectKernels::checkCublas(moert::ProgramAttr program) {
  if (!cublas || satisfies(Determinism::Run, program.getContract()))
    return success();
  return getOperation().emitError("the option cublas is refused: the library keeps {run} only, the "
                                  "program's contract is [")
         << stringifyDeterminism(program.getContract())
         << "]; promise less in moe.contract, or do without";
}

moert::ProgramAttr MoertSelectKernels::selectedProgram(moert::ProgramAttr program,
                                                       bool hasLibraryCalls) {
  SmallVector<StringAttr> features(program.getFeatures());
  const auto feature = StringAttr::get(&getContext(), moert::MoertDialect::kCublasFeature);
  if (hasLibraryCalls && !llvm::is_contained(features, feature))
    features.push_back(feature);
  return moert::ProgramAttr::get(&getContext(), program.getAbi(), program.getNumerics(), kTarget,
                                 program.getContract(), features, program.getProducer());
}

void MoertSelectKernels::runOnOperation() {
  ModuleOp module = getOperation();
  auto program = module->getAttrOfType<moert::ProgramAttr>(moert::MoertDialect::kProgramName);
  if (!program) {
    module.emitError("is no program yet; run moe-lower-to-moert first");
    return signalPassFailure();
  }
  FailureOr<SmallVector<const Chip *>> found = findChips();
  if (failed(found) || failed(checkUnplanned()) || failed(checkCublas(program)))
    return signalPassFailure();
  selection::KernelTable kernels(module, *found);
  unsigned calls = 0;
  for (moert::FuncOp function : findFunctions()) {
    selection::FunctionSelection selection(function, kernels, {cublas, warpgroups, joinLaunches});
    if (failed(selection.run()))
      return signalPassFailure();
    launches += selection.getNumLaunches();
    calls += selection.numLibraryCalls;
  }
  if (cublas && calls == 0)
    module.emitRemark("cublas serves no product: none is dense, in bf16 arithmetic (see "
                      "unquantized=bf16) and without bias");
  libraryCalls += calls;
  kernelCount += kernels.getNumKernels();
  module->setAttr(moert::MoertDialect::kProgramName, selectedProgram(program, calls != 0));
}

} // namespace
} // namespace sortie
