// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How much memory of its device a program needs, known before anything is allocated.

#ifndef SORTIE_RUNTIME_SESSION_MEMORYPLAN_H
#define SORTIE_RUNTIME_SESSION_MEMORYPLAN_H

#include "runtime/session/SymbolLimits.h"

#include "llvm/Support/Error.h"

namespace sortie {

struct MemoryPlan {
  uint64_t weights = 0;
  uint64_t arena = 0;     ///< of the largest function of each partition
  uint64_t arguments = 0; ///< inputs and outputs of the largest function; 0 on the CPU
  uint64_t states = 0;    ///< of whole partitions
  uint64_t library = 0;   ///< what cuBLAS works in; 0 where no function uses it

  /// "weights 1.50 GiB, intermediate values 20.00 MiB, inputs and outputs 4096 bytes".
  std::string describe() const;
};

/// Of running these functions within `limits`, on all devices together.
MemoryPlan planMemory(const Program &program, llvm::ArrayRef<size_t> functions,
                      const SymbolLimits &limits);

/// The same of those functions that are of one partition, on its device.
MemoryPlan planPartition(const Program &program, uint32_t partition,
                         llvm::ArrayRef<size_t> functions, const SymbolLimits &limits);

/// Where the states of a partition lie in the block that holds all of them, one behind the other.
struct StateLayout {
  /// Of each state of the program, a multiple of 256; 0 for those of other partitions.
  llvm::SmallVector<uint64_t> offsets;
  uint64_t bytes = 0;
};
StateLayout layoutStates(const Program &program, uint32_t partition, const SymbolLimits &limits);

/// Whether the states of each partition take less than 2^48 bytes, as all else does.
llvm::Error checkStates(const Program &program, const SymbolLimits &limits);

/// The weights that any of these functions reads.
llvm::BitVector weightsOf(const Program &program, llvm::ArrayRef<size_t> functions);
/// The same of those functions that are of one partition.
llvm::BitVector weightsOf(const Program &program, uint32_t partition,
                          llvm::ArrayRef<size_t> functions);

/// The partitions of these functions, in ascending order.
llvm::SmallVector<uint32_t> partitionsOf(const Program &program, llvm::ArrayRef<size_t> functions);

/// Bytes of one weight in the memory of all devices whose functions read it.
uint64_t weightBytes(const Program &program, WeightId weight);

/// Where the arguments of a function lie in the device buffer that a session has for them; those
/// that stay on the host take no room. Offsets do not depend on the number of tokens, so that
/// graphs stay valid.
struct ArgumentLayout {
  llvm::SmallVector<uint64_t> inputs;
  llvm::SmallVector<uint64_t> outputs;
  uint64_t bytes = 0;
};
ArgumentLayout layoutArguments(const Program &program, const Function &function,
                               const SymbolLimits &limits);

} // namespace sortie

#endif // SORTIE_RUNTIME_SESSION_MEMORYPLAN_H
