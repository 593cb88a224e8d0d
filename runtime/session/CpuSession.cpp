// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A session of the CPU device: a pool of threads, an arena and states.

#include "runtime/session/CpuSession.h"

#include "runtime/session/CpuExecutor.h"

#include <chrono>
#include <cstring>

using namespace llvm;

namespace sortie {

namespace {

/// A run that was complete when it had been started.
class DoneRun final : public StartedRun {
public:
  explicit DoneRun(Error error) : error(std::move(error)) {}
  ~DoneRun() override { consumeError(std::move(error)); }
  bool isDone() override { return true; }
  Error finish() override { return std::move(error); }

private:
  Error error;
};

class CpuSession final : public PartitionSession {
public:
  CpuSession(std::shared_ptr<const PartitionWeights> loaded, const PackedWeights &packed,
             SymbolLimits limits, cpu::Isa isa, AlignedBytes arena, AlignedBytes states,
             std::unique_ptr<cpu::ThreadPool> pool)
      : PartitionSession(std::move(loaded), std::move(limits)), packed(packed), isa(isa),
        arena(std::move(arena)), states(std::move(states)), pool(std::move(pool)) {}

private:
  bool hasDeviceMemory() const override { return false; }
  bool isDeviceLost() const override { return false; }
  Error explainMemory(Error error) const override { return error; }

  Error execute(const Function &function, const Arguments &arguments,
                RunObserver &observer) override {
    const cpu::Context context{isa, *pool};
    return CpuExecutor(program(), function, packed, context, arguments,
                       {arena.data(), states.data(), stateLayout().offsets})
        .run(observer);
  }

  Expected<std::unique_ptr<StartedRun>> start(const Function &function,
                                              const Arguments &arguments) override {
    RunObserver nobody;
    return std::make_unique<DoneRun>(execute(function, arguments, nobody));
  }

  Error repeat(const Function &function, const Arguments &arguments,
               MutableArrayRef<uint64_t> nanoseconds) override {
    using Clock = std::chrono::steady_clock;
    RunObserver nobody;
    for (uint64_t &time : nanoseconds) {
      const Clock::time_point begin = Clock::now();
      if (Error error = execute(function, arguments, nobody))
        return error;
      time = std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - begin).count();
    }
    return Error::success();
  }

  Error clearStates(uint64_t offset, uint64_t bytes, const Twine &) override {
    std::memset(states.data() + offset, 0, bytes);
    return Error::success();
  }
  Error downloadStates(uint64_t offset, MutableArrayRef<std::byte> bytes, const Twine &) override {
    std::memcpy(bytes.data(), states.data() + offset, bytes.size());
    return Error::success();
  }
  Error uploadStates(uint64_t offset, ArrayRef<std::byte> bytes, const Twine &) override {
    std::memcpy(states.data() + offset, bytes.data(), bytes.size());
    return Error::success();
  }
  Error copyStateBlock(PartitionSession &from) override {
    const auto &other = static_cast<CpuSession &>(from);
    std::memcpy(states.data(), other.states.data(), states.size());
    return Error::success();
  }

  const PackedWeights &packed; // of the loaded weights, which the session owns
  cpu::Isa isa;
  AlignedBytes arena;
  AlignedBytes states;
  std::unique_ptr<cpu::ThreadPool> pool;
};

class CpuWeights final : public PartitionWeights {
public:
  CpuWeights(const WantedWeights &loaded, const std::string &device,
             std::unique_ptr<PackedWeights> packed)
      : PartitionWeights(loaded, device, device), packed(std::move(packed)) {}

  const PackedWeights &packedWeights() const { return *packed; }
  WeightBytes bytes() const override { return packed->bytes(); }
  Expected<std::unique_ptr<PartitionSession>>
  makeSession(const SessionOptions &options, const SymbolLimits &limits) const override {
    Expected<AlignedBytes> arena =
        AlignedBytes::allocate(arenaBytes(limits), "intermediate values");
    if (!arena)
      return arena.takeError();
    const uint64_t stateBytes = layoutStates(*program(), partition(), limits).bytes;
    Expected<AlignedBytes> states = AlignedBytes::allocate(stateBytes, "states");
    if (!states)
      return states.takeError();
    std::memset(states->data(), 0, stateBytes);
    Expected<std::unique_ptr<cpu::ThreadPool>> pool = cpu::ThreadPool::create(options.threads);
    if (!pool)
      return pool.takeError();
    return std::make_unique<CpuSession>(shared_from_this(), *packed, limits, options.isa,
                                        std::move(*arena), std::move(*states), std::move(*pool));
  }

private:
  std::unique_ptr<PackedWeights> packed;
};

} // namespace

Expected<std::shared_ptr<const PartitionWeights>>
loadCpuWeights(const WantedWeights &wanted, const std::string &device, WeightSource &source,
               cpu::ThreadPool &pool, ReportProgress report, const PartitionWeights *share) {
  const auto *others = static_cast<const CpuWeights *>(share);
  Expected<std::unique_ptr<PackedWeights>> packed =
      PackedWeights::create(wanted.program->weights, wanted.weights, source, pool, report,
                            others ? &others->packedWeights() : nullptr);
  if (!packed)
    return packed.takeError();
  return std::make_shared<const CpuWeights>(wanted, device, std::move(*packed));
}

} // namespace sortie
