// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// moert-plan-memory: every buffer gets its place in the function's arena, which has a region for
// each symbol that sizes depend on.

#include "passes/MemoryPlanner.h"
#include "passes/Passes.h"

#include "mlir/IR/SymbolTable.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;

namespace sortie {
#define GEN_PASS_DEF_MOERTPLANMEMORY
#include "passes/Passes.h.inc"

namespace {

static_assert(kArenaAlignment == moert::BufferOp::kAlignment);

class MoertPlanMemory : public impl::MoertPlanMemoryBase<MoertPlanMemory> {
public:
  void runOnOperation() override;

private:
  /// The buffers whose sizes are affine in one symbol, and those of constant size in the first.
  struct Region {
    StringRef symbol; ///< empty if all sizes are constant
    SmallVector<moert::BufferOp> buffers;
  };

  void eraseUnused();
  SmallVector<Region> collectRegions();
  /// Places the buffers of a region; gives its size.
  moert::ExtentAttr planRegion(Region &region);
  /// The bound of a symbol; 0 for an empty name.
  int64_t boundOf(StringRef symbol);
  moert::ExtentAttr toExtent(AffineBytes bytes, StringRef symbol);
};

AffineBytes bytesOf(moert::BufferOp buffer) {
  const moert::ExtentAttr size = buffer.getType().getByteSize();
  return {size.getScale(), size.getConstant()};
}

void MoertPlanMemory::eraseUnused() {
  for (auto buffer : llvm::make_early_inc_range(getOperation().getBody().getOps<moert::BufferOp>()))
    if (buffer->use_empty())
      buffer.erase();
}

SmallVector<MoertPlanMemory::Region> MoertPlanMemory::collectRegions() {
  llvm::MapVector<StringRef, SmallVector<moert::BufferOp>> bySymbol;
  SmallVector<moert::BufferOp> constant;
  for (auto buffer : getOperation().getBody().getOps<moert::BufferOp>()) {
    const moert::ExtentAttr size = buffer.getType().getByteSize();
    (size.isConstant() ? constant : bySymbol[size.getSymbol()]).push_back(buffer);
  }
  SmallVector<Region> regions;
  for (auto &[symbol, buffers] : bySymbol)
    regions.push_back({symbol, buffers});
  if (regions.empty())
    regions.push_back({});
  // The planner breaks ties in the order of the body.
  SmallVector<moert::BufferOp> &first = regions.front().buffers;
  llvm::append_range(first, constant);
  llvm::sort(first, [](moert::BufferOp a, moert::BufferOp b) { return a->isBeforeInBlock(b); });
  return regions;
}

int64_t MoertPlanMemory::boundOf(StringRef symbol) {
  if (symbol.empty())
    return 0;
  // The function's verifier has seen that the symbol is there.
  return cast<moert::SymbolOp>(SymbolTable::lookupNearestSymbolFrom(
                                   getOperation(), StringAttr::get(&getContext(), symbol)))
      .getMax();
}

moert::ExtentAttr MoertPlanMemory::toExtent(AffineBytes bytes, StringRef symbol) {
  if (bytes.perToken == 0)
    return moert::ExtentAttr::get(&getContext(), bytes.fixed);
  return moert::ExtentAttr::get(&getContext(), bytes.perToken, symbol, bytes.fixed);
}

moert::ExtentAttr MoertPlanMemory::planRegion(Region &region) {
  llvm::DenseMap<Operation *, int64_t> steps;
  for (Operation &op : getOperation().getBody().front())
    steps.try_emplace(&op, steps.size());
  const int64_t bound = boundOf(region.symbol);
  MemoryPlanner planner(bound);
  for (moert::BufferOp buffer : region.buffers) {
    int64_t first = INT64_MAX, last = 0;
    for (Operation *user : buffer->getUsers()) {
      first = std::min(first, steps.at(user));
      last = std::max(last, steps.at(user));
    }
    planner.addBuffer(bytesOf(buffer), first, last);
  }
  const MemoryPlan plan = planner.plan();
  for (auto [buffer, offset] : llvm::zip_equal(region.buffers, plan.offsets)) {
    buffer.setOffsetAttr(toExtent(offset, region.symbol));
    placedBytes += alignUp(bytesOf(buffer)).at(bound);
    ++placed;
  }
  arenaBytes += plan.arena.at(bound);
  return toExtent(plan.arena, region.symbol);
}

void MoertPlanMemory::runOnOperation() {
  eraseUnused();
  SmallVector<moert::ExtentAttr> sizes;
  for (Region &region : collectRegions())
    sizes.push_back(planRegion(region));
  getOperation().setArenaRegions(sizes);
}

} // namespace
} // namespace sortie
