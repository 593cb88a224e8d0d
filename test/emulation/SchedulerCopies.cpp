// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The scheduler's asynchronous copies: those of a thread, and those that arrive at mbarriers.

#include "test/emulation/Scheduler.h"

#include <cstring>

namespace sortie::emulation {

void Scheduler::copyAsync(void *to, const void *from, int bytes, int valid, Site site) {
  checkShared("copyAsync", to, bytes, bytes, site);
  if (reinterpret_cast<uintptr_t>(from) % static_cast<uintptr_t>(bytes) != 0)
    fail("copyAsync: the global address is not aligned to the bytes to copy", site);
  if (valid < 0 || valid > bytes)
    fail("copyAsync: `valid` is negative or above the bytes to copy", site);
  current().copies.begin(static_cast<char *>(to), from, bytes, valid, sharedMemory.garbage());
}

void Scheduler::commitCopies() { current().copies.commit(); }
void Scheduler::waitForCopies(int groups) { current().copies.wait(groups); }

void Scheduler::copyBulk(void *to, const void *from, int bytes, void *barrier, Site site) {
  const char *who = "copyBulk";
  if (bytes < 16 || bytes % 16 != 0)
    failIn(who, "the bytes are not a positive multiple of 16", site);
  if (reinterpret_cast<uintptr_t>(from) % 16 != 0)
    failIn(who, "the global address is not aligned to 16 bytes", site);
  char *data = beginCopy(who, to, bytes, 16, barrier, site);
  std::memcpy(data, from, static_cast<size_t>(bytes));
}

void Scheduler::copyBox(void *to, const TensorMap &map, int rank, const int (&at)[3], void *barrier,
                        Site site) {
  const char *who = "copyBox";
  if (const char *mistake = checkTensorMap(map))
    failIn(who, mistake, site);
  if (map.rank != rank)
    failIn(who, "the map has another number of dimensions", site);
  readBox(map, at, beginCopy(who, to, boxBytes(map), boxAlignment(map), barrier, site));
}

/// Returns where the bytes of a new copy must be put. A copy is known before its source is read:
/// reading may fail, and then nothing on the thread's stack is destroyed.
char *Scheduler::beginCopy(const char *who, void *to, int bytes, int alignment, void *object,
                           Site site) {
  checkShared(who, to, bytes, alignment, site);
  if (!findMbarrier(who, object, site).isPublished)
    failIn(who, "the thread that has initialized the mbarrier has not published it", site);
  auto *begin = static_cast<char *>(to);
  if (bulkCopies.findAt(begin, bytes) != nullptr)
    failIn(who, "no thread has waited for the copy before to the same bytes", site);
  return bulkCopies.begin(begin, bytes, object, sharedMemory.garbage(), site).data.data();
}

/// One of the copies on their way lands.
void Scheduler::landCopy() {
  const auto count = static_cast<uint64_t>(bulkCopies.flying());
  const auto index = static_cast<int>(random->below(count));
  const BulkCopy &copy = bulkCopies.flyingAt(index);
  Mbarrier &barrier = *mbarriers.find(copy.barrier);
  const uint32_t phase = barrier.phase();
  barrier.completeBytes(copy.bytes());
  bulkCopies.land(index, phase);
  if (barrier.phase() != phase)
    wakeWaiters(barrier.where());
}

/// At the end of a block: its memory may not be given to another one while bytes are on their way.
std::string Scheduler::findLostCopy() const {
  const BulkCopy *copy = bulkCopies.findAny();
  return copy == nullptr ? std::string()
                         : "no thread has waited for the copy" + describeSite(copy->site);
}

} // namespace sortie::emulation
