// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How the pages of an attention cache lie in the memory of the CPU, and the constants that a
// compiler and a device must agree about. A page holds kAttentionChunk positions, and so the keys
// whose softmax is taken together.

#ifndef SORTIE_RUNTIME_NUMERICS_CACHE_H
#define SORTIE_RUNTIME_NUMERICS_CACHE_H

#include "runtime/numerics/attention.h"

namespace sortie::numerics {

/// Byte offsets in what a page has for one head of keys:
///   float scales of the keys [128], float scales of the values [128];
///   the integers of the keys [128][key];
///   the integers of the values [value][128], since sums over positions are what they are read for.
struct CachePageLayout {
  int64_t keyScales;
  int64_t valueScales;
  int64_t keys;
  int64_t values;
  int64_t headBytes; ///< a multiple of 128
};

/// The layout for heads of `key` and `value` elements.
SORTIE_NUMERICS_CONSTEXPR CachePageLayout cachePageLayout(ActivationWidth width, int64_t key,
                                                          int64_t value) {
  const int64_t integer = width == ActivationWidth::Int16 ? 2 : 1;
  const int64_t scales = kAttentionChunk * 4;
  const int64_t keys = 2 * scales;
  const int64_t values = keys + kAttentionChunk * key * integer;
  return {0, scales, keys, values, values + kAttentionChunk * value * integer};
}

/// 32-bit words of a page of `heads` heads of keys.
SORTIE_NUMERICS_CONSTEXPR int64_t cachePageWords(ActivationWidth width, int64_t heads, int64_t key,
                                                 int64_t value) {
  return heads * cachePageLayout(width, key, value).headBytes / 4;
}

/// kappa: what the scale of a query is multiplied with, so that scores are exponents of 2. Rounded
/// to double precision, then to single.
SORTIE_NUMERICS_CONSTEXPR float exponentScale(double softmaxScale) {
  return static_cast<float>(softmaxScale * 0x1.71547652b82fep+0);
}

} // namespace sortie::numerics

#endif // SORTIE_RUNTIME_NUMERICS_CACHE_H
