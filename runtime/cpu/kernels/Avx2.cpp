// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kernels for AVX2.

#include "runtime/cpu/kernels/MakeKernels.h"
#include "runtime/cpu/kernels/SimdAvx2.h"

namespace sortie::cpu {

const Kernels &avx2Kernels() {
  static constexpr Kernels kKernels = makeKernels<SimdAvx2>();
  return kKernels;
}

} // namespace sortie::cpu
