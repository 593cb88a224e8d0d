// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Loaded weights and sessions of a program: a part for each of its partitions (Partition.h), the
// order of runs, and which function and state belongs to which part.

#ifndef SORTIE_RUNTIME_SESSION_SESSION_H
#define SORTIE_RUNTIME_SESSION_SESSION_H

#include "runtime/session/Partition.h"

#include <deque>

namespace sortie {

class LoadedWeights;
class Session;

struct WeightsOptions {
  /// Where device 0 of its kind lies: "cpu", "cuda" or "cuda:N"; empty: "cuda:0" of GPUs.
  std::string device;
  /// Those that shall run, at least one. There are parts for their partitions alone.
  std::vector<size_t> functions;
  int threads = 1; ///< that read and pack
  /// Weights of the same model: what they have in the form that is needed is used in place. Null:
  /// none.
  std::shared_ptr<const LoadedWeights> share = nullptr;
};

/// The weights of a program in the memory of its devices. Immutable, shared by any number of
/// sessions and threads.
class LoadedWeights {
public:
  using Part = std::shared_ptr<const PartitionWeights>;

  /// Checks for each partition that `source` has every weight of the functions, then loads them.
  /// Partitions report their progress one after the other.
  static llvm::Expected<std::shared_ptr<const LoadedWeights>>
  create(const std::shared_ptr<const Program> &program, const WeightsOptions &options,
         WeightSource &source, ReportProgress report);

  /// Of different partitions of one program, at least one, loaded from one source.
  LoadedWeights(const WeightSource &source, std::vector<Part> parts);

  const std::shared_ptr<const Program> &program() const { return parts.front()->loadedProgram(); }
  /// "cpu", "cuda:0 (NVIDIA H100)"; those of several partitions with commas between them.
  const std::string &describeDevice() const { return description; }
  /// In the memory of all devices.
  WeightBytes bytes() const;

  /// A session on the same devices, with the memory of intermediate values.
  llvm::Expected<std::unique_ptr<Session>> createSession(const SessionOptions &options) const;

  /// The part on a device of this name, or null.
  const PartitionWeights *partOn(llvm::StringRef device) const;

private:
  /// Whether weights from `source` on these devices can have some of these.
  llvm::Error checkShared(const WeightSource &source, llvm::ArrayRef<std::string> devices) const;

  std::vector<Part> parts;    ///< by partition
  std::string sourceIdentity; ///< see WeightSource::identity()
  std::string description;
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
  SubmittedRun(Session &session, const Function &function, PartitionSession &part,
               Arguments arguments)
      : session(&session), function(function), part(part), arguments(std::move(arguments)) {}
  /// The error; the caller is told of it.
  llvm::Error result();

  Session *session; ///< null when the run is complete
  const Function &function;
  PartitionSession &part; ///< of the session
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
  /// Parts for different partitions of one program.
  Session(std::vector<std::unique_ptr<PartitionSession>> parts, SymbolLimits limits);
  ~Session();
  Session(const Session &) = delete;
  Session &operator=(const Session &) = delete;

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

  /// What was decided about the program's symbols.
  const SymbolLimits &symbolLimits() const { return limits; }

  /// Sets all states that the session has, or one, to zeros.
  llvm::Error resetStates();
  llvm::Error resetState(uint32_t state);
  /// Copies a state to and from the host. The array is as large as the state.
  llvm::Error readState(uint32_t state, llvm::MutableArrayRef<std::byte> bytes);
  llvm::Error writeState(uint32_t state, llvm::ArrayRef<std::byte> bytes);
  /// Makes the states equal to those of another session of the same program, which has all of them.
  llvm::Error copyStates(Session &from);

private:
  friend class SubmittedRun;

  /// A function with its arguments, and the part that runs it.
  struct Call {
    const Function &function; ///< as the part's device runs it
    PartitionSession &part;
    Arguments arguments;
  };
  llvm::Expected<Call> bind(uint32_t function, llvm::ArrayRef<TensorView> inputs,
                            llvm::ArrayRef<TensorView> outputs) const;
  /// Whether the part of a function, and its weights, are here.
  llvm::Error checkLoaded(const Function &function) const;
  uint64_t bytesOf(const State &state) const;
  llvm::Error checkSize(const State &state, size_t given) const;
  /// The part that has a state, or an error.
  llvm::Expected<PartitionSession *> partOf(const State &state) const;
  /// Waits for all submitted runs.
  void completeAll();
  /// Completes the oldest submitted run.
  void completeNext();

  std::shared_ptr<const Program> program;
  SymbolLimits limits;
  std::vector<std::unique_ptr<PartitionSession>> parts; ///< by partition; null where not loaded
  std::deque<std::shared_ptr<SubmittedRun>> pending;    ///< oldest first
  std::deque<std::shared_ptr<SubmittedRun>> failed;     ///< perhaps nobody was told; oldest first
};

} // namespace sortie

#endif // SORTIE_RUNTIME_SESSION_SESSION_H
