// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How the pages of an attention cache lie in memory. A page holds kAttentionChunk positions, and so
// the keys whose softmax is taken together. Compiled programs plan caches with these sizes.

#ifndef SORTIE_RUNTIME_NUMERICS_CACHE_H
#define SORTIE_RUNTIME_NUMERICS_CACHE_H

#include "runtime/numerics/attention.h"

namespace sortie::numerics {

/// Integers of a cache are stored as bytes, of `int16` one for each limb. Bytes lie as those of
/// packed weights do: in panels of 16 rows, in each row four elements together. The rows of keys
/// are positions; those of values are elements of the head, for sums run over positions.
constexpr int kCachePanelRows = 16;
constexpr int kCacheQuad = 4;

/// Added to each limb, so that bytes are unsigned.
constexpr int kCacheBias = 128;

/// `count` rounded up to a multiple of `unit`.
SORTIE_NUMERICS_CONSTEXPR int64_t roundedUp(int64_t count, int64_t unit) {
  return (count + unit - 1) / unit * unit;
}

/// Byte offsets in what a page has for one head of keys:
///   float scales of the keys [128], float scales of the values [128];
///   keys [limbs][128 / 16][key / 4][16][4], the low limb first, `key` rounded up to quads;
///   values [limbs][value / 16][128 / 4][16][4], `value` rounded up to panels.
struct CachePageLayout {
  int64_t keyScales;
  int64_t valueScales;
  int64_t keys;
  int64_t values;
  int64_t headBytes;

  int64_t keyLimb;    ///< bytes of a limb of all keys
  int64_t keyPanel;   ///< bytes of a panel of a limb: 16 positions
  int64_t valueLimb;  ///< bytes of a limb of all values
  int64_t valuePanel; ///< bytes of a panel of a limb: 16 elements
};

SORTIE_NUMERICS_CONSTEXPR CachePageLayout cachePageLayout(ActivationWidth width, int64_t key,
                                                          int64_t value) {
  const int64_t limbs = width == ActivationWidth::Int16 ? 2 : 1;
  const int64_t scales = kAttentionChunk * 4;
  CachePageLayout layout{};
  layout.valueScales = scales;
  layout.keys = 2 * scales;
  layout.keyPanel = kCachePanelRows * roundedUp(key, kCacheQuad);
  layout.keyLimb = kAttentionChunk / kCachePanelRows * layout.keyPanel;
  layout.valuePanel = kCachePanelRows * kAttentionChunk;
  layout.valueLimb = roundedUp(value, kCachePanelRows) / kCachePanelRows * layout.valuePanel;
  layout.values = layout.keys + limbs * layout.keyLimb;
  layout.headBytes = layout.values + limbs * layout.valueLimb;
  return layout;
}

/// Where element `element` of the row `row` lies in an array of panels.
SORTIE_NUMERICS_CONSTEXPR int64_t cacheByte(int64_t panelBytes, int64_t row, int64_t element) {
  return row / kCachePanelRows * panelBytes +
         (element / kCacheQuad * kCachePanelRows + row % kCachePanelRows) * kCacheQuad +
         element % kCacheQuad;
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
