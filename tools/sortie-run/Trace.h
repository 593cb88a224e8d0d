// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `--trace`: a run as a Chrome trace (chrome://tracing, ui.perfetto.dev).

#ifndef SORTIE_TOOLS_SORTIE_RUN_TRACE_H
#define SORTIE_TOOLS_SORTIE_RUN_TRACE_H

#include "tools/sortie-run/StepLog.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <chrono>

namespace sortie::tool {

/// Phases of the tool (loading, packing, running) and the steps inside of runs.
class Trace {
public:
  using Clock = std::chrono::steady_clock;

  Clock::time_point now() const { return Clock::now(); }
  /// A phase from `begin` until now.
  void addPhase(llvm::StringRef name, Clock::time_point begin);
  /// The steps of a run that began at `begin`.
  void addSteps(const StepLog &log, Clock::time_point begin);

  llvm::Error write(llvm::StringRef path) const;

private:
  struct Event {
    std::string name;
    std::string label;
    double beginMicroseconds;
    double microseconds;
    uint64_t bytes;
    uint64_t operations;
  };

  double sinceStart(Clock::time_point time) const {
    return std::chrono::duration<double, std::micro>(time - start).count();
  }

  Clock::time_point start = Clock::now();
  std::vector<Event> events;
};

} // namespace sortie::tool

#endif // SORTIE_TOOLS_SORTIE_RUN_TRACE_H
