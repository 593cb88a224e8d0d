// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The device and its context, and the names of errors.

#include "test/emulation/driver/State.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace sortie::emulation {

using namespace cuda;

State &state() {
  static State instance;
  return instance;
}

/// The contexts that a thread has pushed. There is one context; its address is what counts.
static std::vector<CUcontext> &contexts() {
  static thread_local std::vector<CUcontext> stack;
  return stack;
}

static CUcontext theContext() { return reinterpret_cast<CUcontext>(&state()); }

static CUresult refuse() {
  if (!state().isInitialized)
    return CUDA_ERROR_NOT_INITIALIZED;
  if (contexts().empty())
    return CUDA_ERROR_INVALID_CONTEXT;
  return state().failure;
}

Call::Call() : lock(state().mutex), result(refuse()) {}

/// Shared memory of a block by compute capability (CUDA C++ programming guide, "Technical
/// specifications per compute capability").
static int sharedBytes(int major, int minor) {
  if (major == 8)
    return (minor == 0 || minor == 7 ? 163 : 99) * 1024;
  return (major == 12 ? 99 : 227) * 1024;
}

/// Reads "8.6". What is no number counts as 0.
static void readCapability(const char *text, Capability &capability) {
  char *end = nullptr;
  capability.major = static_cast<int>(std::strtol(text, &end, 10));
  capability.minor = *end == '.' ? static_cast<int>(std::strtol(end + 1, nullptr, 10)) : 0;
}

/// Reads "sortie_route_0:2". What is no number counts as 0: no launch fails.
static void readFault(const char *text, State &device) {
  const char *colon = std::strchr(text, ':');
  if (colon == nullptr)
    return;
  device.faultKernel.assign(text, colon);
  device.launchesToFault = static_cast<int>(std::strtol(colon + 1, nullptr, 10));
}

static void readEnvironment(State &device) {
  if (const char *text = std::getenv("SORTIE_EMULATED_CAPABILITY"))
    readCapability(text, device.capability);
  device.capability.sharedBytes = sharedBytes(device.capability.major, device.capability.minor);
  if (const char *text = std::getenv("SORTIE_EMULATED_SEED"))
    device.seed = std::strtoull(text, nullptr, 10);
  if (const char *text = std::getenv("SORTIE_EMULATED_MEMORY"))
    device.memory.setTotal(std::strtoull(text, nullptr, 10));
  if (const char *text = std::getenv("SORTIE_EMULATED_FAULT"))
    readFault(text, device);
}

} // namespace sortie::emulation

namespace sortie::cuda {

using namespace sortie::emulation;

CUresult cuInit(unsigned /*flags*/) {
  State &device = state();
  const std::lock_guard<std::mutex> lock(device.mutex);
  if (!device.isInitialized)
    readEnvironment(device);
  device.isInitialized = true;
  return CUDA_SUCCESS;
}

//===- The device --------------------------------------------------------===//

CUresult cuDriverGetVersion(int *version) {
  *version = 13000;
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetCount(int *count) {
  *count = 1;
  return state().isInitialized ? CUDA_SUCCESS : CUDA_ERROR_NOT_INITIALIZED;
}

CUresult cuDeviceGet(CUdevice *device, int ordinal) {
  *device = ordinal;
  return ordinal == 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
}

CUresult cuDeviceGetName(char *name, int length, CUdevice /*device*/) {
  const Capability &capability = state().capability;
  std::snprintf(name, static_cast<size_t>(length), "emulated device, compute capability %d.%d",
                capability.major, capability.minor);
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetAttribute(int *value, int attribute, CUdevice /*device*/) {
  const std::optional<int> found = attributeOf(state().capability, attribute);
  *value = found.value_or(0);
  return found ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

//===- The context -------------------------------------------------------===//

CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device) {
  *context = theContext();
  return device == 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
}
CUresult cuDevicePrimaryCtxRelease(CUdevice device) {
  return device == 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
}

CUresult cuCtxPushCurrent(CUcontext context) {
  if (context != theContext())
    return CUDA_ERROR_INVALID_CONTEXT;
  contexts().push_back(context);
  return CUDA_SUCCESS;
}
CUresult cuCtxPopCurrent(CUcontext *context) {
  if (contexts().empty())
    return CUDA_ERROR_INVALID_CONTEXT;
  if (context != nullptr)
    *context = contexts().back();
  contexts().pop_back();
  return CUDA_SUCCESS;
}

//===- Errors ------------------------------------------------------------===//

namespace {
struct ErrorText {
  CUresult error;
  const char *name;
  const char *text;
};
} // namespace

static constexpr ErrorText kErrors[] = {
    {CUDA_SUCCESS, "CUDA_SUCCESS", "no error"},
    {CUDA_ERROR_INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {CUDA_ERROR_OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {CUDA_ERROR_NOT_INITIALIZED, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {CUDA_ERROR_NO_DEVICE, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {CUDA_ERROR_INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {CUDA_ERROR_INVALID_IMAGE, "CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"},
    {CUDA_ERROR_INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {CUDA_ERROR_NO_BINARY_FOR_GPU, "CUDA_ERROR_NO_BINARY_FOR_GPU",
     "no kernel image is available for execution on the device"},
    {CUDA_ERROR_INVALID_HANDLE, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
    {CUDA_ERROR_ILLEGAL_STATE, "CUDA_ERROR_ILLEGAL_STATE",
     "the operation cannot be performed in the present state"},
    {CUDA_ERROR_NOT_FOUND, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {CUDA_ERROR_NOT_READY, "CUDA_ERROR_NOT_READY", "device not ready"},
    {CUDA_ERROR_LAUNCH_FAILED, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
    {CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED",
     "operation not permitted when stream is capturing"},
};

static const ErrorText *findError(CUresult error) {
  for (const ErrorText &entry : kErrors)
    if (entry.error == error)
      return &entry;
  return nullptr;
}

CUresult cuGetErrorName(CUresult error, const char **name) {
  const ErrorText *entry = findError(error);
  *name = entry != nullptr ? entry->name : nullptr;
  return entry != nullptr ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}
CUresult cuGetErrorString(CUresult error, const char **text) {
  const ErrorText *entry = findError(error);
  *text = entry != nullptr ? entry->text : nullptr;
  return entry != nullptr ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

} // namespace sortie::cuda
