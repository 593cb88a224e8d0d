// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The operations of one function become launches. Selectors do it with the methods of this class.

#ifndef SORTIE_PASSES_SELECTION_FUNCTIONSELECTION_H
#define SORTIE_PASSES_SELECTION_FUNCTIONSELECTION_H

#include "passes/selection/LaunchJoiner.h"

#include "llvm/ADT/DenseMap.h"

#include <tuple>

namespace sortie::selection {

class FunctionSelection {
public:
  /// What may be used, as the pass's options have it.
  struct Options {
    bool usesCublas;
    bool usesWarpgroups;
    bool joinsLaunches;
  };

  FunctionSelection(moert::FuncOp function, KernelTable &kernels, const Options &options)
      : function(function), kernels(kernels), builder(function), options(options) {}

  mlir::LogicalResult run();

  unsigned getNumLaunches() const { return numLaunches; }

  using CodeOfChip = llvm::function_ref<codegen::KernelCode(const codegen::Chip &)>;

  /// Replaces `op`, or a part of it, by the launch of a kernel.
  mlir::LogicalResult launch(mlir::Operation *op, LaunchBuilder launch, CodeOfChip code);
  /// A length that kernels are made for. -1, with an error on `op`, if it is not constant.
  int64_t constantOf(mlir::Operation *op, moert::ExtentAttr extent);
  int64_t columnsOf(mlir::Operation *op, mlir::Value buffer) {
    return constantOf(op, typeOf(buffer).getShape().back());
  }
  mlir::Value makeBuffer(mlir::Location location, llvm::ArrayRef<moert::ExtentAttr> shape,
                         moert::ElementKind kind = moert::ElementKind::I32);
  /// A buffer for the status (runtime/numerics/status.h) of numbers that `op` reads. The host looks
  /// at it when the run is complete.
  mlir::Value makeStatus(mlir::Operation *op);

  /// What a dispatch made beside its results.
  struct Dispatched {
    mlir::Value tiles;
    int64_t experts; ///< of the tiles
  };

  moert::FuncOp function;
  KernelTable &kernels;
  mlir::OpBuilder builder;
  const Options options;
  llvm::DenseMap<mlir::Value, Dispatched> dispatches; ///< by their offsets
  llvm::DenseMap<mlir::Value, mlir::Value> rounded;   ///< buffers of f32, and the same in bf16
  /// What the places of tokens in a cache are checked for: positions, sequences, pages, pages of
  /// the cache, window; 1 if no two may be one, else 0.
  using CheckedPlaces =
      std::tuple<mlir::Value, mlir::Value, mlir::Value, moert::ExtentAttr, int64_t, unsigned>;
  llvm::DenseMap<CheckedPlaces, mlir::Value> placesStatuses; ///< see CacheKernels.h
  unsigned numLibraryCalls = 0;

private:
  mlir::LogicalResult select(mlir::Operation *op);
  /// The same for all operations of a launch, which are neighbours.
  mlir::LogicalResult select(const JoinedOps &ops);
  void create(mlir::Location location, const CodedLaunch &coded);
  mlir::LogicalResult checkGrid(mlir::Operation *op, llvm::ArrayRef<moert::GridAttr> dims);
  mlir::LogicalResult checkLimits(mlir::Operation *op, const LaunchBuilder &launch);

  /// The launches of the operations that share one, while they are selected; otherwise null.
  std::vector<CodedLaunch> *shared = nullptr;
  unsigned numLaunches = 0;
};

} // namespace sortie::selection

#endif // SORTIE_PASSES_SELECTION_FUNCTIONSELECTION_H
