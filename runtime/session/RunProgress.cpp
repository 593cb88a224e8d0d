// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Words of pinned memory that streams write.

#include "runtime/session/RunProgress.h"

using namespace llvm;
using namespace sortie::cuda;

namespace sortie {

Expected<RunProgress> RunProgress::create(const DevicePtr &device) {
  RunProgress progress;
  progress.device = device;
  Expected<PinnedMemory> state = allocatePinned(device, sizeof(State), "the progress of runs");
  if (!state)
    return state.takeError();
  progress.ownedState = std::move(*state);
  progress.reset();
  const Device::Scope scope(*device);
  if (Error error =
          device->check(device->driver()->cuMemHostGetDevicePointer(
                            &progress.deviceState, progress.ownedState.get(), /*flags=*/0),
                        "mapping the progress of runs"))
    return error;
  return progress;
}

CUresult RunProgress::endRun(uint32_t run, CUstream stream) const {
  static_assert(offsetof(State, step) == 0 && offsetof(State, completeRuns) == sizeof(uint32_t),
                "the words of a little-endian number");
  return device->driver()->cuStreamWriteValue64(stream, deviceState, uint64_t{run} << 32 | kNone,
                                                CU_STREAM_WRITE_VALUE_DEFAULT);
}

void RunProgress::reset() {
  state()->step = kNone;
  state()->completeRuns = begunRuns;
}

CUresult RunProgress::beginStep(size_t step, CUstream stream) const {
  return device->driver()->cuStreamWriteValue32(stream, deviceStep(), static_cast<uint32_t>(step),
                                                CU_STREAM_WRITE_VALUE_DEFAULT);
}

std::optional<size_t> RunProgress::step(uint32_t run) const {
  const uint32_t step = state()->step;
  return runsBehind(run) == 1 && step != kNone ? std::optional<size_t>(step) : std::nullopt;
}

} // namespace sortie
