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

#include "llvm/ADT/StringRef.h"

#include <optional>

namespace sortie::cpu {

/// The number of an operation, "add"; nothing if the CPU has none of this name.
std::optional<uint32_t> findOperation(llvm::StringRef name);

/// An id of an expert, among the operands of an operation, that is none.
struct BadExpertId {
  int64_t slot;
  int64_t slotsOfToken;
  int32_t id;
  int64_t experts;
};

/// Computes the outputs, or says what is wrong with the ids that the caller passed.
std::optional<BadExpertId> runOperation(uint32_t operation, const Operands &operands,
                                        const Device &device);

} // namespace sortie::cpu

#endif // SORTIE_RUNTIME_CPU_OPERATIONS_H
