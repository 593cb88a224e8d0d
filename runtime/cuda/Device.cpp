// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Opening a GPU, and allocation on it.

#include "runtime/cuda/Device.h"

#include "runtime/support/Error.h"

#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <cmath>

using namespace llvm;

namespace sortie::cuda {

std::string formatBytes(uint64_t bytes) {
  constexpr uint64_t kMebi = uint64_t{1} << 20, kGibi = uint64_t{1} << 30;
  std::string text;
  raw_string_ostream out(text);
  if (bytes >= kGibi)
    out << format("%.2f GiB", static_cast<double>(bytes) / kGibi);
  else if (bytes >= kMebi)
    out << format("%.2f MiB", static_cast<double>(bytes) / kMebi);
  else
    out << bytes << " bytes";
  return text;
}

Expected<int> parseDeviceName(StringRef name) {
  uint16_t ordinal = 0; // unsigned: no sign is accepted
  StringRef rest = name;
  if (rest.consume_front("cuda") &&
      (rest.empty() || (rest.consume_front(":") && !rest.getAsInteger(10, ordinal))))
    return ordinal;
  return makeError("there is no device '" + name + "'; give cpu, cuda, or cuda:N for GPU number N");
}

Expected<DevicePtr> Device::open(const Driver &driver, int ordinal) {
  int count = 0;
  if (Error error = driver.check(driver->cuDeviceGetCount(&count), "counting GPUs"))
    return error;
  if (ordinal < 0 || ordinal >= count)
    return makeError("there is no device 'cuda:" + Twine(ordinal) + "': this machine has " +
                         Twine(count) + (count == 1 ? " GPU" : " GPUs") + ", counted from 0",
                     std::errc::not_supported);
  std::shared_ptr<Device> device(new Device(driver, ordinal));
  char model[256] = "";
  auto attribute = [&](int number, int &value) {
    return driver->cuDeviceGetAttribute(&value, number, device->device);
  };
  for (const CUresult result :
       {driver->cuDeviceGet(&device->device, ordinal),
        driver->cuDeviceGetName(model, sizeof(model) - 1, device->device),
        attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, device->computeCapability.major),
        attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, device->computeCapability.minor),
        attribute(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, device->maxShared),
        attribute(CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE, device->cache),
        driver->cuDevicePrimaryCtxRetain(&device->context, device->device)})
    if (Error error = device->check(result, "opening the GPU"))
      return error;
  device->model = model;
  return device;
}

Device::~Device() {
  if (context && !isInherited())
    api->cuDevicePrimaryCtxRelease(device);
}

Error Device::checkProcess() const {
  if (!isInherited())
    return Error::success();
  return makeError(deviceName + ": was opened by process " + Twine(process) +
                       ", from which this one was forked; CUDA does not work in it. Load weights "
                       "in the process that runs them",
                   std::errc::state_not_recoverable);
}

Expected<MemoryInfo> Device::memoryInfo() const {
  const Scope scope(*this);
  size_t free = 0, total = 0;
  if (Error error = check(api->cuMemGetInfo(&free, &total), "asking for free memory"))
    return error;
  return MemoryInfo{free, total};
}

Expected<DeviceMemory> allocate(const DevicePtr &device, uint64_t bytes, const Twine &what) {
  const Device::Scope scope(*device);
  CUdeviceptr address = 0;
  // The driver refuses to allocate nothing; an empty buffer still needs an address.
  const CUresult result = device->driver()->cuMemAlloc(&address, std::max<uint64_t>(bytes, 1));
  if (Error error = device->check(result, "allocating " + formatBytes(bytes) + " for " + what))
    return error;
  return DeviceMemory(device, address);
}

Expected<PinnedMemory> allocatePinned(const DevicePtr &device, uint64_t bytes, const Twine &what) {
  const Device::Scope scope(*device);
  void *address = nullptr;
  const CUresult result = device->driver()->cuMemHostAlloc(&address, std::max<uint64_t>(bytes, 1),
                                                           /*flags=*/0);
  const std::string doing =
      ("allocating " + formatBytes(bytes) + " of pinned host memory for " + what).str();
  // The driver has one result for both memories.
  if (result == CUDA_ERROR_OUT_OF_MEMORY)
    return makeError(device->name() + ": " + doing + ": " + device->driver().describe(result) +
                         "; free memory of the host",
                     std::errc::not_enough_memory);
  if (Error error = device->check(result, doing))
    return error;
  return PinnedMemory(device, address);
}

bool isPinned(const Device &device, const void *address) {
  const Device::Scope scope(device);
  unsigned type = 0;
  // The driver knows nothing of ordinary memory, and says so by an error.
  return device.driver()->cuPointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE,
                                                reinterpret_cast<CUdeviceptr>(address)) ==
             CUDA_SUCCESS &&
         type == CU_MEMORYTYPE_HOST;
}

Expected<Stream> makeStream(const DevicePtr &device) {
  const Device::Scope scope(*device);
  CUstream stream = nullptr;
  if (Error error = device->check(device->driver()->cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING),
                                  "making a stream"))
    return error;
  return Stream(device, stream);
}

Expected<Event> makeEvent(const DevicePtr &device, bool isTimed) {
  const Device::Scope scope(*device);
  CUevent event = nullptr;
  const unsigned flags = isTimed ? CU_EVENT_DEFAULT : CU_EVENT_DISABLE_TIMING;
  if (Error error =
          device->check(device->driver()->cuEventCreate(&event, flags), "making an event"))
    return error;
  return Event(device, event);
}

Expected<uint64_t> elapsedNanoseconds(const Device &device, const Event &begin, const Event &end) {
  const Device::Scope scope(device);
  float milliseconds = 0;
  if (Error error =
          device.check(device.driver()->cuEventElapsedTime(&milliseconds, begin.get(), end.get()),
                       "measuring time"))
    return error;
  return static_cast<uint64_t>(std::llround(1e6 * static_cast<double>(milliseconds)));
}

} // namespace sortie::cuda
