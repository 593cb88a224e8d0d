// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Launches of routing and of the sort by expert.

#include "codegen/kernels/routing/RoutingGeometry.h"
#include "dialect/moert/NumericParameters.h"
#include "passes/selection/FunctionSelection.h"
#include "passes/selection/Selector.h"

using namespace mlir;

namespace sortie::selection {

using codegen::Chip;
using moert::ExtentAttr;

static LogicalResult select(FunctionSelection &selection, moert::RouteOp op) {
  if (selection.columnsOf(op, op.getScores()) < 0)
    return failure();
  const numerics::RouteParams params = moert::getRouteParams(op);
  const ExtentAttr tokens = rowsOf(op.getScores());
  return selection.launch(op,
                          LaunchBuilder(op)
                              .grid(tokens, kernels::kRouteTokens)
                              .read(op.getScores())
                              .write(op.getIds())
                              .write(op.getWeights())
                              .weight(op.getBiasAttr(), moert::WeightForm::Floats)
                              .extent(tokens),
                          [&](const Chip &) {
                            return codegen::routeKernel(params,
                                                        static_cast<bool>(op.getBiasAttr()));
                          });
}

/// The buffers that a dispatch needs beside its results.
struct DispatchBuffers {
  Value histogram;
  Value tiles;
  Value status;
};

static LogicalResult launchDispatch(FunctionSelection &selection, moert::DispatchOp op,
                                    const codegen::ExpertCounts &experts,
                                    const DispatchBuffers &buffers) {
  const ExtentAttr slots = elementsOf(op.getIds());
  const ExtentAttr first = ExtentAttr::get(op.getContext(), op.getFirstExpert());
  if (failed(selection.launch(op,
                              LaunchBuilder(op)
                                  .gridOfWhole(slots, kernels::kDispatchSegment)
                                  .read(op.getIds())
                                  .write(buffers.histogram)
                                  .extent(slots)
                                  .extent(first),
                              [&](const Chip &) { return codegen::dispatchCountKernel(experts); })))
    return failure();
  return selection.launch(op,
                          LaunchBuilder(op)
                              .grid(slots.plus(1), kernels::kDispatchSegment)
                              .read(op.getIds())
                              .read(buffers.histogram)
                              .write(op.getPermutation())
                              .write(op.getInverse())
                              .write(op.getOffsets())
                              .write(buffers.tiles)
                              .write(buffers.status)
                              .extent(slots)
                              .extent(typeOf(buffers.tiles).getDim(0))
                              .extent(first),
                          [&](const Chip &) { return codegen::dispatchScatterKernel(experts); });
}

static LogicalResult select(FunctionSelection &selection, moert::DispatchOp op) {
  const int64_t slotsOfToken = selection.columnsOf(op, op.getIds());
  if (slotsOfToken < 0)
    return failure();
  const codegen::ExpertCounts experts{static_cast<int64_t>(op.getExperts()), op.getExpertCount()};
  const ExtentAttr slots = elementsOf(op.getIds());
  const ExtentAttr entries = slots.atLeastQuotient(kernels::kTileRows, 1).plus(experts.count);
  const auto makeBuffer = [&](ArrayRef<ExtentAttr> shape) {
    return selection.makeBuffer(op.getLoc(), shape);
  };
  DispatchBuffers buffers;
  buffers.histogram = makeBuffer(
      slots.atLeastQuotient(kernels::kDispatchSegment, kernels::dispatchColumns(experts.count)));
  buffers.tiles = makeBuffer({entries, ExtentAttr::get(op.getContext(), 4)});
  buffers.status = makeBuffer(ExtentAttr::get(op.getContext(), 2));
  if (failed(launchDispatch(selection, op, experts, buffers)))
    return failure();
  selection.dispatches[op.getOffsets()] = {buffers.tiles, experts.count};

  const OpBuilder::InsertionGuard guard(selection.builder);
  selection.builder.setInsertionPoint(selection.function.getBody().front().getTerminator());
  moert::CheckIdsOp::create(selection.builder, op.getLoc(), buffers.status, experts.total,
                            slotsOfToken);
  return success();
}

ArrayRef<Selector> routingSelectors() {
  static constexpr Selector kTable[] = {
      selector<moert::RouteOp, select>(),
      selector<moert::DispatchOp, select>(),
  };
  return kTable;
}

} // namespace sortie::selection
