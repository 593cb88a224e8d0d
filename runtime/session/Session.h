// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Loaded weights and sessions, whatever the device: a program's target decides which classes are
// behind these (CpuSession.h, CudaSession.h).

#ifndef SORTIE_RUNTIME_SESSION_SESSION_H
#define SORTIE_RUNTIME_SESSION_SESSION_H

#include "runtime/cpu/PackedWeights.h"
#include "runtime/session/Arguments.h"
#include "runtime/session/Observer.h"

#include <deque>
#include <memory>

namespace sortie {

class LoadedWeights;
class Session;

struct WeightsOptions {
  std::string device; ///< "cpu", "cuda" or "cuda:N"; empty: the program's target
  llvm::BitVector wanted;
  int threads = 1; ///< that read and pack
  /// Weights of the same model: what they have in the form that is needed is used in place. Null:
  /// none.
  std::shared_ptr<const LoadedWeights> share = nullptr;
};

struct SessionOptions {
  std::string device; ///< as above; empty: where the weights are
  int threads = 1;
  cpu::Isa isa = cpu::Isa::Portable;
  int64_t maxTokens = 0; ///< 0: the bounds of the program
  bool isEager = false;  ///< no CUDA graphs
};

/// The weights of a program in the memory of a device. Immutable, shared by any number of sessions
/// and threads.
class LoadedWeights : public std::enable_shared_from_this<LoadedWeights> {
public:
  /// Checks that `source` has every wanted weight, then loads them.
  static llvm::Expected<std::shared_ptr<const LoadedWeights>>
  create(std::shared_ptr<const Program> program, const WeightsOptions &options,
         WeightSource &source, ReportProgress report);
  virtual ~LoadedWeights();

  const std::shared_ptr<const Program> &program() const { return ownedProgram; }
  /// Whether all weights of a function are here.
  bool serves(const Function &function) const { return !missing(function); }
  /// The first weight of a function that is not here.
  std::optional<WeightId> missing(const Function &function) const;
  /// The largest arena of the functions that can run.
  uint64_t arenaBytes(int64_t maxTokens) const;

  /// "cpu", "cuda:0 (NVIDIA H100)".
  const std::string &describeDevice() const { return description; }
  /// In the device's memory.
  virtual WeightBytes bytes() const = 0;

  /// A session on the same device, with the memory of intermediate values.
  llvm::Expected<std::unique_ptr<Session>> createSession(const SessionOptions &options) const;

protected:
  LoadedWeights(std::shared_ptr<const Program> program, llvm::BitVector loaded,
                const WeightSource &source, std::string device, std::string description)
      : ownedProgram(std::move(program)), loaded(std::move(loaded)),
        sourceIdentity(source.identity()), device(std::move(device)),
        description(std::move(description)) {}

private:
  virtual llvm::Expected<std::unique_ptr<Session>>
  makeSession(const SessionOptions &options) const = 0;

  /// Whether weights from `source` on a device can have some of these.
  llvm::Error checkShared(const WeightSource &source, llvm::StringRef wantedDevice) const;

  std::shared_ptr<const Program> ownedProgram;
  llvm::BitVector loaded;
  std::string sourceIdentity; ///< see WeightSource::identity()
  std::string device;
  std::string description;
};

/// A run that its device has begun.
class StartedRun {
public:
  virtual ~StartedRun();
  /// Whether finish() would not wait.
  virtual bool isDone() = 0;
  /// Waits for the end and completes the outputs. Called once.
  virtual llvm::Error finish() = 0;
};

/// A run that Session::submit() gave. Used by the session's thread; it may outlive the session.
class SubmittedRun {
public:
  /// Whether wait() would not wait. Runs of a session are complete in the order of submission.
  bool isComplete();
  /// Waits for this run and those before it, and gives its error: each time the same.
  llvm::Error wait();

private:
  friend class Session;
  SubmittedRun(Session &session, const Function &function, Arguments arguments)
      : session(&session), function(function), arguments(std::move(arguments)) {}
  /// The error; the caller is told of it.
  llvm::Error result();

  Session *session; ///< null when the run is complete
  const Function &function;
  Arguments arguments;
  std::unique_ptr<StartedRun> started;
  std::string message; ///< of the error; empty: none
  std::error_code code;
  bool isTold = false;
};

/// The memory, threads and streams with which one caller runs the functions of a program. Used by
/// one thread at a time. Runs that were submitted are completed before anything else is done.
class Session {
public:
  virtual ~Session();

  const std::string &describeDevice() const { return weights->describeDevice(); }

  /// Runs a function. Arguments are found by name; every one is given once.
  llvm::Error run(uint32_t function, llvm::ArrayRef<TensorView> inputs,
                  llvm::ArrayRef<TensorView> outputs, RunObserver &observer);

  /// Enqueues a run behind those that were submitted before, and returns without waiting for any.
  /// The arrays belong to the run until it is complete. On the CPU, it is when this returns. Errors
  /// of arguments and of enqueueing are given here, what goes wrong later by the run.
  llvm::Expected<std::shared_ptr<SubmittedRun>>
  submit(uint32_t function, llvm::ArrayRef<TensorView> inputs, llvm::ArrayRef<TensorView> outputs);
  /// Whether all submitted runs are complete. Never waits.
  bool isIdle();
  /// Waits for all submitted runs. Gives the first error that nobody was told of; the
  /// next call gives the next.
  llvm::Error wait();

  /// Runs a function once, then repeats it `nanoseconds.size()` times on the same inputs, and gives
  /// the time of each. On a GPU: the time on the device, without copies from and to the host, and
  /// with cold caches.
  llvm::Error time(uint32_t function, llvm::ArrayRef<TensorView> inputs,
                   llvm::ArrayRef<TensorView> outputs, llvm::MutableArrayRef<uint64_t> nanoseconds);

  /// Sets all states, or one, to zeros.
  llvm::Error resetStates(std::optional<uint32_t> state = std::nullopt);
  /// Copies a state to and from the host. The array is as large as the state.
  llvm::Error readState(uint32_t state, llvm::MutableArrayRef<std::byte> bytes);
  llvm::Error writeState(uint32_t state, llvm::ArrayRef<std::byte> bytes);
  /// Makes the states equal to those of another session of the same program.
  llvm::Error copyStates(Session &from);

protected:
  Session(std::shared_ptr<const LoadedWeights> weights, const SessionOptions &options)
      : weights(std::move(weights)), tokenLimit(options.maxTokens) {}

  const Program &program() const { return *weights->program(); }
  int64_t maxTokens() const { return tokenLimit; }
  /// Waits for all submitted runs. Destructors call it while the device's part is still there.
  void completeAll();

private:
  friend class SubmittedRun;

  virtual bool hasDeviceMemory() const = 0;
  /// Whether an error has spoilt the device, so that nothing runs on it any more.
  virtual bool isDeviceLost() const = 0;
  /// Adds to an error for want of the device's memory what of it is used for what.
  virtual llvm::Error explainMemory(llvm::Error error) const = 0;
  virtual llvm::Error execute(const Function &function, const Arguments &arguments,
                              RunObserver &observer) = 0;
  /// Begins a run without waiting for it; `arguments` live until it is finished.
  virtual llvm::Expected<std::unique_ptr<StartedRun>> start(const Function &function,
                                                            const Arguments &arguments) = 0;
  virtual llvm::Error repeat(const Function &function, const Arguments &arguments,
                             llvm::MutableArrayRef<uint64_t> nanoseconds) = 0;
  /// Bytes of the block that holds all states, when no run is under way. `what` is for messages.
  virtual llvm::Error clearStates(uint64_t offset, uint64_t bytes, const llvm::Twine &what) = 0;
  virtual llvm::Error downloadStates(uint64_t offset, llvm::MutableArrayRef<std::byte> bytes,
                                     const llvm::Twine &what) = 0;
  virtual llvm::Error uploadStates(uint64_t offset, llvm::ArrayRef<std::byte> bytes,
                                   const llvm::Twine &what) = 0;
  /// `from` is a session of the same kind of device.
  virtual llvm::Error copyStateBlock(Session &from) = 0;
  llvm::Expected<Arguments> bind(uint32_t function, llvm::ArrayRef<TensorView> inputs,
                                 llvm::ArrayRef<TensorView> outputs) const;
  /// Completes the oldest submitted run.
  void completeNext();
  /// What a run ended with: the error of the one that lost the device before it, if one did.
  /// Remembers if this one did.
  llvm::Error explain(const Function &function, llvm::Error error);

  std::shared_ptr<const LoadedWeights> weights;
  int64_t tokenLimit;
  std::deque<std::shared_ptr<SubmittedRun>> pending; ///< oldest first
  std::deque<std::shared_ptr<SubmittedRun>> failed;  ///< perhaps nobody was told; oldest first
  std::string deviceFailure;                         ///< the error of the run that lost the device
};

} // namespace sortie

#endif // SORTIE_RUNTIME_SESSION_SESSION_H
