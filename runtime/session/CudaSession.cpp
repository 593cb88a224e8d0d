// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A session of a GPU: a stream, memory, states, and graphs.

#include "runtime/session/CudaSession.h"

#include "runtime/cuda/Graph.h"
#include "runtime/cuda/Variants.h"
#include "runtime/session/CudaExecutor.h"
#include "runtime/session/HostArguments.h"
#include "runtime/session/MemoryPlan.h"
#include "runtime/session/RunSlot.h"
#include "runtime/support/Error.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <cstring>

using namespace llvm;
using namespace sortie::cuda;

namespace sortie {

namespace {

//===- Memory ------------------------------------------------------------===//

/// What memory is planned for: "as many tokens as it takes", "tokens = 512, pages = 32".
std::string describePurpose(const SessionOptions &options) {
  if (options.maxTokens == 0 && options.symbols.empty())
    return "as many tokens as it takes";
  std::string text;
  if (options.maxTokens != 0)
    text = std::to_string(options.maxTokens) + " tokens";
  for (const SymbolChoice &choice : options.symbols)
    text += (text.empty() ? "" : ", ") + choice.symbol + " = " + std::to_string(choice.value);
  return text;
}

/// Adds to an error for want of device memory how much there is, and what all of it is for. Other
/// errors, for want of host memory among them, stay as they are.
Error explainMemory(Error error, const Device &device, const MemoryPlan &plan,
                    const std::string &purpose) {
  return handleErrors(std::move(error), [&](const OutOfDeviceMemory &info) -> Error {
    std::string available;
    if (Expected<MemoryInfo> memory = device.memoryInfo())
      available = "; " + formatBytes(memory->free) + " of the GPU's " + formatBytes(memory->total) +
                  " are free";
    else
      consumeError(memory.takeError());
    return makeError(info.message() + available + "; the program needs " + plan.describe() +
                         " for " + purpose + "; run fewer functions or tokens" +
                         (plan.states ? ", take fewer pages of caches" : "") + ", or free memory",
                     std::errc::not_enough_memory);
  });
}

//===- Session -----------------------------------------------------------===//

/// What a session owns on its device, and for it on the host.
struct Resources {
  MemoryPlan plan;
  Stream stream;
  DeviceMemory arena;
  DeviceMemory states;
  DeviceMemory arguments;
  DeviceMemory checkedStatuses;
  RunProgress progress;
  CublasHandle cublas;        ///< empty where no function uses it
  size_t checks = 0;          ///< of indices, that a run may have
  std::vector<RunSlot> slots; ///< that no run has

  /// For functions with at most `checks` checks of indices.
  static Expected<Resources> create(const CudaProgram &loaded, const MemoryPlan &plan,
                                    size_t checks);
};

Expected<Resources> Resources::create(const CudaProgram &loaded, const MemoryPlan &plan,
                                      size_t checks) {
  const DevicePtr &device = loaded.device;
  Resources resources;
  Expected<Stream> stream = makeStream(device);
  if (!stream)
    return stream.takeError();
  Expected<DeviceMemory> arena = allocate(device, plan.arena, "intermediate values");
  if (!arena)
    return arena.takeError();
  Expected<DeviceMemory> states = allocate(device, plan.states, "states");
  if (!states)
    return states.takeError();
  Expected<DeviceMemory> arguments = allocate(device, plan.arguments, "inputs and outputs");
  if (!arguments)
    return arguments.takeError();
  Expected<DeviceMemory> checkedStatuses =
      allocate(device, checks * sizeof(CheckedStatus), "checks of expert ids");
  if (!checkedStatuses)
    return checkedStatuses.takeError();
  Expected<RunProgress> progress = RunProgress::create(device);
  if (!progress)
    return progress.takeError();
  if (plan.library != 0) {
    Expected<CublasHandle> cublas = CublasHandle::create(*loaded.cublas, device, stream->get());
    if (!cublas)
      return cublas.takeError();
    resources.cublas = std::move(*cublas);
  }
  Expected<RunSlot> slot = RunSlot::create(device, checks);
  if (!slot)
    return slot.takeError();
  resources.plan = plan;
  resources.stream = std::move(*stream);
  resources.arena = std::move(*arena);
  resources.states = std::move(*states);
  resources.arguments = std::move(*arguments);
  resources.checkedStatuses = std::move(*checkedStatuses);
  resources.progress = std::move(*progress);
  resources.checks = checks;
  resources.slots.push_back(std::move(*slot));
  return resources;
}

class CudaRun;

class CudaSession final : public PartitionSession {
public:
  CudaSession(std::shared_ptr<const PartitionWeights> weights, const CudaProgram &loaded,
              const SessionOptions &options, SymbolLimits limits, Resources resources)
      : PartitionSession(std::move(weights), std::move(limits)), loaded(loaded),
        device(loaded.device), isEager(options.isEager), purpose(describePurpose(options)),
        resources(std::move(resources)), graphs(program().functions.size()) {}

  bool hasDeviceMemory() const override { return true; }
  Error execute(const Function &function, const Arguments &arguments,
                RunObserver &observer) override;
  Expected<std::unique_ptr<StartedRun>> start(const Function &function,
                                              const Arguments &arguments) override;
  Error repeat(const Function &function, const Arguments &arguments,
               MutableArrayRef<uint64_t> nanoseconds) override;

  Error clearStates(uint64_t offset, uint64_t bytes, const Twine &what) override;
  Error downloadStates(uint64_t offset, MutableArrayRef<std::byte> bytes,
                       const Twine &what) override;
  Error uploadStates(uint64_t offset, ArrayRef<std::byte> bytes, const Twine &what) override;
  Error copyStateBlock(PartitionSession &from) override;

private:
  friend class CudaRun;

  bool isDeviceLost() const override;
  Error explainMemory(Error error) const override {
    return sortie::explainMemory(std::move(error), *device, resources.plan, purpose);
  }
  /// Waits for what `enqueued` has been enqueued.
  Error finishTransfer(CUresult enqueued, const Twine &what) const;

  Expected<std::unique_ptr<CudaRun>> makeRun(const Function &function, const Arguments &arguments);
  Expected<RunSlot> takeSlot();
  CudaMemory memoryFor(const Function &function, const Arguments &arguments,
                       const HostArguments &hostArguments);
  Error launchGraph(const Function &function, CudaExecutor &executor, const CudaMemory &memory);
  Error measure(function_ref<Error()> launch, MutableArrayRef<uint64_t> nanoseconds);

  CUstream stream() const { return resources.stream.get(); }

  const CudaProgram &loaded; // of the loaded weights, which the session owns
  DevicePtr device;
  bool isEager;
  std::string purpose; ///< of its memory, for messages
  Resources resources;
  std::vector<GraphCache> graphs; ///< by function
  DeviceMemory cacheFiller;       ///< see measure()
};

/// A failure that spoils the device comes back from every later call.
bool CudaSession::isDeviceLost() const {
  const Device::Scope scope(*device);
  return device->driver()->cuStreamSynchronize(stream()) != CUDA_SUCCESS;
}

Expected<RunSlot> CudaSession::takeSlot() {
  std::vector<RunSlot> &slots = resources.slots;
  if (slots.empty())
    return RunSlot::create(device, resources.checks);
  RunSlot slot = std::move(slots.back());
  slots.pop_back();
  return slot;
}

CudaMemory CudaSession::memoryFor(const Function &function, const Arguments &arguments,
                                  const HostArguments &hostArguments) {
  CudaMemory memory{
      resources.arena.get(),           resources.states.get(), stateLayout().offsets, {}, {},
      resources.checkedStatuses.get(), resources.progress,     resources.cublas};
  const ArgumentLayout layout = layoutArguments(program(), function, limits());
  auto addressOf = [&](const BoundArgument &argument, uint64_t offset, std::byte *onHost) {
    if (onHost)
      return reinterpret_cast<CUdeviceptr>(onHost);
    return argument.space == MemorySpace::Device ? reinterpret_cast<CUdeviceptr>(argument.data)
                                                 : resources.arguments.get() + offset;
  };
  for (size_t i = 0; i < layout.inputs.size(); ++i)
    memory.inputs.push_back(
        addressOf(arguments.inputs()[i], layout.inputs[i], hostArguments.input(i)));
  for (size_t i = 0; i < layout.outputs.size(); ++i)
    memory.outputs.push_back(
        addressOf(arguments.outputs()[i], layout.outputs[i], hostArguments.output(i)));
  return memory;
}

Error CudaSession::launchGraph(const Function &function, CudaExecutor &executor,
                               const CudaMemory &memory) {
  GraphCache &cache = graphs[&function - program().functions.data()];
  GraphKey key{executor.symbols, memory.inputs};
  key.arguments.append(memory.outputs);
  const std::string what = "function '" + function.name + "'";
  CUgraphExec graph = cache.find(key);
  if (!graph) {
    Expected<GraphExec> captured =
        captureGraph(device, stream(), what, [&] { return executor.enqueue(); });
    if (!captured)
      return captured.takeError();
    graph = cache.insert(std::move(key), std::move(*captured));
  }
  return device->check(device->driver()->cuGraphLaunch(graph, stream()),
                       what + ": launching its graph");
}

//===- Runs --------------------------------------------------------------===//

/// An argument in host memory, and its place on the device.
struct HostCopy {
  StringRef name;
  CUdeviceptr device;
  std::byte *array; ///< of the caller, or Arguments' copy of it
  uint64_t bytes;
  std::byte *staged = nullptr; ///< pinned memory that is copied instead, if any

  std::byte *host() const { return staged ? staged : array; }
};

/// A run on the session's stream. Gives its slot back.
class CudaRun final : public StartedRun {
public:
  CudaRun(CudaSession &session, const Function &function, const Arguments &arguments, RunSlot slot,
          HostArguments hostArguments)
      : session(session), device(*session.device), function(function), slot(std::move(slot)),
        hostArguments(std::move(hostArguments)),
        memory(session.memoryFor(function, arguments, this->hostArguments)),
        executor(session.program(), function, arguments.symbols(), session.loaded, memory,
                 session.stream()),
        inputs(hostCopies(function.inputs, arguments.inputs(), memory.inputs)),
        outputs(hostCopies(function.outputs, arguments.outputs(), memory.outputs)) {}
  ~CudaRun() override { session.resources.slots.push_back(std::move(slot)); }

  /// Gives arrays that are not pinned a place in memory that is: the driver completes copies from
  /// and to other memory before it returns.
  Error stage();
  /// Enqueues all, without waiting unless an observer wants to know something.
  Error begin(RunObserver &observer);
  /// Repeats the steps alone, and gives the time of each repetition.
  Error repeat(MutableArrayRef<uint64_t> nanoseconds);

  bool isDone() override { return slot.isPast(); }
  Error finish() override;

private:
  std::vector<HostCopy> hostCopies(ArrayRef<Argument> described, ArrayRef<BoundArgument> bound,
                                   ArrayRef<CUdeviceptr> addresses) const;
  Error copyInputs() const;
  Error copyOutputs() const;
  /// Enqueues the steps, without observer.
  Error enqueueSteps() {
    return runsEagerly ? executor.enqueue() : session.launchGraph(function, executor, memory);
  }
  Error runSteps(RunObserver &observer);
  Error finishEnqueueing();
  /// Waits after `error`, because the device may still use the caller's arrays. If a step has
  /// failed, that is why.
  Error giveUp(Error error);

  CudaSession &session;
  const Device &device;
  const Function &function;
  RunSlot slot;
  HostArguments hostArguments;
  CudaMemory memory;
  CudaExecutor executor;
  bool runsEagerly = session.isEager;
  std::vector<HostCopy> inputs;
  std::vector<HostCopy> outputs;
};

std::vector<HostCopy> CudaRun::hostCopies(ArrayRef<Argument> described,
                                          ArrayRef<BoundArgument> bound,
                                          ArrayRef<CUdeviceptr> addresses) const {
  std::vector<HostCopy> copies;
  for (auto [argument, given, address] : zip_equal(described, bound, addresses))
    if (const uint64_t bytes = executor.bytes(argument.buffer);
        given.space == MemorySpace::Host && bytes != 0 &&
        !function.buffers[argument.buffer].isOnHost)
      copies.push_back({argument.name, address, given.data, bytes});
  return copies;
}

Error CudaRun::stage() {
  constexpr uint64_t kAlignment = 64;
  std::vector<std::pair<HostCopy *, uint64_t>> places;
  uint64_t total = 0;
  for (HostCopy &copy : concat<HostCopy>(inputs, outputs)) {
    if (isPinned(device, copy.array))
      continue;
    places.emplace_back(&copy, total);
    total = alignTo(total + copy.bytes, kAlignment);
  }
  Expected<std::byte *> memory = slot.stage(total);
  if (!memory)
    return memory.takeError();
  for (auto [copy, offset] : places)
    copy->staged = *memory + offset;
  for (const HostCopy &input : inputs)
    if (input.staged)
      std::memcpy(input.staged, input.array, input.bytes);
  return Error::success();
}

Error CudaRun::copyInputs() const {
  for (const HostCopy &copy : inputs)
    if (Error error = device.check(device.driver()->cuMemcpyHtoDAsync(copy.device, copy.host(),
                                                                      copy.bytes, session.stream()),
                                   "copying input '" + copy.name + "'"))
      return error;
  return Error::success();
}

Error CudaRun::copyOutputs() const {
  for (const HostCopy &copy : outputs)
    if (Error error = device.check(device.driver()->cuMemcpyDtoHAsync(copy.host(), copy.device,
                                                                      copy.bytes, session.stream()),
                                   "copying output '" + copy.name + "'"))
      return error;
  return Error::success();
}

Error CudaRun::giveUp(Error error) {
  const CUresult result = device.driver()->cuStreamSynchronize(session.stream());
  if (result == CUDA_SUCCESS) {
    session.resources.progress.reset();
    return error;
  }
  consumeError(std::move(error));
  return executor.deviceError(result);
}

Error CudaRun::runSteps(RunObserver &observer) {
  if (runsEagerly)
    return executor.runEagerly(observer);
  if (observer.isCancelled(0, function.steps.size()))
    return executor.cancelled(0);
  return enqueueSteps();
}

Error CudaRun::finishEnqueueing() {
  if (Error error =
          device.check(executor.fetchChecks(slot.checkedStatuses()), "copying checks of ids"))
    return error;
  if (Error error = copyOutputs())
    return error;
  if (Error error = device.check(executor.endRun(), "ending a run"))
    return error;
  return device.check(slot.end(session.stream()), "ending a run");
}

Error CudaRun::begin(RunObserver &observer) {
  const Device::Scope scope(device);
  runsEagerly |= observer.wantsSteps() || observer.wantsCheckpoints();
  if (Error error = copyInputs()) {
    device.driver()->cuStreamSynchronize(session.stream()); // no step of this run can have failed
    return error;
  }
  executor.beginRun();
  if (Error error = runSteps(observer))
    return giveUp(std::move(error));
  if (Error error = finishEnqueueing())
    return giveUp(std::move(error));
  return Error::success();
}

Error CudaRun::finish() {
  // A failure spoils every later call, also one that asks for what had been done before it.
  if (const CUresult result = slot.wait(); result != CUDA_SUCCESS && !executor.isComplete())
    return executor.deviceError(result);
  if (Error error = executor.reportChecks(slot.checkedStatuses()))
    return error;
  for (const HostCopy &output : outputs)
    if (output.staged)
      std::memcpy(output.array, output.staged, output.bytes);
  hostArguments.finish();
  return Error::success();
}

Expected<std::unique_ptr<CudaRun>> CudaSession::makeRun(const Function &function,
                                                        const Arguments &arguments) {
  Expected<RunSlot> slot = takeSlot();
  if (!slot)
    return slot.takeError();
  Expected<HostArguments> hostArguments = HostArguments::place(function, arguments, *device, *slot);
  if (!hostArguments)
    return hostArguments.takeError();
  return std::make_unique<CudaRun>(*this, function, arguments, std::move(*slot),
                                   std::move(*hostArguments));
}

Error CudaSession::execute(const Function &function, const Arguments &arguments,
                           RunObserver &observer) {
  Expected<std::unique_ptr<CudaRun>> run = makeRun(function, arguments);
  if (!run)
    return run.takeError();
  if (Error error = (*run)->begin(observer))
    return error;
  return (*run)->finish();
}

Expected<std::unique_ptr<StartedRun>> CudaSession::start(const Function &function,
                                                         const Arguments &arguments) {
  Expected<std::unique_ptr<CudaRun>> run = makeRun(function, arguments);
  if (!run)
    return run.takeError();
  if (Error error = (*run)->stage())
    return error;
  RunObserver nobody;
  if (Error error = (*run)->begin(nobody))
    return error;
  return std::move(*run);
}

//===- States ------------------------------------------------------------===//

Error CudaSession::finishTransfer(CUresult enqueued, const Twine &what) const {
  const CUresult waited = device->driver()->cuStreamSynchronize(stream());
  return device->check(enqueued != CUDA_SUCCESS ? enqueued : waited, what);
}

Error CudaSession::clearStates(uint64_t offset, uint64_t bytes, const Twine &what) {
  if (bytes == 0)
    return Error::success();
  const Device::Scope scope(*device);
  return finishTransfer(
      device->driver()->cuMemsetD8Async(resources.states.get() + offset, 0, bytes, stream()), what);
}

Error CudaSession::downloadStates(uint64_t offset, MutableArrayRef<std::byte> bytes,
                                  const Twine &what) {
  if (bytes.empty())
    return Error::success();
  const Device::Scope scope(*device);
  return finishTransfer(device->driver()->cuMemcpyDtoHAsync(
                            bytes.data(), resources.states.get() + offset, bytes.size(), stream()),
                        what);
}

Error CudaSession::uploadStates(uint64_t offset, ArrayRef<std::byte> bytes, const Twine &what) {
  if (bytes.empty())
    return Error::success();
  const Device::Scope scope(*device);
  return finishTransfer(device->driver()->cuMemcpyHtoDAsync(resources.states.get() + offset,
                                                            bytes.data(), bytes.size(), stream()),
                        what);
}

Error CudaSession::copyStateBlock(PartitionSession &from) {
  constexpr const char *kWhat = "copying states";
  auto &other = static_cast<CudaSession &>(from);
  const uint64_t bytes = resources.plan.states;
  if (bytes == 0)
    return Error::success();
  if (other.device->name() == device->name()) {
    const Device::Scope scope(*device);
    return finishTransfer(device->driver()->cuMemcpyDtoDAsync(resources.states.get(),
                                                              other.resources.states.get(), bytes,
                                                              stream()),
                          kWhat);
  }
  Expected<AlignedBytes> copy = AlignedBytes::allocate(bytes, "a copy of states");
  if (!copy)
    return copy.takeError();
  const MutableArrayRef<std::byte> block(copy->data(), bytes);
  if (Error error = other.downloadStates(0, block, kWhat))
    return error;
  return uploadStates(0, block, kWhat);
}

//===- Measuring ---------------------------------------------------------===//

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

Error CudaRun::repeat(MutableArrayRef<uint64_t> nanoseconds) {
  executor.beginRun();
  if (Error error = session.measure([this] { return enqueueSteps(); }, nanoseconds))
    return giveUp(std::move(error));
  session.resources.progress.reset();
  return Error::success();
}

Error CudaSession::repeat(const Function &function, const Arguments &arguments,
                          MutableArrayRef<uint64_t> nanoseconds) {
  const Device::Scope scope(*device);
  Expected<std::unique_ptr<CudaRun>> run = makeRun(function, arguments);
  if (!run)
    return run.takeError();
  return (*run)->repeat(nanoseconds);
}

//===- Weights -----------------------------------------------------------===//

class CudaWeights final : public PartitionWeights {
public:
  CudaWeights(const WantedWeights &wanted, std::shared_ptr<const Program> resolved,
              CudaProgram loaded)
      : PartitionWeights(wanted, loaded.device->name(), loaded.device->describe(),
                         std::move(resolved)),
        loaded(std::move(loaded)) {}

  const DeviceWeights &deviceWeights() const { return loaded.weights; }
  WeightBytes bytes() const override { return loaded.weights.bytes(); }
  Expected<std::unique_ptr<PartitionSession>>
  makeSession(const SessionOptions &options, const SymbolLimits &limits) const override;

private:
  CudaProgram loaded;
};

Expected<std::unique_ptr<PartitionSession>>
CudaWeights::makeSession(const SessionOptions &options, const SymbolLimits &limits) const {
  std::vector<size_t> functions;
  size_t checks = 0;
  for (size_t i = 0; i < program()->functions.size(); ++i) {
    if (!serves(program()->functions[i]))
      continue;
    functions.push_back(i);
    checks = std::max(checks, CudaExecutor::checksOf(program()->functions[i]));
  }
  if (Error error = loaded.device->checkProcess())
    return error;
  MemoryPlan plan = planPartition(*program(), partition(), functions, limits);
  plan.weights = loaded.weights.bytes().own;
  Expected<Resources> resources = Resources::create(loaded, plan, checks);
  if (!resources)
    return explainMemory(resources.takeError(), *loaded.device, plan, describePurpose(options));
  auto session = std::make_unique<CudaSession>(shared_from_this(), loaded, options, limits,
                                               std::move(*resources));
  if (Error error = session->clearStates(0, plan.states, "resetting states"))
    return error;
  return session;
}

/// The functions of the partition whose weights are all wanted.
std::vector<size_t> servedFunctions(const WantedWeights &wanted) {
  const std::vector<Function> &functions = wanted.program->functions;
  std::vector<size_t> served;
  for (size_t i = 0; i < functions.size(); ++i)
    if (functions[i].partition == wanted.partition &&
        !functions[i].weights.test(wanted.weights)) // none that is not wanted
      served.push_back(i);
  return served;
}

/// The kernels that functions launch, and those that pack their weights.
BitVector kernelsOf(const Program &program, ArrayRef<size_t> functions, const WeightPlan &plan) {
  BitVector kernels(program.kernels.size());
  for (const size_t index : functions)
    for (const Step &step : program.functions[index].steps)
      if (const auto *launch = std::get_if<KernelLaunch>(&step.action))
        kernels.set(launch->kernel);
  for (const PlannedWeight &entry : plan.weights())
    if (entry.form == WeightForm::Packed)
      kernels.set(program.weights[entry.weight].pack->kernel);
  return kernels;
}

} // namespace

Expected<std::shared_ptr<const PartitionWeights>>
loadCudaWeightsOn(const DevicePtr &device, const WantedWeights &wanted, WeightSource &source,
                  cpu::ThreadPool &pool, ReportProgress report, GetCublas getCublas,
                  const PartitionWeights *share) {
  const std::vector<size_t> functions = servedFunctions(wanted);
  const auto usesCublas = [&](size_t index) { return wanted.program->functions[index].usesCublas; };
  const Cublas *cublas = nullptr;
  if (any_of(functions, usesCublas)) {
    Expected<const Cublas *> library = getCublas();
    if (!library)
      return library.takeError();
    cublas = *library;
  }
  Expected<std::shared_ptr<const Program>> resolved =
      resolveVariants(*device, wanted.program, functions);
  if (!resolved)
    return resolved.takeError();
  const Program &program = **resolved;
  const auto *others = static_cast<const CudaWeights *>(share);
  DeviceWeights shared =
      others ? DeviceWeights::share(program, wanted.weights, others->deviceWeights())
             : DeviceWeights();
  const WeightPlan plan(program, wanted.weights,
                        [&](WeightId id, WeightForm form) { return shared.find(id, form); });
  const auto explain = [&](Error error) {
    Expected<SymbolLimits> limits = SymbolLimits::createWithoutSession(program, /*maxTokens=*/0);
    MemoryPlan all =
        planPartition(program, wanted.partition, functions, cantFail(std::move(limits)));
    all.weights = plan.bytes();
    return explainMemory(std::move(error), *device, all, describePurpose({}));
  };
  Expected<LoadedKernels> kernels =
      LoadedKernels::load(device, program, kernelsOf(program, functions, plan));
  if (!kernels)
    return explain(kernels.takeError());
  Expected<DeviceWeights> weights =
      DeviceWeights::load(device, program, plan, *kernels, source, pool, report,
                          DeviceWeights::kSlabBytes, std::move(shared));
  if (!weights)
    return explain(weights.takeError());
  return std::make_shared<const CudaWeights>(
      wanted, std::move(*resolved),
      CudaProgram{device, std::move(*kernels), std::move(*weights), cublas});
}

/// Opens the GPU of that name.
static Expected<DevicePtr> openDevice(const std::string &name) {
  Expected<const Driver *> driver = Driver::get();
  if (!driver)
    return driver.takeError();
  Expected<int> ordinal = parseDeviceName(name);
  if (!ordinal)
    return ordinal.takeError();
  return Device::open(**driver, *ordinal);
}

/// `error` with the device of the program that was to lie there, where it is not the first.
static Error explainDevice(Error error, const Partition &partition) {
  if (partition.device == 0)
    return error;
  return handleErrors(std::move(error), [&](const ErrorInfoBase &info) {
    return createStringError(info.convertToErrorCode(), "device " + Twine(partition.device) +
                                                            " of the program: " + info.message());
  });
}

Expected<std::shared_ptr<const PartitionWeights>>
loadCudaWeights(const WantedWeights &wanted, const std::string &device, WeightSource &source,
                cpu::ThreadPool &pool, ReportProgress report, const PartitionWeights *share) {
  Expected<DevicePtr> opened = openDevice(device);
  if (!opened)
    return explainDevice(opened.takeError(), wanted.program->partitions[wanted.partition]);
  return loadCudaWeightsOn(*opened, wanted, source, pool, report, Cublas::get, share);
}

} // namespace sortie
