// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Operations on the heads of rows: launches of codegen/kernels/rows/Norm.h and Heads.h.

#include "codegen/SourceText.h"
#include "codegen/kernels/rows/RowGeometry.h"
#include "passes/selection/FunctionSelection.h"
#include "passes/selection/Selector.h"

using namespace mlir;
using llvm::formatv;

namespace sortie::selection {

using codegen::Chip;
using codegen::KernelCode;

/// The elements of each head of rows, which the verifier has seen to be whole.
static int64_t headOf(Value rows, int64_t heads) {
  return typeOf(rows).getShape().back().getConstant() / heads;
}

/// A launch whose blocks share out the heads of `rows`.
static LaunchBuilder headLaunch(Operation *op, Value rows, int64_t heads) {
  LaunchBuilder launch(op);
  launch.grid(rowsOf(rows)).grid(kernels::headBlocks(heads, headOf(rows, heads)));
  return launch;
}

//===----------------------------------------------------------------------===//
// moert.head_norm
//===----------------------------------------------------------------------===//

static KernelCode headNormCode(int64_t heads, int64_t head, float epsilon) {
  KernelCode code;
  code.kind = "head_norm";
  code.headers = {"rows/Norm.h"};
  code.parameters = {"const float *r0", "float *w0", "const float *g0"};
  code.call =
      formatv("headNormRows<{0}, {1}, {2}>(r0, w0, g0)", heads, head, codegen::bitsOf(epsilon));
  code.threads = kernels::kHeadThreads;
  return code;
}

static LogicalResult select(FunctionSelection &selection, moert::HeadNormOp op) {
  const auto heads = static_cast<int64_t>(op.getHeads());
  return selection.launch(op,
                          headLaunch(op, op.getInput(), heads)
                              .read(op.getInput())
                              .write(op.getOutput())
                              .weight(op.getWeightAttr(), moert::WeightForm::Floats),
                          [&](const Chip &) {
                            return headNormCode(heads, headOf(op.getInput(), heads),
                                                op.getEps().convertToFloat());
                          });
}

//===----------------------------------------------------------------------===//
// moert.rotate
//===----------------------------------------------------------------------===//

/// A struct that gives the frequencies of pairs.
static std::string frequenciesOf(ArrayRef<int64_t> frequencies) {
  std::string numbers;
  for (const int64_t frequency : frequencies)
    numbers += formatv("{0}{1:x}u", numbers.empty() ? "" : ", ", static_cast<uint64_t>(frequency));
  return formatv("struct Frequencies {{\n"
                 "  SORTIE_DEVICE sortie::numerics::uint64_t at(int pair) {{\n"
                 "    SORTIE_NUMERICS_TABLE sortie::numerics::uint64_t kOfPairs[] = {{{0}};\n"
                 "    return kOfPairs[pair];\n  }\n};\n\n",
                 numbers);
}

static StringRef nameOf(PairOrder order) {
  return order == PairOrder::Halves ? "sortie::numerics::PairOrder::Halves"
                                    : "sortie::numerics::PairOrder::Neighbours";
}

static KernelCode rotateCode(moert::RotateOp op, int64_t heads) {
  KernelCode code;
  code.kind = "rotate";
  code.headers = {"rows/Heads.h"};
  code.declarations = frequenciesOf(op.getFrequencies());
  code.parameters = {"const float *r0", "const int32_t *r1", "float *w0"};
  code.call = formatv("rotateRows<Frequencies, {0}, {1}, {2}, {3}, {4}>(r0, r1, w0)", heads,
                      headOf(op.getInput(), heads), op.getFrequencies().size(),
                      nameOf(op.getPairs()), codegen::bitsOf(op.getFactor().convertToFloat()));
  code.threads = kernels::kHeadThreads;
  return code;
}

static LogicalResult select(FunctionSelection &selection, moert::RotateOp op) {
  const auto heads = static_cast<int64_t>(op.getHeads());
  return selection.launch(op,
                          headLaunch(op, op.getInput(), heads)
                              .read(op.getInput())
                              .read(op.getPositions())
                              .write(op.getOutput()),
                          [&](const Chip &) { return rotateCode(op, heads); });
}

//===----------------------------------------------------------------------===//
// moert.slice_heads
//===----------------------------------------------------------------------===//

static KernelCode sliceCode(int64_t heads, int64_t head, int64_t first, int64_t kept) {
  KernelCode code;
  code.kind = "slice_heads";
  code.headers = {"rows/Heads.h"};
  code.parameters = {"const float *r0", "float *w0"};
  code.call = formatv("sliceHeads<{0}, {1}, {2}, {3}>(r0, w0)", heads, head, first, kept);
  code.threads = kernels::kHeadThreads;
  return code;
}

static LogicalResult select(FunctionSelection &selection, moert::SliceHeadsOp op) {
  const auto heads = static_cast<int64_t>(op.getHeads());
  const int64_t kept = headOf(op.getOutput(), heads);
  return selection.launch(
      op, headLaunch(op, op.getOutput(), heads).read(op.getInput()).write(op.getOutput()),
      [&](const Chip &) {
        return sliceCode(heads, headOf(op.getInput(), heads), static_cast<int64_t>(op.getFirst()),
                         kept);
      });
}

ArrayRef<Selector> headSelectors() {
  static constexpr Selector kTable[] = {
      selector<moert::HeadNormOp, select>(Sharing::Heads),
      selector<moert::RotateOp, select>(Sharing::Heads),
      selector<moert::SliceHeadsOp, select>(Sharing::Heads),
  };
  return kTable;
}

} // namespace sortie::selection
