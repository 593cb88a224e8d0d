// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Compares what a function computed before and after a rewrite.

#ifndef SORTIE_TEST_INTERPRETER_COMPARE_H
#define SORTIE_TEST_INTERPRETER_COMPARE_H

#include "test/interpreter/Interpreter.h"

#include <optional>

namespace sortie::interpreter {

/// How much has been compared; every comparison adds to it.
struct Compared {
  int64_t values = 0, numbers = 0;
};

/// Compares all results, every named value that is still there, and what is new in caches.
/// Describes the first difference: value, place, both numbers. Numbers differ if by more than
/// `tolerance` times the largest of their tensor. What meant nothing before may be anything; what
/// meant something must go on. Rows may have been sorted by expert: they are compared in the order
/// of slots.
std::optional<std::string> findDifference(const Outcome &before, const Outcome &after,
                                          double tolerance, Compared &compared);

} // namespace sortie::interpreter

#endif // SORTIE_TEST_INTERPRETER_COMPARE_H
