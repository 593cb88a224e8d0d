// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Who called: progress, cancellation and observation of a caller's callbacks.

#ifndef SORTIE_RUNTIME_CAPI_CALLER_H
#define SORTIE_RUNTIME_CAPI_CALLER_H

#include "runtime/capi/CStructs.h"
#include "runtime/session/Session.h"

namespace sortie {

/// sortie_callbacks and sortie_observer as the runtime's observer.
class CallerObserver : public RunObserver {
public:
  /// Null pointers are valid.
  static llvm::Expected<CallerObserver> read(const sortie_observer *observer,
                                             const sortie_callbacks *callbacks) {
    llvm::Expected<sortie_observer> ownObserver = readStruct(observer);
    if (!ownObserver)
      return ownObserver.takeError();
    llvm::Expected<sortie_callbacks> ownCallbacks = readStruct(callbacks);
    if (!ownCallbacks)
      return ownCallbacks.takeError();
    return CallerObserver(*ownObserver, *ownCallbacks);
  }

  bool wantsSteps() const override { return observer.step; }
  void step(const StepReport &report) override {
    sortie_step_info info = SORTIE_INIT(sortie_step_info);
    info.index = report.index;
    info.operation = report.step.operation.c_str();
    info.label = report.step.label.c_str();
    info.begin_ns = report.beginNanoseconds;
    info.end_ns = report.endNanoseconds;
    info.bytes = report.cost.bytes;
    info.operations = report.cost.operations;
    observer.step(observer.user, &info);
  }

  bool wantsCheckpoints() const override { return observer.checkpoint; }
  void checkpoint(const std::string &name, std::optional<uint64_t> hash) override {
    observer.checkpoint(observer.user, name.c_str(), hash.has_value(), hash.value_or(0));
  }

  bool isCancelled(size_t done, size_t total) override { return report("steps", done, total); }

  /// True if the caller wants to stop.
  bool report(const char *what, uint64_t done, uint64_t total) const {
    if (callbacks.progress)
      callbacks.progress(callbacks.user, what, done, total);
    return callbacks.cancelled && callbacks.cancelled(callbacks.user);
  }

private:
  CallerObserver(const sortie_observer &observer, const sortie_callbacks &callbacks)
      : observer(observer), callbacks(callbacks) {}

  sortie_observer observer;
  sortie_callbacks callbacks;
};

} // namespace sortie

#endif // SORTIE_RUNTIME_CAPI_CALLER_H
