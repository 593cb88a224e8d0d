// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How a token is drawn: weights of logits, their sum, and where a random number falls in it.

#ifndef SORTIE_RUNTIME_NUMERICS_SAMPLE_H
#define SORTIE_RUNTIME_NUMERICS_SAMPLE_H

#include "runtime/numerics/log.h"
#include "runtime/numerics/reduce.h"

namespace sortie::numerics {

/// e^((x - largest) / temperature), the weight of a logit; 1 for the largest.
SORTIE_NUMERICS_INLINE float sampleWeight(float x, float largest, float temperature) {
  return exp(div(sub(x, largest), temperature));
}

/// Where a threshold falls: the first index up to which `n` <= 1024 weights, added one by one, are
/// more than `threshold`; if rounding keeps all of them below it, the last one that is not 0. The
/// weights are at least 0, one of them is more.
SORTIE_NUMERICS_INLINE int drawInChunk(const float *weights, int n, float threshold) {
  float total = 0.0f;
  int last = 0;
  for (int i = 0; i < n; ++i) {
    if (weights[i] == 0.0f)
      continue;
    total = add(total, weights[i]);
    last = i;
    if (total > threshold)
      break;
  }
  return last;
}

/// A random word as a number in [0, 1), of its upper 24 bits.
SORTIE_NUMERICS_INLINE float toUnitInterval(uint64_t word) {
  return mul(toFloat(static_cast<int32_t>(word >> 40)), 0x1p-24f);
}

} // namespace sortie::numerics

#endif // SORTIE_RUNTIME_NUMERICS_SAMPLE_H
