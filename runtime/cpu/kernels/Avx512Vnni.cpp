// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kernels for AVX-512 with VNNI.

#include "runtime/cpu/kernels/MakeKernels.h"
#include "runtime/cpu/kernels/SimdAvx512.h"

namespace sortie::cpu {

const Kernels &avx512VnniKernels() {
  static constexpr Kernels kKernels = makeKernels<SimdAvx512>();
  return kKernels;
}

} // namespace sortie::cpu
