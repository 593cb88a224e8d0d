// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// AVX-512 with a matrix unit. `TilesType` is AMX, or the software that stands for it in unit tests.

#ifndef SORTIE_RUNTIME_CPU_KERNELS_SIMDAMX_H
#define SORTIE_RUNTIME_CPU_KERNELS_SIMDAMX_H

#include "runtime/cpu/kernels/SimdAvx512.h"

namespace sortie::cpu {
namespace {

template <typename TilesType> struct SimdAmx : SimdAvx512 {
  using Tiles = TilesType;

  /// The unit multiplies bytes: limbs are never combined beforehand.
  static constexpr bool prefersWide(const numerics::FormatInfo &, numerics::RowKind) {
    return false;
  }
};

} // namespace
} // namespace sortie::cpu

#endif // SORTIE_RUNTIME_CPU_KERNELS_SIMDAMX_H
