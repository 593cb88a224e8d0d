// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Loading and launching of kernels.

#include "runtime/cuda/LoadedKernels.h"

#include "runtime/support/Error.h"

#include "llvm/ADT/StringExtras.h"

#include <algorithm>

using namespace llvm;

namespace sortie::cuda {

namespace {

/// Dynamic shared memory that a kernel has without asking.
constexpr uint32_t kDefaultSharedBytes = 48 << 10;

using Images = SmallVector<const KernelImage *>;

SmallVector<StringRef> architecturesOf(const Images &images) {
  SmallVector<StringRef> architectures;
  for (const KernelImage *image : images)
    architectures.push_back(image->arch);
  return architectures;
}

/// chooseImage() among images; null if it chooses none.
const KernelImage *choose(const Images &images, ComputeCapability device) {
  const std::optional<size_t> index = chooseImage(architecturesOf(images), device);
  return index ? images[*index] : nullptr;
}

} // namespace

Expected<const KernelImage *> imageFor(const Device &device, const Kernel &kernel) {
  const ComputeCapability capability = device.capability();
  Images all, fitting;
  for (const KernelImage &image : kernel.images) {
    all.push_back(&image);
    if (image.shared <= static_cast<uint32_t>(device.maxSharedBytes()))
      fitting.push_back(&image);
  }
  if (const KernelImage *image = choose(fitting, capability))
    return image;
  if (const KernelImage *image = choose(all, capability))
    return makeError(device.describe() + ": kernel '" + kernel.name + "' needs " +
                         Twine(image->shared) + " bytes of shared memory, the GPU has " +
                         Twine(device.maxSharedBytes()) + "; compile the program for this GPU",
                     std::errc::not_supported);
  return makeError(device.describe() + " is an sm_" + Twine(capability.major) +
                       Twine(capability.minor) + ", kernel '" + kernel.name + "' has code for " +
                       (all.empty() ? "nothing" : join(architecturesOf(all), ", ")) +
                       "; compile the program with chip=sm_" + Twine(capability.major) +
                       Twine(capability.minor),
                   std::errc::not_supported);
}

/// Loads one image; messages of the driver's PTX compiler become part of the error.
static Expected<Module> loadModule(const DevicePtr &device, const Kernel &kernel,
                                   const KernelImage &image) {
  char log[4096] = "";
  const int options[] = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
  // The driver takes numbers as pointers.
  void *values[] = {log,
                    reinterpret_cast<void *>(sizeof(log) - 1)}; // NOLINT(performance-no-int-to-ptr)
  CUmodule module = nullptr;
  const CUresult result = device->driver()->cuModuleLoadDataEx(&module, image.data.data(),
                                                               std::size(options), options, values);
  const StringRef reason = StringRef(log).trim();
  if (Error error = device->check(result, "loading kernel '" + kernel.name + "' (" + image.arch +
                                              ")" + (reason.empty() ? "" : ": ") + reason))
    return error;
  return Module(device, module);
}

Expected<LoadedKernels::Loaded> LoadedKernels::loadKernel(const DevicePtr &device,
                                                          const Kernel &kernel) {
  Expected<const KernelImage *> image = imageFor(*device, kernel);
  if (!image)
    return image.takeError();
  Expected<Module> module = loadModule(device, kernel, **image);
  if (!module)
    return module.takeError();
  const uint32_t threads = kernel.threadsOf(**image);
  Loaded loaded{std::move(*module), nullptr,           threads,
                (*image)->shared,   (*image)->cluster, waitsForLaunchBefore((*image)->arch)};
  const Driver &driver = device->driver();
  if (Error error = device->check(
          driver->cuModuleGetFunction(&loaded.function, loaded.module.get(), kernel.entry.c_str()),
          "looking up '" + kernel.entry + "' in kernel '" + kernel.name + "'"))
    return error;
  if (loaded.sharedBytes > kDefaultSharedBytes)
    if (Error error =
            device->check(driver->cuFuncSetAttribute(
                              loaded.function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                              static_cast<int>(loaded.sharedBytes)),
                          "reserving shared memory for kernel '" + kernel.name + "'"))
      return error;
  return loaded;
}

Expected<LoadedKernels> LoadedKernels::load(const DevicePtr &device, const Program &program,
                                            const BitVector &wanted) {
  const Device::Scope scope(*device);
  LoadedKernels result;
  result.device = device;
  result.kernels.resize(program.kernels.size());
  for (const unsigned id : wanted.set_bits()) {
    Expected<Loaded> loaded = loadKernel(device, program.kernels[id]);
    if (!loaded)
      return loaded.takeError();
    result.kernels[id] = std::move(*loaded);
  }
  return result;
}

CUresult LoadedKernels::launch(uint32_t kernel, const Launch &launch, CUstream stream) const {
  const auto [x, y, z] = launch.grid;
  if (x == 0 || y == 0 || z == 0)
    return CUDA_SUCCESS;
  SmallVector<void *, 16> parameters;
  for (const CUdeviceptr &pointer : launch.pointers)
    parameters.push_back(const_cast<CUdeviceptr *>(&pointer));
  for (const int32_t &extent : launch.extents)
    parameters.push_back(const_cast<int32_t *>(&extent));
  parameters.push_back(const_cast<CUdeviceptr *>(&launch.progress));
  parameters.push_back(const_cast<uint32_t *>(&launch.step));
  const Loaded &loaded = kernels[kernel];
  const Driver &driver = device->driver();
  // A kernel that does not wait must never overlap: nothing else would hold it back.
  const bool mayOverlap =
      loaded.waits && launch.kernelBefore && kernels[*launch.kernelBefore].waits;
  CUlaunchAttribute attributes[2] = {};
  unsigned count = 0;
  if (mayOverlap && driver->cuLaunchKernelEx) {
    attributes[count].id = CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION;
    attributes[count++].value.programmaticStreamSerializationAllowed = 1;
  }
  if (loaded.cluster != std::array<uint32_t, 3>{1, 1, 1}) {
    if (!driver->cuLaunchKernelEx)
      return CUDA_ERROR_NOT_SUPPORTED;
    attributes[count].id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION;
    const auto [clusterX, clusterY, clusterZ] = loaded.cluster;
    attributes[count++].value.clusterDim = {clusterX, clusterY, clusterZ};
  }
  if (count == 0)
    return driver->cuLaunchKernel(loaded.function, x, y, z, loaded.threads, 1, 1,
                                  loaded.sharedBytes, stream, parameters.data(), nullptr);
  const CUlaunchConfig config = {x,      y,          z,    loaded.threads, 1, 1, loaded.sharedBytes,
                                 stream, attributes, count};
  return driver->cuLaunchKernelEx(&config, loaded.function, parameters.data(), nullptr);
}

} // namespace sortie::cuda
