// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Registers that warps give and take.

#include "test/emulation/RegisterPool.h"

#include <algorithm>

namespace sortie::emulation {

constexpr int kRegistersOfBlock = 65536;
constexpr int kMostOfThread = 255;

RegisterPool::RegisterPool(int threads)
    : warps(static_cast<size_t>((threads + 31) / 32),
            {std::min(kRegistersOfBlock / threads, kMostOfThread) / 8 * 8, 0}) {}

const char *RegisterPool::check(bool takes, int warp, int count) const {
  const int own = warps[static_cast<size_t>(warp)].own;
  if (count < 24 || count > 256 || count % 8 != 0)
    return "registers are a multiple of 8 from 24 to 256";
  if (takes ? count < own : count > own)
    return takes ? "the warp has more registers than it takes"
                 : "the warp has fewer registers than it keeps";
  return nullptr;
}

bool RegisterPool::take(int warp, int count) {
  Warp &taker = warps[static_cast<size_t>(warp)];
  if (count - taker.own > free) {
    taker.wanted = count;
    return false;
  }
  free -= count - taker.own;
  taker = {count, 0};
  return true;
}

uint32_t RegisterPool::give(int warp, int count) {
  Warp &giver = warps[static_cast<size_t>(warp)];
  free += giver.own - count;
  giver.own = count;
  uint32_t served = 0;
  for (int other = 0; other < static_cast<int>(warps.size()); ++other) {
    const int wanted = warps[static_cast<size_t>(other)].wanted;
    if (wanted != 0 && take(other, wanted))
      served |= uint32_t{1} << other;
  }
  return served;
}

} // namespace sortie::emulation
