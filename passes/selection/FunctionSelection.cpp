// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the selectors of all families share: limits of CUDA, launches, buffers.

#include "passes/selection/FunctionSelection.h"
#include "passes/selection/Selector.h"
#include "runtime/numerics/status.h"

using namespace mlir;

namespace sortie::selection {

using moert::ExtentAttr;

/// Kernels get extents as int32.
static constexpr int64_t kMaxExtent = INT32_MAX;

/// The row of an operation. Null if it is the same for every device: a copy, a checkpoint.
static const Selector *findSelector(StringRef op) {
  for (const ArrayRef<Selector> family :
       {rowSelectors(), headSelectors(), indexedRowSelectors(), cacheSelectors(),
        attentionSelectors(), routingSelectors(), productSelectors()})
    for (const Selector &selector : family)
      if (selector.op == op)
        return &selector;
  return nullptr;
}

LogicalResult FunctionSelection::run() {
  for (Operation &op : llvm::make_early_inc_range(function.getBody().front())) {
    const Selector *selector = findSelector(op.getName().getStringRef());
    if (!selector && isa<moert::StepOpInterface>(op))
      return op.emitOpError("has no kernel of target cuda; compile for target=cpu");
    if (!selector)
      continue;
    builder.setInsertionPoint(&op);
    if (failed(selector->select(*this, &op)))
      return failure();
    op.erase();
  }
  return success();
}

LogicalResult FunctionSelection::checkGrid(Operation *op, ArrayRef<moert::GridAttr> dims) {
  for (auto [dim, most] : llvm::zip(dims, moert::GridAttr::kMostBlocks)) {
    const int64_t blocks = kernels.getMaximum(dim);
    if (blocks < 0)
      return op->emitOpError("is too large for a GPU; compile with a smaller max-tokens");
    if (blocks > most)
      return op->emitOpError("needs a grid of ")
             << blocks << " thread blocks in a dimension that can have " << most
             << "; compile with a smaller max-tokens";
  }
  return success();
}

LogicalResult FunctionSelection::checkLimits(Operation *op, const LaunchBuilder &launch) {
  if (failed(checkGrid(op, launch.dims)))
    return failure();
  for (const LaunchBuilder::Variant &variant : launch.variants)
    if (failed(checkGrid(op, variant.dims)))
      return failure();
  for (ExtentAttr extent : launch.extents)
    if (const int64_t value = kernels.getMaximum(extent); value < 0 || value > kMaxExtent)
      return op->emitOpError("has more rows than kernels can count (2^31 - 1); compile with a "
                             "smaller max-tokens");
  return success();
}

LogicalResult FunctionSelection::launch(Operation *op, LaunchBuilder launch, CodeOfChip code) {
  if (failed(checkLimits(op, launch)))
    return failure();
  const auto updates = launch.takeUpdates();
  const auto updatingCode = [&](const codegen::Chip &chip) {
    codegen::KernelCode result = code(chip);
    for (const LaunchBuilder::Update &update : updates)
      result = codegen::inPlace(std::move(result), update.read, update.write);
    return result;
  };
  const FlatSymbolRefAttr kernel = kernels.get(op->getLoc(), launch.getInterface(), updatingCode);
  const auto toArray = [&](auto attributes) {
    return builder.getArrayAttr(SmallVector<Attribute>(attributes.begin(), attributes.end()));
  };
  SmallVector<Attribute> variants;
  for (const LaunchBuilder::Variant &variant : launch.variants)
    variants.push_back(
        moert::LaunchVariantAttr::get(builder.getContext(), variant.arch, toArray(variant.dims)));
  moert::LaunchOp::create(builder, op->getLoc(), kernel, toArray(launch.dims),
                          variants.empty() ? ArrayAttr() : builder.getArrayAttr(variants),
                          launch.reads, launch.writes, toArray(launch.weights),
                          toArray(launch.extents), builder.getUnitAttr(),
                          moert::WorkAttr::get(builder.getContext(), launch.op, launch.arithmetic,
                                               launch.operations, launch.offsets));
  ++numLaunches;
  return success();
}

int64_t FunctionSelection::constantOf(Operation *op, ExtentAttr extent) {
  if (extent.isConstant())
    return extent.getConstant();
  op->emitOpError("has rows of ")
      << moert::toString(extent)
      << " elements; kernels for CUDA are made for rows of a constant length";
  return -1;
}

Value FunctionSelection::makeBuffer(Location location, ArrayRef<ExtentAttr> shape,
                                    moert::ElementKind kind) {
  const auto type = moert::BufferType::get(builder.getContext(), shape, kind,
                                           static_cast<int64_t>(function.getDevice()),
                                           moert::BufferType::kGlobalSpace);
  return moert::BufferOp::create(builder, location, type, /*offset=*/ExtentAttr());
}

Value FunctionSelection::makeStatus(Operation *op) {
  const Value status =
      makeBuffer(op->getLoc(), ExtentAttr::get(op->getContext(), numerics::kStatusWords));
  const OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(function.getBody().front().getTerminator());
  moert::CheckPlacesOp::create(builder, op->getLoc(), status);
  return status;
}

} // namespace sortie::selection
