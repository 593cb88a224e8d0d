// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a run tells whoever watches it.

#ifndef SORTIE_RUNTIME_SESSION_OBSERVER_H
#define SORTIE_RUNTIME_SESSION_OBSERVER_H

#include "runtime/program/Program.h"

#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <optional>

namespace sortie {

/// What a step moved and computed.
struct StepCost {
  uint64_t bytes = 0;      ///< of packed weights (experts in use only) and of buffers
  uint64_t operations = 0; ///< multiplications and additions of matrix products
};

struct StepReport {
  size_t index;
  const Step &step;
  uint64_t beginNanoseconds; ///< since the run began
  uint64_t endNanoseconds;
  StepCost cost;
};

/// Calls come from the thread that runs, in the order of the program.
class RunObserver {
public:
  virtual ~RunObserver() = default;

  virtual bool wantsSteps() const { return false; }
  virtual void step(const StepReport &) {}

  virtual bool wantsCheckpoints() const { return false; }
  /// The hash of a named value; none if it was fused away.
  virtual void checkpoint(const std::string &, std::optional<uint64_t>) {}

  /// Asked before each step; true ends the run.
  virtual bool isCancelled(size_t, size_t) { return false; }
};

} // namespace sortie

#endif // SORTIE_RUNTIME_SESSION_OBSERVER_H
