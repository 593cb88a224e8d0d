// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Root-mean-square normalisation.

#ifndef SORTIE_RUNTIME_NUMERICS_NORM_H
#define SORTIE_RUNTIME_NUMERICS_NORM_H

#include "runtime/numerics/reduce.h"

namespace sortie::numerics {

/// The factor 1 / sqrt(sumOfSquares / k + epsilon) of a row of `k` elements, 1 <= k <= 2^24.
SORTIE_NUMERICS_INLINE float rmsNormFactor(float sumOfSquares, int64_t k, float epsilon) {
  const float mean = div(sumOfSquares, toFloat(static_cast<int32_t>(k)));
  return div(1.0f, sqrt(add(mean, epsilon)));
}

/// out = (x * factor) * weight over a row of `k` elements; `out` may be `x`.
SORTIE_NUMERICS_INLINE void rmsNorm(const float *x, const float *weight, int64_t k, float epsilon,
                                    float *out) {
  const float factor = rmsNormFactor(floatDot(x, x, k), k, epsilon);
  for (int64_t i = 0; i < k; ++i)
    out[i] = canonicalNan(mul(mul(x[i], factor), weight[i]));
}

} // namespace sortie::numerics

#endif // SORTIE_RUNTIME_NUMERICS_NORM_H
