// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What happens to the result of a matrix product: bias, routing weight, the sum over a token's
// experts, residual addition.

#ifndef SORTIE_RUNTIME_NUMERICS_COMBINE_H
#define SORTIE_RUNTIME_NUMERICS_COMBINE_H

#include "runtime/numerics/float.h"

namespace sortie::numerics {

/// A routed row times its routing weight. Always rounded on its own, never part of an fma: whether
/// a kernel applies the weight where it stores the row, or the combine does, must not be seen.
SORTIE_NUMERICS_INLINE float weighted(float weight, float x) { return mul(weight, x); }

/// One more slot of a token's sum over its experts; slots in ascending order, the first as it is.
SORTIE_NUMERICS_INLINE float addSlot(float sum, float weightedRow) { return add(sum, weightedRow); }

/// out[i] = sum over the `slots` >= 1 rows of weights[j] * rows[j][i], in slot order. `weights` is
/// null when the rows have their weight already.
SORTIE_NUMERICS_INLINE void combineSlots(const float *const *rows, const float *weights, int slots,
                                         int64_t n, float *out) {
  for (int64_t i = 0; i < n; ++i) {
    float sum = weights != nullptr ? weighted(weights[0], rows[0][i]) : rows[0][i];
    for (int j = 1; j < slots; ++j)
      sum = addSlot(sum, weights != nullptr ? weighted(weights[j], rows[j][i]) : rows[j][i]);
    out[i] = canonicalNan(sum);
  }
}

} // namespace sortie::numerics

#endif // SORTIE_RUNTIME_NUMERICS_COMBINE_H
