// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// moert-plan-memory: every buffer gets its place in the function's arena.

#include "passes/MemoryPlanner.h"
#include "passes/Passes.h"

#include "mlir/IR/SymbolTable.h"

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
  /// Adds all buffers that are used to the planner, with the steps between which they are live.
  void addBuffers(MemoryPlanner &planner, ArrayRef<moert::BufferOp> buffers);
  void eraseUnused();
  /// The bounded symbol that all sizes are affine in. Fails if there are several; null if there is
  /// none.
  FailureOr<moert::SymbolOp> findSymbol(ArrayRef<moert::BufferOp> buffers);
  moert::ExtentAttr toExtent(AffineBytes bytes, StringRef symbol);
};

FailureOr<moert::SymbolOp> MoertPlanMemory::findSymbol(ArrayRef<moert::BufferOp> buffers) {
  StringRef name;
  for (moert::BufferOp buffer : buffers) {
    const StringRef symbol = buffer.getType().getByteSize().getSymbol();
    if (symbol.empty() || symbol == name)
      continue;
    if (!name.empty())
      return buffer.emitOpError("has a size in ")
             << symbol << ", another one in " << name
             << "; an arena can only be planned over one symbol";
    name = symbol;
  }
  if (name.empty())
    return moert::SymbolOp();
  // The function's verifier has seen that the symbol is there.
  return cast<moert::SymbolOp>(
      SymbolTable::lookupNearestSymbolFrom(getOperation(), StringAttr::get(&getContext(), name)));
}

AffineBytes bytesOf(moert::BufferOp buffer) {
  const moert::ExtentAttr size = buffer.getType().getByteSize();
  return {size.getScale(), size.getConstant()};
}

void MoertPlanMemory::addBuffers(MemoryPlanner &planner, ArrayRef<moert::BufferOp> buffers) {
  llvm::DenseMap<Operation *, int64_t> steps;
  for (Operation &op : getOperation().getBody().front())
    steps.try_emplace(&op, steps.size());
  for (moert::BufferOp buffer : buffers) {
    int64_t first = INT64_MAX, last = 0;
    for (Operation *user : buffer->getUsers()) {
      first = std::min(first, steps.at(user));
      last = std::max(last, steps.at(user));
    }
    const AffineBytes size = bytesOf(buffer);
    planner.addBuffer(size, first, last);
  }
}

void MoertPlanMemory::eraseUnused() {
  for (auto buffer : llvm::make_early_inc_range(getOperation().getBody().getOps<moert::BufferOp>()))
    if (buffer->use_empty())
      buffer.erase();
}

moert::ExtentAttr MoertPlanMemory::toExtent(AffineBytes bytes, StringRef symbol) {
  if (bytes.perToken == 0)
    return moert::ExtentAttr::get(&getContext(), bytes.fixed);
  return moert::ExtentAttr::get(&getContext(), bytes.perToken, symbol, bytes.fixed);
}

void MoertPlanMemory::runOnOperation() {
  eraseUnused();
  auto buffers = llvm::to_vector(getOperation().getBody().getOps<moert::BufferOp>());
  FailureOr<moert::SymbolOp> symbol = findSymbol(buffers);
  if (failed(symbol))
    return signalPassFailure();
  const int64_t maxTokens = *symbol ? symbol->getMax() : 0;
  const StringRef name = *symbol ? symbol->getSymName() : StringRef();

  MemoryPlanner planner(maxTokens);
  addBuffers(planner, buffers);
  const MemoryPlan plan = planner.plan();
  for (auto [buffer, offset] : llvm::zip_equal(buffers, plan.offsets)) {
    buffer.setOffsetAttr(toExtent(offset, name));
    placedBytes += alignUp(bytesOf(buffer)).at(maxTokens);
    ++placed;
  }
  getOperation().setArenaAttr(toExtent(plan.arena, name));
  arenaBytes += plan.arena.at(maxTokens);
}

} // namespace
} // namespace sortie
