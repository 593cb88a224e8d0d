// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What loaded weights and sessions of all devices have in common.

#include "runtime/session/Session.h"

#include "runtime/cpu/FloatEnvironment.h"
#include "runtime/session/CpuSession.h"
#include "runtime/session/CudaSession.h"
#include "runtime/session/MemoryPlan.h"
#include "runtime/support/Error.h"

#include "llvm/ADT/STLExtras.h"

#include <algorithm>

using namespace llvm;

namespace sortie {

//===- Weights -----------------------------------------------------===//

LoadedWeights::~LoadedWeights() = default;

/// The device that a name means for a program: "" is its target, "cuda" and "cuda:0" are the same.
static Expected<std::string> resolveDevice(const Program &program, StringRef name) {
  const StringRef wanted = name.empty() ? StringRef(program.target) : name;
  const bool isCuda = program.target == kCudaTarget;
  if ((isCuda ? wanted.split(':').first : wanted) != program.target)
    return makeError("device '" + wanted + "' is asked for, " + program.name +
                     " is compiled for '" + program.target + "'");
  if (!isCuda)
    return wanted.str();
  Expected<int> ordinal = cuda::parseDeviceName(wanted);
  if (!ordinal)
    return ordinal.takeError();
  return "cuda:" + std::to_string(*ordinal);
}

Expected<std::shared_ptr<const LoadedWeights>>
LoadedWeights::create(std::shared_ptr<const Program> program, const WeightsOptions &options,
                      WeightSource &source, ReportProgress report) {
  Expected<std::string> device = resolveDevice(*program, options.device);
  if (!device)
    return device.takeError();
  if (options.share)
    if (Error error = options.share->checkShared(source, *device))
      return error;
  const cpu::FloatEnvironment environment;
  Expected<std::unique_ptr<cpu::ThreadPool>> pool = cpu::ThreadPool::create(options.threads);
  if (!pool)
    return pool.takeError();
  auto load = program->target == kCudaTarget ? loadCudaWeights : loadCpuWeights;
  return load(std::move(program), options.wanted, *device, source, **pool, report,
              options.share.get());
}

Error LoadedWeights::checkShared(const WeightSource &source, StringRef wantedDevice) const {
  if (device != wantedDevice)
    return makeError("the weights to share are on '" + device + "', those to be loaded on '" +
                     wantedDevice + "'; share weights of the same device");
  const std::string wanted = source.identity();
  if (wanted.empty() || sourceIdentity.empty() || wanted == sourceIdentity)
    return Error::success();
  return makeError(source.name() + ": holds other tensors (" + wanted +
                   ") than what the weights to share were loaded from (" + sourceIdentity +
                   "); share weights of the same model");
}

std::optional<WeightId> LoadedWeights::missing(const Function &function) const {
  for (const unsigned id : function.weights.set_bits())
    if (!loaded.test(id))
      return id;
  return std::nullopt;
}

uint64_t LoadedWeights::arenaBytes(int64_t maxTokens) const {
  uint64_t bytes = 0;
  for (const Function &function : program()->functions)
    if (serves(function))
      bytes = std::max(bytes, program()->arenaBytes(function, maxTokens));
  return bytes;
}

Expected<std::unique_ptr<Session>>
LoadedWeights::createSession(const SessionOptions &options) const {
  const Program &program = *given;
  Expected<std::string> wanted = resolveDevice(program, options.device);
  if (!wanted)
    return wanted.takeError();
  if (!options.device.empty() && *wanted != device)
    return makeError("a session on '" + *wanted + "' is asked for, its weights are on '" + device +
                     "'; load them there, too");
  if (Error error = checkTokenLimit(program, options.maxTokens))
    return error;
  return makeSession(options);
}

//===- Sessions ----------------------------------------------------===//

StartedRun::~StartedRun() = default;
Session::~Session() = default;

Expected<Arguments> Session::bind(uint32_t index, ArrayRef<TensorView> inputs,
                                  ArrayRef<TensorView> outputs) const {
  const Function &function = program().functions[index];
  if (const std::optional<WeightId> missing = weights->missing(function))
    return makeError("function '" + function.name + "': " + program().weights[*missing].describe() +
                     " has not been loaded; name the function when the weights are created");
  return Arguments::bind(program(), function, {tokenLimit, hasDeviceMemory()}, inputs, outputs);
}

Error Session::run(uint32_t index, ArrayRef<TensorView> inputs, ArrayRef<TensorView> outputs,
                   RunObserver &observer) {
  const cpu::FloatEnvironment environment;
  completeAll();
  Expected<Arguments> arguments = bind(index, inputs, outputs);
  if (!arguments)
    return arguments.takeError();
  const Function &function = program().functions[index];
  if (Error error = explain(function, execute(function, *arguments, observer)))
    return error;
  arguments->finish();
  return Error::success();
}

Error Session::time(uint32_t index, ArrayRef<TensorView> inputs, ArrayRef<TensorView> outputs,
                    MutableArrayRef<uint64_t> nanoseconds) {
  const cpu::FloatEnvironment environment;
  completeAll();
  Expected<Arguments> arguments = bind(index, inputs, outputs);
  if (!arguments)
    return arguments.takeError();
  const Function &function = program().functions[index];
  RunObserver nobody;
  if (Error error = explain(function, execute(function, *arguments, nobody)))
    return error;
  if (Error error = explain(function, repeat(function, *arguments, nanoseconds)))
    return error;
  arguments->finish();
  return Error::success();
}

//===- States ------------------------------------------------------===//

Error Session::resetStates(std::optional<uint32_t> index) {
  completeAll();
  if (!index)
    return clearStates(0, program().stateBytes, "resetting states");
  const State &state = program().states[*index];
  return clearStates(state.offset, state.bytes, "resetting state '" + state.name + "'");
}

/// A state is copied as a whole or not at all.
static Error checkSize(const State &state, size_t given) {
  if (given == state.bytes)
    return Error::success();
  return makeError("state '" + state.name + "' has " + Twine(state.bytes) + " bytes, " +
                   Twine(given) + " are given");
}

Error Session::readState(uint32_t index, MutableArrayRef<std::byte> bytes) {
  const State &state = program().states[index];
  if (Error error = checkSize(state, bytes.size()))
    return error;
  completeAll();
  return downloadStates(state.offset, bytes, "reading state '" + state.name + "'");
}

Error Session::writeState(uint32_t index, ArrayRef<std::byte> bytes) {
  const State &state = program().states[index];
  if (Error error = checkSize(state, bytes.size()))
    return error;
  completeAll();
  return uploadStates(state.offset, bytes, "writing state '" + state.name + "'");
}

Error Session::copyStates(Session &from) {
  if (from.weights->loadedProgram() != weights->loadedProgram())
    return makeError("the sessions are of two programs (" + program().name + ", " +
                     from.program().name + "); copy states between sessions of one");
  from.completeAll();
  completeAll();
  return copyStateBlock(from);
}

//===- Submitted runs ----------------------------------------------===//

Expected<std::shared_ptr<SubmittedRun>> Session::submit(uint32_t index, ArrayRef<TensorView> inputs,
                                                        ArrayRef<TensorView> outputs) {
  const cpu::FloatEnvironment environment;
  Expected<Arguments> arguments = bind(index, inputs, outputs);
  if (!arguments)
    return arguments.takeError();
  const Function &function = program().functions[index];
  std::shared_ptr<SubmittedRun> run(new SubmittedRun(*this, function, std::move(*arguments)));
  Expected<std::unique_ptr<StartedRun>> started = start(function, run->arguments);
  if (!started) {
    completeAll(); // one of them may be the reason
    return explain(function, started.takeError());
  }
  run->started = std::move(*started);
  pending.push_back(run);
  isIdle(); // what is done already has its outputs from now on, and its slot is free
  return run;
}

Error Session::explain(const Function &function, Error error) {
  if (!error)
    return Error::success();
  if (!deviceFailure.empty()) {
    consumeError(std::move(error));
    return makeError("function '" + function.name +
                         "': not run, because a run before it failed: " + deviceFailure,
                     std::errc::state_not_recoverable);
  }
  return handleErrors(explainMemory(std::move(error)), [&](std::unique_ptr<ErrorInfoBase> info) {
    // A launch that was refused has that code, too.
    if (info->convertToErrorCode() == std::errc::state_not_recoverable && isDeviceLost())
      deviceFailure = info->message();
    return Error(std::move(info));
  });
}

void Session::completeNext() {
  const std::shared_ptr<SubmittedRun> run = std::move(pending.front());
  pending.pop_front();
  Error error = explain(run->function, run->started->finish());
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
