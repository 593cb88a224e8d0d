// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kernels of a program on a GPU.

#ifndef SORTIE_RUNTIME_CUDA_LOADEDKERNELS_H
#define SORTIE_RUNTIME_CUDA_LOADEDKERNELS_H

#include "runtime/cuda/Device.h"
#include "runtime/program/Program.h"

#include "llvm/ADT/BitVector.h"

#include <array>
#include <optional>

namespace sortie::cuda {

/// What a kernel is launched with; its arguments in the order that docs/cuda.md states.
struct Launch {
  std::array<uint32_t, 3> grid = {1, 1, 1};
  llvm::SmallVector<CUdeviceptr, 12> pointers;
  llvm::SmallVector<int32_t, 4> extents;
  /// Where the kernel writes the number of its step when it begins, one word of the host or of the
  /// device; nowhere if null.
  CUdeviceptr progress = 0;
  uint32_t step = 0;
  /// The kernel that was launched directly before this on the stream, if nothing is between.
  std::optional<uint32_t> kernelBefore;
};

/// The image of a kernel that suits a device best, of those whose shared memory it has: of GPUs
/// that run the same cubins some have less, and there PTX may run that was sized for them.
llvm::Expected<const KernelImage *> imageFor(const Device &device, const Kernel &kernel);

/// Immutable; shared by sessions.
class LoadedKernels {
public:
  /// Loads the kernels of `program` that are in `wanted`: of each the image that suits the device,
  /// which may be another kind for each kernel.
  static llvm::Expected<LoadedKernels> load(const DevicePtr &device, const Program &program,
                                            const llvm::BitVector &wanted);

  /// Enqueues a kernel that was wanted; the device's context is current. A grid with a zero
  /// dimension is not launched. The launch may begin while that of `kernelBefore` ends if both
  /// kernels wait themselves for the launch before theirs: so each sees all that earlier ones
  /// wrote.
  CUresult launch(uint32_t kernel, const Launch &launch, CUstream stream) const;

private:
  struct Loaded {
    Module module;
    CUfunction function = nullptr;
    uint32_t threads = 0;
    uint32_t sharedBytes = 0;
    std::array<uint32_t, 3> cluster = {1, 1, 1};
    bool waits = false; ///< see waitsForLaunchBefore()
  };
  static llvm::Expected<Loaded> loadKernel(const DevicePtr &device, const Kernel &kernel);

  DevicePtr device;
  std::vector<Loaded> kernels; ///< empty where not wanted
};

} // namespace sortie::cuda

#endif // SORTIE_RUNTIME_CUDA_LOADEDKERNELS_H
