// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The emulated libcublas.so.13: products of bf16 matrices on the streams of the emulated device,
// with fp32 sums in ascending k. What the runtime must have done before, and what it may not ask
// for, are errors of the calls.

#include "runtime/cuda/CublasApi.h"
#include "runtime/numerics/float.h"
#include "test/emulation/driver/State.h"

#include <deque>
#include <mutex>

namespace sortie::cuda {

// Every function of the runtime's list under its name there, exported under the library's symbol.
extern "C" {
#define SORTIE_CUBLAS_DECLARE(result, member, symbol, parameters)                                  \
  SORTIE_EXPORTED result member parameters asm(symbol);
SORTIE_CUBLAS_FUNCTIONS(SORTIE_CUBLAS_DECLARE)
#undef SORTIE_CUBLAS_DECLARE
}

// NOLINTBEGIN(readability-identifier-naming): NVIDIA's names.
static constexpr cublasStatus_t CUBLAS_STATUS_NOT_INITIALIZED = 1;
static constexpr cublasStatus_t CUBLAS_STATUS_INVALID_VALUE = 7;
static constexpr cublasStatus_t CUBLAS_STATUS_EXECUTION_FAILED = 13;
static constexpr cublasStatus_t CUBLAS_STATUS_NOT_SUPPORTED = 15;
// NOLINTEND(readability-identifier-naming)

struct cublasContext {
  CUstream stream = nullptr;
  void *workspace = nullptr;
  int mathMode = 0;
};

namespace {

/// c[n, m] = b[n, k] . a[m, k]^T: what the arguments mean to row-major matrices.
struct Product {
  const numerics::BFloat16 *a;
  const numerics::BFloat16 *b;
  float *c;
  int m;
  int n;
  int k;
};

float dot(const numerics::BFloat16 *a, const numerics::BFloat16 *b, int count) {
  float sum = 0.0f;
  for (int i = 0; i < count; ++i)
    sum = numerics::fma(numerics::widen(a[i]), numerics::widen(b[i]), sum);
  return sum;
}

void multiply(void *data) {
  const auto &product = *static_cast<const Product *>(data);
  for (int64_t row = 0; row < product.n; ++row)
    for (int64_t column = 0; column < product.m; ++column)
      product.c[row * product.m + column] =
          dot(product.a + column * product.k, product.b + row * product.k, product.k);
}

/// Kept for good: a graph may come back to it at any time.
Product &keep(const Product &product) {
  static std::mutex mutex;
  static std::deque<Product> products;
  const std::lock_guard<std::mutex> lock(mutex);
  return products.emplace_back(product);
}

} // namespace

cublasStatus_t cublasCreate(cublasHandle_t *handle) {
  *handle = new cublasContext;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasDestroy(cublasHandle_t handle) {
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}

const char *cublasGetStatusName(cublasStatus_t status) {
  switch (status) {
  case CUBLAS_STATUS_SUCCESS:
    return "CUBLAS_STATUS_SUCCESS";
  case CUBLAS_STATUS_NOT_INITIALIZED:
    return "CUBLAS_STATUS_NOT_INITIALIZED";
  case CUBLAS_STATUS_INVALID_VALUE:
    return "CUBLAS_STATUS_INVALID_VALUE";
  case CUBLAS_STATUS_EXECUTION_FAILED:
    return "CUBLAS_STATUS_EXECUTION_FAILED";
  case CUBLAS_STATUS_NOT_SUPPORTED:
    return "CUBLAS_STATUS_NOT_SUPPORTED";
  default:
    return "unknown";
  }
}

/// Resets the workspace, as the library does.
cublasStatus_t cublasSetStream(cublasHandle_t handle, CUstream stream) {
  handle->stream = stream;
  handle->workspace = nullptr;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetWorkspace(cublasHandle_t handle, void *workspace, size_t bytes) {
  constexpr uintptr_t kAlignment = 256;
  if (reinterpret_cast<uintptr_t>(workspace) % kAlignment != 0 || bytes == 0)
    return CUBLAS_STATUS_INVALID_VALUE;
  handle->workspace = workspace;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetMathMode(cublasHandle_t handle, int mode) {
  handle->mathMode = mode;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasGemmEx(cublasHandle_t handle, int transA, int transB, int m, int n, int k,
                            const void *alpha, const void *a, int typeA, int lda, const void *b,
                            int typeB, int ldb, const void *beta, void *c, int typeC, int ldc,
                            int computeType, int algorithm) {
  if (handle->workspace == nullptr ||
      handle->mathMode != CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION)
    return CUBLAS_STATUS_NOT_INITIALIZED;
  if (transA != CUBLAS_OP_T || transB != CUBLAS_OP_N || typeA != CUDA_R_16BF ||
      typeB != CUDA_R_16BF || typeC != CUDA_R_32F || computeType != CUBLAS_COMPUTE_32F ||
      algorithm != CUBLAS_GEMM_DEFAULT || *static_cast<const float *>(alpha) != 1.0f ||
      *static_cast<const float *>(beta) != 0.0f)
    return CUBLAS_STATUS_NOT_SUPPORTED;
  if (m < 1 || n < 1 || k < 1 || lda != k || ldb != k || ldc != m)
    return CUBLAS_STATUS_INVALID_VALUE;
  Product &product =
      keep({static_cast<const numerics::BFloat16 *>(a), static_cast<const numerics::BFloat16 *>(b),
            static_cast<float *>(c), m, n, k});
  if (cuLaunchHostFunc(handle->stream, multiply, &product) != CUDA_SUCCESS)
    return CUBLAS_STATUS_EXECUTION_FAILED;
  return CUBLAS_STATUS_SUCCESS;
}

} // namespace sortie::cuda
