// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Operations that take each row by itself: of each the source of its kernel, its launch, and its
// row in the table. The kernels are templates of codegen/kernels/rows.

#include "passes/selection/RowKernels.h"

#include "codegen/SourceText.h"
#include "codegen/kernels/rows/RowGeometry.h"
#include "dialect/moert/NumericParameters.h"
#include "passes/selection/Selector.h"

using namespace mlir;
using llvm::formatv;

namespace sortie::selection {

using codegen::Chip;
using codegen::KernelCode;

/// A kernel with a grid (rows, rowBlocks(columns)), without its parameters and its call.
static KernelCode rowCode(StringRef kind, StringRef header, int64_t columns) {
  KernelCode code;
  code.kind = kind;
  code.headers = {header.str()};
  code.threads = kernels::rowThreads(columns);
  return code;
}

/// Its launch, with rows of `columns` elements in `output`.
static LaunchBuilder rowLaunch(Operation *op, Value output, int64_t columns) {
  LaunchBuilder launch(op);
  launch.grid(rowsOf(output)).grid(kernels::rowBlocks(columns));
  return launch;
}

//===----------------------------------------------------------------------===//
// moert.rms_norm
//===----------------------------------------------------------------------===//

static KernelCode rmsNormCode(int64_t columns, float epsilon) {
  KernelCode code;
  code.kind = "rms_norm";
  code.headers = {"rows/Norm.h"};
  code.parameters = {"const float *r0", "float *w0", "const float *g0"};
  code.call = formatv("rmsNormRows<{0}, {1}>(r0, w0, g0)", columns, codegen::bitsOf(epsilon));
  code.threads = kernels::normThreads(columns);
  code.shared = kernels::normSharedBytes(columns);
  return code;
}

static LogicalResult select(FunctionSelection &selection, moert::RmsNormOp op) {
  const int64_t columns = selection.columnsOf(op, op.getInput());
  if (columns < 0)
    return failure();
  return selection.launch(
      op,
      LaunchBuilder(op)
          .grid(rowsOf(op.getInput()))
          .read(op.getInput())
          .write(op.getOutput())
          .weight(op.getWeightAttr(), moert::WeightForm::Floats),
      [&](const Chip &) { return rmsNormCode(columns, op.getEps().convertToFloat()); });
}

//===----------------------------------------------------------------------===//
// moert.quantize
//===----------------------------------------------------------------------===//

static KernelCode quantizeCode(numerics::RowKind kind, int64_t columns) {
  KernelCode code;
  code.kind = "quantize";
  code.headers = {"rows/Quantize.h"};
  code.parameters = {"const float *r0", "void *w0"};
  code.call = formatv("quantizeRows<{0}, {1}>(r0, w0)", codegen::nameOf(kind), columns);
  code.threads = kernels::quantizeThreads(columns);
  return code;
}

LogicalResult launchQuantize(FunctionSelection &selection, Operation *op, Value input,
                             Value output) {
  const int64_t columns = selection.columnsOf(op, output);
  if (columns < 0)
    return failure();
  return selection.launch(op,
                          LaunchBuilder(op)
                              .grid(rowsOf(output))
                              .grid(kernels::quantizeBlocks(columns))
                              .read(input)
                              .write(output),
                          [&](const Chip &) { return quantizeCode(rowKindOf(output), columns); });
}

static LogicalResult select(FunctionSelection &selection, moert::QuantizeOp op) {
  return launchQuantize(selection, op, op.getInput(), op.getOutput());
}

static LogicalResult select(FunctionSelection &selection, moert::QuantizeHeadsOp op) {
  return launchQuantize(selection, op, op.getInput(), op.getOutput());
}

//===----------------------------------------------------------------------===//
// moert.convert
//===----------------------------------------------------------------------===//

static StringRef elementOf(Value buffer) {
  switch (typeOf(buffer).getKind()) {
  case moert::ElementKind::F16:
    return "sortie::numerics::Half";
  case moert::ElementKind::BF16:
    return "sortie::numerics::BFloat16";
  default:
    return "float";
  }
}

static KernelCode convertCode(StringRef from, StringRef to, int64_t columns) {
  KernelCode code;
  code.kind = "convert";
  code.headers = {"rows/Convert.h"};
  code.parameters = {formatv("const {0} *r0", from), formatv("{0} *w0", to)};
  code.call = formatv("convertRows<{0}, {1}, {2}>(r0, w0)", from, to, columns);
  code.threads = kernels::kRoundThreads;
  return code;
}

static LogicalResult select(FunctionSelection &selection, moert::ConvertOp op) {
  const int64_t columns = selection.columnsOf(op, op.getOutput());
  if (columns < 0)
    return failure();
  return selection.launch(
      op, LaunchBuilder(op).grid(rowsOf(op.getInput())).read(op.getInput()).write(op.getOutput()),
      [&](const Chip &) {
        return convertCode(elementOf(op.getInput()), elementOf(op.getOutput()), columns);
      });
}

//===----------------------------------------------------------------------===//
// moert.add
//===----------------------------------------------------------------------===//

static KernelCode addCode(int64_t columns) {
  KernelCode code = rowCode("add", "rows/Elementwise.h", columns);
  code.parameters = {"const float *r0", "const float *r1", "float *w0"};
  code.call = formatv("addRows<{0}>(r0, r1, w0)", columns);
  return code;
}

static LogicalResult select(FunctionSelection &selection, moert::AddOp op) {
  const int64_t columns = selection.columnsOf(op, op.getOutput());
  if (columns < 0)
    return failure();
  return selection.launch(op,
                          rowLaunch(op, op.getOutput(), columns)
                              .read(op.getLhs())
                              .read(op.getRhs())
                              .write(op.getOutput()),
                          [&](const Chip &) { return addCode(columns); });
}

//===----------------------------------------------------------------------===//
// moert.scale
//===----------------------------------------------------------------------===//

static KernelCode scaleCode(int64_t columns, float factor) {
  KernelCode code = rowCode("scale", "rows/Elementwise.h", columns);
  code.parameters = {"const float *r0", "float *w0"};
  code.call = formatv("scaleRows<{0}, {1}>(r0, w0)", columns, codegen::bitsOf(factor));
  return code;
}

static LogicalResult select(FunctionSelection &selection, moert::ScaleOp op) {
  const int64_t columns = selection.columnsOf(op, op.getOutput());
  if (columns < 0)
    return failure();
  return selection.launch(
      op, rowLaunch(op, op.getOutput(), columns).read(op.getInput()).write(op.getOutput()),
      [&](const Chip &) { return scaleCode(columns, op.getFactor().convertToFloat()); });
}

//===----------------------------------------------------------------------===//
// moert.glu
//===----------------------------------------------------------------------===//

static KernelCode gluCode(int64_t columns, const numerics::Glu &glu) {
  KernelCode code = rowCode("glu", "rows/Elementwise.h", columns);
  code.parameters = {"const float *r0", "const float *r1", "float *w0"};
  code.call = formatv("gluRows<{0}, {1}, {2}, {3}>(r0, r1, w0)", columns, codegen::nameOf(glu.kind),
                      codegen::bitsOf(glu.alpha), codegen::bitsOf(glu.limit));
  return code;
}

LogicalResult launchGlu(FunctionSelection &selection, Operation *op, const numerics::Glu &glu,
                        Value gate, Value up, Value output) {
  const int64_t columns = selection.columnsOf(op, output);
  if (columns < 0)
    return failure();
  return selection.launch(op, rowLaunch(op, output, columns).read(gate).read(up).write(output),
                          [&](const Chip &) { return gluCode(columns, glu); });
}

static LogicalResult select(FunctionSelection &selection, moert::GluOp op) {
  return launchGlu(selection, op, moert::getGluParams(op), op.getGate(), op.getUp(),
                   op.getOutput());
}

//===----------------------------------------------------------------------===//
// moert.gather
//===----------------------------------------------------------------------===//

static KernelCode gatherCode(int64_t columns, int64_t slots) {
  KernelCode code = rowCode("gather", "rows/Elementwise.h", columns);
  code.parameters = {"const float *r0", "const int32_t *r1", "float *w0"};
  code.call = formatv("gatherRows<{0}, {1}>(r0, r1, w0)", columns, slots);
  return code;
}

static LogicalResult select(FunctionSelection &selection, moert::GatherOp op) {
  const int64_t columns = selection.columnsOf(op, op.getOutput());
  if (columns < 0)
    return failure();
  return selection.launch(
      op,
      rowLaunch(op, op.getOutput(), columns)
          .read(op.getInput())
          .read(op.getPermutation())
          .write(op.getOutput()),
      [&](const Chip &) { return gatherCode(columns, static_cast<int64_t>(op.getSlots())); });
}

//===----------------------------------------------------------------------===//
// moert.unsort
//===----------------------------------------------------------------------===//

static KernelCode unsortCode(int64_t columns) {
  KernelCode code = rowCode("unsort", "rows/Elementwise.h", columns);
  code.parameters = {"const float *r0", "const int32_t *r1", "float *w0"};
  code.call = formatv("unsortRows<{0}>(r0, r1, w0)", columns);
  return code;
}

static LogicalResult select(FunctionSelection &selection, moert::UnsortOp op) {
  const int64_t columns = selection.columnsOf(op, op.getOutput());
  if (columns < 0)
    return failure();
  return selection.launch(op,
                          rowLaunch(op, op.getOutput(), columns)
                              .read(op.getRows())
                              .read(op.getInverse())
                              .write(op.getOutput()),
                          [&](const Chip &) { return unsortCode(columns); });
}

//===----------------------------------------------------------------------===//
// moert.combine
//===----------------------------------------------------------------------===//

static KernelCode combineCode(int64_t columns, int64_t slots, bool hasInverse, bool hasWeights) {
  codegen::Parameters parameters;
  const std::string rows = parameters.read("const float *");
  const std::string inverse = parameters.readIf(hasInverse, "const int32_t *");
  const std::string weights = parameters.readIf(hasWeights, "const float *");
  const std::string output = parameters.write("float *");
  KernelCode code = rowCode("combine", "rows/Combine.h", columns);
  code.parameters = parameters.list;
  code.call = formatv("combineRows<{0}, {1}>({2}, {3}, {4}, {5})", columns, slots, rows, inverse,
                      weights, output);
  return code;
}

static LogicalResult select(FunctionSelection &selection, moert::CombineOp op) {
  const int64_t columns = selection.columnsOf(op, op.getOutput());
  const Value slotsOfTokens = op.getInverse() ? op.getInverse() : op.getRows();
  const int64_t slots = selection.constantOf(op, typeOf(slotsOfTokens).getDim(1));
  if (columns < 0 || slots < 0)
    return failure();
  return selection.launch(op,
                          rowLaunch(op, op.getOutput(), columns)
                              .read(op.getRows())
                              .read(op.getInverse())
                              .read(op.getWeights())
                              .write(op.getOutput()),
                          [&](const Chip &) {
                            return combineCode(columns, slots, static_cast<bool>(op.getInverse()),
                                               static_cast<bool>(op.getWeights()));
                          });
}

//===----------------------------------------------------------------------===//
// The table
//===----------------------------------------------------------------------===//

ArrayRef<Selector> rowSelectors() {
  static constexpr Selector kTable[] = {
      selector<moert::RmsNormOp, select>(Sharing::Rows),
      selector<moert::QuantizeOp, select>(Sharing::Rows),
      selector<moert::QuantizeHeadsOp, select>(),
      selector<moert::AddOp, select>(Sharing::Rows),
      selector<moert::GluOp, select>(Sharing::Rows),
      selector<moert::GatherOp, select>(),
      selector<moert::UnsortOp, select>(),
      selector<moert::CombineOp, select>(Sharing::FirstRows),
      selector<moert::ScaleOp, select>(Sharing::Rows),
      selector<moert::ConvertOp, select>(),
  };
  return kTable;
}

} // namespace sortie::selection
