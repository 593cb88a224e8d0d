// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Launches of kernels and products of cuBLAS. The verifiers have compared them with their kernels
// and weights; checked here is that grids and extents keep the limits of CUDA, and rows that of the
// library, at the bounds of the symbols. They only grow with them.

#include "runtime/program/FunctionLowering.h"

#include "runtime/support/Error.h"

#include "llvm/ADT/STLExtras.h"

using namespace llvm;

namespace sortie {

Expected<GridDim> FunctionLowering::gridDim(moert::LaunchOp op, moert::GridAttr dim,
                                            unsigned index) {
  const int64_t mostBlocks = moert::GridAttr::kMostBlocks[index];
  const int64_t bound =
      std::max(boundOf(dim.getExtent()), dim.getMax() ? boundOf(dim.getMax()) : int64_t{0});
  const std::optional<int64_t> blocks = dim.evaluate(bound);
  if (!blocks || *blocks > mostBlocks)
    return error(op, "dimension " + Twine(index) + " of the grid of kernel '" + op.getKernel() +
                         "' has " + (blocks ? Twine(*blocks) : Twine("more than 2^63")) +
                         " thread blocks at the bound of its symbol, the limit is " +
                         Twine(mostBlocks) + "; compile it with a smaller max-tokens");
  GridDim result{affine(dim.getExtent()), dim.getDivisor(), dim.getRoundsDown(), std::nullopt};
  if (dim.getMax())
    result.max = affine(dim.getMax());
  return result;
}

Expected<Grid> FunctionLowering::grid(moert::LaunchOp op, mlir::ArrayAttr dims) {
  Grid grid;
  for (auto [index, dim] : enumerate(dims.getAsRange<moert::GridAttr>())) {
    Expected<GridDim> lowered = gridDim(op, dim, index);
    if (!lowered)
      return lowered.takeError();
    grid.push_back(*lowered);
  }
  return grid;
}

Expected<Affine> FunctionLowering::launchExtent(moert::LaunchOp op, moert::ExtentAttr extent) {
  const std::optional<int64_t> value = most(extent);
  if (!value || *value > INT32_MAX)
    return error(op, "extent " + moert::toString(extent) + " of kernel '" + op.getKernel() +
                         "' exceeds 2^31 - 1 at the bound of its symbol; compile it with a "
                         "smaller max-tokens");
  return affine(extent);
}

/// A weight, whose use in the form that a kernel or a library reads is noted.
WeightId FunctionLowering::use(mlir::FlatSymbolRefAttr name, WeightForm form) {
  const WeightId weight = use(name);
  WeightSpec &spec = program.weights[weight];
  spec.usesPacked |= form == WeightForm::Packed;
  spec.usesRaw |= form == WeightForm::Raw;
  spec.usesFloats |= form == WeightForm::Floats;
  return weight;
}

Error FunctionLowering::lowerGrids(moert::LaunchOp op, KernelLaunch &launch) {
  Expected<Grid> common = grid(op, op.getGrid());
  if (!common)
    return common.takeError();
  launch.grid = std::move(*common);
  if (!op.getVariants())
    return Error::success();
  for (const auto variant : op.getVariants()->getAsRange<moert::LaunchVariantAttr>()) {
    Expected<Grid> lowered = grid(op, variant.getGrid());
    if (!lowered)
      return lowered.takeError();
    launch.variants.push_back({variant.getArch().str(), std::move(*lowered)});
  }
  return Error::success();
}

Error FunctionLowering::lowerOp(moert::LaunchOp op) {
  Step step;
  KernelLaunch launch;
  nameStates(op);
  launch.kernel = names.kernels.lookup(op.getKernel());
  launch.overlaps = op.getOverlaps() || program.abi < moert::MoertDialect::kOverlapAbi;
  if (Error failure = lowerGrids(op, launch))
    return failure;
  for (const auto attribute : op.getExtents().getAsRange<moert::ExtentAttr>()) {
    Expected<Affine> extent = launchExtent(op, attribute);
    if (!extent)
      return extent.takeError();
    launch.extents.push_back(*extent);
  }
  for (const mlir::Value buffer : op.getReads())
    step.reads.push_back(id(buffer));
  for (const mlir::Value buffer : op.getWrites())
    step.writes.push_back(id(buffer));
  for (auto [index, name] : enumerate(op.getWeights().getAsRange<mlir::FlatSymbolRefAttr>()))
    step.weights.push_back(use(name, program.kernels[launch.kernel].weights[index]));
  const moert::WorkAttr work = op.getWork();
  launch.operationsPerRow = static_cast<uint64_t>(work.getOperations());
  step.offsets = work.getOffsets() ? step.reads[*work.getOffsets()] : kNoBuffer;
  step.action = std::move(launch);
  addStep(op, std::move(step));
  function.steps.back().operation = work.getOp().str();
  return Error::success();
}

Error FunctionLowering::lowerOp(moert::CublasMatmulOp op) {
  const auto rows = cast<moert::BufferType>(op.getOutput().getType()).getDim(0);
  const std::optional<int64_t> mostRows = most(rows);
  if (!mostRows || *mostRows > INT32_MAX)
    return error(op, "has more rows than cuBLAS counts (2^31 - 1) at the bound of its symbol; "
                     "compile it with a smaller max-tokens");
  const WeightId weight = names.weights.lookup(op.getWeights());
  const WeightForm form = program.weights[weight].encoding == numerics::Encoding::BF16
                              ? WeightForm::Raw
                              : WeightForm::Packed;
  use(op.getWeightsAttr(), form);
  function.usesCublas = true;
  addStep(op, {"", CublasMatmul{form}, {id(op.getInput())}, {id(op.getOutput())}, {weight}});
  return Error::success();
}

Expected<uint32_t> FunctionLowering::originOf(mlir::Operation *op, mlir::Value status) const {
  const BufferId buffer = id(status);
  const auto findStep = [&](auto buffers) {
    return find_if(function.steps, [&](const Step &step) {
      return std::holds_alternative<KernelLaunch>(step.action) &&
             is_contained(step.*buffers, buffer);
    });
  };
  auto origin = findStep(&Step::reads);
  if (origin == function.steps.end())
    origin = findStep(&Step::writes);
  if (origin == function.steps.end())
    return error(op, "checks an input of the function, a kernel's status is needed; compile the "
                     "program again");
  return static_cast<uint32_t>(origin - function.steps.begin());
}

Error FunctionLowering::lowerOp(moert::CheckRowsOp op) {
  Expected<uint32_t> origin = originOf(op, op.getStatus());
  if (!origin)
    return origin.takeError();
  addStep(op, {"", CheckRows{static_cast<int64_t>(op.getRows()), *origin}, {id(op.getStatus())}});
  return Error::success();
}

Error FunctionLowering::lowerOp(moert::CheckPlacesOp op) {
  Expected<uint32_t> origin = originOf(op, op.getStatus());
  if (!origin)
    return origin.takeError();
  addStep(op, {"", CheckPlaces{*origin}, {id(op.getStatus())}});
  return Error::success();
}

Error FunctionLowering::lowerOp(moert::CheckIdsOp op) {
  const CheckIds check{static_cast<int64_t>(op.getExperts()), static_cast<int64_t>(op.getSlots())};
  addStep(op, {"", check, {id(op.getStatus())}});
  return Error::success();
}

} // namespace sortie
