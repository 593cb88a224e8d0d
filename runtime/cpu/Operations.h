// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The operations of the CPU device by their names in the dialect `moert`, so that nobody else needs
// a list of them. An operation checks nothing (the program loader has), allocates nothing, and
// gives the same bits for every instruction set, every number of threads and every batch size.

#ifndef SORTIE_RUNTIME_CPU_OPERATIONS_H
#define SORTIE_RUNTIME_CPU_OPERATIONS_H

#include "runtime/cpu/Device.h"
#include "runtime/cpu/Operands.h"
#include "runtime/numerics/status.h"

#include "llvm/ADT/StringRef.h"

#include <optional>

namespace sortie::cpu {

/// The number of an operation, "add"; nothing if the CPU has none of this name.
std::optional<uint32_t> findOperation(llvm::StringRef name);

/// A number among the operands of an operation that is not in [0, bound).
struct BadIndex {
  using Kind = numerics::IndexFault;

  Kind kind;
  /// In its buffer. Of a sequence, a position and a page, the token; of a place that two tokens
  /// have, the first of them, and `index` is the other one.
  int64_t position;
  int64_t slotsOfToken; ///< of ids of experts
  int32_t index;
  int64_t bound;
};

/// Computes the outputs, or says what is wrong with the numbers that the caller passed.
std::optional<BadIndex> runOperation(uint32_t operation, const Operands &operands,
                                     const Device &device);

} // namespace sortie::cpu

#endif // SORTIE_RUNTIME_CPU_OPERATIONS_H
