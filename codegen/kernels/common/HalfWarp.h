// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Half a warp as the 16 partials of the contract's reductions.

#ifndef SORTIE_CODEGEN_KERNELS_COMMON_HALFWARP_H
#define SORTIE_CODEGEN_KERNELS_COMMON_HALFWARP_H

#include "runtime/numerics/float.h"

#include <sortie_hardware.h>

namespace sortie::kernels {

/// The contract's tree over 16 partials, one in each lane of a half warp: j and j + 8, then + 4,
/// 2, 1. Every lane gets the sum. (Which operand comes first does not show: addition commutes.)
SORTIE_DEVICE float sumHalfWarp(float partial) {
#pragma unroll
  for (int mask = numerics::kPartials / 2; mask > 0; mask /= 2)
    partial = numerics::add(partial, hw::shuffleXor(partial, mask));
  return partial;
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_COMMON_HALFWARP_H
