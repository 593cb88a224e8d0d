// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a word of a whole model takes of memory, told before anything is allocated.

#ifndef SORTIE_TOOLS_SORTIE_RUN_MODELMEMORY_H
#define SORTIE_TOOLS_SORTIE_RUN_MODELMEMORY_H

#include "runtime/generation/SessionForward.h"
#include "tools/common/MachineMemory.h"

#include "llvm/Support/raw_ostream.h"

namespace sortie::tool {

struct ModelMemory {
  uint64_t weights = 0; ///< as kernels read them; their file is mapped besides
  uint64_t caches = 0;
  uint64_t positions = 0; ///< that the caches have room for
  uint64_t scratch = 0;   ///< intermediate values, and what threads work in
  uint64_t logits = 0;

  static llvm::Expected<ModelMemory> plan(const sortie_program *program,
                                          const generation::ForwardFunction &forward,
                                          const generation::SessionLimits &limits);

  uint64_t total() const { return weights + caches + scratch + logits; }
  /// "weights 17.28 GiB, caches of 640 positions 60.00 MiB, scratch 20.00 MiB, logits 1.00 MiB".
  std::string describe() const;
  /// An error if the machine has less.
  llvm::Error checkFits(const MachineMemory &machine) const;
};

} // namespace sortie::tool

#endif // SORTIE_TOOLS_SORTIE_RUN_MODELMEMORY_H
