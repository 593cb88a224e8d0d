// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One function of runtime/cpu/ops.h a step, and what the audit and the benchmark want to know.

#include "runtime/session/CpuExecutor.h"

#include "runtime/support/Error.h"

#include <chrono>
#include <cstring>

using namespace llvm;

namespace sortie {

CpuExecutor::CpuExecutor(const Program &program, const Function &function,
                         const PackedWeights &weights, const cpu::Context &context,
                         const Arguments &arguments, std::byte *arena)
    : BoundFunction(program, function, arguments.symbol()), weights(weights), context(context) {
  for (const Buffer &buffer : function.buffers) {
    switch (buffer.place) {
    case Buffer::Place::Input:
      addresses.push_back(arguments.inputs()[buffer.argument].data);
      break;
    case Buffer::Place::Output:
      addresses.push_back(arguments.outputs()[buffer.argument].data);
      break;
    case Buffer::Place::Arena:
      addresses.push_back(arena + buffer.offset.at(symbol));
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
    const auto *checkpoint = std::get_if<CheckpointStep>(&step.body);
    if (checkpoint) {
      if (observer.wantsCheckpoints())
        if (Error error = reportCheckpoint(*checkpoint, read, observer))
          return error;
      continue;
    }
    const uint64_t stepBegin = observer.wantsSteps() ? elapsed() : 0;
    if (Error error = std::visit([this](const auto &body) { return (*this)(body); }, step.body))
      return error;
    if (observer.wantsSteps())
      observer.step({i, step, stepBegin, elapsed(), costOf(step)});
  }
  return observer.wantsCheckpoints() ? reportOutputs(read, observer) : Error::success();
}

//===- Steps ----------------------------------------------------------===//

Error CpuExecutor::operator()(const RmsNormStep &step) {
  cpu::rmsNorm(floats(step.input), vector(step.weight), step.epsilon, rows(step.input),
               columns(step.input), floats(step.output), context);
  return Error::success();
}

Error CpuExecutor::operator()(const RouteStep &step) {
  cpu::route(floats(step.scores), vector(step.bias), rows(step.scores), step.params, ints(step.ids),
             floats(step.weights), context);
  return Error::success();
}

Error CpuExecutor::operator()(const DispatchStep &step) {
  const int64_t tokens = extent(step.ids, 0);
  const int64_t perToken = extent(step.ids, 1);
  const int64_t slots = tokens * perToken;
  const int64_t bad =
      cpu::dispatch(ints(step.ids), slots, step.totalExperts, step.firstExpert, step.experts,
                    ints(step.permutation), ints(step.inverse), ints(step.offsets));
  if (bad >= 0)
    return badExpertId(bad, perToken, ints(step.ids)[bad], step.totalExperts);
  // With a range of experts, fewer rows than slots are there; what gathers all of them must find
  // valid slots in the rest.
  int32_t *permutation = ints(step.permutation);
  std::fill(permutation + ints(step.offsets)[step.experts], permutation + slots, 0);
  return Error::success();
}

Error CpuExecutor::operator()(const QuantizeStep &step) {
  cpu::quantize(floats(step.input), rows(step.input), columns(step.input), kind(step.output),
                data(step.output), context);
  return Error::success();
}

Error CpuExecutor::operator()(const GatherStep &step) {
  cpu::gather(floats(step.input), ints(step.permutation), rows(step.output), step.slots,
              columns(step.output), floats(step.output), context);
  return Error::success();
}

Error CpuExecutor::operator()(const MatmulStep &step) {
  cpu::matmul({.weights = weights.matrix(step.weights),
               .inputKind = kind(step.input),
               .input = data(step.input),
               .rows = extent(step.output, 0),
               .map = rowMap(step.rows),
               .expertScale = vector(step.expertScale),
               .bias = vector(step.bias),
               .scale = floats(step.scale),
               .output = floats(step.output),
               .isBf16 = step.isBf16},
              context);
  return Error::success();
}

Error CpuExecutor::operator()(const GluMatmulStep &step) {
  cpu::gluMatmul({.gate = weights.matrix(step.gate),
                  .up = weights.matrix(step.up),
                  .inputKind = kind(step.input),
                  .input = data(step.input),
                  .rows = extent(step.output, 0),
                  .map = rowMap(step.rows),
                  .gateScale = vector(step.gateScale),
                  .upScale = vector(step.upScale),
                  .gateBias = vector(step.gateBias),
                  .upBias = vector(step.upBias),
                  .glu = step.glu,
                  .outputKind = kind(step.output),
                  .output = data(step.output),
                  .isBf16 = step.isBf16},
                 context);
  return Error::success();
}

Error CpuExecutor::operator()(const GluStep &step) {
  cpu::glu(floats(step.gate), floats(step.up), rows(step.gate) * columns(step.gate), step.glu,
           floats(step.output), context);
  return Error::success();
}

Error CpuExecutor::operator()(const UnsortStep &step) {
  cpu::unsort(floats(step.rows), ints(step.inverse), rows(step.output), columns(step.output),
              floats(step.output), context);
  return Error::success();
}

Error CpuExecutor::operator()(const CombineStep &step) {
  const int64_t tokens = extent(step.output, 0);
  const BufferId perSlot = step.inverse != kNoBuffer ? step.inverse : step.rows;
  cpu::combine(floats(step.rows), ints(step.inverse), floats(step.weights), tokens,
               extent(perSlot, 1), columns(step.output), floats(step.output), context);
  return Error::success();
}

Error CpuExecutor::operator()(const AddStep &step) {
  cpu::add(floats(step.a), floats(step.b), rows(step.a) * columns(step.a), floats(step.output),
           context);
  return Error::success();
}

Error CpuExecutor::operator()(const CopyStep &step) {
  std::memcpy(data(step.output), data(step.input), bytes(step.input));
  return Error::success();
}

//===- Costs ----------------------------------------------------------===//

StepCost CpuExecutor::matmulCost(std::initializer_list<WeightId> matrices, const GroupedRows &map,
                                 BufferId input, BufferId output) const {
  StepCost cost;
  cost.bytes = bytes(input) + bytes(output);
  for (const WeightId weight : matrices) {
    const cpu::MatrixShape shape = program.weights[weight].matrixShape();
    int64_t computedRows = extent(output, 0);
    int64_t usedExperts = computedRows != 0 ? 1 : 0;
    if (const int32_t *offsets = ints(map.offsets)) {
      const UsedRows used = usedRows(offsets, shape.experts);
      computedRows = used.rows;
      usedExperts = used.experts;
    }
    cost.bytes += cpu::packedBytes(shape) / shape.experts * usedExperts;
    cost.operations += 2 * computedRows * shape.rows * shape.columns;
  }
  return cost;
}

StepCost CpuExecutor::costOf(const Step &step) const {
  if (const auto *matmul = std::get_if<MatmulStep>(&step.body))
    return matmulCost({matmul->weights}, matmul->rows, matmul->input, matmul->output);
  if (const auto *glu = std::get_if<GluMatmulStep>(&step.body))
    return matmulCost({glu->gate, glu->up}, glu->rows, glu->input, glu->output);
  struct Operands {
    using Buffers = SmallVector<BufferId, 4>;
    Buffers operator()(const RmsNormStep &s) { return {s.input, s.output}; }
    Buffers operator()(const RouteStep &s) { return {s.scores, s.ids, s.weights}; }
    Buffers operator()(const DispatchStep &s) {
      return {s.ids, s.permutation, s.inverse, s.offsets};
    }
    Buffers operator()(const QuantizeStep &s) { return {s.input, s.output}; }
    Buffers operator()(const GatherStep &s) { return {s.input, s.permutation, s.output}; }
    Buffers operator()(const MatmulStep &) { return {}; }
    Buffers operator()(const GluMatmulStep &) { return {}; }
    Buffers operator()(const GluStep &s) { return {s.gate, s.up, s.output}; }
    Buffers operator()(const UnsortStep &s) { return {s.rows, s.inverse, s.output}; }
    Buffers operator()(const CombineStep &s) { return {s.rows, s.inverse, s.weights, s.output}; }
    Buffers operator()(const AddStep &s) { return {s.a, s.b, s.output}; }
    Buffers operator()(const CopyStep &s) { return {s.input, s.output}; }
    Buffers operator()(const CheckpointStep &) { return {}; }
    Buffers operator()(const LaunchStep &) { return {}; }
    Buffers operator()(const CheckIdsStep &) { return {}; }
    Buffers operator()(const CublasMatmulStep &) { return {}; }
  };
  StepCost cost;
  for (const BufferId buffer : std::visit(Operands(), step.body))
    cost.bytes += bytes(buffer);
  return cost;
}

} // namespace sortie
