// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Integers that are random and always the same.

#ifndef SORTIE_TEST_INTERPRETER_RANDOMINTEGERS_H
#define SORTIE_TEST_INTERPRETER_RANDOMINTEGERS_H

#include "test/interpreter/Weights.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/Sequence.h"

namespace sortie::interpreter {

/// A sequence of random integers.
class RandomIntegers {
public:
  explicit RandomIntegers(uint64_t key) : key(key) {}

  /// The next one, in [0, limit).
  int64_t below(int64_t limit) {
    return static_cast<int64_t>(randomBits(key, drawn++) % static_cast<uint64_t>(limit));
  }
  /// The numbers [0, count) in a random order (Fisher and Yates).
  std::vector<double> shuffled(int64_t count) {
    auto result = llvm::to_vector_of<double>(llvm::seq<int64_t>(count));
    for (int64_t last = count - 1; last > 0; --last)
      std::swap(result[last], result[below(last + 1)]);
    return {result.begin(), result.end()};
  }

private:
  uint64_t key, drawn = 0;
};

} // namespace sortie::interpreter

#endif // SORTIE_TEST_INTERPRETER_RANDOMINTEGERS_H
