// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Loading of libcuda.so.1.

#include "runtime/cuda/Driver.h"

#include "runtime/support/Error.h"

#include <dlfcn.h>
#include <unistd.h>

#include <optional>

using namespace llvm;

namespace sortie::cuda {

namespace {

constexpr const char *kLibrary = "libcuda.so.1";

/// The driver of CUDA 12.3, the first whose graphs capture launches that overlap.
constexpr int kFirstOverlapVersion = 12030;

Error noDriver(const Twine &why) {
  return makeError("no NVIDIA driver on this machine (" + why +
                       "); install it or compile for target=cpu",
                   std::errc::not_supported);
}

/// Looks a function up; null and `missing` set when it is not there.
template <typename Function>
void find(void *library, const char *symbol, Function &function, const char *&missing) {
  // The cast that POSIX defines for dlsym.
  function = reinterpret_cast<Function>(dlsym(library, symbol));
  if (!function)
    missing = symbol;
}

} // namespace

char OutOfDeviceMemory::ID = 0;

Expected<Driver> Driver::load(const char *path) {
  // Never closed: the driver has threads and exit handlers of its own.
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char *why = dlerror();
    return noDriver(why ? why : path);
  }
  DriverApi api;
  const char *missing = nullptr;
#define SORTIE_CUDA_FIND(member, symbol, parameters) find(library, symbol, api.member, missing);
  SORTIE_CUDA_FUNCTIONS(SORTIE_CUDA_FIND)
#undef SORTIE_CUDA_FIND
  if (missing)
    return makeError("the NVIDIA driver of this machine (" + Twine(path) + ") has no function " +
                         missing + ": it is too old; install one for CUDA 12 or later",
                     std::errc::not_supported);
  const char *absent = nullptr;
#define SORTIE_CUDA_FIND(member, symbol, parameters) find(library, symbol, api.member, absent);
  SORTIE_CUDA_OPTIONAL_FUNCTIONS(SORTIE_CUDA_FIND)
#undef SORTIE_CUDA_FIND
  int version = 0;
  if (api.cuDriverGetVersion(&version) != CUDA_SUCCESS || version < kFirstOverlapVersion)
    api.cuLaunchKernelEx = nullptr;
  Driver driver(api);
  const CUresult result = api.cuInit(0);
  if (result == CUDA_ERROR_NO_DEVICE)
    return makeError("the NVIDIA driver of this machine finds no GPU; compile for target=cpu",
                     std::errc::not_supported);
  if (result != CUDA_SUCCESS)
    return makeError("the NVIDIA driver of this machine does not start: " +
                         driver.describe(result) + "; check it with nvidia-smi",
                     std::errc::not_supported);
  return driver;
}

Expected<const Driver *> Driver::get() {
  struct Loaded {
    std::optional<Driver> driver;
    std::string failure;
    pid_t process = getpid();
  };
  static const Loaded loaded = [] {
    Expected<Driver> driver = load(kLibrary);
    return driver ? Loaded{*driver, ""} : Loaded{std::nullopt, toString(driver.takeError())};
  }();
  if (loaded.driver && loaded.process != getpid())
    return makeError("CUDA was started by process " + Twine(loaded.process) +
                         ", from which this one was forked; it does not work here. Fork before the "
                         "first weights are loaded onto a GPU",
                     std::errc::state_not_recoverable);
  if (!loaded.driver)
    return makeError(loaded.failure, std::errc::not_supported);
  return &*loaded.driver;
}

std::string Driver::describe(CUresult result) const {
  const char *name = nullptr;
  const char *text = nullptr;
  if (api.cuGetErrorName(result, &name) != CUDA_SUCCESS || !name)
    return ("CUDA error " + Twine(result)).str();
  if (api.cuGetErrorString(result, &text) != CUDA_SUCCESS || !text)
    return name;
  return std::string(name) + " (" + text + ")";
}

Error Driver::check(CUresult result, const Twine &doing) const {
  if (result == CUDA_SUCCESS)
    return Error::success();
  const std::string message = (doing + ": " + describe(result)).str();
  if (result == CUDA_ERROR_OUT_OF_MEMORY)
    return make_error<OutOfDeviceMemory>(message);
  return makeError(message, std::errc::state_not_recoverable);
}

} // namespace sortie::cuda
