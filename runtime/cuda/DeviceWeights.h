// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The weights of a program in a GPU's memory, in the forms that its kernels read.

#ifndef SORTIE_RUNTIME_CUDA_DEVICEWEIGHTS_H
#define SORTIE_RUNTIME_CUDA_DEVICEWEIGHTS_H

#include "runtime/cuda/LoadedKernels.h"
#include "runtime/cuda/WeightPlan.h"
#include "runtime/weights/WeightReader.h"

namespace sortie::cuda {

class DeviceWeights {
public:
  /// Checks that `source` has every weight of the plan, then uploads and packs them; `kernels`
  /// holds the pack kernels. Where memory is short, the error lists what is needed.
  /// `slabBytes` are uploaded together: enough for the full speed of the bus.
  static llvm::Expected<DeviceWeights> load(const DevicePtr &device, const Program &program,
                                            WeightPlan plan, const LoadedKernels &kernels,
                                            WeightSource &source, cpu::ThreadPool &pool,
                                            ReportProgress report,
                                            uint64_t slabBytes = uint64_t{32} << 20);

  /// Where a planned weight is.
  CUdeviceptr address(WeightId weight, WeightForm form) const {
    return memory.get() + weightPlan.find(weight, form)->offset;
  }
  const WeightPlan &plan() const { return weightPlan; }

private:
  DeviceWeights(WeightPlan plan, DeviceMemory memory)
      : weightPlan(std::move(plan)), memory(std::move(memory)) {}

  WeightPlan weightPlan;
  DeviceMemory memory;
};

} // namespace sortie::cuda

#endif // SORTIE_RUNTIME_CUDA_DEVICEWEIGHTS_H
