// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The scheduler's mbarriers, and the bulk and tensor copies that arrive there.

#include "test/emulation/Scheduler.h"

#include <cstring>

namespace sortie::emulation {

//===- Barriers -----------------------------------------------------------===//

void Scheduler::initMbarrier(void *object, int arrivals, Site site) {
  const char *who = "initMbarrier";
  checkShared(who, object, sizeof(uint64_t), sizeof(uint64_t), site);
  if (arrivals < 1 || arrivals > Mbarrier::kMaxCount)
    failIn(who, "the arrivals are not within 1 to 2^20 - 1", site);
  if (mbarriers.find(object) != nullptr)
    failIn(who, "there is an mbarrier already", site);
  mbarriers.add(Mbarrier(object, arrivals, threadIndex));
}

void Scheduler::publishMbarriers() { mbarriers.publish(threadIndex); }

void Scheduler::invalidateMbarrier(void *object, Site site) {
  const char *who = "invalidateMbarrier";
  Mbarrier &barrier = findMbarrier(who, object, site);
  for (int i = 0; i < threadCount; ++i)
    if (waitsFor(threads[static_cast<size_t>(i)], object))
      failIn(who, "a thread waits for the mbarrier", site);
  if (bulkCopies.findOf(object) != nullptr)
    failIn(who, "no thread has waited for a copy that arrives at the mbarrier", site);
  barrier.erase();
  mbarriers.remove(object);
}

void Scheduler::arriveMbarrier(const char *who, void *object, int bytes, Site site) {
  Mbarrier &barrier = findMbarrier(who, object, site);
  const uint32_t phase = barrier.phase();
  const char *mistake = barrier.expectBytes(bytes);
  if (mistake == nullptr)
    mistake = barrier.arrive();
  if (mistake != nullptr)
    failIn(who, mistake, site);
  if (barrier.phase() != phase)
    wakeWaiters(object);
  reorder(threadIndex / kLanes);
  runNext(false);
}

/// The barrier is looked at again after each wait: a phase more, and it is the wrong one, as for a
/// thread of the device that comes too late.
void Scheduler::waitForPhase(void *object, int parity, Site site) {
  const char *who = "waitForPhase";
  if (parity != 0 && parity != 1)
    failIn(who, "the parity is neither 0 nor 1", site);
  while (!findMbarrier(who, object, site).hasCompleted(parity)) {
    current().mbarrier = object;
    wait(State::InWaitForPhase, site);
  }
  bulkCopies.observe(object, mbarriers.find(object)->phase());
}

Mbarrier &Scheduler::findMbarrier(const char *who, void *object, Site site) {
  checkShared(who, object, sizeof(uint64_t), sizeof(uint64_t), site);
  Mbarrier *barrier = mbarriers.find(object);
  if (barrier == nullptr)
    failIn(who, "there is no mbarrier that has been initialized", site);
  if (const char *damage = barrier->findDamage())
    failIn(who, damage, site);
  return *barrier;
}

bool Scheduler::waitsFor(const Thread &thread, const void *object) {
  return thread.state == State::InWaitForPhase && thread.mbarrier == object;
}

void Scheduler::wakeWaiters(const void *object) {
  for (int i = 0; i < threadCount; ++i) {
    Thread &thread = threads[static_cast<size_t>(i)];
    if (!waitsFor(thread, object))
      continue;
    thread.state = State::Runnable;
    warps[static_cast<size_t>(i / kLanes)].runnable |= uint32_t{1} << i % kLanes;
    reorder(i / kLanes);
  }
}

//===- Copies -------------------------------------------------------------===//

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
