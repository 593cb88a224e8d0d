// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kernels for AVX-VNNI.

#include "runtime/cpu/kernels/MakeKernels.h"
#include "runtime/cpu/kernels/SimdAvx2.h"

namespace sortie::cpu {

namespace {
struct Dpbusd {
  SORTIE_KERNEL_INLINE static __m256i dot(__m256i sum, __m256i unsignedBytes, __m256i signedBytes) {
    return _mm256_dpbusd_avx_epi32(sum, unsignedBytes, signedBytes);
  }
};
} // namespace

const Kernels &avxVnniKernels() {
  static constexpr Kernels kKernels = makeKernels<SimdAvxVnni<Dpbusd>>();
  return kKernels;
}

} // namespace sortie::cpu
