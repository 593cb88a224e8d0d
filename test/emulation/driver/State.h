// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the files of the emulated libcuda.so.1 share: the exported functions' declarations, the
// state of the one device, and what every call checks first.
//
// The device is as late as a device may be: what is asked of a stream happens when somebody waits
// for it, so that a missing wait or an early reuse of pinned memory shows.
//
// Environment: SORTIE_EMULATED_CAPABILITY (default 8.0), SORTIE_EMULATED_SEED (default 0),
// SORTIE_EMULATED_MEMORY (bytes, default 16 GiB), SORTIE_EMULATED_FAULT (KERNEL:N: the Nth launch
// of that kernel fails when it has run).

#ifndef SORTIE_TEST_EMULATION_DRIVER_STATE_H
#define SORTIE_TEST_EMULATION_DRIVER_STATE_H

#include "test/emulation/driver/Attributes.h"
#include "test/emulation/driver/Memory.h"

#include <cstdint>
#include <mutex>
#include <string>

#define SORTIE_EXPORTED __attribute__((visibility("default")))

namespace sortie::cuda {

// Results that the runtime does not tell apart, so that DriverApi.h has no names for them.
inline constexpr CUresult CUDA_ERROR_INVALID_VALUE = 1;
inline constexpr CUresult CUDA_ERROR_NOT_INITIALIZED = 3;
inline constexpr CUresult CUDA_ERROR_INVALID_DEVICE = 101;
inline constexpr CUresult CUDA_ERROR_INVALID_IMAGE = 200;
inline constexpr CUresult CUDA_ERROR_INVALID_CONTEXT = 201;
inline constexpr CUresult CUDA_ERROR_NO_BINARY_FOR_GPU = 209;
inline constexpr CUresult CUDA_ERROR_INVALID_HANDLE = 400;
inline constexpr CUresult CUDA_ERROR_NOT_FOUND = 500;
inline constexpr CUresult CUDA_ERROR_LAUNCH_FAILED = 719;
inline constexpr CUresult CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED = 900;
inline constexpr CUresult CUDA_ERROR_ILLEGAL_STATE = 401;

// Every function of the runtime's list under its name there, exported under the driver's symbol.
extern "C" {
#define SORTIE_CUDA_DECLARE(member, symbol, parameters)                                            \
  SORTIE_EXPORTED CUresult member parameters asm(symbol);
SORTIE_CUDA_FUNCTIONS(SORTIE_CUDA_DECLARE)
SORTIE_CUDA_OPTIONAL_FUNCTIONS(SORTIE_CUDA_DECLARE)
#undef SORTIE_CUDA_DECLARE

// For the emulated cuBLAS; the runtime has no use for it.
SORTIE_EXPORTED CUresult cuLaunchHostFunc(CUstream stream, void (*function)(void *), void *data);
}

} // namespace sortie::cuda

namespace sortie::emulation {

struct State {
  std::mutex mutex; ///< held by every call that needs a context
  bool isInitialized = false;
  /// An error of a kernel spoils the context, as on a device: every later call returns it.
  cuda::CUresult failure = cuda::CUDA_SUCCESS;
  Capability capability{8, 0, 0, 40 << 20};
  uint64_t seed = 0;
  std::string faultKernel;
  int launchesToFault = 0; ///< of that kernel, up to the one that fails
  Memory memory;
};
State &state();

/// What a call that needs a context does first: takes the lock, looks for reasons to refuse.
class Call {
public:
  Call();
  cuda::CUresult status() const { return result; }

private:
  std::lock_guard<std::mutex> lock;
  cuda::CUresult result;
};

/// True while this thread captures a stream; allocation is refused then.
extern thread_local bool isCapturing;

/// Runs all that was asked of all streams.
cuda::CUresult flushAll();

} // namespace sortie::emulation

#endif // SORTIE_TEST_EMULATION_DRIVER_STATE_H
