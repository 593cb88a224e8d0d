// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The bulk and tensor copies of a block. A copy lands when the scheduler says so: its mbarrier
// counts the bytes. But they are written only when a thread has seen that phase of the mbarrier
// complete, and until then the destination holds garbage, so that a missing wait shows.

#ifndef SORTIE_TEST_EMULATION_BULKCOPIES_H
#define SORTIE_TEST_EMULATION_BULKCOPIES_H

#include "test/emulation/Block.h"

#include <cstddef>
#include <vector>

namespace sortie::emulation {

struct BulkCopy {
  char *to;
  const void *barrier;
  Site site;
  std::vector<char> data;
  uint32_t phase = 0; ///< of the barrier, in which the copy has landed

  int bytes() const { return static_cast<int>(data.size()); }
};

class BulkCopies {
public:
  void clear();

  /// A new copy on its way, for whose `bytes` bytes the caller has to fill `data`. The destination
  /// becomes garbage.
  BulkCopy &begin(char *to, int bytes, const void *barrier, const char *garbage, Site site);

  /// Copies that have not landed.
  int flying() const { return static_cast<int>(onTheirWay.size()); }
  const BulkCopy &flyingAt(int index) const { return onTheirWay[static_cast<size_t>(index)]; }
  void land(int index, uint32_t phase);

  /// A thread has seen that all phases of the barrier before `phase` are complete.
  void observe(const void *barrier, uint32_t phase);

  /// A copy whose bytes are not written yet: any, one to these bytes, one of this barrier. Null if
  /// there is none.
  const BulkCopy *findAny() const;
  const BulkCopy *findAt(const char *to, int bytes) const;
  const BulkCopy *findOf(const void *barrier) const;

private:
  template <typename Condition> const BulkCopy *find(Condition condition) const;

  std::vector<BulkCopy> onTheirWay;
  std::vector<BulkCopy> landed;
};

} // namespace sortie::emulation

#endif // SORTIE_TEST_EMULATION_BULKCOPIES_H
