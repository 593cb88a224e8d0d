// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A launch in the making, and the sizes of buffers that its grid is made of.

#ifndef SORTIE_PASSES_SELECTION_LAUNCHBUILDER_H
#define SORTIE_PASSES_SELECTION_LAUNCHBUILDER_H

#include "passes/selection/KernelTable.h"

namespace sortie::selection {

moert::BufferType typeOf(mlir::Value buffer);

/// Rows of a buffer: all dimensions but the last.
moert::ExtentAttr rowsOf(mlir::Value buffer);

moert::ExtentAttr elementsOf(mlir::Value buffer);

/// How kernels name the kind of a buffer's rows, which are of f32, act8 or act16.
numerics::RowKind rowKindOf(mlir::Value buffer);

/// Collects what a moert.launch takes. Operands that are null are left out.
class LaunchBuilder {
public:
  explicit LaunchBuilder(mlir::Operation *op)
      : LaunchBuilder(op->getContext(), op->getName().getStringRef().str()) {}
  LaunchBuilder(mlir::MLIRContext *context, std::string op) : context(context), op(std::move(op)) {}

  LaunchBuilder &grid(moert::ExtentAttr extent, int64_t divisor = 1, moert::ExtentAttr max = {}) {
    dims.push_back(moert::GridAttr::get(context, extent, divisor, /*roundsDown=*/false, max));
    return *this;
  }
  LaunchBuilder &gridOfWhole(moert::ExtentAttr extent, int64_t divisor) {
    dims.push_back(moert::GridAttr::get(context, extent, divisor, /*roundsDown=*/true, {}));
    return *this;
  }
  /// The grid on an architecture on which it is not the one of all others.
  LaunchBuilder &variant(llvm::StringRef arch, llvm::ArrayRef<moert::GridAttr> grid) {
    variants.push_back({arch, llvm::SmallVector<moert::GridAttr>(grid)});
    return *this;
  }
  LaunchBuilder &grid(llvm::ArrayRef<moert::GridAttr> all) {
    llvm::append_range(dims, all);
    return *this;
  }
  LaunchBuilder &grid(int64_t blocks) { return grid(moert::ExtentAttr::get(context, blocks)); }
  LaunchBuilder &read(mlir::Value buffer) { return add(reads, buffer); }
  LaunchBuilder &write(mlir::Value buffer) { return add(writes, buffer); }
  LaunchBuilder &weight(mlir::FlatSymbolRefAttr name, moert::WeightForm form) {
    if (name) {
      weights.push_back(name);
      forms.push_back(form);
    }
    return *this;
  }
  LaunchBuilder &extent(moert::ExtentAttr value) {
    extents.push_back(value);
    return *this;
  }
  /// Of a product: multiplications and additions for each row of output, and which of the buffers
  /// that are read holds the offsets.
  LaunchBuilder &work(Arithmetic how, int64_t count, std::optional<int64_t> offsetsRead) {
    arithmetic = how;
    operations = count;
    offsets = offsetsRead;
    return *this;
  }

  /// A buffer that is read and one that is written, by their numbers, which are the same buffer.
  struct Update {
    unsigned read;
    unsigned write;
  };
  /// Takes the buffers that are written, too, from those that are read: a launch that changes a
  /// buffer in place has it among those it writes. No launch of a product does.
  llvm::SmallVector<Update, 2> takeUpdates();

  KernelTable::Interface getInterface() const {
    return {static_cast<int64_t>(reads.size()), static_cast<int64_t>(writes.size()), forms,
            static_cast<int64_t>(extents.size())};
  }

  mlir::MLIRContext *context;
  std::string op; ///< what it does, for reports
  llvm::SmallVector<moert::GridAttr> dims;
  struct Variant {
    llvm::StringRef arch;
    llvm::SmallVector<moert::GridAttr> dims;
  };
  llvm::SmallVector<Variant> variants;
  llvm::SmallVector<mlir::Value> reads, writes;
  llvm::SmallVector<mlir::FlatSymbolRefAttr> weights;
  llvm::SmallVector<moert::WeightForm> forms;
  llvm::SmallVector<moert::ExtentAttr> extents;
  std::optional<Arithmetic> arithmetic;
  int64_t operations = 0;
  std::optional<int64_t> offsets;

private:
  LaunchBuilder &add(llvm::SmallVectorImpl<mlir::Value> &buffers, mlir::Value buffer) {
    if (buffer)
      buffers.push_back(buffer);
    return *this;
  }
};

} // namespace sortie::selection

#endif // SORTIE_PASSES_SELECTION_LAUNCHBUILDER_H
