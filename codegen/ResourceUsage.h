// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a compiled kernel takes of a multiprocessor, from the compiler's log.

#ifndef SORTIE_CODEGEN_RESOURCEUSAGE_H
#define SORTIE_CODEGEN_RESOURCEUSAGE_H

#include "llvm/ADT/StringRef.h"

#include <optional>

namespace sortie::codegen {

struct ResourceUsage {
  int registers = 0;    ///< of a thread
  int stack = 0;        ///< bytes of local memory of a thread, spills included
  int spillStores = 0;  ///< bytes
  int spillLoads = 0;   ///< bytes
  int staticShared = 0; ///< bytes of a block

  /// Spills, other local memory and static shared memory have no place in our kernels.
  bool isClean() const {
    return stack == 0 && spillStores == 0 && spillLoads == 0 && staticShared == 0;
  }
  /// But products that share a kernel may keep a pointer or two there: ptxas computes in front of
  /// all of them what several begin with.
  bool isCleanForJoined() const { return stack <= 16 && staticShared == 0; }
};

/// Reads what `ptxas -v` wrote of the entry function `kernel`. Empty if it wrote nothing of it, as
/// for PTX, which no register has been allocated for yet.
std::optional<ResourceUsage> parseResourceUsage(llvm::StringRef log, llvm::StringRef kernel);

} // namespace sortie::codegen

#endif // SORTIE_CODEGEN_RESOURCEUSAGE_H
