// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// cuBLAS, loaded when a program needs it, and its errors as llvm::Error.

#ifndef SORTIE_RUNTIME_CUDA_CUBLAS_H
#define SORTIE_RUNTIME_CUDA_CUBLAS_H

#include "runtime/cuda/CublasApi.h"
#include "runtime/cuda/Device.h"

#include "llvm/ADT/ArrayRef.h"

namespace sortie::cuda {

class Cublas {
public:
  /// The library of this machine, loaded once: libcublas.so.13, or else libcublas.so.12. Where
  /// there is none, the error says so (std::errc::not_supported).
  static llvm::Expected<const Cublas *> get();
  /// The first of these files that can be loaded, each time anew.
  static llvm::Expected<Cublas> load(llvm::ArrayRef<const char *> files);
  /// The functions of a test.
  explicit Cublas(const CublasApi &api) : api(api) {}

  const CublasApi *operator->() const { return &api; }

  /// An error for any status but success: "...: CUBLAS_STATUS_NOT_SUPPORTED".
  llvm::Error check(cublasStatus_t status, const llvm::Twine &doing) const;

private:
  CublasApi api;
};

/// y = x . w^T; x [rows, k] and w [n, k] in bf16, y [rows, n] in fp32, all row-major.
struct CublasProduct {
  CUdeviceptr x;
  CUdeviceptr w;
  CUdeviceptr y;
  int rows;
  int n;
  int k;
};

/// The library on one stream. Equal products give equal bits: it works on nothing else at the time,
/// and always has the same workspace, from which its choice of an algorithm follows.
class CublasHandle {
public:
  /// What NVIDIA recommends for sm_90, and at least that of every other chip.
  static constexpr uint64_t kWorkspaceBytes = uint64_t{32} << 20;

  CublasHandle() = default;
  static llvm::Expected<CublasHandle> create(const Cublas &library, const DevicePtr &device,
                                             CUstream stream);
  CublasHandle(CublasHandle &&other) noexcept;
  CublasHandle &operator=(CublasHandle &&other) noexcept;
  ~CublasHandle();

  /// Enqueues a product, also while the stream is captured. The device's context is current.
  llvm::Error multiply(const CublasProduct &product, const llvm::Twine &doing) const;

private:
  llvm::Error configure(CUstream stream);

  const Cublas *library = nullptr;
  DevicePtr device;
  DeviceMemory workspace;
  cublasHandle_t handle = nullptr;
};

} // namespace sortie::cuda

#endif // SORTIE_RUNTIME_CUDA_CUBLAS_H
