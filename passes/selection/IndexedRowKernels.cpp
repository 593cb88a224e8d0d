// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rows of a table by their numbers, read and written, and those of embedding tables: launches of
// codegen/kernels/rows/IndexedRows.h and Embed.h, and the checks of the numbers.

#include "codegen/kernels/rows/EmbedGeometry.h"
#include "codegen/kernels/rows/RowGeometry.h"
#include "passes/selection/FunctionSelection.h"
#include "passes/selection/Selector.h"

#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using llvm::formatv;

namespace sortie::selection {

//===----------------------------------------------------------------------===//
// moert.read_rows, moert.write_rows
//===----------------------------------------------------------------------===//

/// Rows that are copied.
struct CopiedRows {
  int64_t bytes; ///< of a row

  int unitBytes() const { return kernels::indexedUnitBytes(bytes); }
  int64_t units() const { return bytes / unitBytes(); }
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
static codegen::KernelCode indexedCode(StringRef kind, StringRef function, const CopiedRows &rows) {
  const StringRef unit = nameOfUnit(rows.unitBytes());
  codegen::KernelCode code;
  code.kind = kind;
  code.headers = {"rows/IndexedRows.h"};
  code.parameters = {formatv("const {0} *r0", unit),
                     "const int32_t *r1",
                     formatv("{0} *w0", unit),
                     "IndexStatus *w1",
                     "int32_t e0",
                     "int32_t e1"};
  code.call = formatv("{0}<{1}, {2}>(r0, r1, w0, w1, e0, e1)", function, unit, rows.units());
  code.threads = kernels::indexedThreads(rows.units());
  code.shared = kernels::indexedSharedBytes(rows.units());
  return code;
}

/// Copies rows of `from` to `to`, one of which is `table`.
template <typename Op>
static LogicalResult selectIndexed(FunctionSelection &selection, Op op, Value from, Value to,
                                   StringRef kind, StringRef function) {
  const moert::BufferType table = typeOf(op.getTable());
  const CopiedRows rows{moert::getRowBytes(table.getKind(), table.getDim(1).getConstant())};
  const moert::ExtentAttr count = typeOf(op.getIndex()).getDim(0);
  return selection.launch(op,
                          LaunchBuilder(op)
                              .grid(count.plus(1))
                              .grid(kernels::indexedBlocks(rows.units()))
                              .read(from)
                              .read(op.getIndex())
                              .write(to)
                              .write(selection.makeStatus(op))
                              .extent(count)
                              .extent(table.getDim(0)),
                          [&](const codegen::Chip &) { return indexedCode(kind, function, rows); });
}

static LogicalResult select(FunctionSelection &selection, moert::ReadRowsOp op) {
  return selectIndexed(selection, op, op.getTable(), op.getOutput(), "read_rows", "readRows");
}

static LogicalResult select(FunctionSelection &selection, moert::WriteRowsOp op) {
  return selectIndexed(selection, op, op.getRows(), op.getTable(), "write_rows", "writeRows");
}

//===----------------------------------------------------------------------===//
// moert.embed
//===----------------------------------------------------------------------===//

static codegen::KernelCode embedCode(numerics::Encoding encoding, int64_t columns) {
  const StringRef name = numerics::encodingInfo(encoding).name;
  codegen::KernelCode code;
  code.kind = ("embed_" + name).str();
  code.headers = {"rows/Embed.h"};
  code.parameters = {"const int32_t *r0", "float *w0",  "IndexStatus *w1",
                     "const void *g0",    "int32_t e0", "int32_t e1"};
  code.call =
      formatv("embedRows<Encoding::{0}, {1}>(r0, w0, w1, g0, e0, e1)", name.upper(), columns);
  code.threads = kernels::kEmbedThreads;
  code.shared = kernels::embedSharedBytes(encoding);
  return code;
}

static LogicalResult select(FunctionSelection &selection, moert::EmbedOp op) {
  moert::WeightOp table = selection.kernels.lookUpWeight(op.getTableAttr());
  const int64_t columns = table.getShape().back();
  const moert::ExtentAttr tokens = typeOf(op.getTokens()).getDim(0);
  return selection.launch(
      op,
      LaunchBuilder(op)
          .grid(tokens.plus(1))
          .grid(kernels::embedBlocks(columns))
          .read(op.getTokens())
          .write(op.getOutput())
          .write(selection.makeStatus(op))
          .weight(op.getTableAttr(), moert::WeightForm::Raw)
          .extent(tokens)
          .extent(moert::ExtentAttr::get(op.getContext(), table.getShape().front())),
      [&](const codegen::Chip &) { return embedCode(table.getEncodingInfo().encoding, columns); });
}

ArrayRef<Selector> indexedRowSelectors() {
  static constexpr Selector kTable[] = {
      selector<moert::ReadRowsOp, select>(),
      selector<moert::WriteRowsOp, select>(),
      selector<moert::EmbedOp, select>(),
  };
  return kTable;
}

} // namespace sortie::selection
