// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The scheduler of a block's threads.

#include "test/emulation/Scheduler.h"

#include "test/emulation/Collectives.h"

#include <bit>
#include <sys/mman.h>

namespace sortie::emulation {

Scheduler::Scheduler()
    : threads(kMaxThreads), warps(kMaxThreads / kLanes), products(kMaxThreads / kLanes),
      ofWarpgroup(kMaxThreads / kLanes / 4) {
  constexpr size_t kBytes = kMaxThreads * kStackStride;
  void *memory = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED)
    return;
  stacks = static_cast<char *>(memory);
  for (size_t i = 0; i < kMaxThreads; ++i)
    mprotect(stacks + i * kStackStride, kPageBytes, PROT_NONE);
}

Scheduler::~Scheduler() {
  if (stacks != nullptr)
    munmap(stacks, kMaxThreads * kStackStride);
}

//===- A block -----------------------------------------------------------===//

std::string Scheduler::runBlock(const EmulatedLaunch &what, Index3 index, Random &generator) {
  if (stacks == nullptr)
    return "no memory for the stacks of the threads";
  launch = &what;
  random = &generator;
  threadCount = what.threads;
  blockIndex = index;
  gridCount = what.grid;
  sharedMemory.reset(what.sharedBytes, generator);
  shared = sharedMemory.data();
  sharedBytes = what.sharedBytes;
  error.clear();
  namedBarriers = {};
  mbarriers.clear();
  bulkCopies.clear();
  registers = RegisterPool(threadCount);
  for (WarpProducts &ofWarp : products)
    ofWarp.clear();
  for (auto &begun : ofWarpgroup)
    begun.clear();
  inSyncBlock = ended = 0;
  runnableWarps = 0;
  for (int i = 0; i < threadCount; ++i)
    resetThread(i);
  for (int warp = 0; warp * kLanes < threadCount; ++warp) {
    warps[static_cast<size_t>(warp)].arrived = 0;
    makeRunnable(warp);
  }

  const FaultTrap trap(*this);
  threadIndex = nextThread();
  previous = &caller;
  switchFiber(caller, current().fiber);
  launch = nullptr;
  if (error.empty())
    error = findLostCopy();
  if (error.empty())
    error = findLostProduct();
  return error.empty() ? sharedMemory.findDamage() : error;
}

void Scheduler::resetThread(int index) {
  Thread &thread = threads[static_cast<size_t>(index)];
  thread.scheduler = this;
  thread.index = index;
  thread.state = State::Runnable;
  thread.copies.clear();
  char *stack = stacks + static_cast<size_t>(index) * kStackStride + kPageBytes;
  const size_t shift = static_cast<size_t>(index) % 32 * kTopShift;
  resetFiber(thread.fiber, stack, kStackBytes - shift, enterThread, &thread);
}

void Scheduler::enterThread(void *argument) {
  auto &thread = *static_cast<Thread *>(argument);
  Scheduler &self = *thread.scheduler;
  beginFiber(*self.previous);
  self.launch->kernel->run(&self, self.launch->parameters);
  self.endThread();
}

/// The warp has a turn again, its lanes in a new order.
void Scheduler::reorder(int index) {
  Warp &warp = warps[static_cast<size_t>(index)];
  const uint64_t order = random->next();
  warp.start = static_cast<uint32_t>(order);
  warp.stride = static_cast<uint32_t>(order >> 32) | 1;
  warp.position = 0;
  runnableWarps |= uint32_t{1} << index;
}

/// All existing lanes of the warp may run.
void Scheduler::makeRunnable(int index) {
  Warp &warp = warps[static_cast<size_t>(index)];
  const int lanes = std::min(kLanes, threadCount - index * kLanes);
  warp.runnable = lanes == kLanes ? ~uint32_t{0} : (uint32_t{1} << lanes) - 1;
  for (int lane = 0; lane < lanes; ++lane)
    threads[static_cast<size_t>(index * kLanes + lane)].state = State::Runnable;
  reorder(index);
}

//===- Waiting -----------------------------------------------------------===//

void Scheduler::syncBlock(Site site) {
  if (++inSyncBlock < threadCount)
    return wait(State::InSyncBlock, site);
  inSyncBlock = 0;
  for (int warp = 0; warp * kLanes < threadCount; ++warp)
    makeRunnable(warp);
  runNext(false);
}

void Scheduler::collective(Collective what, void *operands, Site site) {
  const int index = threadIndex / kLanes;
  Warp &warp = currentWarp();
  if (warp.arrived == 0)
    warp.collective = what;
  current().collective = what;
  if (warp.collective != what) {
    current().state = State::InCollective;
    current().site = site;
    error = "threads of warp " + std::to_string(index) + " wait in different collectives" +
            describeThreads();
    leave();
  }
  warp.operands[threadIndex % kLanes] = operands;
  if (++warp.arrived < kLanes)
    return wait(State::InCollective, site);

  warp.arrived = 0;
  if (completeHere(what, warp, site))
    return;
  completeCollective(what, warp.operands);
  makeRunnable(index);
  runNext(false);
}

/// What more than a warp takes part in. True if the warp goes on or waits as it should.
bool Scheduler::completeHere(Collective what, const Warp &warp, Site site) {
  WarpProducts &ofWarp = products[static_cast<size_t>(threadIndex / kLanes)];
  switch (what) {
  case Collective::SyncThreads:
  case Collective::ArriveThreads:
    completeMeeting(what == Collective::SyncThreads, warp, site);
    return true;
  case Collective::TakeRegisters:
  case Collective::GiveRegisters:
    changeRegisters(what == Collective::TakeRegisters, warp, site);
    return true;
  case Collective::FenceProducts:
    ofWarp.fence();
    return false;
  case Collective::BeginProduct:
    beginProduct(warp, site);
    return false;
  case Collective::CommitProducts:
    ofWarp.commit();
    return false;
  case Collective::WaitForProducts:
    ofWarp.wait(static_cast<const CountOperands *>(warp.operands[0])->count, {shared, sharedBytes});
    return false;
  default:
    return false;
  }
}

/// All lanes of the current warp wait.
void Scheduler::suspend(State state, Site site) {
  const int first = threadIndex / kLanes * kLanes;
  for (int lane = 0; lane < kLanes; ++lane)
    threads[static_cast<size_t>(first + lane)].state = state;
  wait(state, site);
}

void Scheduler::wait(State state, Site site) {
  Thread &thread = current();
  thread.state = state;
  thread.site = site;
  currentWarp().runnable &= ~(uint32_t{1} << threadIndex % kLanes);
  runNext(false);
}

void Scheduler::endThread() {
  current().state = State::Ended;
  currentWarp().runnable &= ~(uint32_t{1} << threadIndex % kLanes);
  ++ended;
  runNext(true);
  __builtin_unreachable();
}

//===- Choice of the next thread -----------------------------------------===//

/// Runs another thread, or goes back to the caller when all have ended or none can go on.
void Scheduler::runNext(bool ends) {
  Thread &from = current();
  const int next = nextThread();
  if (next < 0) {
    switchTo(caller, true);
    return;
  }
  if (next == from.index && !ends)
    return;
  threadIndex = next;
  previous = &from.fiber;
  switchFiber(from.fiber, current().fiber, ends);
}

/// The next lane of the warp in its order as a thread index, or -1.
int Scheduler::nextInWarp(int index) {
  Warp &warp = warps[static_cast<size_t>(index)];
  while (warp.position < kLanes) {
    const uint32_t lane =
        (warp.start + static_cast<uint32_t>(warp.position) * warp.stride) % kLanes;
    if ((warp.runnable >> lane & 1) != 0)
      return index * kLanes + static_cast<int>(lane);
    ++warp.position;
  }
  runnableWarps &= ~(uint32_t{1} << index);
  return -1;
}

/// A thread of a warp that still has its turn, or -1: then no thread can run, or there is an error.
int Scheduler::nextOfRunnableWarps() {
  while (runnableWarps != 0) {
    uint64_t skip = random->below(static_cast<uint64_t>(std::popcount(runnableWarps)));
    uint32_t rest = runnableWarps;
    for (; skip > 0; --skip)
      rest &= rest - 1;
    const int index = std::countr_zero(rest);
    const int next = nextInWarp(index);
    if (next >= 0 || !checkWarp(index))
      return next;
  }
  return -1;
}

/// Stays in a warp until its lanes wait; a warp that has just begun anew may lose its turn. Copies
/// land now and then, and where no thread can run otherwise.
int Scheduler::nextThread() {
  if (bulkCopies.flying() > 0 && random->below(8) == 0)
    landCopy();
  const int index = threadIndex / kLanes;
  const bool begins = warps[static_cast<size_t>(index)].position == 0;
  if (index * kLanes < threadCount && !(begins && random->below(4) == 0)) {
    const int next = nextInWarp(index);
    if (next >= 0)
      return next;
    if (!checkWarp(index))
      return -1;
  }
  for (;;) {
    const int next = nextOfRunnableWarps();
    if (next >= 0 || !error.empty())
      return next;
    if (bulkCopies.flying() == 0)
      break;
    landCopy();
  }
  if (ended < threadCount)
    failDeadlock(inSyncBlock + ended == threadCount ? "threads wait for others that have ended"
                                                    : "no thread can go on");
  return -1;
}

void Scheduler::switchTo(Fiber &to, bool ends) { switchFiber(current().fiber, to, ends); }

/// False, with the error set, if the warp, of which no lane can run, waits in vain. A lane at an
/// mbarrier may still come.
bool Scheduler::checkWarp(int index) {
  if (warps[static_cast<size_t>(index)].arrived == 0)
    return true;
  for (int i = index * kLanes; i < std::min(threadCount, (index + 1) * kLanes); ++i)
    if (threads[static_cast<size_t>(i)].state == State::InWaitForPhase)
      return true;
  return failDeadlock("some lanes of warp " + std::to_string(index) +
                      " wait in a collective that the other lanes will never reach");
}

} // namespace sortie::emulation
