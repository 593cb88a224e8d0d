// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The scheduler's named barriers and mbarriers.

#include "test/emulation/Scheduler.h"

#include <bit>

namespace sortie::emulation {

//===- Named barriers ----------------------------------------------------===//

void Scheduler::meet(Collective what, int barrier, int threads, Site site) {
  if (const char *mistake = NamedBarriers::check(barrier, threads, threadCount))
    fail(mistake, site);
  NamedBarrierOperands operands = {barrier, threads};
  collective(what, &operands, site);
}

/// All lanes of the current warp have come to a named barrier.
void Scheduler::completeMeeting(bool waits, const Warp &warp, Site site) {
  checkMeeting(warp, site);
  const int index = threadIndex / kLanes;
  uint32_t released = 0;
  const bool isComplete = namedBarriers.arrive(
      *static_cast<const NamedBarrierOperands *>(warp.operands[0]), index, waits, released);
  for (; released != 0; released &= released - 1)
    makeRunnable(std::countr_zero(released));
  if (!waits)
    makeRunnable(index);
  if (isComplete || !waits)
    return runNext(false);
  suspend(State::InSyncThreads, site);
}

void Scheduler::checkMeeting(const Warp &warp, Site site) {
  const auto &first = *static_cast<const NamedBarrierOperands *>(warp.operands[0]);
  for (const void *lane : warp.operands) {
    const auto &own = *static_cast<const NamedBarrierOperands *>(lane);
    if (own.barrier != first.barrier || own.threads != first.threads)
      fail("the lanes of a warp are at different named barriers", site);
  }
  if (namedBarriers.contradicts(first))
    fail("a named barrier is used with two numbers of threads at a time", site);
}

//===- mbarriers ---------------------------------------------------------===//

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

} // namespace sortie::emulation
