// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kernel tables that tests run.

#include "test/unit/cpu/TestDevices.h"
#include "test/unit/cpu/EmulatedKernels.h"

#include "gtest/gtest.h"

#include <map>
#include <memory>

namespace sortie::cpu {

const std::vector<TestDevice> &testDevices() {
  static const std::vector<TestDevice> kDevices = [] {
    std::vector<TestDevice> devices;
    for (Isa isa : kAllIsas)
      if (isAvailable(isa))
        devices.push_back({isaName(isa).str(), &kernelsFor(isa)});
#if defined(__x86_64__)
    if (isAvailable(Isa::Avx2))
      devices.push_back({"emulated avx-vnni", &emulatedAvxVnniKernels()});
    if (isAvailable(Isa::Avx512Vnni))
      devices.push_back({"emulated amx-int8", &emulatedAmxKernels()});
#endif
    return devices;
  }();
  return kDevices;
}

ThreadPool &testPool(int threads) {
  static std::map<int, std::unique_ptr<ThreadPool>> pools;
  std::unique_ptr<ThreadPool> &pool = pools[threads];
  if (!pool)
    pool = llvm::cantFail(ThreadPool::create(threads));
  return *pool;
}

} // namespace sortie::cpu
