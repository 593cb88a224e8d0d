// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How much memory a process may have.

#ifndef SORTIE_TOOLS_COMMON_MACHINEMEMORY_H
#define SORTIE_TOOLS_COMMON_MACHINEMEMORY_H

#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <string>

namespace sortie {

struct MachineMemory {
  uint64_t bytes = 0; ///< 0: it cannot be known
  /// What sets the limit: "the machine", "a control group", "ulimit".
  llvm::StringLiteral origin = "the machine";
};

/// The least of the machine's memory, the limits of the process's control groups (of both versions)
/// and of those around them, and its limits of address space and data. Swap is not counted.
MachineMemory machineMemory();

/// The same without the last ones, of the system whose /proc and /sys lie in `root`.
MachineMemory machineMemoryOf(llvm::StringRef root);

/// "17.28 GiB", or MiB below one.
std::string describeBytes(uint64_t bytes);

} // namespace sortie

#endif // SORTIE_TOOLS_COMMON_MACHINEMEMORY_H
