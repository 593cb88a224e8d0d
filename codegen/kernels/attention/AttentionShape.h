// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the parts of attention know of a model, and of their operands.
//
// struct Spec of a kernel's source:
//   kOwn, kCached           ActivationWidth of queries and weights, of keys and values
//   kHeads, kKvHeads        of queries and of keys
//   kKey, kValue, kRotated  elements of a head; of the second part of keys, 0 if they have one
//   kScale                  bits of kappa
//   kWindow                 positions that a query sees; 0: all
//   kPages                  entries of a sequence in the table of pages
//   kSplit                  most tokens that attendSpans takes
//   kHasSinks
//   kSharedLimit            bytes of shared memory that a thread block may have

#ifndef SORTIE_CODEGEN_KERNELS_ATTENTION_ATTENTIONSHAPE_H
#define SORTIE_CODEGEN_KERNELS_ATTENTION_ATTENTIONSHAPE_H

#include "codegen/kernels/attention/AttentionGeometry.h"
#include "runtime/numerics/attention.h"

#include <sortie_hardware.h>

namespace sortie::kernels {

/// The status of check_places: its first word is 0 if all places of the run are good. If not, the
/// kernels of attention do nothing.
struct AttendOperands {
  const float *queries; ///< [tokens, kHeads * kKey]
  const float *rotated; ///< [tokens, kHeads * kRotated]
  const void *cache;    ///< pages
  const int32_t *positions;
  const int32_t *sequences;
  const int32_t *pages; ///< [sequences, kPages]
  const int32_t *status;
};

template <typename Spec> struct AttentionShape {
  static constexpr AttentionHeads kHeads = {Spec::kOwn, Spec::kCached, Spec::kKey, Spec::kValue,
                                            Spec::kRotated};
  static constexpr int kOwn = limbsOf(Spec::kOwn);
  static constexpr int kCached = limbsOf(Spec::kCached);
  static constexpr bool kAreBothInt16 = numerics::areBothInt16(Spec::kOwn, Spec::kCached);
  static constexpr bool kHasTwoParts = Spec::kRotated != 0;

  /// Queries of a token that a head of keys has, and their tiles if each has one token.
  static constexpr int kGroup = Spec::kHeads / Spec::kKvHeads;
  static constexpr int kTilesOfToken = static_cast<int>(ceilDiv(kGroup, kTileQueries));

  static constexpr numerics::CachePageLayout kPage =
      numerics::cachePageLayout(Spec::kCached, Spec::kKey, Spec::kValue, Spec::kRotated);
  static constexpr int64_t kPageBytes = kPage.headBytes * Spec::kKvHeads;

  static constexpr SliceGeometry kKeySlices = sliceGeometry(Spec::kKey);
  static constexpr SliceGeometry kRotatedSlices = sliceGeometry(Spec::kRotated);
  static constexpr int kSlices = kKeySlices.slices + kRotatedSlices.slices;
  static constexpr int kValuePanels = valuePanels(Spec::kValue);
  static constexpr int kKeyPieces = kKeyPanels * kSlices;
  static constexpr int kPieces = kKeyPieces + kValuePanels;
  static constexpr int kPieceBytes = kPieceLimbBytes * kCached;
  /// Spans of the longest sequence.
  static constexpr int kSpans = static_cast<int>(ceilDiv(Spec::kPages, kChunksOfSpan));

  /// What the page of a chunk has for a head of keys.
  SORTIE_DEVICE const char *headOf(const AttendOperands &operands, int sequence, int chunk,
                                   int kvHead) {
    const int64_t page = operands.pages[int64_t{sequence} * Spec::kPages + chunk];
    return static_cast<const char *>(operands.cache) + page * kPageBytes + kvHead * kPage.headBytes;
  }
  SORTIE_DEVICE int firstSeen(int position) {
    return Spec::kWindow != 0 && position >= Spec::kWindow ? position - Spec::kWindow + 1 : 0;
  }
  /// The keys of a chunk that a query sees, none: {0, 0}.
  SORTIE_DEVICE numerics::KeyRange visibleKeys(int chunk, int position) {
    const numerics::KeyRange range =
        numerics::visibleKeys(int64_t{chunk} * kAttentionChunk, position, Spec::kWindow);
    return range.first < range.last ? range : numerics::KeyRange{0, 0};
  }
};

//===- Lanes -------------------------------------------------------------===//

// Of the products of a tile, a lane has two queries, and of each panel two rows.

constexpr int kLaneQueries = 2;
constexpr int kLaneRows = 2;

SORTIE_DEVICE int laneRow() { return hw::laneIndex() / 4; }
SORTIE_DEVICE int laneColumn() { return hw::laneIndex() % 4; }
/// Which query of the tile is the lane's number `query`.
SORTIE_DEVICE int queryOfLane(int query) { return laneColumn() + query * (kTileQueries / 2); }

/// Four numbers of a lane: of its first query both rows, then of its second.
struct alignas(16) LaneFloats {
  float value[kLaneQueries][kLaneRows];
};

/// Maximum and sum over the lanes that have other rows of the same queries. Neighbours are added
/// first, as the contract wants.
SORTIE_DEVICE float largestOfRows(float value) {
#pragma unroll
  for (int mask = 4; mask < kWarp; mask *= 2)
    value = hw::larger(value, hw::shuffleXor(value, mask));
  return value;
}
SORTIE_DEVICE uint32_t largestOfRows(uint32_t value) {
#pragma unroll
  for (int mask = 4; mask < kWarp; mask *= 2) {
    const uint32_t other = hw::shuffleXor(value, mask);
    value = other > value ? other : value;
  }
  return value;
}
SORTIE_DEVICE float sumOfRows(float value) {
#pragma unroll
  for (int mask = 4; mask < kWarp; mask *= 2)
    value = numerics::add(value, hw::shuffleXor(value, mask));
  return value;
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_ATTENTION_ATTENTIONSHAPE_H
