// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Pinned memory and the end of a run.

#include "runtime/session/RunSlot.h"

using namespace llvm;
using namespace sortie::cuda;

namespace sortie {

Expected<RunSlot> RunSlot::create(const DevicePtr &device, size_t checks) {
  RunSlot slot;
  slot.device = device;
  Expected<PinnedMemory> state = allocatePinned(
      device, offsetof(State, checkedIds) + checks * sizeof(CheckedIds), "the state of a run");
  if (!state)
    return state.takeError();
  slot.ownedState = std::move(*state);
  Expected<Event> past = makeEvent(device, /*isTimed=*/false);
  if (!past)
    return past.takeError();
  slot.past = std::move(*past);
  const Device::Scope scope(*device);
  if (Error error = device->check(device->driver()->cuMemHostGetDevicePointer(
                                      &slot.deviceState, slot.ownedState.get(), /*flags=*/0),
                                  "mapping the state of a run"))
    return error;
  return slot;
}

Expected<std::byte *> RunSlot::stage(uint64_t bytes) {
  if (bytes > stagingBytes) {
    Expected<PinnedMemory> memory = allocatePinned(device, bytes, "arguments of a submitted run");
    if (!memory)
      return memory.takeError();
    staging = std::move(*memory);
    stagingBytes = bytes;
  }
  return static_cast<std::byte *>(staging.get());
}

void RunSlot::begin() {
  state()->stepsDone = 0;
  state()->isComplete = 0;
}

CUresult RunSlot::end(CUstream stream) {
  const Driver &driver = device->driver();
  const CUresult result =
      driver->cuStreamWriteValue32(stream, deviceState + offsetof(State, isComplete), /*value=*/1,
                                   CU_STREAM_WRITE_VALUE_DEFAULT);
  return result == CUDA_SUCCESS ? driver->cuEventRecord(past.get(), stream) : result;
}

bool RunSlot::isPast() const {
  const Device::Scope scope(*device);
  return device->driver()->cuEventQuery(past.get()) != CUDA_ERROR_NOT_READY;
}

CUresult RunSlot::wait() const {
  const Device::Scope scope(*device);
  const CUresult result = device->driver()->cuEventSynchronize(past.get());
  // A failure spoils every later call, also one that asks for what had been done before it.
  return state()->isComplete ? CUresult{CUDA_SUCCESS} : result;
}

} // namespace sortie
