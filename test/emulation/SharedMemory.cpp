// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Shared memory between guard zones.

#include "test/emulation/SharedMemory.h"

#include <algorithm>
#include <cstring>

namespace sortie::emulation {

constexpr char kGuardByte = '\xa7';

void SharedMemory::reset(int bytes, Random &random) {
  size = bytes;
  storage.resize(static_cast<size_t>(bytes) + 2 * kGuardBytes + kAlignment);
  const auto address = reinterpret_cast<uintptr_t>(storage.data() + kGuardBytes);
  begin = storage.data() + kGuardBytes + (0 - address) % kAlignment;
  std::memset(begin - kGuardBytes, kGuardByte, kGuardBytes);
  std::memset(begin + size, kGuardByte, kGuardBytes);

  const uint32_t word = 0xffc00000u | static_cast<uint32_t>(random.next() >> 44);
  for (int i = 0; i < 4; ++i)
    std::memcpy(pattern + 4 * i, &word, sizeof word);
  for (int i = 0; i < size; i += static_cast<int>(sizeof pattern))
    std::memcpy(begin + i, pattern, static_cast<size_t>(std::min<int>(sizeof pattern, size - i)));
}

bool SharedMemory::isIntact(const char *zone, int &firstDamaged) const {
  for (firstDamaged = 0; firstDamaged < kGuardBytes; ++firstDamaged)
    if (zone[firstDamaged] != kGuardByte)
      return false;
  return true;
}

std::string SharedMemory::findDamage() const {
  int at = 0;
  if (!isIntact(begin + size, at))
    return "a thread has written " + std::to_string(at) + " bytes behind the " +
           std::to_string(size) + " bytes of shared memory";
  if (!isIntact(begin - kGuardBytes, at))
    return "a thread has written " + std::to_string(kGuardBytes - at) +
           " bytes before shared memory";
  return {};
}

} // namespace sortie::emulation
