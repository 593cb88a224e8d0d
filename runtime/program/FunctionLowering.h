// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From one verified `moert.func` to plain steps.

#ifndef SORTIE_RUNTIME_PROGRAM_FUNCTIONLOWERING_H
#define SORTIE_RUNTIME_PROGRAM_FUNCTIONLOWERING_H

#include "dialect/moert/MoertOps.h"
#include "runtime/program/Program.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Error.h"

namespace sortie {

/// Where the names of a module stand in Program.
struct ModuleNames {
  llvm::StringMap<uint32_t> symbols;
  llvm::StringMap<uint32_t> kernels;
  llvm::StringMap<WeightId> weights;
  llvm::StringMap<uint32_t> states;
  std::vector<uint32_t> partitions;           ///< of the functions, in the order of the module
  llvm::StringMap<uint32_t> partitionOfState; ///< of those that a function uses
};

ElementType elementType(moert::ElementKind kind);

class FunctionLowering {
public:
  /// `program` has all but functions; uses of weights are noted there.
  FunctionLowering(Program &program, const ModuleNames &names, moert::FuncOp func,
                   uint32_t partition)
      : program(program), names(names), func(func) {
    function.partition = partition;
  }

  llvm::Expected<Function> lower();

private:
  llvm::Error error(mlir::Operation *op, const llvm::Twine &message) const;
  /// An extent over the function's symbols, which its own is one of from now on.
  Affine affine(moert::ExtentAttr extent);
  llvm::Expected<BufferId> addBuffer(mlir::Value value, Buffer::Place place, uint32_t argument,
                                     moert::ExtentAttr offset, mlir::Operation *op);
  llvm::Error lowerArguments();
  llvm::Error lowerOperation(mlir::Operation *op);
  llvm::Error checkInputsGiveSymbols();
  const Partition &partition() const { return program.partitionOf(function); }
  bool isForCuda() const { return partition().isCuda(); }
  void addStep(mlir::Operation *op, Step step);
  /// The value of an extent at the bound of its symbol; nothing if 64 bits cannot hold it.
  std::optional<int64_t> most(moert::ExtentAttr extent) const {
    return extent.evaluate(boundOf(extent));
  }
  int64_t boundOf(moert::ExtentAttr extent) const;
  llvm::Expected<GridDim> gridDim(moert::LaunchOp op, moert::GridAttr dim, unsigned index);
  llvm::Expected<Grid> grid(moert::LaunchOp op, mlir::ArrayAttr dims);
  /// The grid of a launch, and those of its variants.
  llvm::Error lowerGrids(moert::LaunchOp op, KernelLaunch &launch);
  llvm::Expected<Affine> launchExtent(moert::LaunchOp op, moert::ExtentAttr extent);

  BufferId id(mlir::Value value) const;
  WeightId matrix(mlir::FlatSymbolRefAttr name);
  WeightId vector(mlir::FlatSymbolRefAttr name);
  WeightId use(mlir::FlatSymbolRefAttr name, WeightForm form);
  WeightId use(mlir::FlatSymbolRefAttr name);

  /// An operation that computes something, for the CPU.
  llvm::Error lowerCompute(moert::StepOpInterface op);
  /// Adds the states of an operation to the label of its step.
  void nameStates(mlir::Operation *op);
  llvm::Error lowerOp(moert::CopyOp op);
  llvm::Error lowerOp(moert::CheckpointOp op);
  llvm::Error lowerOp(moert::BufferOp op);
  llvm::Error lowerOp(moert::StateBufferOp op);
  llvm::Error lowerOp(moert::ReturnOp) { return llvm::Error::success(); }
  llvm::Error lowerOp(moert::LaunchOp op);
  llvm::Error lowerOp(moert::CheckIdsOp op);
  llvm::Error lowerOp(moert::CheckRowsOp op);
  llvm::Error lowerOp(moert::CheckPlacesOp op);
  /// The step whose numbers the status tells of which `op` checks: the first that reads it, or else
  /// the one that wrote it.
  llvm::Expected<uint32_t> originOf(mlir::Operation *op, mlir::Value status) const;
  llvm::Error lowerOp(moert::CublasMatmulOp op);

  Program &program;
  const ModuleNames &names;
  moert::FuncOp func;
  Function function;
  llvm::DenseMap<mlir::Value, BufferId> buffers;
  std::string label;
};

} // namespace sortie

#endif // SORTIE_RUNTIME_PROGRAM_FUNCTIONLOWERING_H
