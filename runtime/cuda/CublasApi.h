// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The part of cuBLAS that the runtime calls, declared here so that it builds without the toolkit.
// Names, types and numbers are those of NVIDIA's cublas_api.h, the same in versions 12 and 13;
// https://docs.nvidia.com/cuda/cublas says what the functions do.

#ifndef SORTIE_RUNTIME_CUDA_CUBLASAPI_H
#define SORTIE_RUNTIME_CUDA_CUBLASAPI_H

#include "runtime/cuda/DriverApi.h"

namespace sortie::cuda {

// NOLINTBEGIN(readability-identifier-naming,bugprone-macro-parentheses): NVIDIA's names.
using cublasStatus_t = int;
using cublasHandle_t = struct cublasContext *;

enum : cublasStatus_t { CUBLAS_STATUS_SUCCESS = 0, CUBLAS_STATUS_ALLOC_FAILED = 3 };

// Arguments, each of its own enum in NVIDIA's header.
inline constexpr int CUBLAS_OP_N = 0;
inline constexpr int CUBLAS_OP_T = 1;
inline constexpr int CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION = 16;
inline constexpr int CUBLAS_COMPUTE_32F = 68;
inline constexpr int CUBLAS_GEMM_DEFAULT = -1;
inline constexpr int CUDA_R_32F = 0;
inline constexpr int CUDA_R_16BF = 14;

/// X(result, member, symbol of libcublas, parameters)
#define SORTIE_CUBLAS_FUNCTIONS(X)                                                                 \
  X(cublasStatus_t, cublasCreate, "cublasCreate_v2", (cublasHandle_t * handle))                    \
  X(cublasStatus_t, cublasDestroy, "cublasDestroy_v2", (cublasHandle_t handle))                    \
  X(const char *, cublasGetStatusName, "cublasGetStatusName", (cublasStatus_t status))             \
  X(cublasStatus_t, cublasSetStream, "cublasSetStream_v2",                                         \
    (cublasHandle_t handle, CUstream stream))                                                      \
  X(cublasStatus_t, cublasSetWorkspace, "cublasSetWorkspace_v2",                                   \
    (cublasHandle_t handle, void *workspace, size_t bytes))                                        \
  X(cublasStatus_t, cublasSetMathMode, "cublasSetMathMode", (cublasHandle_t handle, int mode))     \
  X(cublasStatus_t, cublasGemmEx, "cublasGemmEx",                                                  \
    (cublasHandle_t handle, int transA, int transB, int m, int n, int k, const void *alpha,        \
     const void *A, int typeA, int lda, const void *B, int typeB, int ldb, const void *beta,       \
     void *C, int typeC, int ldc, int computeType, int algorithm))

/// The functions of a library; of NVIDIA's, or of a test's.
struct CublasApi {
#define SORTIE_CUBLAS_MEMBER(result, member, symbol, parameters)                                   \
  result(*member) parameters = nullptr;
  SORTIE_CUBLAS_FUNCTIONS(SORTIE_CUBLAS_MEMBER)
#undef SORTIE_CUBLAS_MEMBER
};
// NOLINTEND(readability-identifier-naming,bugprone-macro-parentheses)

} // namespace sortie::cuda

#endif // SORTIE_RUNTIME_CUDA_CUBLASAPI_H
