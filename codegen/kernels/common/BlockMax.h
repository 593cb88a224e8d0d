// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The largest number of a thread block.

#ifndef SORTIE_CODEGEN_KERNELS_COMMON_BLOCKMAX_H
#define SORTIE_CODEGEN_KERNELS_COMMON_BLOCKMAX_H

#include "codegen/kernels/common/Geometry.h"

#include <sortie_hardware.h>

namespace sortie::kernels {

/// The largest value of the block's threads. All of them take part. `warps` is shared memory, a
/// word for each warp.
SORTIE_DEVICE uint32_t blockMax(uint32_t value, uint32_t *warps) {
  value = hw::reduceMax(value);
  hw::syncBlock(); // the words of the maximum before have been read
  if (hw::laneIndex() == 0)
    warps[hw::warpIndex()] = value;
  hw::syncBlock();
  uint32_t most = 0;
  for (int warp = 0; warp < hw::threadCount() / kWarp; ++warp)
    most = warps[warp] > most ? warps[warp] : most;
  return most;
}

/// What blockMax() finds the first of: the larger the earlier a position is, and never 0, which is
/// none.
SORTIE_DEVICE uint32_t earlier(int32_t position) { return ~static_cast<uint32_t>(position); }
/// The position of which `order` is the earlier().
SORTIE_DEVICE int32_t positionOf(uint32_t order) { return static_cast<int32_t>(~order); }

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_COMMON_BLOCKMAX_H
