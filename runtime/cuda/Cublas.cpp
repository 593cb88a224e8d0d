// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Loading of libcublas, and products by it.

#include "runtime/cuda/Cublas.h"

#include "runtime/support/Error.h"

#include <dlfcn.h>

#include <optional>

using namespace llvm;

namespace sortie::cuda {

Expected<Cublas> Cublas::load(ArrayRef<const char *> files) {
  std::string why;
  for (const char *file : files) {
    // Never closed, as the driver: the library has handlers of its own at exit.
    void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
      const char *reason = dlerror();
      why += (why.empty() ? "" : "; ") + std::string(reason ? reason : file);
      continue;
    }
    CublasApi api;
    const char *missing = nullptr;
#define SORTIE_CUBLAS_FIND(result, member, symbol, parameters)                                     \
  api.member = reinterpret_cast<decltype(api.member)>(dlsym(library, symbol));                     \
  missing = api.member ? missing : (symbol);
    SORTIE_CUBLAS_FUNCTIONS(SORTIE_CUBLAS_FIND)
#undef SORTIE_CUBLAS_FIND
    if (missing)
      return makeError("cuBLAS (" + Twine(file) + ") has no function " + missing +
                           "; install version 12 or 13",
                       std::errc::not_supported);
    return Cublas(api);
  }
  return makeError("the program has products for cuBLAS, which cannot be loaded (" + why +
                       "); install it and add its folder to LD_LIBRARY_PATH, or compile the "
                       "program without the option cublas",
                   std::errc::not_supported);
}

Expected<const Cublas *> Cublas::get() {
  struct Loaded {
    std::optional<Cublas> library;
    std::string failure;
  };
  static const Loaded loaded = [] {
    Expected<Cublas> library = load({"libcublas.so.13", "libcublas.so.12"});
    return library ? Loaded{*library, ""} : Loaded{std::nullopt, toString(library.takeError())};
  }();
  if (!loaded.library)
    return makeError(loaded.failure, std::errc::not_supported);
  return &*loaded.library;
}

Error Cublas::check(cublasStatus_t status, const Twine &doing) const {
  if (status == CUBLAS_STATUS_SUCCESS)
    return Error::success();
  const std::string message = (doing + ": " + api.cublasGetStatusName(status)).str();
  if (status == CUBLAS_STATUS_ALLOC_FAILED)
    return make_error<OutOfDeviceMemory>(message);
  return makeError(message, std::errc::state_not_recoverable);
}

Expected<CublasHandle> CublasHandle::create(const Cublas &library, const DevicePtr &device,
                                            CUstream stream) {
  CublasHandle result;
  result.library = &library;
  result.device = device;
  Expected<DeviceMemory> workspace = allocate(device, kWorkspaceBytes, "cuBLAS to work in");
  if (!workspace)
    return workspace.takeError();
  result.workspace = std::move(*workspace);
  const Device::Scope scope(*device);
  if (Error error = library.check(library->cublasCreate(&result.handle),
                                  device->name() + ": starting cuBLAS"))
    return error;
  if (Error error = result.configure(stream))
    return error;
  return result;
}

/// The stream comes first: it resets the workspace.
Error CublasHandle::configure(CUstream stream) {
  auto *memory = reinterpret_cast<void *>(workspace.get()); // NOLINT(performance-no-int-to-ptr)
  for (const cublasStatus_t status :
       {(*library)->cublasSetStream(handle, stream),
        (*library)->cublasSetWorkspace(handle, memory, kWorkspaceBytes),
        (*library)->cublasSetMathMode(handle, CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION)})
    if (Error error = library->check(status, device->name() + ": starting cuBLAS"))
      return error;
  return Error::success();
}

CublasHandle::CublasHandle(CublasHandle &&other) noexcept { *this = std::move(other); }

CublasHandle &CublasHandle::operator=(CublasHandle &&other) noexcept {
  std::swap(library, other.library);
  std::swap(device, other.device);
  std::swap(workspace, other.workspace);
  std::swap(handle, other.handle);
  return *this;
}

CublasHandle::~CublasHandle() {
  if (!handle)
    return;
  const Device::Scope scope(*device);
  (*library)->cublasDestroy(handle); // nothing can be done about a failure
}

/// The library's matrices are column-major: it computes y^T = w . x^T, of which w is transposed as
/// it lies, and x and y are not.
Error CublasHandle::multiply(const CublasProduct &product, const Twine &doing) const {
  const auto pointer = [](CUdeviceptr address) {
    return reinterpret_cast<void *>(address); // NOLINT(performance-no-int-to-ptr)
  };
  const float one = 1.0f, zero = 0.0f;
  return library->check(
      (*library)->cublasGemmEx(handle, CUBLAS_OP_T, CUBLAS_OP_N, product.n, product.rows, product.k,
                               &one, pointer(product.w), CUDA_R_16BF, product.k, pointer(product.x),
                               CUDA_R_16BF, product.k, &zero, pointer(product.y), CUDA_R_32F,
                               product.n, CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT),
      device->name() + ": " + doing);
}

} // namespace sortie::cuda
