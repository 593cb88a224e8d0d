// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kernels for AMX-INT8.

#include "runtime/cpu/kernels/Product.h"
#include "runtime/cpu/kernels/SimdAvx512.h"

namespace sortie::cpu {

const Kernels &amxInt8Kernels() {
  static constexpr Kernels kKernels = makeKernels<SimdAvx512>();
  return kKernels;
}

} // namespace sortie::cpu
