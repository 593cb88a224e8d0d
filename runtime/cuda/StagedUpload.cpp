// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Double buffering of uploads.

#include "runtime/cuda/StagedUpload.h"

using namespace llvm;

namespace sortie::cuda {

Expected<StagedUpload> StagedUpload::create(const DevicePtr &device, uint64_t bytes) {
  StagedUpload upload;
  upload.device = device;
  Expected<Stream> stream = makeStream(device);
  if (!stream)
    return stream.takeError();
  upload.ownedStream = std::move(*stream);
  for (Buffer &buffer : upload.buffers) {
    Expected<PinnedMemory> memory = allocatePinned(device, bytes, "uploading weights");
    if (!memory)
      return memory.takeError();
    buffer.memory = std::move(*memory);
    Expected<Event> wasRead = makeEvent(device, /*isTimed=*/false);
    if (!wasRead)
      return wasRead.takeError();
    buffer.wasRead = std::move(*wasRead);
  }
  return upload;
}

Expected<uint8_t *> StagedUpload::next() {
  const Device::Scope scope(*device);
  // An event that was never recorded counts as past.
  if (Error error =
          device->check(device->driver()->cuEventSynchronize(buffers[current].wasRead.get()),
                        "uploading weights"))
    return error;
  return static_cast<uint8_t *>(buffers[current].memory.get());
}

Error StagedUpload::upload(CUdeviceptr to, uint64_t bytes) {
  const Device::Scope scope(*device);
  const Driver &driver = device->driver();
  Buffer &buffer = buffers[current];
  current = 1 - current;
  if (Error error = device->check(
          driver->cuMemcpyHtoDAsync(to, buffer.memory.get(), bytes, stream()), "uploading weights"))
    return error;
  return device->check(driver->cuEventRecord(buffer.wasRead.get(), stream()), "uploading weights");
}

Error StagedUpload::finish() {
  const Device::Scope scope(*device);
  return device->check(device->driver()->cuStreamSynchronize(stream()), "uploading weights");
}

} // namespace sortie::cuda
