// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Phases of mbarrier objects.

#include "test/emulation/Mbarriers.h"

#include <cstring>

namespace sortie::emulation {

Mbarrier::Mbarrier(void *object, int arrivals, int thread)
    : object(object), expected(arrivals), pending(arrivals), thread(thread) {
  const uint64_t word = mark();
  std::memcpy(object, &word, sizeof word);
}

/// Another word for each place.
uint64_t Mbarrier::mark() const {
  return 0x6d62617272696572u ^ reinterpret_cast<uintptr_t>(object);
}

void Mbarrier::erase() { std::memset(object, 0xff, sizeof(uint64_t)); }

const char *Mbarrier::findDamage() const {
  const uint64_t word = mark();
  return std::memcmp(object, &word, sizeof word) == 0 ? nullptr
                                                      : "the mbarrier has been written over";
}

void Mbarrier::endPhase() {
  if (pending > 0 || pendingBytes != 0)
    return;
  pending = expected;
  ++phases;
}

const char *Mbarrier::expectBytes(int bytes) {
  if (bytes < 0 || bytes > kMaxCount || pendingBytes > kMaxCount - bytes)
    return "an mbarrier expects 0 to 2^20 - 1 bytes in a phase";
  pendingBytes += bytes;
  return nullptr;
}

const char *Mbarrier::arrive() {
  if (pending == 0)
    return "more arrivals than the mbarrier expects in a phase";
  --pending;
  endPhase();
  return nullptr;
}

void Mbarrier::completeBytes(int bytes) {
  pendingBytes -= bytes;
  endPhase();
}

void Mbarriers::remove(const void *object) {
  std::erase_if(live, [=](const Mbarrier &barrier) { return barrier.where() == object; });
}

Mbarrier *Mbarriers::find(const void *object) {
  for (Mbarrier &barrier : live)
    if (barrier.where() == object)
      return &barrier;
  return nullptr;
}

void Mbarriers::publish(int thread) {
  for (Mbarrier &barrier : live)
    if (barrier.initializer() == thread)
      barrier.isPublished = true;
}

} // namespace sortie::emulation
