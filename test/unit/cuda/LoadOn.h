// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Weights on an open device, as a session wants them.

#ifndef SORTIE_TEST_UNIT_CUDA_LOADON_H
#define SORTIE_TEST_UNIT_CUDA_LOADON_H

#include "runtime/session/CudaSession.h"
#include "runtime/session/Session.h"

namespace sortie::test {

/// Loads one partition. `share` has a part on the device, or is null.
inline llvm::Expected<std::shared_ptr<const LoadedWeights>>
loadOn(const cuda::DevicePtr &device, const WantedWeights &wanted, WeightSource &source,
       const LoadedWeights *share = nullptr, GetCublas getCublas = cuda::Cublas::get) {
  const auto pool = llvm::cantFail(cpu::ThreadPool::create(1));
  llvm::Expected<LoadedWeights::Part> part = loadCudaWeightsOn(
      device, wanted, source, *pool, [](uint64_t, uint64_t) { return true; }, getCublas,
      share ? share->partOn(device->name()) : nullptr);
  if (!part)
    return part.takeError();
  return std::make_shared<const LoadedWeights>(source, std::vector{std::move(*part)});
}

/// Memory for as much as the program can take.
inline SymbolLimits boundsOf(const Program &program) {
  return llvm::cantFail(SymbolLimits::create(program, /*maxTokens=*/0, {}));
}

} // namespace sortie::test

#endif // SORTIE_TEST_UNIT_CUDA_LOADON_H
