// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Weights and sessions of GPUs.

#ifndef SORTIE_RUNTIME_SESSION_CUDASESSION_H
#define SORTIE_RUNTIME_SESSION_CUDASESSION_H

#include "runtime/cuda/Cublas.h"
#include "runtime/session/Partition.h"

namespace sortie {

/// Loads kernels of a partition for target "cuda" onto the GPU of that name ("cuda:0"), uploads its
/// weights, read by the threads of `pool`, and packs them there. What `share`, weights of the same
/// model on that GPU, has already is used in place.
llvm::Expected<std::shared_ptr<const PartitionWeights>>
loadCudaWeights(const WantedWeights &wanted, const std::string &device, WeightSource &source,
                cpu::ThreadPool &pool, ReportProgress report,
                const PartitionWeights *share = nullptr);

using GetCublas = llvm::function_ref<llvm::Expected<const cuda::Cublas *>()>;

/// The same on an open device, with the library that `getCublas` gives if a function needs it.
llvm::Expected<std::shared_ptr<const PartitionWeights>>
loadCudaWeightsOn(const cuda::DevicePtr &device, const WantedWeights &wanted, WeightSource &source,
                  cpu::ThreadPool &pool, ReportProgress report,
                  GetCublas getCublas = cuda::Cublas::get, const PartitionWeights *share = nullptr);

} // namespace sortie

#endif // SORTIE_RUNTIME_SESSION_CUDASESSION_H
