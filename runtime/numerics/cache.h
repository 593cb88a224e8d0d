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

/// Rows of integers in a page, one for each position: [limbs][128 / 16][elements / 4][16][4], the
/// low limb first, `elements` rounded up to quads.
struct CacheRowsLayout {
  int64_t scales; ///< byte offset of their scales, floats [128]
  int64_t first;  ///< byte offset of the integers
  int64_t limb;   ///< bytes of a limb of all rows
  int64_t panel;  ///< bytes of a panel of a limb: 16 positions
};

/// Byte offsets in what a page has for one head of keys:
///   float scales of the keys [128];
///   float scales of the values [128], or of the rotated part of keys;
///   keys;
///   the rotated part of keys, where they have two;
///   values [limbs][value / 16][128 / 4][16][4], `value` rounded up to panels.
///
/// The first part of keys of two parts is the value, too. It is stored twice, along the row and
/// across it, with scales that serve both: sums over elements and over positions then both read
/// bytes that lie together.
struct CachePageLayout {
  CacheRowsLayout keys;
  CacheRowsLayout rotated; ///< all zero where keys have one part
  int64_t valueScales;
  int64_t values;
  int64_t headBytes;

  int64_t valueLimb;  ///< bytes of a limb of all values
  int64_t valuePanel; ///< bytes of a panel of a limb: 16 elements
};

/// `elements` of each of 128 positions, from byte `first` on.
SORTIE_NUMERICS_CONSTEXPR CacheRowsLayout cacheRowsLayout(int64_t scales, int64_t first,
                                                          int64_t elements) {
  const int64_t panel = kCachePanelRows * roundedUp(elements, kCacheQuad);
  return {scales, first, kAttentionChunk / kCachePanelRows * panel, panel};
}

/// `rotated`: elements of the second part of keys, whose first part is the value; 0: of one part.
SORTIE_NUMERICS_CONSTEXPR CachePageLayout cachePageLayout(ActivationWidth width, int64_t key,
                                                          int64_t value, int64_t rotated = 0) {
  const int64_t limbs = width == ActivationWidth::Int16 ? 2 : 1;
  const int64_t scales = kAttentionChunk * 4;
  CachePageLayout layout{};
  layout.keys = cacheRowsLayout(/*scales=*/0, 2 * scales, key);
  layout.valueScales = scales;
  layout.values = layout.keys.first + limbs * layout.keys.limb;
  if (rotated != 0) {
    layout.rotated = cacheRowsLayout(scales, layout.values, rotated);
    layout.valueScales = layout.keys.scales;
    layout.values += limbs * layout.rotated.limb;
  }
  layout.valuePanel = kCachePanelRows * kAttentionChunk;
  layout.valueLimb = roundedUp(value, kCachePanelRows) / kCachePanelRows * layout.valuePanel;
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
                                                 int64_t value, int64_t rotated = 0) {
  return heads * cachePageLayout(width, key, value, rotated).headBytes / 4;
}

/// kappa: what the scale of a query is multiplied with, so that scores are exponents of 2. Rounded
/// to double precision, then to single.
SORTIE_NUMERICS_CONSTEXPR float exponentScale(double softmaxScale) {
  return static_cast<float>(softmaxScale * 0x1.71547652b82fep+0);
}

} // namespace sortie::numerics

#endif // SORTIE_RUNTIME_NUMERICS_CACHE_H
