// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Counter-based random numbers: the n-th number of a stream needs no other, so that any part of a
// tensor can be made anywhere, in any order, on any device. docs/runtime.md states the streams.

#ifndef SORTIE_RUNTIME_SUPPORT_COUNTERRANDOM_H
#define SORTIE_RUNTIME_SUPPORT_COUNTERRANDOM_H

#include "llvm/ADT/StringRef.h"

#include <cstdint>

namespace sortie {

/// The finalizer of SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number
/// generators", 2014; Stafford's variant 13).
constexpr uint64_t mix64(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

/// A stream of 64-bit words: SplitMix64 itself, entered at any point.
class CounterRandom {
public:
  /// The stream of a seed and a name (64-bit FNV-1a).
  CounterRandom(uint64_t seed, llvm::StringRef name) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (const char c : name)
      hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3u;
    key = mix64(seed ^ mix64(hash));
  }

  uint64_t word(uint64_t index) const { return mix64(key + (index + 1) * 0x9e3779b97f4a7c15u); }

private:
  uint64_t key;
};

} // namespace sortie

#endif // SORTIE_RUNTIME_SUPPORT_COUNTERRANDOM_H
