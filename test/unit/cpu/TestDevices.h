// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kernel tables that tests run: those of this machine's instruction sets, and those whose
// instructions are replaced by software.

#ifndef SORTIE_TEST_UNIT_CPU_TESTDEVICES_H
#define SORTIE_TEST_UNIT_CPU_TESTDEVICES_H

#include "runtime/cpu/Device.h"

#include <string>
#include <vector>

namespace sortie::cpu {

struct TestDevice {
  std::string name;
  const Kernels *kernels;
};

/// All tables that this machine can run.
const std::vector<TestDevice> &testDevices();

/// A pool that lives as long as the tests.
ThreadPool &testPool(int threads);

} // namespace sortie::cpu

#endif // SORTIE_TEST_UNIT_CPU_TESTDEVICES_H
