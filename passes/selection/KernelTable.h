// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kernels of a program while its operations become launches.

#ifndef SORTIE_PASSES_SELECTION_KERNELTABLE_H
#define SORTIE_PASSES_SELECTION_KERNELTABLE_H

#include "codegen/CostModel.h"
#include "codegen/KernelSource.h"
#include "passes/Passes.h"

#include "mlir/IR/SymbolTable.h"
#include "llvm/ADT/StringMap.h"

namespace sortie::selection {

class KernelTable {
public:
  /// Kernels go behind the symbols of `module`, in the order of their first use, with a source for
  /// each of `chips`.
  KernelTable(mlir::ModuleOp module, llvm::ArrayRef<const codegen::Chip *> chips);

  /// How many operands a kernel has, in the order of its parameters.
  struct Interface {
    int64_t reads = 0;
    int64_t writes = 0;
    llvm::SmallVector<moert::WeightForm> weights;
    int64_t extents = 0;
  };

  /// The kernel of these codes, one for each chip; equal ones are one.
  mlir::FlatSymbolRefAttr get(mlir::Location location, const Interface &interface,
                              llvm::ArrayRef<codegen::KernelCode> codes);

  /// The weight of this name. It is there: the verifier has seen it.
  moert::WeightOp lookUpWeight(mlir::FlatSymbolRefAttr name);

  /// Lets the weight be packed, if it is not yet.
  void pack(moert::WeightOp weight);

  /// Lets a weight of floats be packed as bf16, if it is neither.
  void packAsBf16(moert::WeightOp weight);

  /// The most that an extent can be; -1 if 64 bits cannot hold it.
  int64_t getMaximum(moert::ExtentAttr extent);
  /// The same for the thread blocks along a dimension of a grid.
  int64_t getMaximum(moert::GridAttr dim);

  llvm::ArrayRef<const codegen::Chip *> getChips() const { return chips; }

  unsigned getNumKernels() const { return kernels.size(); }

private:
  /// The most that the symbol of an extent can be; 0 if it has none.
  int64_t getBound(moert::ExtentAttr extent);
  mlir::StringAttr makeName(llvm::StringRef kind);
  void setPack(moert::WeightOp weight, int64_t rows, int64_t bytes,
               const codegen::KernelCode &code);

  mlir::SymbolTable symbols;
  llvm::SmallVector<const codegen::Chip *> chips;
  mlir::OpBuilder builder;
  mlir::Operation *last; ///< the next kernel goes behind this op; null: to the front
  mlir::ModuleOp module;
  /// By the sources of all chips, in which the kernel has no name.
  llvm::StringMap<mlir::FlatSymbolRefAttr> kernels;
};

} // namespace sortie::selection

#endif // SORTIE_PASSES_SELECTION_KERNELTABLE_H
