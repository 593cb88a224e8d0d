// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Attention over a cache: of few tokens, the spans of which thread blocks share, a launch for the
// spans and one that merges them, which end at once if there are more; of more, one launch, which
// has no thread blocks if there are few.

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

/// The operands that queries are computed of.
static LaunchBuilder &readAll(LaunchBuilder &launch, const AttentionBuffers &buffers,
                              Value status) {
  return launch.read(buffers.queries)
      .read(buffers.rotated)
      .read(buffers.cache)
      .read(buffers.positions)
      .read(buffers.sequences)
      .read(buffers.pages)
      .read(status);
}

/// Of up to attention.splitTokens tokens.
static LogicalResult selectSpans(FunctionSelection &selection, Operation *op,
                                 const Attention &attention, const AttentionBuffers &buffers,
                                 Value status) {
  MLIRContext *context = op->getContext();
  const moert::ExtentAttr tokens = rowsOf(buffers.queries);
  const moert::ExtentAttr most =
      moert::ExtentAttr::get(context, attention.splitTokens * attention.tilesOfToken());
  const Value results = selection.makeBuffer(
      op->getLoc(),
      moert::ExtentAttr::get(context, attention.splitTokens * attention.resultFloats()),
      moert::ElementKind::F32);
  LaunchBuilder spans(op);
  spans.grid(tokens.multiply(attention.tilesOfToken()), /*divisor=*/1, most)
      .grid(attention.kvHeads)
      .grid(attention.spans());
  readAll(spans, buffers, status).write(results).extent(tokens);
  if (failed(selection.launch(op, spans, [&](const Chip &chip) {
        return codegen::attendSpansKernel(attention, chip);
      })))
    return failure();
  LaunchBuilder merge(op);
  merge.grid(tokens.multiply(attention.tilesOfToken()), /*divisor=*/1, most)
      .grid(attention.kvHeads)
      .grid(codegen::attendMergeBlocks(attention))
      .read(results)
      .read(buffers.positions)
      .read(status)
      .write(buffers.output)
      .weight(buffers.sinks, moert::WeightForm::Floats)
      .extent(tokens);
  return selection.launch(
      op, merge, [&](const Chip &chip) { return codegen::attendMergeKernel(attention, chip); });
}

/// Of more tokens; of fewer nothing is launched. A chip's memory says how many queries a thread
/// block has, so grids differ.
static LogicalResult selectPrompt(FunctionSelection &selection, Operation *op,
                                  const Attention &attention, const AttentionBuffers &buffers,
                                  Value status) {
  MLIRContext *context = op->getContext();
  const moert::ExtentAttr tokens = rowsOf(buffers.queries);
  const auto constant = [&](int64_t value) { return moert::ExtentAttr::get(context, value); };
  const auto dim = [&](moert::ExtentAttr extent, int64_t divisor, bool roundsDown,
                       moert::ExtentAttr max) {
    return moert::GridAttr::get(context, extent, divisor, roundsDown, max);
  };
  LaunchBuilder launch(op);
  for (const Chip *chip : selection.kernels.getChips()) {
    const SmallVector<moert::GridAttr> grid = {
        dim(constant(attention.kvHeads), 1, /*roundsDown=*/false, {}),
        dim(tokens.multiply(attention.heads / attention.kvHeads),
            codegen::attendPromptQueries(attention, *chip), /*roundsDown=*/false, {}),
        dim(tokens, attention.splitTokens + 1, /*roundsDown=*/true, constant(1))};
    if (launch.dims.empty())
      launch.grid(grid);
    else if (grid != launch.dims)
      launch.variant(chip->architecture, grid);
  }
  readAll(launch, buffers, status)
      .write(buffers.output)
      .weight(buffers.sinks, moert::WeightForm::Floats)
      .extent(tokens);
  return selection.launch(
      op, launch, [&](const Chip &chip) { return codegen::attendPromptKernel(attention, chip); });
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
  if (failed(selectSpans(selection, op, attention, buffers, status)))
    return failure();
  return maxTokens > attention.splitTokens ? selectPrompt(selection, op, attention, buffers, status)
                                           : success();
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
