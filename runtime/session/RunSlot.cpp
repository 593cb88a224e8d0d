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
  Expected<PinnedMemory> found =
      allocatePinned(device, checks * sizeof(CheckedStatus), "checks of expert ids");
  if (!found)
    return found.takeError();
  slot.checks = std::move(*found);
  Expected<Event> past = makeEvent(device, /*isTimed=*/false);
  if (!past)
    return past.takeError();
  slot.past = std::move(*past);
  return slot;
}

Expected<std::byte *> RunSlot::take(Room &room, uint64_t bytes, const char *what) const {
  if (bytes > room.bytes) {
    Expected<PinnedMemory> memory = allocatePinned(device, bytes, what);
    if (!memory)
      return memory.takeError();
    room = {std::move(*memory), bytes};
  }
  return static_cast<std::byte *>(room.memory.get());
}

Expected<std::byte *> RunSlot::stage(uint64_t bytes) {
  return take(staging, bytes, "arguments of a submitted run");
}

Expected<std::byte *> RunSlot::placeHostArguments(uint64_t bytes) {
  return take(hostArguments, bytes, "arguments in host memory");
}

CUresult RunSlot::end(CUstream stream) {
  return device->driver()->cuEventRecord(past.get(), stream);
}

bool RunSlot::isPast() const {
  const Device::Scope scope(*device);
  return device->driver()->cuEventQuery(past.get()) != CUDA_ERROR_NOT_READY;
}

CUresult RunSlot::wait() const {
  const Device::Scope scope(*device);
  return device->driver()->cuEventSynchronize(past.get());
}

} // namespace sortie
