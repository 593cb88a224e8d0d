// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A GPU, and owners of what lives on it: memory, streams, events.

#ifndef SORTIE_RUNTIME_CUDA_DEVICE_H
#define SORTIE_RUNTIME_CUDA_DEVICE_H

#include "runtime/cuda/Driver.h"
#include "runtime/cuda/ImageChoice.h"

#include "llvm/ADT/StringRef.h"

#include <cstddef>
#include <memory>
#include <unistd.h>
#include <utility>

namespace sortie::cuda {

struct MemoryInfo {
  uint64_t free;
  uint64_t total;
};

/// "2.50 GiB": how sizes stand in messages.
std::string formatBytes(uint64_t bytes);

/// The number of "cuda" (0) or "cuda:N".
llvm::Expected<int> parseDeviceName(llvm::StringRef name);

/// The primary context of a GPU. Immutable; shared by all that lives on it.
class Device {
public:
  /// GPU number `ordinal` of the driver.
  static llvm::Expected<std::shared_ptr<const Device>> open(const Driver &driver, int ordinal);
  ~Device();
  Device(const Device &) = delete;
  Device &operator=(const Device &) = delete;

  const Driver &driver() const { return api; }
  /// "cuda:0".
  const std::string &name() const { return deviceName; }
  /// "cuda:0 (NVIDIA H100)".
  std::string describe() const { return deviceName + " (" + model + ")"; }
  ComputeCapability capability() const { return computeCapability; }
  /// The most dynamic shared memory of a thread block, in bytes.
  int maxSharedBytes() const { return maxShared; }
  /// The size of the cache that all multiprocessors share, in bytes.
  int cacheBytes() const { return cache; }
  llvm::Expected<MemoryInfo> memoryInfo() const;
  /// Whether this process was forked from the one that opened the device. CUDA does not work in it,
  /// and nothing may be released: it is the parent's.
  bool isInherited() const { return getpid() != process; }
  /// An error if it is.
  llvm::Error checkProcess() const;

  /// Error of a driver call, with the device's name in front.
  llvm::Error check(CUresult result, const llvm::Twine &doing) const {
    return api.check(result, deviceName + ": " + doing);
  }

  /// Makes the context current for this thread. Everything below, and every call of the driver that
  /// is made directly, needs one; owners make their own.
  class Scope {
  public:
    explicit Scope(const Device &device) : driver(device.api) {
      isPushed = driver->cuCtxPushCurrent(device.context) == CUDA_SUCCESS;
    }
    ~Scope() {
      CUcontext popped = nullptr;
      if (isPushed)
        driver->cuCtxPopCurrent(&popped);
    }
    Scope(const Scope &) = delete;
    Scope &operator=(const Scope &) = delete;

  private:
    const Driver &driver;
    bool isPushed;
  };

private:
  Device(const Driver &driver, int ordinal)
      : api(driver), deviceName("cuda:" + std::to_string(ordinal)) {}

  const Driver &api;
  std::string deviceName;
  std::string model;
  pid_t process = getpid();
  CUdevice device = 0;
  CUcontext context = nullptr;
  ComputeCapability computeCapability{};
  int maxShared = 0;
  int cache = 0;
};

using DevicePtr = std::shared_ptr<const Device>;

/// Owns something that one call of the driver releases.
template <typename Handle, CUresult (*DriverApi::*Release)(Handle)> class Owner {
public:
  Owner() = default;
  Owner(DevicePtr device, Handle handle) : device(std::move(device)), handle(handle) {}
  Owner(Owner &&other) noexcept
      : device(std::move(other.device)), handle(std::exchange(other.handle, Handle{})) {}
  Owner &operator=(Owner &&other) noexcept {
    std::swap(device, other.device);
    std::swap(handle, other.handle);
    return *this;
  }
  ~Owner() {
    if (!handle || device->isInherited())
      return;
    const Device::Scope scope(*device);
    ((*device->driver()).*Release)(handle); // nothing can be done about a failure
  }

  Handle get() const { return handle; }

private:
  DevicePtr device;
  Handle handle{};
};

using DeviceMemory = Owner<CUdeviceptr, &DriverApi::cuMemFree>;
using PinnedMemory = Owner<void *, &DriverApi::cuMemFreeHost>;
using Stream = Owner<CUstream, &DriverApi::cuStreamDestroy>;
using Event = Owner<CUevent, &DriverApi::cuEventDestroy>;
using Module = Owner<CUmodule, &DriverApi::cuModuleUnload>;
using GraphExec = Owner<CUgraphExec, &DriverApi::cuGraphExecDestroy>;

/// Device memory, aligned to 256 bytes. `what` names it in the error.
llvm::Expected<DeviceMemory> allocate(const DevicePtr &device, uint64_t bytes,
                                      const llvm::Twine &what);
/// Host memory that the device copies from and to without the host's help.
llvm::Expected<PinnedMemory> allocatePinned(const DevicePtr &device, uint64_t bytes,
                                            const llvm::Twine &what);
/// Whether the driver knows host memory at this address as pinned.
bool isPinned(const Device &device, const void *address);
/// A stream that does not wait for the default stream.
llvm::Expected<Stream> makeStream(const DevicePtr &device);
/// An event. If it `isTimed`, elapsedNanoseconds() can compare it with another one.
llvm::Expected<Event> makeEvent(const DevicePtr &device, bool isTimed);
/// The time between two timed events that have both happened.
llvm::Expected<uint64_t> elapsedNanoseconds(const Device &device, const Event &begin,
                                            const Event &end);

} // namespace sortie::cuda

#endif // SORTIE_RUNTIME_CUDA_DEVICE_H
