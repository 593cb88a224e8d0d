// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What weights and sessions have for one partition of a program: the part that knows a device. A
// partition's target decides which classes are behind these (CpuSession.h, CudaSession.h).

#ifndef SORTIE_RUNTIME_SESSION_PARTITION_H
#define SORTIE_RUNTIME_SESSION_PARTITION_H

#include "runtime/cpu/PackedWeights.h"
#include "runtime/session/Arguments.h"
#include "runtime/session/MemoryPlan.h"
#include "runtime/session/Observer.h"

#include <memory>

namespace sortie {

class PartitionSession;

struct SessionOptions {
  std::string device; ///< as in WeightsOptions; empty: where the weights are
  int threads = 1;
  cpu::Isa isa = cpu::Isa::Portable;
  int64_t maxTokens = 0;                  ///< 0: the bounds of the program
  bool isEager = false;                   ///< no CUDA graphs
  std::vector<SymbolChoice> symbols = {}; // NOLINT(readability-redundant-member-init)
};

/// The weights of a partition that are wanted.
struct WantedWeights {
  std::shared_ptr<const Program> program;
  uint32_t partition; ///< its index in the program
  llvm::BitVector weights;
};

/// The weights that a partition's functions read, in the memory of its device. Immutable.
class PartitionWeights : public std::enable_shared_from_this<PartitionWeights> {
public:
  virtual ~PartitionWeights();

  /// The program as the device runs it: a CUDA device has chosen its variants.
  const std::shared_ptr<const Program> &program() const {
    return resolved ? resolved : loaded.program;
  }
  /// The program that was loaded; program() is this one, or made of it.
  const std::shared_ptr<const Program> &loadedProgram() const { return loaded.program; }
  /// Its index in the program.
  uint32_t partition() const { return loaded.partition; }
  /// Whether a function is one of the partition and all of its weights are here.
  bool serves(const Function &function) const {
    return function.partition == partition() && !missing(function);
  }
  /// The first weight of a function that is not here.
  std::optional<WeightId> missing(const Function &function) const;
  /// The largest arena of the functions that can run.
  uint64_t arenaBytes(const SymbolLimits &limits) const;

  /// "cpu", "cuda:0".
  const std::string &device() const { return name; }
  /// "cpu", "cuda:0 (NVIDIA H100)".
  const std::string &describeDevice() const { return description; }
  /// In the device's memory.
  virtual WeightBytes bytes() const = 0;

  /// The part of a session on the same device, with the memory of intermediate values and states.
  virtual llvm::Expected<std::unique_ptr<PartitionSession>>
  makeSession(const SessionOptions &options, const SymbolLimits &limits) const = 0;

protected:
  /// `resolved` is the program as the device runs it; null: as it is.
  PartitionWeights(WantedWeights loaded, std::string device, std::string description,
                   std::shared_ptr<const Program> resolved = nullptr)
      : loaded(std::move(loaded)), resolved(std::move(resolved)), name(std::move(device)),
        description(std::move(description)) {}

private:
  WantedWeights loaded;
  std::shared_ptr<const Program> resolved;
  std::string name;
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

/// The memory, threads and stream with which a session runs the functions of one partition. Its
/// destructor is called when no run is under way.
class PartitionSession {
public:
  virtual ~PartitionSession();

  const PartitionWeights &weights() const { return *ownedWeights; }

  /// Where its states lie in the block that holds all of them.
  const StateLayout &stateLayout() const { return states; }

  /// What it takes of arguments beside arrays on the host.
  virtual bool hasDeviceMemory() const = 0;
  virtual llvm::Error execute(const Function &function, const Arguments &arguments,
                              RunObserver &observer) = 0;
  /// Begins a run without waiting for it; `arguments` live until it is finished.
  virtual llvm::Expected<std::unique_ptr<StartedRun>> start(const Function &function,
                                                            const Arguments &arguments) = 0;
  virtual llvm::Error repeat(const Function &function, const Arguments &arguments,
                             llvm::MutableArrayRef<uint64_t> nanoseconds) = 0;
  /// Bytes of the block that holds all states of the partition, when no run is under way. `what` is
  /// for messages.
  virtual llvm::Error clearStates(uint64_t offset, uint64_t bytes, const llvm::Twine &what) = 0;
  virtual llvm::Error downloadStates(uint64_t offset, llvm::MutableArrayRef<std::byte> bytes,
                                     const llvm::Twine &what) = 0;
  virtual llvm::Error uploadStates(uint64_t offset, llvm::ArrayRef<std::byte> bytes,
                                   const llvm::Twine &what) = 0;
  /// `from` is of the same partition.
  virtual llvm::Error copyStateBlock(PartitionSession &from) = 0;

  /// What a run ended with: the error of the one that lost the device before it, if one did.
  /// Remembers if this one did.
  llvm::Error explain(const Function &function, llvm::Error error);

protected:
  PartitionSession(std::shared_ptr<const PartitionWeights> weights, SymbolLimits limits)
      : ownedWeights(std::move(weights)), symbolLimits(std::move(limits)),
        states(layoutStates(program(), ownedWeights->partition(), symbolLimits)) {}

  const Program &program() const { return *ownedWeights->program(); }
  const SymbolLimits &limits() const { return symbolLimits; }

private:
  /// Whether an error has spoilt the device, so that nothing runs on it any more.
  virtual bool isDeviceLost() const = 0;
  /// Adds to an error for want of the device's memory what of it is used for what.
  virtual llvm::Error explainMemory(llvm::Error error) const = 0;

  std::shared_ptr<const PartitionWeights> ownedWeights;
  SymbolLimits symbolLimits;
  StateLayout states;
  std::string deviceFailure; ///< the error of the run that lost the device
};

} // namespace sortie

#endif // SORTIE_RUNTIME_SESSION_PARTITION_H
