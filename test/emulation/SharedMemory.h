// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The dynamic shared memory of a block, between two zones that nobody may write.

#ifndef SORTIE_TEST_EMULATION_SHAREDMEMORY_H
#define SORTIE_TEST_EMULATION_SHAREDMEMORY_H

#include "test/emulation/Random.h"

#include <string>
#include <vector>

namespace sortie::emulation {

class SharedMemory {
public:
  /// Garbage for a new block: NaNs when read as floats, far from zero when read as integers.
  void reset(int bytes, Random &random);

  char *data() { return begin; }

  /// 16 bytes of the same garbage.
  const char *garbage() const { return pattern; }

  /// Empty if both zones are as they were, else what was written where.
  std::string findDamage() const;

private:
  static constexpr int kAlignment = 1024;
  static constexpr int kGuardBytes = 4096;

  bool isIntact(const char *zone, int &firstDamaged) const;

  std::vector<char> storage;
  char *begin = nullptr;
  int size = 0;
  char pattern[16] = {};
};

} // namespace sortie::emulation

#endif // SORTIE_TEST_EMULATION_SHAREDMEMORY_H
