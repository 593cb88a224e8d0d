// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A session behind the C API: one call at a time, in the process that made it. What callers get
// wrong is told before it can touch memory.

#ifndef SORTIE_RUNTIME_SESSION_SHAREDSESSION_H
#define SORTIE_RUNTIME_SESSION_SHAREDSESSION_H

#include "runtime/session/Session.h"

#include <atomic>
#include <sys/types.h>

namespace sortie {

/// Owned by the session's handle and those of its runs. Every function may be called by any thread
/// at any time.
class SharedSession {
public:
  explicit SharedSession(std::unique_ptr<Session> session);
  ~SharedSession();
  SharedSession(const SharedSession &) = delete;
  SharedSession &operator=(const SharedSession &) = delete;

  /// Calls `body`, which gives an error, with the session: null when it has been destroyed, which
  /// only runs outlive. An error instead, if a call is under way (in another thread, or in this one
  /// from a callback), or if this process has inherited the session. `caller` is the function of
  /// the C API, for messages.
  template <typename Body> llvm::Error use(llvm::StringRef caller, Body body) {
    if (llvm::Error error = enter(caller))
      return error;
    llvm::Error result = body(session.get());
    leave();
    return result;
  }

  /// Destroys the session: at the end of the call that is under way, if there is one. In a process
  /// that has inherited it, it stays where it is: its threads and its GPU are the parent's.
  void destroy();

private:
  enum class State : uint8_t { Idle, InUse, EndsAfterUse };

  llvm::Error enter(llvm::StringRef caller);
  void leave();

  std::unique_ptr<Session> session;
  const pid_t process;
  std::atomic<State> state{State::Idle};
};

} // namespace sortie

#endif // SORTIE_RUNTIME_SESSION_SHAREDSESSION_H
