// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The barriers 1 to 15 of a block: who has come, who waits.

#ifndef SORTIE_TEST_EMULATION_NAMEDBARRIERS_H
#define SORTIE_TEST_EMULATION_NAMEDBARRIERS_H

#include "test/emulation/Block.h"

#include <utility>

namespace sortie::emulation {

class NamedBarriers {
public:
  static constexpr int kCount = 16;

  /// What is wrong with a use in a block of `blockThreads` threads, null for nothing.
  static const char *check(int barrier, int threads, int blockThreads) {
    if (barrier < 1 || barrier >= kCount)
      return "a named barrier is one of 1 to 15";
    if (threads < kLanes || threads % kLanes != 0)
      return "the threads at a named barrier are a positive multiple of 32";
    if (threads > blockThreads)
      return "more threads at a named barrier than the block has";
    return nullptr;
  }

  /// True if warps that named another number of threads have come and not yet all.
  bool contradicts(const NamedBarrierOperands &use) const {
    const Barrier &barrier = barriers[use.barrier];
    return barrier.warpsToCome > 0 && barrier.threads != use.threads;
  }

  /// A warp comes, and waits if `waits`. True if it is the last one: the barrier begins anew, and
  /// `released` gets those that have waited, as bits.
  bool arrive(const NamedBarrierOperands &use, int warp, bool waits, uint32_t &released) {
    Barrier &barrier = barriers[use.barrier];
    if (barrier.warpsToCome == 0)
      barrier = {use.threads, use.threads / kLanes, 0};
    if (waits)
      barrier.waiting |= uint32_t{1} << warp;
    released = 0;
    if (--barrier.warpsToCome > 0)
      return false;
    released = std::exchange(barrier.waiting, 0);
    return true;
  }

private:
  struct Barrier {
    int threads;
    int warpsToCome; ///< 0 between two uses
    uint32_t waiting;
  };
  Barrier barriers[kCount] = {};
};

} // namespace sortie::emulation

#endif // SORTIE_TEST_EMULATION_NAMEDBARRIERS_H
