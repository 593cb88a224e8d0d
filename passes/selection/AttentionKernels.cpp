// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Attention over a cache: a launch for the results of spans, which thread blocks share if there are
// few tokens and which ends at once if there are more; and one that merges them, or attends if
// there are more.

#include "dialect/common/Widths.h"
#include "passes/selection/CacheKernels.h"
#include "passes/selection/Selector.h"
#include "runtime/numerics/cache.h"

using namespace mlir;

namespace sortie::selection {

using codegen::Attention;
using codegen::Chip;

namespace {
/// The operands of moert.attend and moert.attend_latent.
struct AttentionBuffers {
  Value queries, rotated, cache, positions, sequences, pages;
  FlatSymbolRefAttr sinks;
  Value output;
};
} // namespace

/// The operands that both launches read.
static LaunchBuilder &readAll(LaunchBuilder &launch, const AttentionBuffers &buffers) {
  return launch.read(buffers.queries)
      .read(buffers.rotated)
      .read(buffers.cache)
      .read(buffers.positions)
      .read(buffers.sequences)
      .read(buffers.pages);
}

/// Launches the kernel that writes the results of spans, of up to attention.splitTokens tokens.
static LogicalResult selectSpans(FunctionSelection &selection, Operation *op,
                                 const Attention &attention, const AttentionBuffers &buffers,
                                 Value status, Value results) {
  const moert::ExtentAttr tokens = rowsOf(buffers.queries);
  LaunchBuilder launch(op);
  launch
      .grid(tokens.multiply(attention.tilesOfToken()), /*divisor=*/1,
            moert::ExtentAttr::get(op->getContext(),
                                   attention.splitTokens * attention.tilesOfToken()))
      .grid(attention.kvHeads)
      .grid(attention.spans());
  readAll(launch, buffers).read(status).write(results).extent(tokens);
  return selection.launch(
      op, launch, [&](const Chip &chip) { return codegen::attendSpansKernel(attention, chip); });
}

/// Launches the kernel that writes the output. A chip's memory says how many queries a thread block
/// has, so grids differ.
static LogicalResult selectOutput(FunctionSelection &selection, Operation *op,
                                  const Attention &attention, const AttentionBuffers &buffers,
                                  Value status, Value results) {
  MLIRContext *context = op->getContext();
  const moert::ExtentAttr tokens = rowsOf(buffers.queries);
  const auto dim = [&](moert::ExtentAttr extent, int64_t divisor) {
    return moert::GridAttr::get(context, extent, divisor, /*roundsDown=*/false, /*max=*/{});
  };
  const auto constant = [&](int64_t value) {
    return dim(moert::ExtentAttr::get(context, value), /*divisor=*/1);
  };
  const int64_t tiles = attention.splitTokens * attention.tilesOfToken();
  LaunchBuilder launch(op);
  for (const Chip *chip : selection.kernels.getChips()) {
    const codegen::AttendGrid blocks = codegen::attendGrid(attention, *chip);
    const SmallVector<moert::GridAttr> grid = {
        dim(tokens.multiply(attention.heads / attention.kvHeads)
                .plus(tiles * blocks.queriesOfBlock),
            blocks.queriesOfBlock),
        constant(attention.kvHeads), constant(blocks.blocksOfTile)};
    if (launch.dims.empty())
      launch.grid(grid);
    else if (grid != launch.dims)
      launch.variant(chip->architecture, grid);
  }
  readAll(launch, buffers)
      .read(results)
      .read(status)
      .write(buffers.output)
      .weight(buffers.sinks, moert::WeightForm::Floats)
      .extent(tokens);
  return selection.launch(op, launch,
                          [&](const Chip &chip) { return codegen::attendKernel(attention, chip); });
}

static LogicalResult selectAttention(FunctionSelection &selection, Operation *op,
                                     Attention attention, const AttentionBuffers &buffers) {
  attention.pages = selection.columnsOf(op, buffers.pages);
  const Value status = getPlacesStatus(selection, op, buffers.positions, buffers.sequences,
                                       buffers.pages, buffers.cache, attention.window);
  if (attention.pages < 0 || !status)
    return failure();
  const int64_t maxTokens = selection.kernels.getMaximum(rowsOf(buffers.queries));
  attention.splitTokens = attention.chooseSplitTokens(maxTokens);
  const Value results = selection.makeBuffer(
      op->getLoc(),
      moert::ExtentAttr::get(op->getContext(), attention.splitTokens * attention.resultFloats()),
      moert::ElementKind::F32);
  if (failed(selectSpans(selection, op, attention, buffers, status, results)))
    return failure();
  return selectOutput(selection, op, attention, buffers, status, results);
}

/// What both operations have.
template <typename Op> static Attention describe(Op op) {
  Attention attention{};
  attention.own = toNumerics(op.getQueryWidth());
  attention.cached = toNumerics(op.getWidth());
  attention.heads = static_cast<int64_t>(op.getHeads());
  attention.scale = numerics::exponentScale(op.getScale().convertToDouble());
  attention.key = typeOf(op.getQueries()).getShape().back().getConstant() / attention.heads;
  attention.value = typeOf(op.getOutput()).getShape().back().getConstant() / attention.heads;
  return attention;
}

static LogicalResult select(FunctionSelection &selection, moert::AttendOp op) {
  Attention attention = describe(op);
  attention.kvHeads = static_cast<int64_t>(op.getKvHeads());
  attention.window = static_cast<int64_t>(op.getWindow());
  attention.hasSinks = static_cast<bool>(op.getSinksAttr());
  return selectAttention(selection, op, attention,
                         {op.getQueries(), /*rotated=*/{}, op.getCache(), op.getPositions(),
                          op.getSequences(), op.getPages(), op.getSinksAttr(), op.getOutput()});
}

static LogicalResult select(FunctionSelection &selection, moert::AttendLatentOp op) {
  Attention attention = describe(op);
  attention.kvHeads = 1;
  attention.rotated = typeOf(op.getRotated()).getShape().back().getConstant() / attention.heads;
  return selectAttention(selection, op, attention,
                         {op.getQueries(), op.getRotated(), op.getCache(), op.getPositions(),
                          op.getSequences(), op.getPages(), /*sinks=*/{}, op.getOutput()});
}

ArrayRef<Selector> attentionSelectors() {
  static constexpr Selector kTable[] = {
      selector<moert::AttendOp, select>(),
      selector<moert::AttendLatentOp, select>(),
  };
  return kTable;
}

} // namespace sortie::selection
