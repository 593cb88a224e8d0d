// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The weights of a program in a GPU's memory, in the forms that its kernels read. Programs that run
// together may have some in common.

#ifndef SORTIE_RUNTIME_CUDA_DEVICEWEIGHTS_H
#define SORTIE_RUNTIME_CUDA_DEVICEWEIGHTS_H

#include "runtime/cuda/LoadedKernels.h"
#include "runtime/cuda/WeightPlan.h"
#include "runtime/weights/WeightReader.h"

#include "llvm/ADT/StringMap.h"

#include <map>

namespace sortie::cuda {

/// A form of a weight in device memory.
struct DeviceWeight {
  CUdeviceptr address;
  uint64_t bytes;
  std::shared_ptr<const DeviceMemory> memory; ///< that it lies in
};

class DeviceWeights {
public:
  static constexpr uint64_t kSlabBytes = uint64_t{32} << 20;

  /// Takes from other weights, of the same model and on the same device, what a program needs in
  /// the same form: it is used in place.
  static DeviceWeights share(const Program &program, const llvm::BitVector &wanted,
                             const DeviceWeights &others);

  /// Checks that `source` has every weight of the plan, then uploads and packs them; `kernels`
  /// holds the pack kernels. Where memory is short, the error lists what is needed.
  /// `slabBytes` are uploaded together: enough for the full speed of the bus. `shared` are there
  /// already.
  static llvm::Expected<DeviceWeights> load(const DevicePtr &device, const Program &program,
                                            const WeightPlan &plan, const LoadedKernels &kernels,
                                            WeightSource &source, cpu::ThreadPool &pool,
                                            ReportProgress report, uint64_t slabBytes = kSlabBytes,
                                            DeviceWeights shared = {});

  /// A weight that was planned or shared; null for others.
  const DeviceWeight *find(WeightId weight, WeightForm form) const {
    const auto it = weights.find({weight, form});
    return it == weights.end() ? nullptr : &it->second;
  }
  CUdeviceptr address(WeightId weight, WeightForm form) const {
    return find(weight, form)->address;
  }
  WeightBytes bytes() const { return counted; }

private:
  void add(const Program &program, WeightId weight, WeightForm form, DeviceWeight where);

  std::map<std::pair<WeightId, WeightForm>, DeviceWeight> weights;
  llvm::StringMap<DeviceWeight> byIdentity; ///< of weight, form and layout
  WeightBytes counted;
};

} // namespace sortie::cuda

#endif // SORTIE_RUNTIME_CUDA_DEVICEWEIGHTS_H
