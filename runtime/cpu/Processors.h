// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How many processors this process may use, which is often fewer than the machine has.

#ifndef SORTIE_RUNTIME_CPU_PROCESSORS_H
#define SORTIE_RUNTIME_CPU_PROCESSORS_H

#include "llvm/ADT/StringRef.h"

#include <optional>

namespace sortie::cpu {

/// The processors that the calling thread may run on (its affinity mask), or as many as the time
/// that its control groups allow is worth, if that is less: at least 1.
int availableProcessors();

/// The processors that the quotas of control groups are worth, rounded up: the least of the group
/// that `membership` (the text of /proc/self/cgroup) names, and of those around it. `root` is where
/// the control groups are mounted (/sys/fs/cgroup). Nothing where no group has a quota. Both
/// versions of control groups: https://docs.kernel.org/admin-guide/cgroup-v2.html (cpu.max) and
/// https://docs.kernel.org/scheduler/sched-bwc.html (cpu.cfs_quota_us, cpu.cfs_period_us).
std::optional<int> processorsOfQuota(llvm::StringRef membership, llvm::StringRef root);

} // namespace sortie::cpu

#endif // SORTIE_RUNTIME_CPU_PROCESSORS_H
