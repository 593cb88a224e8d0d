// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reductions over fp32 values, all of one shape: chunks of 1024 elements; in a chunk 16 partials,
// partial j over the elements whose index is j modulo 16, in ascending order; then a pairwise tree
// over the partials; then the chunk sums in ascending order. This is `float` arithmetic (weights in
// F32, F16, BF16, and the router), and what softmax and norms are made of.

#ifndef SORTIE_RUNTIME_NUMERICS_REDUCE_H
#define SORTIE_RUNTIME_NUMERICS_REDUCE_H

#include "runtime/numerics/exp.h"

namespace sortie::numerics {

/// Adds the partials j and j + 8, then j and j + 4, 2, 1. Overwrites them.
SORTIE_NUMERICS_INLINE float sumPartials(float (&partials)[kPartials]) {
  for (int width = kPartials / 2; width > 0; width /= 2)
    for (int j = 0; j < width; ++j)
      partials[j] = add(partials[j], partials[j + width]);
  return partials[0];
}

/// The dot product of one chunk: `count` <= 1024 activations with weights of any type that `widen`
/// takes. Elements past the end do not exist. Code that must pad a row to whole vectors pads the
/// activations with +0.0 and the weights with -0.0: fma(0.0, -0.0, p) is p, for p = -0.0 as well.
template <typename Weight>
SORTIE_NUMERICS_INLINE float chunkDot(const float *x, const Weight *w, int count) {
  float partials[kPartials] = {};
  int k = 0;
  for (; k + kPartials <= count; k += kPartials)
    for (int j = 0; j < kPartials; ++j)
      partials[j] = fma(x[k + j], widen(w[k + j]), partials[j]);
  for (int j = 0; k + j < count; ++j)
    partials[j] = fma(x[k + j], widen(w[k + j]), partials[j]);
  return sumPartials(partials);
}

/// The dot product in `float` arithmetic of a row of `k` >= 1 elements.
template <typename Weight>
SORTIE_NUMERICS_INLINE float floatDot(const float *x, const Weight *w, int64_t k) {
  float total = 0.0f;
  for (int64_t first = 0; first < k; first += kChunk) {
    const int count = static_cast<int>(k - first < kChunk ? k - first : kChunk);
    const float sum = chunkDot(x + first, w + first, count);
    total = first == 0 ? sum : add(total, sum);
  }
  return total;
}

/// The sum of `n` <= 1024 values: one chunk.
SORTIE_NUMERICS_INLINE float chunkSum(const float *x, int n) {
  float partials[kPartials] = {};
  for (int i = 0; i < n; ++i)
    partials[i % kPartials] = add(partials[i % kPartials], x[i]);
  return sumPartials(partials);
}

/// softmax over 1 <= n <= 1024 values; `out` may be `x`. A NaN or +inf among the values, or nothing
/// but -inf, makes every result NaN.
SORTIE_NUMERICS_INLINE void softmax(const float *x, int n, float *out) {
  float largest = x[0];
  for (int i = 1; i < n; ++i)
    largest = x[i] > largest ? x[i] : largest;
  for (int i = 0; i < n; ++i)
    out[i] = exp(sub(x[i], largest));
  const float sum = chunkSum(out, n);
  for (int i = 0; i < n; ++i)
    out[i] = canonicalNan(div(out[i], sum));
}

} // namespace sortie::numerics

#endif // SORTIE_RUNTIME_NUMERICS_REDUCE_H
