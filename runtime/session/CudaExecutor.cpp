// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Steps on a stream, and what a watcher of a run learns of them.

#include "runtime/session/CudaExecutor.h"

#include "runtime/support/Error.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

#include <cstring>

using namespace llvm;
using namespace sortie::cuda;

namespace sortie {

CudaExecutor::CudaExecutor(const Program &program, const Function &function,
                           ArrayRef<int64_t> symbols, const CudaProgram &loaded,
                           const CudaMemory &memory, CUstream stream)
    : BoundFunction(program, function, symbols), loaded(loaded), driver(loaded.device->driver()),
      memory(memory), stream(stream) {
  for (const Buffer &buffer : function.buffers) {
    switch (buffer.place) {
    case Buffer::Place::Input:
      addresses.push_back(memory.inputs[buffer.argument]);
      break;
    case Buffer::Place::Output:
      addresses.push_back(memory.outputs[buffer.argument]);
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

//===- Enqueueing --------------------------------------------------------===//

CUresult CudaExecutor::enqueueLaunch(size_t index, const KernelLaunch &action,
                                     std::optional<uint32_t> kernelBefore) {
  const Step &step = function.steps[index];
  Launch launch;
  launch.progress = memory.progress.deviceStep();
  launch.step = static_cast<uint32_t>(index);
  launch.kernelBefore = kernelBefore;
  for (size_t i = 0; i < action.grid.size(); ++i)
    launch.grid[i] = static_cast<uint32_t>(action.grid[i].at(symbols));
  for (const BufferId buffer : concat<const BufferId>(step.reads, step.writes))
    launch.pointers.push_back(address(buffer));
  for (auto [weight, form] : zip_equal(step.weights, program.kernels[action.kernel].weights))
    launch.pointers.push_back(loaded.weights.address(weight, form));
  for (const Affine &extent : action.extents)
    launch.extents.push_back(static_cast<int32_t>(extent.at(symbols)));
  return loaded.kernels.launch(action.kernel, launch, stream);
}

CUresult CudaExecutor::enqueueCopy(const Step &step) {
  const BufferId from = step.reads[0];
  const BufferId to = step.writes[0];
  if (bytes(from) == 0)
    return CUDA_SUCCESS;
  if (isOnHost(from))
    return driver->cuMemcpyHtoDAsync(address(to), hostAddress(from), bytes(from), stream);
  if (isOnHost(to))
    return driver->cuMemcpyDtoHAsync(hostAddress(to), address(from), bytes(from), stream);
  return driver->cuMemcpyDtoDAsync(address(to), address(from), bytes(from), stream);
}

/// Now, because later steps may have the buffer's memory; and on the device, because the graph in
/// which this is serves runs that each have their own place on the host.
CUresult CudaExecutor::enqueueCheck(const Step &step) {
  const size_t check = enqueuedChecks++;
  if (isUnwritten(step.reads[0]))
    return CUDA_SUCCESS;
  return driver->cuMemcpyDtoDAsync(memory.checks + sizeof(CheckedStatus) * check,
                                   address(step.reads[0]), bytes(step.reads[0]), stream);
}

Error CudaExecutor::enqueueProduct(size_t index, const CublasMatmul &product) {
  const Step &step = function.steps[index];
  const BufferId input = step.reads[0];
  const BufferId output = step.writes[0];
  if (rows(output) == 0)
    return Error::success();
  return memory.cublas.multiply(
      {address(input), loaded.weights.address(step.weights[0], product.form), address(output),
       static_cast<int>(rows(output)), static_cast<int>(columns(output)),
       static_cast<int>(columns(input))},
      describeStep(index));
}

/// Whether the host looks at what a step reads when the run is complete.
static bool isCheck(const Step &step) {
  return std::holds_alternative<CheckIds>(step.action) ||
         std::holds_alternative<CheckRows>(step.action) ||
         std::holds_alternative<CheckPlaces>(step.action);
}

Error CudaExecutor::enqueueStep(size_t index, std::optional<uint32_t> kernelBefore) {
  const Step &step = function.steps[index];
  if (const auto *product = std::get_if<CublasMatmul>(&step.action))
    return enqueueProduct(index, *product);
  CUresult result = CUDA_SUCCESS; // a checkpoint; the loader refuses everything else
  if (const auto *launch = std::get_if<KernelLaunch>(&step.action))
    result = enqueueLaunch(index, *launch, kernelBefore);
  else if (std::holds_alternative<Copy>(step.action))
    result = enqueueCopy(step);
  else if (isCheck(step))
    result = enqueueCheck(step);
  return stepError(index, result);
}

/// Whether nothing is enqueued for a step: a checkpoint, or a launch of no thread blocks.
bool CudaExecutor::isSkipped(const Step &step) const {
  if (const auto *launch = std::get_if<KernelLaunch>(&step.action))
    return any_of(launch->grid, [&](const GridDim &dim) { return dim.at(symbols) == 0; });
  return std::holds_alternative<Checkpoint>(step.action);
}

bool CudaExecutor::isUnwritten(BufferId buffer) const {
  const auto isEmpty = [&](const Affine &extent) {
    return extent.scale != 0 && symbols[extent.symbol] == 0;
  };
  return any_of(function.steps, [&](const Step &step) {
    const auto *launch = std::get_if<KernelLaunch>(&step.action);
    return launch && is_contained(step.writes, buffer) &&
           any_of(launch->grid, [&](const GridDim &dim) { return isEmpty(dim.extent); });
  });
}

std::optional<uint32_t> CudaExecutor::kernelBefore(size_t index) const {
  const auto *overlapping = std::get_if<KernelLaunch>(&function.steps[index].action);
  // Without tokens launches are skipped that a kernel's early reads count on: (C12) of moert.func.
  if (is_contained(symbols, 0) || !overlapping || !overlapping->overlaps)
    return std::nullopt;
  while (index > 0 && isSkipped(function.steps[index - 1]))
    --index;
  const auto *launch =
      index > 0 ? std::get_if<KernelLaunch>(&function.steps[index - 1].action) : nullptr;
  return launch ? std::optional<uint32_t>(launch->kernel) : std::nullopt;
}

Error CudaExecutor::enqueue() {
  const Device::Scope scope(*loaded.device);
  enqueuedChecks = 0;
  for (size_t i = 0; i < function.steps.size(); ++i)
    if (Error error = enqueueStep(i, kernelBefore(i)))
      return error;
  return Error::success();
}

size_t CudaExecutor::checksOf(const Function &function) {
  return count_if(function.steps, isCheck);
}

CUresult CudaExecutor::fetchChecks(CheckedStatus *found) const {
  const size_t checks = checksOf(function);
  if (checks == 0)
    return CUDA_SUCCESS;
  return driver->cuMemcpyDtoHAsync(found, memory.checks, checks * sizeof(CheckedStatus), stream);
}

Error CudaExecutor::reportCheck(const Step &step, const CheckedStatus &found) const {
  using numerics::IndexFault;
  if (const auto *places = std::get_if<CheckPlaces>(&step.action)) {
    const auto [fault, position, index, bound] = found.words;
    if (fault == static_cast<int32_t>(IndexFault::None))
      return Error::success();
    return badIndex(places->origin, static_cast<IndexFault>(fault), position, index, bound);
  }
  const int32_t position = found.words[0], index = found.words[1];
  if (position < 0)
    return Error::success();
  if (const auto *ids = std::get_if<CheckIds>(&step.action))
    return badExpertId(position, ids->slots, index, ids->experts);
  const auto &rows = std::get<CheckRows>(step.action);
  return badIndex(rows.origin, IndexFault::Row, position, index, rows.rows);
}

Error CudaExecutor::reportChecks(const CheckedStatus *found) const {
  for (const Step &step : function.steps) {
    if (!isCheck(step))
      continue;
    const CheckedStatus &status = *found++;
    if (isUnwritten(step.reads[0]))
      continue;
    if (Error error = reportCheck(step, status))
      return error;
  }
  return Error::success();
}

//===- Errors ------------------------------------------------------------===//

std::string CudaExecutor::describeStep(size_t index) const {
  const std::string what = "function '" + function.name + "'";
  return index < function.steps.size() ? what + ": " + nameStep(index) : what;
}

SmallVector<size_t> CudaExecutor::suspects(size_t begun) const {
  SmallVector<size_t> steps = {begun};
  for (size_t i = begun + 1; i < function.steps.size(); ++i) {
    if (std::holds_alternative<KernelLaunch>(function.steps[i].action))
      break;
    if (std::holds_alternative<CublasMatmul>(function.steps[i].action))
      steps.push_back(i);
  }
  return steps;
}

Error CudaExecutor::deviceError(CUresult result) const {
  const std::optional<size_t> begun = memory.progress.step(run);
  if (marksSteps)
    return stepError(begun.value_or(function.steps.size()), result);
  const SmallVector<size_t> steps = begun ? suspects(*begun) : SmallVector<size_t>();
  if (steps.size() == 1)
    return stepError(steps.front(), result);
  const std::string names =
      join(map_range(steps, [this](size_t index) { return nameStep(index); }), " or ");
  return makeError(toString(loaded.device->check(result, "function '" + function.name + "'" +
                                                             (steps.empty() ? "" : ": ") + names)) +
                       "; run eagerly (sortie-run --eager) to learn which operation failed",
                   std::errc::state_not_recoverable);
}

Error CudaExecutor::wait() {
  const Device::Scope scope(*loaded.device);
  if (const CUresult result = driver->cuStreamSynchronize(stream); result != CUDA_SUCCESS)
    return deviceError(result);
  return Error::success();
}

/// A kernel that failed makes all later calls fail, too. All that was enqueued is over then.
Error CudaExecutor::enqueueError(Error error) {
  Error earlier = wait();
  if (!earlier)
    return error;
  consumeError(std::move(error));
  return earlier;
}

//===- Eager runs --------------------------------------------------------===//

class CudaExecutor::StepLog {
public:
  static Expected<std::unique_ptr<StepLog>> create(CudaExecutor &executor);

  /// Around the enqueueing of a step.
  CUresult begin(size_t index) { return record(times[index].begin); }
  CUresult end(size_t index);
  /// When all is complete.
  Error report(RunObserver &observer) const;

private:
  struct Times {
    Event begin;
    Event end;
    size_t firstOffset = 0; ///< in `offsets`
  };

  explicit StepLog(CudaExecutor &executor) : executor(executor) {}
  CUresult record(const Event &event) {
    return executor.driver->cuEventRecord(event.get(), executor.stream);
  }
  /// The experts' offsets that a step's cost depends on.
  BufferId offsetsOf(size_t index) const {
    const Step &step = executor.function.steps[index];
    const bool isLaunch = std::holds_alternative<KernelLaunch>(step.action);
    return isLaunch && step.offsets != kNoBuffer && !executor.isUnwritten(step.offsets)
               ? step.offsets
               : kNoBuffer;
  }

  CudaExecutor &executor;
  Event start;
  std::vector<Times> times;
  PinnedMemory offsets; ///< of all steps, as they were when the step had run
};

Expected<std::unique_ptr<CudaExecutor::StepLog>>
CudaExecutor::StepLog::create(CudaExecutor &executor) {
  const DevicePtr &device = executor.loaded.device;
  std::unique_ptr<StepLog> log(new StepLog(executor));
  auto makeTimed = [&](Event &event) -> Error {
    Expected<Event> made = makeEvent(device, /*isTimed=*/true);
    if (!made)
      return made.takeError();
    event = std::move(*made);
    return Error::success();
  };
  if (Error error = makeTimed(log->start))
    return error;
  log->times.resize(executor.function.steps.size());
  size_t offsetCount = 0;
  for (size_t i = 0; i < log->times.size(); ++i) {
    if (Error error = makeTimed(log->times[i].begin))
      return error;
    if (Error error = makeTimed(log->times[i].end))
      return error;
    log->times[i].firstOffset = offsetCount;
    offsetCount += executor.bytes(log->offsetsOf(i)) / sizeof(int32_t);
  }
  Expected<PinnedMemory> offsets =
      allocatePinned(device, offsetCount * sizeof(int32_t), "offsets of experts");
  if (!offsets)
    return offsets.takeError();
  log->offsets = std::move(*offsets);
  if (Error error = device->check(log->record(log->start), "measuring time"))
    return error;
  return log;
}

CUresult CudaExecutor::StepLog::end(size_t index) {
  if (const CUresult result = record(times[index].end); result != CUDA_SUCCESS)
    return result;
  const BufferId buffer = offsetsOf(index);
  if (buffer == kNoBuffer)
    return CUDA_SUCCESS;
  return executor.driver->cuMemcpyDtoHAsync(
      static_cast<int32_t *>(offsets.get()) + times[index].firstOffset, executor.address(buffer),
      executor.bytes(buffer), executor.stream);
}

Error CudaExecutor::StepLog::report(RunObserver &observer) const {
  const Device &device = *executor.loaded.device;
  for (size_t i = 0; i < times.size(); ++i) {
    const Step &step = executor.function.steps[i];
    if (std::holds_alternative<Checkpoint>(step.action))
      continue;
    Expected<uint64_t> begin = elapsedNanoseconds(device, start, times[i].begin);
    if (!begin)
      return begin.takeError();
    Expected<uint64_t> duration = elapsedNanoseconds(device, times[i].begin, times[i].end);
    if (!duration)
      return duration.takeError();
    const int32_t *stepOffsets = static_cast<int32_t *>(offsets.get()) + times[i].firstOffset;
    observer.step({i, step, *begin, *begin + *duration,
                   executor.costOf(step, offsetsOf(i) == kNoBuffer ? nullptr : stepOffsets)});
  }
  return Error::success();
}

Error CudaExecutor::markStep(size_t index) {
  if (const CUresult result = memory.progress.beginStep(index, stream); result != CUDA_SUCCESS)
    return enqueueError(stepError(index, result));
  return Error::success();
}

Error CudaExecutor::runStep(size_t index) {
  if (Error error = enqueueStep(index, /*kernelBefore=*/std::nullopt))
    return enqueueError(std::move(error));
  return markStep(index + 1);
}

Error CudaExecutor::runObserved(RunObserver &observer, StepLog *log) {
  auto read = [this](BufferId buffer) { return download(buffer); };
  for (size_t i = 0; i < function.steps.size(); ++i) {
    if (observer.isCancelled(i, function.steps.size()))
      return cancelled(i);
    if (log)
      if (const CUresult result = log->begin(i); result != CUDA_SUCCESS)
        return enqueueError(stepError(i, result));
    if (Error error = runStep(i))
      return error;
    if (log)
      if (const CUresult result = log->end(i); result != CUDA_SUCCESS)
        return enqueueError(stepError(i, result));
    const Step &step = function.steps[i];
    if (std::holds_alternative<Checkpoint>(step.action) && observer.wantsCheckpoints())
      if (Error error = reportCheckpoint(step, read, observer))
        return error;
  }
  if (observer.wantsCheckpoints())
    if (Error error = reportOutputs(read, observer))
      return error;
  if (!log)
    return Error::success();
  if (Error error = wait())
    return error;
  return log->report(observer);
}

Error CudaExecutor::runEagerly(RunObserver &observer) {
  const Device::Scope scope(*loaded.device);
  enqueuedChecks = 0;
  marksSteps = true;
  if (Error error = markStep(0))
    return error;
  if (!observer.wantsSteps())
    return runObserved(observer, nullptr);
  Expected<std::unique_ptr<StepLog>> log = StepLog::create(*this);
  if (!log)
    return log.takeError();
  if (Error error = runObserved(observer, log->get()))
    return enqueueError(std::move(error)); // the device may still write to the log
  return Error::success();
}

Expected<BoundFunction::HostBytes> CudaExecutor::download(BufferId buffer) {
  Expected<AlignedBytes> copy = AlignedBytes::allocate(bytes(buffer), "a copy of a value");
  if (!copy)
    return copy.takeError();
  if (isOnHost(buffer)) {
    if (Error error = wait())
      return error;
    std::memcpy(copy->data(), hostAddress(buffer), bytes(buffer));
  } else if (bytes(buffer) != 0) {
    const CUresult result =
        driver->cuMemcpyDtoHAsync(copy->data(), address(buffer), bytes(buffer), stream);
    if (Error error = wait())
      return error;
    if (Error error = loaded.device->check(result, "reading a value back"))
      return error;
  }
  const std::byte *data = copy->data();
  return HostBytes{data, std::move(*copy)};
}

//===- Costs -------------------------------------------------------------===//

StepCost CudaExecutor::costOf(const Step &step, const int32_t *offsets) const {
  StepCost cost;
  for (const BufferId buffer : concat<const BufferId>(step.reads, step.writes))
    cost.bytes += bytes(buffer);
  if (const auto *product = std::get_if<CublasMatmul>(&step.action)) {
    const BufferId output = step.writes[0];
    cost.bytes += loaded.weights.find(step.weights[0], product->form)->bytes;
    cost.operations = uint64_t{2} * rows(output) * columns(output) * columns(step.reads[0]);
  } else if (const auto *launch = std::get_if<KernelLaunch>(&step.action)) {
    const int64_t experts = offsets ? extent(step.offsets, 0) - 1 : 0;
    const int64_t allRows = step.writes.empty() ? 0 : rows(step.writes.front());
    const UsedRows used = offsets ? usedRows(offsets, experts) : UsedRows{allRows, 0};
    for (auto [weight, form] : zip_equal(step.weights, program.kernels[launch->kernel].weights)) {
      const WeightSpec &spec = program.weights[weight];
      const uint64_t all = loaded.weights.find(weight, form)->bytes;
      const bool isPerExpert = offsets && spec.shape.size() > 1 && spec.shape.front() == experts;
      cost.bytes += isPerExpert ? all / experts * used.experts : all;
    }
    // Offsets come from a kernel; wrong ones shall not give absurd numbers.
    cost.operations = launch->operationsPerRow * std::clamp<int64_t>(used.rows, 0, allRows);
  }
  return cost;
}

} // namespace sortie
