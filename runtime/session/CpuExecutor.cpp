// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A step is an operation of runtime/cpu/Operations.h; what the audit and the benchmark want to know
// of it.

#include "runtime/session/CpuExecutor.h"

#include "runtime/support/Error.h"

#include "llvm/ADT/STLExtras.h"

#include <chrono>
#include <cstring>

using namespace llvm;

namespace sortie {

CpuExecutor::CpuExecutor(const Program &program, const Function &function,
                         const PackedWeights &weights, const cpu::Context &context,
                         const Arguments &arguments, const CpuMemory &memory)
    : BoundFunction(program, function, arguments.symbols()), weights(weights), context(context) {
  for (const Buffer &buffer : function.buffers) {
    switch (buffer.place) {
    case Buffer::Place::Input:
      addresses.push_back(arguments.inputs()[buffer.argument].data);
      break;
    case Buffer::Place::Output:
      addresses.push_back(arguments.outputs()[buffer.argument].data);
      break;
    case Buffer::Place::Arena:
      addresses.push_back(memory.arena + arenaOffset(buffer));
      break;
    case Buffer::Place::State:
      addresses.push_back(memory.states + memory.stateOffsets[buffer.argument]);
      break;
    }
  }
}

Error CpuExecutor::run(RunObserver &observer) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point begin = Clock::now();
  auto elapsed = [&] {
    return static_cast<uint64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - begin).count());
  };
  auto read = [this](BufferId buffer) { return hostBytes(buffer); };
  for (size_t i = 0; i < function.steps.size(); ++i) {
    const Step &step = function.steps[i];
    if (observer.isCancelled(i, function.steps.size()))
      return cancelled(i);
    if (std::holds_alternative<Checkpoint>(step.action)) {
      if (observer.wantsCheckpoints())
        if (Error error = reportCheckpoint(step, read, observer))
          return error;
      continue;
    }
    const uint64_t stepBegin = observer.wantsSteps() ? elapsed() : 0;
    if (Error error = runStep(step))
      return error;
    if (observer.wantsSteps())
      observer.step({i, step, stepBegin, elapsed(), costOf(step)});
  }
  return observer.wantsCheckpoints() ? reportOutputs(read, observer) : Error::success();
}

//===- Steps -------------------------------------------------------------===//

Error CpuExecutor::runStep(const Step &step) {
  if (const auto *action = std::get_if<Compute>(&step.action))
    return compute(step, action->operation);
  // The loader refuses everything else but copies in a program for the CPU.
  std::memcpy(data(step.writes[0]), data(step.reads[0]), bytes(step.reads[0]));
  return Error::success();
}

Error CpuExecutor::compute(const Step &step, uint32_t operation) {
  const std::optional<cpu::BadIndex> bad =
      cpu::runOperation(operation, operandsOf(step), cpu::deviceOf(context));
  if (!bad)
    return Error::success();
  if (bad->kind == cpu::BadIndex::Kind::Expert)
    return badExpertId(bad->position, bad->slotsOfToken, bad->index, bad->bound);
  return badIndex(&step - function.steps.data(), bad->kind, bad->position, bad->index, bad->bound);
}

cpu::Rows CpuExecutor::rowsOf(BufferId buffer) const {
  if (buffer == kNoBuffer)
    return {};
  return {data(buffer), rows(buffer), columns(buffer), rowKind(function.buffers[buffer].type)};
}

cpu::Operands CpuExecutor::operandsOf(const Step &step) const {
  cpu::Operands operands;
  transform(step.reads, operands.reads, [this](BufferId id) { return rowsOf(id); });
  transform(step.writes, operands.writes, [this](BufferId id) { return rowsOf(id); });
  const ArrayRef<WeightId> ids = step.weights;
  transform(ids.take_front(step.matrices), operands.matrices,
            [this](WeightId id) { return weights.matrix(id); });
  transform(ids.drop_front(step.matrices), operands.vectors,
            [this](WeightId id) { return id == kNoWeight ? nullptr : weights.vector(id); });
  copy(step.parameters, operands.parameters);
  operands.numbers = step.numbers.data();
  operands.numberCount = static_cast<int64_t>(step.numbers.size());
  return operands;
}

//===- Costs -------------------------------------------------------------===//

/// Of a step that multiplies with matrices.
StepCost CpuExecutor::productCost(const Step &step) const {
  StepCost cost;
  cost.bytes = bytes(step.reads[0]) + bytes(step.writes[0]);
  for (const WeightId weight : ArrayRef(step.weights).take_front(step.matrices)) {
    const cpu::MatrixShape shape = cpu::shapeOf(program.weights[weight]);
    // Each row is multiplied with one matrix, or with one for each of its heads.
    const int64_t allRows = rows(step.writes[0]);
    UsedRows used{allRows * shape.experts, allRows != 0 ? shape.experts : 0};
    if (step.offsets != kNoBuffer)
      used = usedRows(reinterpret_cast<const int32_t *>(data(step.offsets)), shape.experts);
    cost.bytes += cpu::packedBytes(shape) / shape.experts * used.experts;
    cost.operations += 2 * used.rows * shape.rows * shape.columns;
  }
  return cost;
}

StepCost CpuExecutor::costOf(const Step &step) const {
  if (step.matrices != 0)
    return productCost(step);
  StepCost cost;
  for (const BufferId buffer : concat<const BufferId>(step.reads, step.writes))
    cost.bytes += bytes(buffer);
  return cost;
}

} // namespace sortie
