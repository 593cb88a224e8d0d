// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Parts for the partitions of a program, and the order of their runs.

#include "runtime/session/Session.h"

#include "runtime/cpu/FloatEnvironment.h"
#include "runtime/session/CpuSession.h"
#include "runtime/session/CudaSession.h"
#include "runtime/session/MemoryPlan.h"
#include "runtime/support/Error.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

#include <functional>

using namespace llvm;

namespace sortie {

//===- Devices -----------------------------------------------------------===//

/// Whether a name that a caller gives is one of a device of this target.
static bool isOf(StringRef name, StringRef target) {
  return (target == kCudaTarget ? name.split(':').first : name) == target;
}

/// Where a partition lies if the caller gives the name of a device, or none: see WeightsOptions.
static Expected<std::string> deviceOf(const Partition &partition, StringRef name) {
  if (!partition.isCuda())
    return partition.target;
  Expected<int> first = isOf(name, partition.target) ? cuda::parseDeviceName(name) : 0;
  if (!first)
    return first.takeError();
  return partition.target + ":" + std::to_string(int64_t{*first} + partition.device);
}

/// The devices of partitions.
static Expected<std::vector<std::string>> devicesOf(const Program &program,
                                                    ArrayRef<uint32_t> partitions, StringRef name) {
  std::vector<std::string> devices;
  std::string targets;
  bool isKnown = name.empty();
  for (const uint32_t index : partitions) {
    const Partition &partition = program.partitions[index];
    Expected<std::string> device = deviceOf(partition, name);
    if (!device)
      return device.takeError();
    devices.push_back(std::move(*device));
    isKnown |= isOf(name, partition.target);
    if (const std::string target = "'" + partition.target + "'";
        !StringRef(targets).contains(target))
      targets += (targets.empty() ? "" : ", ") + target;
  }
  if (isKnown)
    return devices;
  const bool isWhole = program.partitions.size() == 1;
  return makeError("device '" + name + "' is asked for, " + program.name +
                   (isWhole ? " is compiled for " : " runs what is to be loaded on ") + targets);
}

//===- Weights -----------------------------------------------------------===//

LoadedWeights::LoadedWeights(const WeightSource &source, std::vector<Part> parts)
    : parts(std::move(parts)), sourceIdentity(source.identity()),
      description(
          join(map_range(this->parts, std::mem_fn(&PartitionWeights::describeDevice)), ", ")) {}

Expected<std::shared_ptr<const LoadedWeights>>
LoadedWeights::create(const std::shared_ptr<const Program> &program, const WeightsOptions &options,
                      WeightSource &source, ReportProgress report) {
  const SmallVector<uint32_t> partitions = partitionsOf(*program, options.functions);
  Expected<std::vector<std::string>> devices = devicesOf(*program, partitions, options.device);
  if (!devices)
    return devices.takeError();
  if (options.share)
    if (Error error = options.share->checkShared(source, *devices))
      return error;
  const cpu::FloatEnvironment environment;
  Expected<std::unique_ptr<cpu::ThreadPool>> pool = cpu::ThreadPool::create(options.threads);
  if (!pool)
    return pool.takeError();
  std::vector<Part> parts;
  for (auto [partition, device] : zip_equal(partitions, *devices)) {
    auto load = program->partitions[partition].isCuda() ? loadCudaWeights : loadCpuWeights;
    Expected<Part> part =
        load({program, partition, weightsOf(*program, partition, options.functions)}, device,
             source, **pool, report, options.share ? options.share->partOn(device) : nullptr);
    if (!part)
      return part.takeError();
    parts.push_back(std::move(*part));
  }
  return std::make_shared<const LoadedWeights>(source, std::move(parts));
}

const PartitionWeights *LoadedWeights::partOn(StringRef device) const {
  for (const Part &part : parts)
    if (part->device() == device)
      return part.get();
  return nullptr;
}

Error LoadedWeights::checkShared(const WeightSource &source, ArrayRef<std::string> devices) const {
  if (none_of(devices, [this](const std::string &device) { return partOn(device); })) {
    const auto own = map_range(parts, std::mem_fn(&PartitionWeights::device));
    return makeError("the weights to share are on '" + join(own, "', '") +
                     "', those to be loaded on '" + join(devices, "', '") +
                     "'; share weights of the same device");
  }
  const std::string wanted = source.identity();
  if (wanted.empty() || sourceIdentity.empty() || wanted == sourceIdentity)
    return Error::success();
  return makeError(source.name() + ": holds other tensors (" + wanted +
                   ") than what the weights to share were loaded from (" + sourceIdentity +
                   "); share weights of the same model");
}

WeightBytes LoadedWeights::bytes() const {
  WeightBytes sum;
  for (const Part &part : parts) {
    const WeightBytes bytes = part->bytes();
    sum.own += bytes.own;
    sum.shared += bytes.shared;
  }
  return sum;
}

Expected<std::unique_ptr<Session>>
LoadedWeights::createSession(const SessionOptions &options) const {
  const Program &program = *this->program();
  SmallVector<uint32_t> partitions;
  for (const Part &part : parts)
    partitions.push_back(part->partition());
  Expected<std::vector<std::string>> wanted = devicesOf(program, partitions, options.device);
  if (!wanted)
    return wanted.takeError();
  for (auto [part, device] : zip_equal(parts, *wanted))
    if (!options.device.empty() && device != part->device())
      return makeError("a session on '" + device + "' is asked for, its weights are on '" +
                       part->device() + "'; load them there, too");
  Expected<SymbolLimits> limits = SymbolLimits::create(program, options.maxTokens, options.symbols);
  if (!limits)
    return limits.takeError();
  if (Error error = checkStates(program, *limits))
    return error;
  std::vector<std::unique_ptr<PartitionSession>> sessions;
  for (const Part &part : parts) {
    Expected<std::unique_ptr<PartitionSession>> session = part->makeSession(options, *limits);
    if (!session)
      return session.takeError();
    sessions.push_back(std::move(*session));
  }
  return std::make_unique<Session>(std::move(sessions), std::move(*limits));
}

//===- Sessions ----------------------------------------------------------===//

Session::Session(std::vector<std::unique_ptr<PartitionSession>> given, SymbolLimits limits)
    : program(given.front()->weights().loadedProgram()), limits(std::move(limits)),
      parts(program->partitions.size()) {
  for (std::unique_ptr<PartitionSession> &part : given) {
    const uint32_t partition = part->weights().partition();
    parts[partition] = std::move(part);
  }
}

Session::~Session() { completeAll(); }

/// The error of what belongs to a partition that is not loaded.
static Error notLoaded(const Twine &what, const Partition &partition) {
  return makeError(what + " belongs to device " + Twine(partition.device) + " of target '" +
                   partition.target +
                   "', for which nothing has been loaded; name a function of that device when the "
                   "weights are created");
}

Expected<PartitionSession *> Session::partOf(const State &state) const {
  if (PartitionSession *part = parts[state.partition].get())
    return part;
  return notLoaded("state '" + state.name + "'", program->partitions[state.partition]);
}

Error Session::checkLoaded(const Function &function) const {
  const PartitionSession *part = parts[function.partition].get();
  if (!part)
    return notLoaded("function '" + function.name + "'", program->partitionOf(function));
  if (const std::optional<WeightId> missing = part->weights().missing(function))
    return makeError("function '" + function.name + "': " + program->weights[*missing].describe() +
                     " has not been loaded; name the function when the weights are created");
  return Error::success();
}

Expected<Session::Call> Session::bind(uint32_t index, ArrayRef<TensorView> inputs,
                                      ArrayRef<TensorView> outputs) const {
  if (Error error = checkLoaded(program->functions[index]))
    return error;
  PartitionSession &part = *parts[program->functions[index].partition];
  const Function &function = part.weights().program()->functions[index];
  Expected<Arguments> arguments =
      Arguments::bind(*program, function, {limits, part.hasDeviceMemory()}, inputs, outputs);
  if (!arguments)
    return arguments.takeError();
  return Call{function, part, std::move(*arguments)};
}

Error Session::run(uint32_t index, ArrayRef<TensorView> inputs, ArrayRef<TensorView> outputs,
                   RunObserver &observer) {
  const cpu::FloatEnvironment environment;
  completeAll();
  Expected<Call> call = bind(index, inputs, outputs);
  if (!call)
    return call.takeError();
  const auto &[function, part, arguments] = *call;
  if (Error error = part.explain(function, part.execute(function, arguments, observer)))
    return error;
  arguments.finish();
  return Error::success();
}

Error Session::time(uint32_t index, ArrayRef<TensorView> inputs, ArrayRef<TensorView> outputs,
                    MutableArrayRef<uint64_t> nanoseconds) {
  const cpu::FloatEnvironment environment;
  completeAll();
  Expected<Call> call = bind(index, inputs, outputs);
  if (!call)
    return call.takeError();
  const auto &[function, part, arguments] = *call;
  RunObserver nobody;
  if (Error error = part.explain(function, part.execute(function, arguments, nobody)))
    return error;
  if (Error error = part.explain(function, part.repeat(function, arguments, nanoseconds)))
    return error;
  arguments.finish();
  return Error::success();
}

//===- States ------------------------------------------------------------===//

Error Session::resetStates() {
  completeAll();
  for (const auto &part : parts)
    if (part)
      if (Error error = part->clearStates(0, part->stateLayout().bytes, "resetting states"))
        return error;
  return Error::success();
}

Error Session::resetState(uint32_t index) {
  const State &state = program->states[index];
  Expected<PartitionSession *> part = partOf(state);
  if (!part)
    return part.takeError();
  completeAll();
  return (*part)->clearStates((*part)->stateLayout().offsets[index], bytesOf(state),
                              "resetting state '" + state.name + "'");
}

uint64_t Session::bytesOf(const State &state) const {
  return static_cast<uint64_t>(state.bytes.at(limits));
}

/// A state is copied as a whole or not at all.
Error Session::checkSize(const State &state, size_t given) const {
  if (given == bytesOf(state))
    return Error::success();
  return makeError("state '" + state.name + "' has " + Twine(bytesOf(state)) + " bytes, " +
                   Twine(given) + " are given");
}

Error Session::readState(uint32_t index, MutableArrayRef<std::byte> bytes) {
  const State &state = program->states[index];
  Expected<PartitionSession *> part = partOf(state);
  if (!part)
    return part.takeError();
  if (Error error = checkSize(state, bytes.size()))
    return error;
  completeAll();
  return (*part)->downloadStates((*part)->stateLayout().offsets[index], bytes,
                                 "reading state '" + state.name + "'");
}

Error Session::writeState(uint32_t index, ArrayRef<std::byte> bytes) {
  const State &state = program->states[index];
  Expected<PartitionSession *> part = partOf(state);
  if (!part)
    return part.takeError();
  if (Error error = checkSize(state, bytes.size()))
    return error;
  completeAll();
  return (*part)->uploadStates((*part)->stateLayout().offsets[index], bytes,
                               "writing state '" + state.name + "'");
}

Error Session::copyStates(Session &from) {
  if (from.program != program)
    return makeError("the sessions are of two programs (" + program->name + ", " +
                     from.program->name + "); copy states between sessions of one");
  for (auto [symbol, own, other] :
       zip_equal(program->symbols, ArrayRef<int64_t>(limits), ArrayRef<int64_t>(from.limits)))
    if (symbol.isOfSession && own != other)
      return makeError("states are to be copied from a session whose '" + symbol.name + "' is " +
                       Twine(other) + " to one where it is " + Twine(own) +
                       "; make both sessions with the same value");
  for (const State &state : program->states)
    if (parts[state.partition])
      if (Error error = from.partOf(state).takeError())
        return error;
  from.completeAll();
  completeAll();
  for (auto [part, other] : zip_equal(parts, from.parts))
    if (part && other)
      if (Error error = part->copyStateBlock(*other))
        return error;
  return Error::success();
}

//===- Submitted runs ----------------------------------------------------===//

Expected<std::shared_ptr<SubmittedRun>> Session::submit(uint32_t index, ArrayRef<TensorView> inputs,
                                                        ArrayRef<TensorView> outputs) {
  const cpu::FloatEnvironment environment;
  Expected<Call> call = bind(index, inputs, outputs);
  if (!call)
    return call.takeError();
  auto &[function, part, arguments] = *call;
  std::shared_ptr<SubmittedRun> run(new SubmittedRun(*this, function, part, std::move(arguments)));
  Expected<std::unique_ptr<StartedRun>> started = part.start(function, run->arguments);
  if (!started) {
    completeAll(); // one of them may be the reason
    return part.explain(function, started.takeError());
  }
  run->started = std::move(*started);
  pending.push_back(run);
  isIdle(); // what is done already has its outputs from now on, and its slot is free
  return run;
}

void Session::completeNext() {
  const std::shared_ptr<SubmittedRun> run = std::move(pending.front());
  pending.pop_front();
  Error error = run->part.explain(run->function, run->started->finish());
  run->started.reset();
  run->session = nullptr;
  if (!error) {
    run->arguments.finish();
    run->arguments = Arguments(); // copies of the caller's arrays
    return;
  }
  handleAllErrors(std::move(error), [&](const ErrorInfoBase &info) {
    run->message = info.message();
    run->code = info.convertToErrorCode();
  });
  erase_if(failed, [](const auto &earlier) { return earlier->isTold; });
  failed.push_back(run);
}

void Session::completeAll() {
  while (!pending.empty())
    completeNext();
}

bool Session::isIdle() {
  while (!pending.empty() && pending.front()->started->isDone())
    completeNext();
  return pending.empty();
}

Error Session::wait() {
  completeAll();
  erase_if(failed, [](const auto &run) { return run->isTold; });
  return failed.empty() ? Error::success() : failed.front()->result();
}

Error SubmittedRun::result() {
  isTold = true;
  return message.empty() ? Error::success() : createStringError(code, message);
}

bool SubmittedRun::isComplete() {
  while (session && session->pending.front()->started->isDone())
    session->completeNext();
  return !session;
}

Error SubmittedRun::wait() {
  while (session)
    session->completeNext();
  return result();
}

} // namespace sortie
