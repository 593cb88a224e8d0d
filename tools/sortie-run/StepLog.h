// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The steps of one run as an observer hears of them.

#ifndef SORTIE_TOOLS_SORTIE_RUN_STEPLOG_H
#define SORTIE_TOOLS_SORTIE_RUN_STEPLOG_H

#include "runtime/include/sortie/sortie.h"

#include <string>
#include <vector>

namespace sortie::tool {

struct LoggedStep {
  std::string operation;
  std::string label;
  uint64_t beginNanoseconds;
  uint64_t endNanoseconds;
  uint64_t bytes;
  uint64_t operations;

  uint64_t nanoseconds() const { return endNanoseconds - beginNanoseconds; }
};

struct StepLog {
  std::vector<LoggedStep> steps;

  /// An observer that appends to this log.
  sortie_observer observer() {
    sortie_observer observer = SORTIE_INIT(sortie_observer);
    observer.user = this;
    observer.step = [](void *user, const sortie_step_info *info) {
      static_cast<StepLog *>(user)->steps.push_back({info->operation, info->label, info->begin_ns,
                                                     info->end_ns, info->bytes, info->operations});
    };
    return observer;
  }
};

} // namespace sortie::tool

#endif // SORTIE_TOOLS_SORTIE_RUN_STEPLOG_H
