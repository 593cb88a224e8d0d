// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The scheduler of a block's threads.

#include "test/emulation/Scheduler.h"

#include "test/emulation/Collectives.h"

#include <bit>
#include <cstdio>
#include <cstdlib>
#include <sys/mman.h>

namespace sortie::emulation {

// A stack is followed by a page that nobody may touch. The distance of two stacks is no power of
// two and their tops are shifted, so that the threads of a block do not compete for the same cache
// sets.
constexpr size_t kStackBytes = 128 * 1024;
constexpr size_t kPageBytes = 4096;
constexpr size_t kStackStride = kStackBytes + kPageBytes;
constexpr size_t kTopShift = 3 * 64;

Scheduler::Scheduler() : threads(kMaxThreads), warps(kMaxThreads / kLanes) {
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

static std::string describeSite(const char *file, unsigned line) {
  return " at " + std::string(file) + ":" + std::to_string(line);
}
std::string Scheduler::describeSite(const Site &site) {
  return emulation::describeSite(site.file_name(), site.line());
}

//===- A block ------------------------------------------------------------===//

std::string Scheduler::runBlock(const Launch &what, Index3 index, Random &generator) {
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

//===- Waiting ------------------------------------------------------------===//

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
  if (what == Collective::SyncThreads || what == Collective::ArriveThreads)
    return completeMeeting(what == Collective::SyncThreads, warp, site);
  completeCollective(what, warp.operands);
  makeRunnable(index);
  runNext(false);
}

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
  for (int lane = 0; lane < kLanes; ++lane)
    threads[static_cast<size_t>(index * kLanes + lane)].state = State::InSyncThreads;
  wait(State::InSyncThreads, site);
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

//===- Choice of the next thread ------------------------------------------===//

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

//===- Copies and checks --------------------------------------------------===//

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

void Scheduler::checkShared(const char *who, const void *address, int bytes, int alignment,
                            Site site) {
  const auto at = reinterpret_cast<uintptr_t>(address);
  const auto offset = static_cast<intptr_t>(at - reinterpret_cast<uintptr_t>(shared));
  if (offset < 0 || offset > sharedBytes - bytes)
    setError(describeSite(site), std::string(who) + ": bytes " + std::to_string(offset) + " to " +
                                     std::to_string(offset + bytes - 1) + " are not within the " +
                                     std::to_string(sharedBytes) + " bytes of shared memory");
  else if (at % static_cast<uintptr_t>(alignment) != 0)
    setError(describeSite(site), std::string(who) + ": the shared address, byte " +
                                     std::to_string(offset) + ", is not aligned to " +
                                     std::to_string(alignment) + " bytes");
  if (!error.empty())
    leave();
}

//===- Errors -------------------------------------------------------------===//

void Scheduler::setError(const std::string &place, const std::string &message) {
  error = "thread " + std::to_string(threadIndex) + place + ": " + message;
}

void Scheduler::fail(const char *message, const char *file, unsigned line) {
  if (launch == nullptr) { // a check in code of the host that was compiled with a kernel's flags
    std::fprintf(stderr, "%s:%u: %s\n", file, line, message);
    std::abort();
  }
  setError(emulation::describeSite(file, line), message);
  leave();
}

void Scheduler::failIn(const char *who, const char *message, Site site) {
  setError(describeSite(site), std::string(who) + ": " + message);
  leave();
}

/// The processor refused an instruction of a thread.
void Scheduler::handleFault(int signal, const void *address) {
  const auto at = static_cast<const char *>(address);
  const bool isStack = at >= stacks && at < stacks + kMaxThreads * kStackStride;
  setError({}, isStack ? "more than " + std::to_string(kStackBytes / 1024) + " KiB of stack"
                       : describeFault(signal, address));
  leave();
}

/// Goes back to the caller for good. Nothing on the stacks of the fibers is destroyed: whoever
/// calls this must have nothing there that owns memory. Kernels have not.
void Scheduler::leave() {
  switchTo(caller, true);
  __builtin_unreachable();
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

bool Scheduler::failDeadlock(const std::string &what) {
  error = "deadlock: " + what + describeThreads();
  return false;
}

std::string Scheduler::describe(const Thread &thread) const {
  switch (thread.state) {
  case State::Runnable:
    return "can run";
  case State::InCollective:
    return std::string("wait in ") + collectiveName(thread.collective) + describeSite(thread.site);
  case State::InSyncBlock:
    return "wait in syncBlock" + describeSite(thread.site);
  case State::InSyncThreads:
    return "wait in syncThreads" + describeSite(thread.site);
  case State::InWaitForPhase:
    return "wait in waitForPhase" + describeSite(thread.site);
  case State::Ended:
    return "have ended";
  }
  return "?";
}

/// A line for each run of threads that do the same.
std::string Scheduler::describeThreads() const {
  constexpr int kMaxLines = 40;
  std::string text;
  int lines = 0;
  for (int first = 0, end = 0; first < threadCount; first = end) {
    const std::string what = describe(threads[static_cast<size_t>(first)]);
    for (end = first + 1; end < threadCount; ++end)
      if (describe(threads[static_cast<size_t>(end)]) != what)
        break;
    if (++lines > kMaxLines)
      return text + "\n  and so on";
    text += "\n  threads " + std::to_string(first) + " to " + std::to_string(end - 1) + " " + what;
  }
  return text;
}

} // namespace sortie::emulation
