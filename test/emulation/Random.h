// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Pseudo-random numbers of the emulation: small, the same for a seed on every machine.

#ifndef SORTIE_TEST_EMULATION_RANDOM_H
#define SORTIE_TEST_EMULATION_RANDOM_H

#include <cstdint>

namespace sortie::emulation {

/// SplitMix64 (Steele, Lea, Flood 2014).
class Random {
public:
  explicit Random(uint64_t seed) : state(seed) {}

  uint64_t next() {
    state += 0x9e3779b97f4a7c15u;
    uint64_t z = state;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
  }

  /// A number below `bound` (at most 2^32).
  uint64_t below(uint64_t bound) { return ((next() >> 32) * bound) >> 32; }

private:
  uint64_t state;
};

} // namespace sortie::emulation

#endif // SORTIE_TEST_EMULATION_RANDOM_H
