// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/moert/Indices.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"

using namespace mlir;
using namespace sortie::moert;

namespace {

class IndexVerifier {
public:
  LogicalResult verify(FuncOp func) {
    for (Operation &op : func.getBody().getOps())
      if (failed(verify(&op)))
        return failure();
    return success();
  }

private:
  enum class Role { Permutation, Inverse, Offsets };

  struct Origin {
    DispatchOp dispatch;
    Role role;
  };

  LogicalResult verify(Operation *op);
  /// Notes what `op` writes.
  void note(Operation *op);
  LogicalResult verifyOperands(Operation *op, const StepOperands &operands);
  LogicalResult verifyGroups(Operation *op, const StepOperands &operands);

  llvm::DenseMap<Value, Origin> origins;
  /// What kernels wrote. They are code, which nobody can check; who reads an order that one wrote
  /// checks the values.
  llvm::DenseSet<Value> trusted;
};

LogicalResult IndexVerifier::verifyOperands(Operation *op, const StepOperands &operands) {
  const std::tuple<Value, Role, StringRef> roles[] = {
      {operands.permutation, Role::Permutation, "permutation"},
      {operands.inverse, Role::Inverse, "inverse"},
      {operands.offsets, Role::Offsets, "offsets"}};
  DispatchOp dispatch;
  for (const auto &[value, role, what] : roles) {
    if (!value || trusted.contains(value))
      continue;
    const auto origin = origins.find(value);
    if (origin == origins.end() || origin->second.role != role)
      return op->emitOpError() << "reads as " << what << " what is not the " << what
                               << " of a moert.dispatch, so its values cannot be trusted";
    if (dispatch && dispatch != origin->second.dispatch)
      return op->emitOpError("reads indices of two different moert.dispatch");
    dispatch = origin->second.dispatch;
  }
  return success();
}

/// Offsets count the rows of their dispatch, so what works on groups of rows must have as many.
LogicalResult IndexVerifier::verifyGroups(Operation *op, const StepOperands &operands) {
  const auto origin = origins.find(operands.offsets);
  if (origin == origins.end())
    return success();
  const auto rowsOf = [](Value value) { return cast<BufferType>(value.getType()).getDim(0); };
  if (rowsOf(origin->second.dispatch.getPermutation()) == rowsOf(operands.writes.front()))
    return success();
  return op->emitOpError("has another number of rows than the moert.dispatch of its offsets");
}

void IndexVerifier::note(Operation *op) {
  if (auto dispatch = dyn_cast<DispatchOp>(op)) {
    origins[dispatch.getPermutation()] = {dispatch, Role::Permutation};
    origins[dispatch.getInverse()] = {dispatch, Role::Inverse};
    origins[dispatch.getOffsets()] = {dispatch, Role::Offsets};
  } else if (auto launch = dyn_cast<LaunchOp>(op)) {
    trusted.insert(launch.getWrites().begin(), launch.getWrites().end());
  } else if (auto copy = dyn_cast<CopyOp>(op)) {
    // A copy can be trusted as the original.
    if (const auto origin = origins.find(copy.getInput()); origin != origins.end())
      origins[copy.getOutput()] = Origin(origin->second);
    if (trusted.contains(copy.getInput()))
      trusted.insert(copy.getOutput());
  }
  // Others may write a state again.
  for (Value buffer : getWrittenBuffers(op))
    if (buffer.getDefiningOp<StateBufferOp>()) {
      origins.erase(buffer);
      trusted.erase(buffer);
    }
}

LogicalResult IndexVerifier::verify(Operation *op) {
  note(op);
  if (auto checkpoint = dyn_cast<CheckpointOp>(op))
    return verifyOperands(op, StepOperands().readInverse(checkpoint.getOrder()));
  auto step = dyn_cast<StepOpInterface>(op);
  if (!step)
    return success();
  const StepOperands operands = step.getStepOperands();
  return success(succeeded(verifyOperands(op, operands)) && succeeded(verifyGroups(op, operands)));
}

} // namespace

LogicalResult sortie::moert::verifyIndices(FuncOp func) { return IndexVerifier().verify(func); }
