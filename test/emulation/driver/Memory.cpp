// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Allocations, copies and their bounds.

#include "test/emulation/driver/Memory.h"

#include "test/emulation/driver/State.h"
#include "test/emulation/driver/Stream.h"

#include <cstring>
#include <sys/mman.h>
#include <vector>

namespace sortie::emulation {

using namespace cuda;

constexpr size_t kPage = 4096;
constexpr size_t kAlignment = 256;

static size_t roundUp(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

void *Memory::allocate(Kind kind, size_t bytes) {
  const size_t rounded = roundUp(bytes, kAlignment);
  if (rounded < bytes || (kind == Kind::Device && rounded > freeBytes()))
    return nullptr;
  const size_t mapped = roundUp(rounded, kPage) + kPage;
  void *mapping = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping == MAP_FAILED)
    return nullptr;
  char *guard = static_cast<char *>(mapping) + mapped - kPage;
  mprotect(guard, kPage, PROT_NONE);
  char *address = guard - rounded;
  std::memset(address, 0xff, rounded);
  allocations[reinterpret_cast<uintptr_t>(address)] = {kind, bytes, static_cast<char *>(mapping),
                                                       mapped};
  if (kind == Kind::Device)
    used += rounded;
  return address;
}

bool Memory::release(Kind kind, const void *address) {
  const auto found = allocations.find(reinterpret_cast<uintptr_t>(address));
  if (found == allocations.end() || found->second.kind != kind)
    return false;
  munmap(found->second.mapping, found->second.mappedBytes);
  if (kind == Kind::Device)
    used -= roundUp(found->second.bytes, kAlignment);
  allocations.erase(found);
  return true;
}

bool Memory::contains(Kind kind, const void *address, size_t bytes) const {
  const auto at = reinterpret_cast<uintptr_t>(address);
  auto found = allocations.upper_bound(at);
  if (found == allocations.begin())
    return false;
  --found;
  const size_t offset = at - found->first;
  return found->second.kind == kind && offset <= found->second.bytes &&
         bytes <= found->second.bytes - offset;
}

//===- The driver's functions --------------------------------------------===//

static void *toPointer(CUdeviceptr address) {
  return reinterpret_cast<void *>(address); // NOLINT(performance-no-int-to-ptr)
}

/// Allocates or, with everything that may still use it done, frees.
static CUresult allocate(Memory::Kind kind, size_t bytes, void *&address) {
  const Call call;
  if (call.status() != CUDA_SUCCESS)
    return call.status();
  if (isCapturing)
    return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
  if (bytes == 0)
    return CUDA_ERROR_INVALID_VALUE;
  address = state().memory.allocate(kind, bytes);
  return address != nullptr ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

static CUresult release(Memory::Kind kind, const void *address) {
  const Call call;
  if (address == nullptr)
    return CUDA_SUCCESS;
  if (isCapturing)
    return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
  if (call.status() == CUDA_SUCCESS)
    flushAll();
  if (!state().memory.release(kind, address))
    return CUDA_ERROR_INVALID_VALUE;
  return call.status();
}

} // namespace sortie::emulation

namespace sortie::cuda {

using namespace sortie::emulation;

CUresult cuMemGetInfo(size_t *free, size_t *total) {
  const Call call;
  if (call.status() != CUDA_SUCCESS)
    return call.status();
  *free = state().memory.freeBytes();
  *total = state().memory.totalBytes();
  return CUDA_SUCCESS;
}

CUresult cuMemAlloc(CUdeviceptr *address, size_t bytes) {
  void *memory = nullptr;
  const CUresult result = allocate(Memory::Kind::Device, bytes, memory);
  *address = reinterpret_cast<CUdeviceptr>(memory);
  return result;
}
CUresult cuMemFree(CUdeviceptr address) {
  return release(Memory::Kind::Device, toPointer(address));
}
CUresult cuMemHostAlloc(void **address, size_t bytes, unsigned /*flags*/) {
  return allocate(Memory::Kind::Pinned, bytes, *address);
}
CUresult cuMemFreeHost(void *address) { return release(Memory::Kind::Pinned, address); }

CUresult cuMemHostGetDevicePointer(CUdeviceptr *device, void *host, unsigned /*flags*/) {
  const Call call;
  if (call.status() != CUDA_SUCCESS)
    return call.status();
  if (!state().memory.contains(Memory::Kind::Pinned, host, 0))
    return CUDA_ERROR_INVALID_VALUE;
  *device = reinterpret_cast<CUdeviceptr>(host);
  return CUDA_SUCCESS;
}

CUresult cuPointerGetAttribute(void *data, int attribute, CUdeviceptr address) {
  const Call call;
  if (call.status() != CUDA_SUCCESS)
    return call.status();
  if (attribute != CU_POINTER_ATTRIBUTE_MEMORY_TYPE ||
      !state().memory.contains(Memory::Kind::Pinned, toPointer(address), 0))
    return CUDA_ERROR_INVALID_VALUE;
  *static_cast<unsigned *>(data) = CU_MEMORYTYPE_HOST;
  return CUDA_SUCCESS;
}

/// A copy of which one end or both are on the device. Bounds are checked at once, and again when
/// the copy happens, because memory may have been freed meanwhile.
static CUresult copyLater(void *to, bool isToDevice, const void *from, bool isFromDevice,
                          size_t bytes, CUstream stream) {
  const auto isInside = [=] {
    return (!isToDevice || state().memory.isVisible(to, bytes)) &&
           (!isFromDevice || state().memory.isVisible(from, bytes));
  };
  if (!isInside())
    return CUDA_ERROR_INVALID_VALUE;
  return enqueue(stream, [=] {
    if (!isInside())
      return CUDA_ERROR_INVALID_VALUE;
    std::memcpy(to, from, bytes);
    return CUresult{CUDA_SUCCESS};
  });
}

CUresult cuMemcpyHtoDAsync(CUdeviceptr to, const void *from, size_t bytes, CUstream stream) {
  const Call call;
  if (call.status() != CUDA_SUCCESS)
    return call.status();
  if (state().memory.contains(Memory::Kind::Pinned, from, bytes) || isStreamCapturing(stream))
    return copyLater(toPointer(to), true, from, false, bytes, stream);
  // Ordinary memory may be used again as soon as this returns.
  if (!state().memory.isVisible(toPointer(to), bytes))
    return CUDA_ERROR_INVALID_VALUE;
  const auto *first = static_cast<const char *>(from);
  return enqueue(stream, [to, data = std::vector<char>(first, first + bytes)] {
    if (!state().memory.isVisible(toPointer(to), data.size()))
      return CUDA_ERROR_INVALID_VALUE;
    std::memcpy(toPointer(to), data.data(), data.size());
    return CUresult{CUDA_SUCCESS};
  });
}

CUresult cuMemcpyDtoHAsync(void *to, CUdeviceptr from, size_t bytes, CUstream stream) {
  const Call call;
  if (call.status() != CUDA_SUCCESS)
    return call.status();
  const CUresult result = copyLater(to, false, toPointer(from), true, bytes, stream);
  // A copy to ordinary memory is complete when the driver returns.
  if (result != CUDA_SUCCESS || isStreamCapturing(stream) ||
      state().memory.contains(Memory::Kind::Pinned, to, bytes))
    return result;
  return flush(stream);
}

CUresult cuMemcpyDtoDAsync(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream) {
  const Call call;
  if (call.status() != CUDA_SUCCESS)
    return call.status();
  return copyLater(toPointer(to), true, toPointer(from), true, bytes, stream);
}

CUresult cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t bytes, CUstream stream) {
  const Call call;
  if (call.status() != CUDA_SUCCESS)
    return call.status();
  if (!state().memory.isVisible(toPointer(to), bytes))
    return CUDA_ERROR_INVALID_VALUE;
  return enqueue(stream, [=] {
    if (!state().memory.isVisible(toPointer(to), bytes))
      return CUDA_ERROR_INVALID_VALUE;
    std::memset(toPointer(to), value, bytes);
    return CUresult{CUDA_SUCCESS};
  });
}

template <typename T> static CUresult writeValue(CUstream stream, CUdeviceptr address, T value) {
  const Call call;
  if (call.status() != CUDA_SUCCESS)
    return call.status();
  if (address % sizeof value != 0 || !state().memory.isVisible(toPointer(address), sizeof value))
    return CUDA_ERROR_INVALID_VALUE;
  return enqueue(stream, [=] {
    *static_cast<volatile T *>(toPointer(address)) = value;
    return CUresult{CUDA_SUCCESS};
  });
}
CUresult cuStreamWriteValue32(CUstream stream, CUdeviceptr address, uint32_t value,
                              unsigned /*flags*/) {
  return writeValue(stream, address, value);
}
CUresult cuStreamWriteValue64(CUstream stream, CUdeviceptr address, uint64_t value,
                              unsigned /*flags*/) {
  return writeValue(stream, address, value);
}

} // namespace sortie::cuda
