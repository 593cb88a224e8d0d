// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kernels in plain C++.

#include "runtime/cpu/kernels/MakeKernels.h"
#include "runtime/cpu/kernels/SimdPortable.h"

namespace sortie::cpu {

const Kernels &portableKernels() {
  static constexpr Kernels kKernels = makeKernels<SimdPortable>();
  return kKernels;
}

} // namespace sortie::cpu
