// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Statistics of passes. LLVM's own count nothing in releases as distributions build them, and MLIR
// prints nothing of them then; the build puts this class into the code that is generated from
// Passes.td, and StatisticsReport prints it.

#ifndef SORTIE_PASSES_STATISTIC_H
#define SORTIE_PASSES_STATISTIC_H

#include "mlir/Pass/Pass.h"

#include <atomic>

namespace sortie {

/// A number that a pass counts. Its pass lists it among its statistics. The base is private because
/// counting by it would count nothing.
class Statistic : private mlir::Pass::Statistic {
public:
  Statistic(mlir::Pass *owner, const char *name, const char *description);
  ~Statistic();

  /// `statistic` as one of this class; null if it is none, such as one of MLIR's own passes or of a
  /// plugin's. Any thread may call it.
  static Statistic *of(mlir::Pass::Statistic *statistic);

  llvm::StringRef getName() const { return name; }
  llvm::StringRef getDescription() const { return description; }

  Statistic &operator+=(uint64_t number) {
    count.fetch_add(number, std::memory_order_relaxed);
    return *this;
  }
  Statistic &operator++() { return *this += 1; }

  /// What was counted since the last call.
  uint64_t take() { return count.exchange(0, std::memory_order_relaxed); }

private:
  const char *name;
  const char *description;
  std::atomic<uint64_t> count = 0;
};

} // namespace sortie

#endif // SORTIE_PASSES_STATISTIC_H
