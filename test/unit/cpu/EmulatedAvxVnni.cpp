// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The AVX-VNNI kernels with vpdpbusd in software.

#include "test/unit/cpu/EmulatedKernels.h"

#include "runtime/cpu/kernels/MakeKernels.h"
#include "runtime/cpu/kernels/SimdAvx2.h"

#include <cstring>

namespace sortie::cpu {

namespace {
struct SoftwareDpbusd {
  static __m256i dot(__m256i sum, __m256i unsignedBytes, __m256i signedBytes) {
    int32_t lanes[8];
    uint8_t a[32];
    int8_t b[32];
    std::memcpy(lanes, &sum, sizeof lanes);
    std::memcpy(a, &unsignedBytes, sizeof a);
    std::memcpy(b, &signedBytes, sizeof b);
    for (int i = 0; i < 32; ++i)
      lanes[i / 4] += a[i] * b[i];
    std::memcpy(&sum, lanes, sizeof lanes);
    return sum;
  }
};
} // namespace

const Kernels &emulatedAvxVnniKernels() {
  static constexpr Kernels kKernels = makeKernels<SimdAvxVnni<SoftwareDpbusd>>();
  return kKernels;
}

} // namespace sortie::cpu
