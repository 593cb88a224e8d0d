// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rows of a table by their numbers, read and written: launches of
// codegen/kernels/rows/IndexedRows.h, and the checks of the numbers.

#include "codegen/kernels/rows/RowGeometry.h"
#include "passes/selection/FunctionSelection.h"
#include "passes/selection/Selector.h"

#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using llvm::formatv;

namespace sortie::selection {

/// A table of `rows` rows.
struct IndexedTable {
  int64_t rows;
  int64_t rowBytes;

  int unitBytes() const { return kernels::indexedUnitBytes(rowBytes); }
  int64_t unitsOfRow() const { return rowBytes / unitBytes(); }
};

static StringRef nameOfUnit(int bytes) {
  switch (bytes) {
  case 16:
    return "sortie::hw::Words4";
  case 4:
    return "uint32_t";
  default:
    return "uint16_t";
  }
}

/// `function` of IndexedRows.h.
static codegen::KernelCode indexedCode(StringRef kind, StringRef function,
                                       const IndexedTable &table) {
  const StringRef unit = nameOfUnit(table.unitBytes());
  const int64_t units = table.unitsOfRow();
  codegen::KernelCode code;
  code.kind = kind;
  code.header = "rows/IndexedRows.h";
  code.parameters = {formatv("const {0} *r0", unit), "const int32_t *r1", formatv("{0} *w0", unit),
                     "int32_t *w1", "int32_t e0"};
  code.call = formatv("{0}<{1}, {2}, {3}>(r0, r1, w0, w1, e0)", function, unit, table.rows, units);
  code.threads = kernels::indexedThreads(units);
  code.shared = kernels::indexedSharedBytes(units);
  return code;
}

/// Copies rows of `from` to `to`, one of which is `table`. The host looks at the numbers when the
/// run is complete.
template <typename Op>
static LogicalResult
selectIndexed(FunctionSelection &selection, Op op, Value from, Value to,
              llvm::function_ref<codegen::KernelCode(const IndexedTable &)> code) {
  const moert::BufferType type = typeOf(op.getTable());
  if (!type.getDim(0).isConstant())
    return op.emitOpError()
           << "has a table whose number of rows is a symbol, for which there is no "
              "kernel of target cuda; compile for target=cpu";
  const IndexedTable table{type.getDim(0).getConstant(),
                           moert::getRowBytes(type.getKind(), type.getDim(1).getConstant())};
  const Value status =
      selection.makeBuffer(op.getLoc(), moert::ExtentAttr::get(op.getContext(), 2));
  const moert::ExtentAttr count = typeOf(op.getIndex()).getDim(0);
  if (failed(selection.launch(op,
                              LaunchBuilder(op)
                                  .grid(count.plus(1))
                                  .grid(kernels::indexedBlocks(table.unitsOfRow()))
                                  .read(from)
                                  .read(op.getIndex())
                                  .write(to)
                                  .write(status)
                                  .extent(count),
                              [&](const codegen::Chip &) { return code(table); })))
    return failure();
  const OpBuilder::InsertionGuard guard(selection.builder);
  selection.builder.setInsertionPoint(selection.function.getBody().front().getTerminator());
  moert::CheckRowsOp::create(selection.builder, op.getLoc(), status, table.rows);
  return success();
}

static LogicalResult select(FunctionSelection &selection, moert::ReadRowsOp op) {
  return selectIndexed(selection, op, op.getTable(), op.getOutput(), [](const IndexedTable &table) {
    return indexedCode("read_rows", "readRows", table);
  });
}

static LogicalResult select(FunctionSelection &selection, moert::WriteRowsOp op) {
  return selectIndexed(selection, op, op.getRows(), op.getTable(), [](const IndexedTable &table) {
    return indexedCode("write_rows", "writeRows", table);
  });
}

ArrayRef<Selector> indexedRowSelectors() {
  static constexpr Selector kTable[] = {
      selector<moert::ReadRowsOp, select>(),
      selector<moert::WriteRowsOp, select>(),
  };
  return kTable;
}

} // namespace sortie::selection
