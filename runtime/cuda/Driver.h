// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The CUDA driver, loaded when it is first needed, and its errors as llvm::Error.

#ifndef SORTIE_RUNTIME_CUDA_DRIVER_H
#define SORTIE_RUNTIME_CUDA_DRIVER_H

#include "runtime/cuda/DriverApi.h"

#include "llvm/ADT/Twine.h"
#include "llvm/Support/Error.h"

#include <string>
#include <system_error>

namespace sortie::cuda {

/// An error for want of memory of the device; one for want of host memory is not of this class.
/// Both have the code std::errc::not_enough_memory.
class OutOfDeviceMemory : public llvm::ErrorInfo<OutOfDeviceMemory, llvm::StringError> {
public:
  explicit OutOfDeviceMemory(const llvm::Twine &message)
      : ErrorInfo(message, std::make_error_code(std::errc::not_enough_memory)) {}
  static char ID; // NOLINT(readability-identifier-naming): LLVM's name
};

class Driver {
public:
  /// The driver of this machine (libcuda.so.1), loaded and initialized once. Where there is none,
  /// or no GPU, the error says so (std::errc::not_supported).
  static llvm::Expected<const Driver *> get();
  /// The same from another file, each time anew.
  static llvm::Expected<Driver> load(const char *path);
  /// The functions of a test.
  explicit Driver(const DriverApi &api) : api(api) {}

  /// The functions. Most need a current context: see Device::Scope.
  const DriverApi *operator->() const { return &api; }
  const DriverApi &operator*() const { return api; }

  /// An error for any result but success: "uploading weights: CUDA_ERROR_... (...)". Want of
  /// memory is OutOfDeviceMemory.
  llvm::Error check(CUresult result, const llvm::Twine &doing) const;
  /// "CUDA_ERROR_ILLEGAL_ADDRESS (an illegal memory access was encountered)".
  std::string describe(CUresult result) const;

private:
  DriverApi api;
};

} // namespace sortie::cuda

#endif // SORTIE_RUNTIME_CUDA_DRIVER_H
