// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What went wrong, in which thread, and what the others do.

#include "test/emulation/Scheduler.h"

#include "test/emulation/Collectives.h"

#include <cstdio>
#include <cstdlib>

namespace sortie::emulation {

static std::string describeSite(const char *file, unsigned line) {
  return " at " + std::string(file) + ":" + std::to_string(line);
}
std::string Scheduler::describeSite(const Site &site) {
  return emulation::describeSite(site.file_name(), site.line());
}

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
  case State::InTakeRegisters:
    return "wait in takeRegisters" + describeSite(thread.site);
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
