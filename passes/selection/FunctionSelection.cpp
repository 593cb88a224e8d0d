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

const Selector *findSelector(StringRef op) {
  for (const ArrayRef<Selector> family :
       {rowSelectors(), headSelectors(), indexedRowSelectors(), cacheSelectors(),
        attentionSelectors(), routingSelectors(), productSelectors()})
    for (const Selector &selector : family)
      if (selector.op == op)
        return &selector;
  return nullptr;
}

LogicalResult FunctionSelection::run() {
  llvm::DenseMap<Operation *, JoinedOps> joins; // by their first operations
  // Launches that are there already may read early what operations between them have kept apart.
  const bool hasLaunches = !function.getBody().getOps<moert::LaunchOp>().empty();
  if (options.joinsLaunches && !function.getArenaAttr() && !hasLaunches)
    for (const JoinedOps &ops : planJoins(function))
      joins[ops.first()] = ops;
  Block &block = function.getBody().front();
  for (Block::iterator next = block.begin(); next != block.end();) {
    Operation *op = &*next++;
    const auto join = joins.find(op);
    if (join == joins.end()) {
      if (failed(select(op)))
        return failure();
      continue;
    }
    const JoinedOps ops = std::move(join->second);
    joins.erase(join); // another operation may get its address
    next = std::next(ops.last->getIterator());
    if (failed(select(ops)))
      return failure();
  }
  return success();
}

LogicalResult FunctionSelection::select(Operation *op) {
  const Selector *selector = findSelector(op->getName().getStringRef());
  if (!selector && isa<moert::StepOpInterface>(op))
    return op->emitOpError("has no kernel of target cuda; compile for target=cpu");
  if (!selector)
    return success();
  builder.setInsertionPoint(op);
  if (failed(selector->select(*this, op)))
    return failure();
  op->erase();
  return success();
}

LogicalResult FunctionSelection::select(const JoinedOps &ops) {
  const Location location = ops.first()->getLoc();
  Operation *behind = ops.last->getNextNode();
  std::vector<std::vector<CodedLaunch>> parts;
  for (ArrayRef<Operation *> part : ops.parts) {
    shared = &parts.emplace_back();
    for (Operation *op : part)
      if (failed(select(op)))
        return failure();
    assert(shared->size() == part.size() && "each operation that joins is one launch");
  }
  shared = nullptr;
  builder.setInsertionPoint(behind);
  if (const auto joined = joinLaunches(ops.kind, parts, kernels.getChips())) {
    create(location, *joined);
    return success();
  }
  for (ArrayRef<CodedLaunch> part : parts)
    for (const CodedLaunch &launch : part)
      create(location, launch);
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
  CodedLaunch coded = {std::move(launch), {}};
  for (const codegen::Chip *chip : kernels.getChips()) {
    coded.codes.push_back(code(*chip));
    for (const LaunchBuilder::Update &update : updates)
      coded.codes.back() =
          codegen::inPlace(std::move(coded.codes.back()), update.read, update.write);
  }
  if (shared)
    shared->push_back(std::move(coded));
  else
    create(op->getLoc(), coded);
  return success();
}

void FunctionSelection::create(Location location, const CodedLaunch &coded) {
  const LaunchBuilder &launch = coded.launch;
  const FlatSymbolRefAttr kernel = kernels.get(location, launch.getInterface(), coded.codes);
  const auto toArray = [&](auto attributes) {
    return builder.getArrayAttr(SmallVector<Attribute>(attributes.begin(), attributes.end()));
  };
  SmallVector<Attribute> variants;
  for (const LaunchBuilder::Variant &variant : launch.variants)
    variants.push_back(
        moert::LaunchVariantAttr::get(builder.getContext(), variant.arch, toArray(variant.dims)));
  moert::LaunchOp::create(builder, location, kernel, toArray(launch.dims),
                          variants.empty() ? ArrayAttr() : builder.getArrayAttr(variants),
                          launch.reads, launch.writes, toArray(launch.weights),
                          toArray(launch.extents), builder.getUnitAttr(),
                          moert::WorkAttr::get(builder.getContext(), launch.op, launch.arithmetic,
                                               launch.operations, launch.offsets));
  ++numLaunches;
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
