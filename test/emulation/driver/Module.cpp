// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Modules: shared libraries of the host that the emulated NVRTC made; and launches of their
// kernels.

#include "test/emulation/Launcher.h"
#include "test/emulation/driver/State.h"
#include "test/emulation/driver/Stream.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <dlfcn.h>
#include <elf.h>
#include <map>
#include <memory>
#include <string>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

namespace sortie::cuda {

struct CUfunc_st {
  const emulation::Kernel *kernel;
  std::shared_ptr<void> library; ///< where the kernel is
  int maxSharedBytes;            ///< CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
};

/// Graphs and streams keep a module's library as long as they need it.
struct CUmod_st {
  std::shared_ptr<void> library;
  std::map<std::string, std::unique_ptr<CUfunc_st>> functions;
};

} // namespace sortie::cuda

namespace sortie::emulation {

using namespace cuda;

/// Dynamic shared memory that a kernel may have without being asked for more.
constexpr int kDefaultSharedBytes = 48 * 1024;

/// The size of an image, which the driver's functions do not get: an ELF file ends with its section
/// headers or a section. 0 if it is not a shared library of this machine.
static size_t imageBytes(const void *image) {
  Elf64_Ehdr header;
  std::memcpy(&header, image, sizeof header);
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
      header.e_type != ET_DYN)
    return 0;
#if defined(__x86_64__)
  if (header.e_machine != EM_X86_64)
    return 0;
#endif
  size_t bytes = header.e_shoff + size_t{header.e_shnum} * header.e_shentsize;
  for (int i = 0; i < header.e_shnum; ++i) {
    Elf64_Shdr section;
    std::memcpy(&section,
                static_cast<const char *>(image) + header.e_shoff +
                    static_cast<size_t>(i) * header.e_shentsize,
                sizeof section);
    if (section.sh_type != SHT_NOBITS)
      bytes = std::max<size_t>(bytes, section.sh_offset + section.sh_size);
  }
  return bytes;
}

/// A library that is only in memory. Its file stays open as long: the dynamic linker takes two
/// libraries of one path for the same, and a closed file's number is soon another's.
struct Image {
  int file = -1;
  void *library = nullptr;

  Image(const char *bytes, size_t count)
      : file(memfd_create("sortie-emulated-kernel", MFD_CLOEXEC)) {
    size_t written = 0;
    while (file >= 0 && written < count) {
      const ssize_t step = write(file, bytes + written, count - written);
      if (step <= 0)
        return;
      written += static_cast<size_t>(step);
    }
    if (file >= 0)
      library = dlopen(("/proc/self/fd/" + std::to_string(file)).c_str(), RTLD_NOW | RTLD_LOCAL);
  }
  ~Image() {
    if (library != nullptr)
      dlclose(library);
    if (file >= 0)
      close(file);
  }
  Image(const Image &) = delete;
  Image &operator=(const Image &) = delete;
};

/// Copies of the arguments of a launch.
struct Arguments {
  std::vector<std::vector<char>> values;
  std::vector<void *> pointers;

  Arguments(const Kernel &kernel, void *const *parameters) {
    for (int i = 0; i < kernel.parameterCount; ++i) {
      const auto *first = static_cast<const char *>(parameters[i]);
      values.emplace_back(first, first + kernel.parameterBytes[i]);
    }
    for (std::vector<char> &value : values)
      pointers.push_back(value.data());
  }
};

} // namespace sortie::emulation

namespace sortie::cuda {

using namespace sortie::emulation;

/// Whether this launch is the one that SORTIE_EMULATED_FAULT names.
static bool isFault(const Kernel &kernel) {
  State &device = state();
  return device.faultKernel == kernel.name && --device.launchesToFault == 0;
}

/// Fills the buffer of CU_JIT_ERROR_LOG_BUFFER, if there is one.
static void writeLog(const char *text, unsigned count, const int *options, void **values) {
  char *buffer = nullptr;
  size_t bytes = 0;
  for (unsigned i = 0; i < count; ++i) {
    if (options[i] == CU_JIT_ERROR_LOG_BUFFER)
      buffer = static_cast<char *>(values[i]);
    if (options[i] == CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES)
      bytes = reinterpret_cast<size_t>(values[i]);
  }
  if (buffer != nullptr && bytes > 0)
    std::snprintf(buffer, bytes, "%s", text);
}

CUresult cuModuleLoadDataEx(CUmodule *module, const void *image, unsigned count, const int *options,
                            void **values) {
  const Call call;
  if (call.status() != CUDA_SUCCESS)
    return call.status();
  const size_t bytes = imageBytes(image);
  if (bytes == 0) {
    writeLog("the emulated device runs what the emulated NVRTC compiled, and this is not it", count,
             options, values);
    return CUDA_ERROR_NO_BINARY_FOR_GPU;
  }
  auto opened = std::make_shared<Image>(static_cast<const char *>(image), bytes);
  if (opened->library == nullptr) {
    const char *why = dlerror();
    writeLog(why != nullptr ? why : "no memory for the image", count, options, values);
    return CUDA_ERROR_INVALID_IMAGE;
  }
  void *library = opened->library;
  *module = new CUmod_st{std::shared_ptr<void>(std::move(opened), library), {}};
  return CUDA_SUCCESS;
}

CUresult cuModuleUnload(CUmodule module) {
  delete module;
  return CUDA_SUCCESS;
}

CUresult cuModuleGetFunction(CUfunction *function, CUmodule module, const char *name) {
  const Call call;
  if (call.status() != CUDA_SUCCESS)
    return call.status();
  const std::string symbol = std::string(name) + "_emulated";
  const auto *kernel = static_cast<const Kernel *>(dlsym(module->library.get(), symbol.c_str()));
  if (kernel == nullptr)
    return CUDA_ERROR_NOT_FOUND;
  std::unique_ptr<CUfunc_st> &entry = module->functions[name];
  if (entry == nullptr)
    entry.reset(new CUfunc_st{kernel, module->library, kDefaultSharedBytes});
  *function = entry.get();
  return CUDA_SUCCESS;
}

CUresult cuFuncSetAttribute(CUfunction function, int attribute, int value) {
  const Call call;
  if (call.status() != CUDA_SUCCESS)
    return call.status();
  if (attribute != CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES || value < 0 ||
      value > state().capability.sharedBytes)
    return CUDA_ERROR_INVALID_VALUE;
  function->maxSharedBytes = value;
  return CUDA_SUCCESS;
}

CUresult cuLaunchKernel(CUfunction function, unsigned gridX, unsigned gridY, unsigned gridZ,
                        unsigned blockX, unsigned blockY, unsigned blockZ, unsigned sharedBytes,
                        CUstream stream, void **parameters, void **extra) {
  const Call call;
  if (call.status() != CUDA_SUCCESS)
    return call.status();
  if (gridX == 0 || gridX > 0x7fffffff || gridY == 0 || gridY > 65535 || gridZ == 0 ||
      gridZ > 65535 || blockX == 0 || blockX > 1024 || blockY != 1 || blockZ != 1 ||
      sharedBytes > static_cast<unsigned>(function->maxSharedBytes) || extra != nullptr)
    return CUDA_ERROR_INVALID_VALUE;
  const Index3 grid = {static_cast<int>(gridX), static_cast<int>(gridY), static_cast<int>(gridZ)};
  const auto arguments = std::make_shared<const Arguments>(*function->kernel, parameters);
  return enqueue(stream, [=, kernel = function->kernel, library = function->library] {
    const Options options = {state().seed, state().capability.sharedBytes};
    std::string error = launch(*kernel, grid, static_cast<int>(blockX),
                               static_cast<int>(sharedBytes), arguments->pointers.data(), options);
    if (isFault(*kernel))
      error = kernel->name + std::string(": the fault that was asked for");
    if (error.empty())
      return CUresult{CUDA_SUCCESS};
    std::fprintf(stderr, "emulated device: %s\n", error.c_str());
    return CUDA_ERROR_LAUNCH_FAILED;
  });
}

/// Whether a GPU launches with this attribute.
static bool isValid(const CUlaunchAttribute &attribute, const CUlaunchConfig &config) {
  if (attribute.id != CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION)
    return attribute.id == CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION;
  const auto [x, y, z] = attribute.value.clusterDim;
  return x * y * z != 0 && config.gridDimX % x == 0 && config.gridDimY % y == 0 &&
         config.gridDimZ % z == 0;
}

/// The launch begins after those before, which the attribute for overlap allows. Thread blocks of a
/// cluster run by themselves: kernels have no function for more.
CUresult cuLaunchKernelEx(const CUlaunchConfig *config, CUfunction function, void **parameters,
                          void **extra) {
  for (unsigned i = 0; i < config->numAttrs; ++i)
    if (!isValid(config->attrs[i], *config))
      return CUDA_ERROR_INVALID_VALUE;
  return cuLaunchKernel(function, config->gridDimX, config->gridDimY, config->gridDimZ,
                        config->blockDimX, config->blockDimY, config->blockDimZ,
                        config->sharedMemBytes, config->hStream, parameters, extra);
}

} // namespace sortie::cuda
