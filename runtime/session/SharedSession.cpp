// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Who uses a session.

#include "runtime/session/SharedSession.h"

#include "runtime/support/Error.h"

#include <unistd.h>

using namespace llvm;

namespace sortie {

SharedSession::SharedSession(std::unique_ptr<Session> session)
    : session(std::move(session)), process(getpid()) {}

SharedSession::~SharedSession() { destroy(); }

Error SharedSession::enter(StringRef caller) {
  // First: whoever used the session when the process forked does not exist in the child.
  if (getpid() != process)
    return makeError(caller + ": the session belongs to process " + Twine(process) +
                     ", this one (" + Twine(getpid()) +
                     ") was forked from it and has none of its threads; make sessions after the "
                     "fork");
  State expected = State::Idle;
  if (state.compare_exchange_strong(expected, State::InUse, std::memory_order_acquire))
    return Error::success();
  return makeError(caller + ": the session is in use by a call that has not returned yet, in "
                            "another thread or, from a callback, in this one; give each thread a "
                            "session of its own (they share program and weights)");
}

void SharedSession::leave() {
  State expected = State::InUse;
  if (state.compare_exchange_strong(expected, State::Idle, std::memory_order_acq_rel))
    return;
  session.reset();
  state.store(State::Idle, std::memory_order_release);
}

void SharedSession::destroy() {
  if (getpid() != process) {
    (void)session.release();
    return;
  }
  State seen = State::Idle;
  for (;;) {
    if (seen == State::EndsAfterUse)
      return;
    const State next = seen == State::InUse ? State::EndsAfterUse : State::InUse;
    if (!state.compare_exchange_weak(seen, next, std::memory_order_acq_rel))
      continue; // with what it is instead
    if (next == State::InUse) {
      session.reset();
      leave();
    }
    return;
  }
}

} // namespace sortie
