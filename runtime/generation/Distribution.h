// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A row of logits as a distribution over tokens. docs/numerics-models.md, "Sampling", states every
// rounding; nothing here depends on the host.

#ifndef SORTIE_RUNTIME_GENERATION_DISTRIBUTION_H
#define SORTIE_RUNTIME_GENERATION_DISTRIBUTION_H

#include "runtime/support/Error.h"

#include "llvm/ADT/ArrayRef.h"

#include <vector>

namespace sortie::generation {

/// The number of the largest logit, of equal ones the first. An error that names the token if one
/// is NaN or +infinity, or if all are -infinity; there must be one.
llvm::Expected<size_t> findLargest(llvm::ArrayRef<float> logits);

/// e^((x - largest) / temperature) of each logit, and what they add up to.
struct Weights {
  std::vector<float> values;
  std::vector<float> totals; ///< of the values up to the end of each chunk of 1024

  void assign(llvm::ArrayRef<float> logits, float largest, float temperature);
  float total() const { return totals.back(); }
  /// The number of the value that `random`, in [0, 1), falls on.
  size_t draw(float random) const;
};

/// The natural logarithm of a token's probability, as the logits have it: without temperature and
/// filters. An error if there is no such token, and those of findLargest().
llvm::Expected<float> logProbability(llvm::ArrayRef<float> logits, int32_t token);

} // namespace sortie::generation

#endif // SORTIE_RUNTIME_GENERATION_DISTRIBUTION_H
