// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How far the runs of a session are, as the GPU notes it in host memory: there it can be read also
// when an error has spoilt everything else.

#ifndef SORTIE_RUNTIME_SESSION_RUNPROGRESS_H
#define SORTIE_RUNTIME_SESSION_RUNPROGRESS_H

#include "runtime/cuda/Device.h"

#include <optional>

namespace sortie {

/// One for all runs on a stream, because they are in order, and because graphs hold its address.
class RunProgress {
public:
  static llvm::Expected<RunProgress> create(const cuda::DevicePtr &device);

  /// The number of the next run on the stream. Each ends by endRun() or reset().
  uint32_t beginRun() { return ++begunRuns; }
  /// Enqueues the end of a run.
  cuda::CUresult endRun(uint32_t run, cuda::CUstream stream) const;
  /// Ends all runs, when nothing of them is on the stream.
  void reset();
  /// Whether the device came to the end of a run.
  bool isComplete(uint32_t run) const { return runsBehind(run) <= 0; }

  /// Enqueues that a step begins; kernels tell that themselves (beginStep() of sortie_hardware.h).
  cuda::CUresult beginStep(size_t step, cuda::CUstream stream) const;
  /// The step of a run that began last, all before which are complete. None if no step has begun,
  /// or if a run before is not complete.
  std::optional<size_t> step(uint32_t run) const;

  /// Where kernels write the number of their step.
  cuda::CUdeviceptr deviceStep() const { return deviceState + offsetof(State, step); }

private:
  /// No step of the run has begun.
  static constexpr uint32_t kNone = UINT32_MAX;

  /// Pinned memory; the end of a run is one write of both words.
  struct alignas(8) State {
    volatile uint32_t step;
    volatile uint32_t completeRuns; ///< number of the last one
  };
  State *state() const { return static_cast<State *>(ownedState.get()); }
  /// How many runs are not complete up to this one. Numbers may have wrapped around.
  int32_t runsBehind(uint32_t run) const {
    return static_cast<int32_t>(run - state()->completeRuns);
  }

  cuda::DevicePtr device;
  cuda::PinnedMemory ownedState;
  cuda::CUdeviceptr deviceState = 0; ///< the same memory for the device
  uint32_t begunRuns = 0;
};

} // namespace sortie

#endif // SORTIE_RUNTIME_SESSION_RUNPROGRESS_H
