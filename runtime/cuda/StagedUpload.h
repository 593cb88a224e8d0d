// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Copies to the device through two pinned buffers: the host fills one while the other is under way.

#ifndef SORTIE_RUNTIME_CUDA_STAGEDUPLOAD_H
#define SORTIE_RUNTIME_CUDA_STAGEDUPLOAD_H

#include "runtime/cuda/Device.h"

#include <array>

namespace sortie::cuda {

class StagedUpload {
public:
  /// Makes an upload with buffers of `bytes` bytes.
  static llvm::Expected<StagedUpload> create(const DevicePtr &device, uint64_t bytes);

  /// The buffer to be filled next, when the device has read what was in it.
  llvm::Expected<uint8_t *> next();
  /// Enqueues the copy of the first `bytes` bytes of it.
  llvm::Error upload(CUdeviceptr to, uint64_t bytes);
  /// Waits for everything on the stream.
  llvm::Error finish();

  /// Copies happen in the order of this stream; kernels on it find them done.
  CUstream stream() const { return ownedStream.get(); }

private:
  struct Buffer {
    PinnedMemory memory;
    Event wasRead;
  };

  DevicePtr device;
  Stream ownedStream;
  std::array<Buffer, 2> buffers;
  size_t current = 0;
};

} // namespace sortie::cuda

#endif // SORTIE_RUNTIME_CUDA_STAGEDUPLOAD_H
