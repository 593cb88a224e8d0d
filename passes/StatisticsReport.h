// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the passes of a run counted.

#ifndef SORTIE_PASSES_STATISTICSREPORT_H
#define SORTIE_PASSES_STATISTICSREPORT_H

#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/Support/raw_ostream.h"

#include <mutex>

namespace sortie {

class StatisticsReport {
public:
  /// Collects what passes count by the Statistic of this project, on whatever threads. The report
  /// must outlive the manager; several managers may share it.
  void attach(mlir::PassManager &manager);

  /// Prints passes in the order in which they first ran, each once, with the sums of all its runs.
  void print(llvm::raw_ostream &os) const;

private:
  class Instrumentation;
  struct Line {
    llvm::StringRef name, description;
    uint64_t count = 0;
  };

  void collect(mlir::Pass &pass);

  std::mutex mutex;
  llvm::MapVector<llvm::StringRef, llvm::SmallVector<Line, 0>> linesOf;
};

} // namespace sortie

#endif // SORTIE_PASSES_STATISTICSREPORT_H
