// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A session of a GPU: a stream, memory, and graphs.

#include "runtime/session/CudaSession.h"

#include "runtime/cuda/Graph.h"
#include "runtime/session/CudaExecutor.h"
#include "runtime/session/MemoryPlan.h"
#include "runtime/support/Error.h"

#include "llvm/ADT/STLExtras.h"

#include <algorithm>

using namespace llvm;
using namespace sortie::cuda;

namespace sortie {

namespace {

//===- Memory ------------------------------------------------------===//

/// Adds to an error for want of device memory how much there is, and what all of it is for.
Error explainMemory(Error error, const Device &device, const MemoryPlan &plan, int64_t maxTokens) {
  return handleErrors(std::move(error), [&](std::unique_ptr<ErrorInfoBase> info) -> Error {
    if (info->convertToErrorCode() != std::errc::not_enough_memory)
      return Error(std::move(info));
    std::string available;
    if (Expected<MemoryInfo> memory = device.memoryInfo())
      available = "; " + formatBytes(memory->free) + " of the GPU's " + formatBytes(memory->total) +
                  " are free";
    else
      consumeError(memory.takeError());
    const std::string tokens =
        maxTokens ? std::to_string(maxTokens) + " tokens" : "as many tokens as it takes";
    return makeError(info->message() + available + "; the program needs " + plan.describe() +
                         " for " + tokens + "; run fewer functions or tokens, or free memory",
                     std::errc::not_enough_memory);
  });
}

/// Pinned memory that the device writes to during a run.
struct HostBlock {
  uint32_t stepsDone;
  uint32_t unused;
  CheckedIds checkedIds[1]; ///< as many as the function has checks

  static uint64_t bytesFor(size_t checks) {
    return offsetof(HostBlock, checkedIds) + checks * sizeof(CheckedIds);
  }
};

size_t checksOf(const Function &function) {
  return count_if(function.steps,
                  [](const Step &step) { return std::holds_alternative<CheckIdsStep>(step.body); });
}

//===- Session -----------------------------------------------------===//

/// What a session owns on its device.
struct Resources {
  Stream stream;
  DeviceMemory arena;
  DeviceMemory arguments;
  PinnedMemory hostBlock;
  CUdeviceptr deviceHostBlock = 0; ///< the same memory for the device

  static Expected<Resources> create(const DevicePtr &device, const MemoryPlan &plan, size_t checks);
};

Expected<Resources> Resources::create(const DevicePtr &device, const MemoryPlan &plan,
                                      size_t checks) {
  Resources resources;
  Expected<Stream> stream = makeStream(device);
  if (!stream)
    return stream.takeError();
  Expected<DeviceMemory> arena = allocate(device, plan.arena, "intermediate values");
  if (!arena)
    return arena.takeError();
  Expected<DeviceMemory> arguments = allocate(device, plan.arguments, "inputs and outputs");
  if (!arguments)
    return arguments.takeError();
  Expected<PinnedMemory> hostBlock =
      allocatePinned(device, HostBlock::bytesFor(checks), "the state of a run");
  if (!hostBlock)
    return hostBlock.takeError();
  const Device::Scope scope(*device);
  if (Error error = device->check(device->driver()->cuMemHostGetDevicePointer(
                                      &resources.deviceHostBlock, hostBlock->get(), /*flags=*/0),
                                  "mapping the state of a run"))
    return error;
  resources.stream = std::move(*stream);
  resources.arena = std::move(*arena);
  resources.arguments = std::move(*arguments);
  resources.hostBlock = std::move(*hostBlock);
  return resources;
}

class CudaSession final : public Session {
public:
  CudaSession(std::shared_ptr<const LoadedWeights> weights, const CudaProgram &loaded,
              const SessionOptions &options, Resources resources)
      : Session(std::move(weights), options), loaded(loaded), device(loaded.device),
        isEager(options.isEager), resources(std::move(resources)) {}

private:
  bool hasDeviceMemory() const override { return true; }
  Error execute(const Function &function, const Arguments &arguments,
                RunObserver &observer) override;
  Error repeat(const Function &function, const Arguments &arguments,
               MutableArrayRef<uint64_t> nanoseconds) override;

  /// Enqueues copies and steps, without waiting unless an observer wants to know something.
  Error start(const Function &function, const Arguments &arguments, const CudaMemory &memory,
              CudaExecutor &executor, bool runsEagerly, RunObserver &observer);
  CudaMemory memoryFor(const Function &function, const Arguments &arguments) const;
  Error copyInputs(const Function &function, const Arguments &arguments, const CudaMemory &memory);
  Error copyOutputs(const Function &function, const Arguments &arguments, const CudaMemory &memory);
  Error launchGraph(const Function &function, int64_t symbol, CudaExecutor &executor,
                    const CudaMemory &memory);
  /// Waits for the stream after graphs; an error cannot say which step failed.
  Error wait(const Function &function);
  Error measure(function_ref<Error()> launch, MutableArrayRef<uint64_t> nanoseconds);

  CUstream stream() const { return resources.stream.get(); }

  const CudaProgram &loaded; // of the loaded weights, which the session owns
  DevicePtr device;
  bool isEager;
  Resources resources;
  GraphCache graphs;
  DeviceMemory cacheFiller; ///< see measure()
};

CudaMemory CudaSession::memoryFor(const Function &function, const Arguments &arguments) const {
  auto *block = static_cast<HostBlock *>(resources.hostBlock.get());
  CudaMemory memory{resources.arena.get(),    {}, {}, block->checkedIds, &block->stepsDone,
                    resources.deviceHostBlock};
  const ArgumentLayout layout = layoutArguments(program(), function, maxTokens());
  auto place = [&](ArrayRef<BoundArgument> given, ArrayRef<uint64_t> offsets,
                   SmallVector<CUdeviceptr> &addresses) {
    for (auto [argument, offset] : zip_equal(given, offsets))
      addresses.push_back(argument.space == MemorySpace::Device
                              ? reinterpret_cast<CUdeviceptr>(argument.data)
                              : resources.arguments.get() + offset);
  };
  place(arguments.inputs(), layout.inputs, memory.inputs);
  place(arguments.outputs(), layout.outputs, memory.outputs);
  return memory;
}

Error CudaSession::copyInputs(const Function &function, const Arguments &arguments,
                              const CudaMemory &memory) {
  for (auto [input, argument, address] :
       zip_equal(function.inputs, arguments.inputs(), memory.inputs)) {
    const uint64_t bytes = function.buffers[input.buffer].bytes.at(arguments.symbol());
    if (argument.space == MemorySpace::Device || bytes == 0)
      continue;
    if (Error error = device->check(
            device->driver()->cuMemcpyHtoDAsync(address, argument.data, bytes, stream()),
            "copying input '" + input.name + "'"))
      return error;
  }
  return Error::success();
}

Error CudaSession::copyOutputs(const Function &function, const Arguments &arguments,
                               const CudaMemory &memory) {
  for (auto [output, argument, address] :
       zip_equal(function.outputs, arguments.outputs(), memory.outputs)) {
    const uint64_t bytes = function.buffers[output.buffer].bytes.at(arguments.symbol());
    if (argument.space == MemorySpace::Device || bytes == 0)
      continue;
    if (Error error = device->check(
            device->driver()->cuMemcpyDtoHAsync(argument.data, address, bytes, stream()),
            "copying output '" + output.name + "'"))
      return error;
  }
  return Error::success();
}

Error CudaSession::launchGraph(const Function &function, int64_t symbol, CudaExecutor &executor,
                               const CudaMemory &memory) {
  GraphKey key{static_cast<size_t>(&function - program().functions.data()), symbol, memory.inputs};
  key.arguments.append(memory.outputs);
  CUgraphExec graph = graphs.find(key);
  if (!graph) {
    Expected<GraphExec> captured =
        captureGraph(device, stream(), [&] { return executor.enqueue(); });
    if (!captured)
      return captured.takeError();
    graph = graphs.insert(std::move(key), std::move(*captured));
  }
  return device->check(device->driver()->cuGraphLaunch(graph, stream()),
                       "function '" + function.name + "': launching its graph");
}

Error CudaSession::wait(const Function &function) {
  const CUresult result = device->driver()->cuStreamSynchronize(stream());
  if (result == CUDA_SUCCESS)
    return Error::success();
  return makeError(toString(device->check(result, "function '" + function.name + "'")) +
                       "; run eagerly (sortie-run --eager) to learn which operation failed",
                   std::errc::state_not_recoverable);
}

Error CudaSession::start(const Function &function, const Arguments &arguments,
                         const CudaMemory &memory, CudaExecutor &executor, bool runsEagerly,
                         RunObserver &observer) {
  if (Error error = copyInputs(function, arguments, memory))
    return error;
  if (runsEagerly) {
    if (Error error = executor.runEagerly(observer))
      return error;
  } else {
    if (observer.isCancelled(0, function.steps.size()))
      return executor.cancelled(0);
    if (Error error = launchGraph(function, arguments.symbol(), executor, memory))
      return error;
  }
  return copyOutputs(function, arguments, memory);
}

Error CudaSession::execute(const Function &function, const Arguments &arguments,
                           RunObserver &observer) {
  const Device::Scope scope(*device);
  const CudaMemory memory = memoryFor(function, arguments);
  CudaExecutor executor(program(), function, arguments.symbol(), loaded, memory, stream());
  const bool runsEagerly = isEager || observer.wantsSteps() || observer.wantsCheckpoints();
  if (Error error = start(function, arguments, memory, executor, runsEagerly, observer)) {
    consumeError(wait(function)); // the caller's arrays may still be in use
    return error;
  }
  if (Error error = runsEagerly ? executor.wait() : wait(function))
    return error;
  return executor.checkIds();
}

//===- Measuring ---------------------------------------------------===//

/// Between two runs, memory twice as large as the cache is overwritten: it shall hold neither
/// weights nor values of the run before.
Error CudaSession::measure(function_ref<Error()> launch, MutableArrayRef<uint64_t> nanoseconds) {
  const Driver &driver = device->driver();
  const uint64_t fillerBytes = 2 * static_cast<uint64_t>(device->cacheBytes());
  if (!cacheFiller.get()) {
    Expected<DeviceMemory> filler = allocate(device, fillerBytes, "emptying the cache");
    if (!filler)
      return filler.takeError();
    cacheFiller = std::move(*filler);
  }
  std::vector<std::pair<Event, Event>> events;
  for (size_t i = 0; i < nanoseconds.size(); ++i) {
    Expected<Event> begin = makeEvent(device, /*isTimed=*/true);
    if (!begin)
      return begin.takeError();
    Expected<Event> end = makeEvent(device, /*isTimed=*/true);
    if (!end)
      return end.takeError();
    events.emplace_back(std::move(*begin), std::move(*end));
    if (Error error =
            device->check(driver->cuMemsetD8Async(cacheFiller.get(), static_cast<unsigned char>(i),
                                                  fillerBytes, stream()),
                          "emptying the cache"))
      return error;
    if (Error error =
            device->check(driver->cuEventRecord(events[i].first.get(), stream()), "measuring time"))
      return error;
    if (Error error = launch())
      return error;
    if (Error error = device->check(driver->cuEventRecord(events[i].second.get(), stream()),
                                    "measuring time"))
      return error;
  }
  if (Error error = device->check(driver->cuStreamSynchronize(stream()), "measuring time"))
    return error;
  for (size_t i = 0; i < nanoseconds.size(); ++i) {
    Expected<uint64_t> time = elapsedNanoseconds(*device, events[i].first, events[i].second);
    if (!time)
      return time.takeError();
    nanoseconds[i] = *time;
  }
  return Error::success();
}

Error CudaSession::repeat(const Function &function, const Arguments &arguments,
                          MutableArrayRef<uint64_t> nanoseconds) {
  const Device::Scope scope(*device);
  const CudaMemory memory = memoryFor(function, arguments);
  CudaExecutor executor(program(), function, arguments.symbol(), loaded, memory, stream());
  Error error = measure(
      [&] {
        return isEager ? executor.enqueue()
                       : launchGraph(function, arguments.symbol(), executor, memory);
      },
      nanoseconds);
  if (error)
    consumeError(wait(function));
  return error;
}

//===- Weights -----------------------------------------------------===//

class CudaWeights final : public LoadedWeights {
public:
  CudaWeights(std::shared_ptr<const Program> program, const BitVector &wanted, CudaProgram loaded)
      : LoadedWeights(std::move(program), wanted, loaded.device->name(), loaded.device->describe()),
        loaded(std::move(loaded)) {}

private:
  Expected<std::unique_ptr<Session>> makeSession(const SessionOptions &options) const override;

  CudaProgram loaded;
};

Expected<std::unique_ptr<Session>> CudaWeights::makeSession(const SessionOptions &options) const {
  std::vector<size_t> functions;
  size_t checks = 0;
  for (size_t i = 0; i < program()->functions.size(); ++i) {
    if (!serves(program()->functions[i]))
      continue;
    functions.push_back(i);
    checks = std::max(checks, checksOf(program()->functions[i]));
  }
  const MemoryPlan plan = planMemory(*program(), functions, options.maxTokens);
  Expected<Resources> resources = Resources::create(loaded.device, plan, checks);
  if (!resources)
    return explainMemory(resources.takeError(), *loaded.device, plan, options.maxTokens);
  return std::make_unique<CudaSession>(shared_from_this(), loaded, options, std::move(*resources));
}

/// The functions whose weights are all wanted.
std::vector<size_t> servedFunctions(const Program &program, const BitVector &wanted) {
  std::vector<size_t> served;
  for (size_t i = 0; i < program.functions.size(); ++i)
    if (!program.functions[i].weights.test(wanted)) // none that is not wanted
      served.push_back(i);
  return served;
}

/// The kernels that functions launch, and those that pack their weights.
BitVector kernelsOf(const Program &program, ArrayRef<size_t> functions, const WeightPlan &plan) {
  BitVector kernels(program.kernels.size());
  for (const size_t index : functions)
    for (const Step &step : program.functions[index].steps)
      if (const auto *launch = std::get_if<LaunchStep>(&step.body))
        kernels.set(launch->kernel);
  for (const PlannedWeight &entry : plan.weights())
    if (entry.form == WeightForm::Packed)
      kernels.set(program.weights[entry.weight].pack->kernel);
  return kernels;
}

} // namespace

Expected<std::shared_ptr<const LoadedWeights>>
loadCudaWeightsOn(const DevicePtr &device, std::shared_ptr<const Program> program,
                  const BitVector &wanted, WeightSource &source, cpu::ThreadPool &pool,
                  ReportProgress report) {
  const std::vector<size_t> functions = servedFunctions(*program, wanted);
  WeightPlan plan(*program, wanted);
  Expected<LoadedKernels> kernels =
      LoadedKernels::load(device, *program, kernelsOf(*program, functions, plan));
  if (!kernels)
    return kernels.takeError();
  Expected<DeviceWeights> weights =
      DeviceWeights::load(device, *program, std::move(plan), *kernels, source, pool, report);
  if (!weights)
    return explainMemory(weights.takeError(), *device,
                         planMemory(*program, functions, /*maxTokens=*/0), /*maxTokens=*/0);
  return std::make_shared<const CudaWeights>(
      std::move(program), wanted, CudaProgram{device, std::move(*kernels), std::move(*weights)});
}

Expected<std::shared_ptr<const LoadedWeights>>
loadCudaWeights(std::shared_ptr<const Program> program, const BitVector &wanted,
                const std::string &device, WeightSource &source, cpu::ThreadPool &pool,
                ReportProgress report) {
  Expected<const Driver *> driver = Driver::get();
  if (!driver)
    return driver.takeError();
  Expected<int> ordinal = parseDeviceName(device);
  if (!ordinal)
    return ordinal.takeError();
  Expected<DevicePtr> opened = Device::open(**driver, *ordinal);
  if (!opened)
    return opened.takeError();
  return loadCudaWeightsOn(*opened, std::move(program), wanted, source, pool, report);
}

} // namespace sortie
