// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Whether the places of tokens are in a cache: the first fault, in the order in which the CPU
// device looks for one. First the places of all tokens, and of each its sequence, its position and
// the pages of all positions that it sees; then, where tokens are appended, whether two of them
// have one place. Whole segments of kPlaceTokens tokens are checked by a thread block each; one
// thread block of another launch checks the tokens behind them and takes the first fault of all. So
// few tokens need one launch. kPlaceThreads threads, kPlaceSharedBytes bytes.

#ifndef SORTIE_CODEGEN_KERNELS_CACHE_CHECKPLACES_H
#define SORTIE_CODEGEN_KERNELS_CACHE_CHECKPLACES_H

#include "codegen/kernels/cache/CacheGeometry.h"
#include "codegen/kernels/common/BlockMax.h"
#include "runtime/numerics/status.h"

namespace sortie::kernels {

using numerics::IndexFault;
using numerics::IndexStatus;

/// Where the tokens of a run say that they lie.
struct TokenPlaces {
  const int32_t *positions; ///< [tokens]
  const int32_t *sequences; ///< [tokens]
  const int32_t *pages;     ///< [sequenceCount, positionCount / kAttentionChunk]
  int32_t tokens;
  int32_t sequenceCount;
  int32_t positionCount; ///< for which the table has places
  int32_t pageCount;     ///< of the cache
};

/// Checks that tokens see pages of the cache, of their last `Window` positions; 0: of all. Where
/// `Appends`, also that no two of them have one place.
template <int Window, bool Appends> class PlaceCheck {
  static constexpr int kPage = numerics::kAttentionChunk;

public:
  /// The first fault of the tokens [first, end), at most kPlaceTokens: the block's first thread
  /// gets it. All threads take part.
  SORTIE_DEVICE IndexStatus check(const TokenPlaces &places, int first, int end) {
    uint32_t bad = 0;
    for (int token = first + hw::warpIndex(); token < end; token += hw::threadCount() / kWarp)
      if (bad == 0 && faultOf(places, token).fault != 0)
        bad = earlier(token);
    bad = blockMax(bad, hw::sharedMemory<uint32_t>());
    if (bad != 0)
      return faultOf(places, positionOf(bad));
    if constexpr (Appends)
      return checkCommon(places, first, end);
    return {};
  }

private:
  SORTIE_DEVICE IndexStatus fault(IndexFault kind, int token, int32_t index, int32_t bound) {
    return {static_cast<int32_t>(kind), token, index, bound};
  }

  /// What is wrong with the place of a token by itself. All lanes take part and get it.
  SORTIE_DEVICE IndexStatus faultOf(const TokenPlaces &places, int token) {
    const int32_t sequence = places.sequences[token];
    const int32_t position = places.positions[token];
    if (!numerics::isBelow(sequence, places.sequenceCount))
      return fault(IndexFault::Sequence, token, sequence, places.sequenceCount);
    if (!numerics::isBelow(position, places.positionCount))
      return fault(IndexFault::Position, token, position, places.positionCount);
    const int32_t *own = places.pages + int64_t{sequence} * (places.positionCount / kPage);
    const int32_t seen = Window != 0 && position >= Window ? position - Window + 1 : 0;
    uint32_t bad = 0;
    for (int page = seen / kPage + hw::laneIndex(); page <= position / kPage; page += kWarp)
      if (bad == 0 && !numerics::isBelow(own[page], places.pageCount))
        bad = earlier(page);
    bad = hw::reduceMax(bad);
    if (bad != 0)
      return fault(IndexFault::Page, token, own[positionOf(bad)], places.pageCount);
    return {};
  }

  /// A number that only tokens with this one's place have; -1 behind the last token, and for one
  /// that has none.
  SORTIE_DEVICE int64_t placeOf(const TokenPlaces &places, int64_t token) {
    if (token >= places.tokens)
      return -1;
    const int32_t sequence = places.sequences[token];
    const int32_t position = places.positions[token];
    if (!numerics::isBelow(sequence, places.sequenceCount) ||
        !numerics::isBelow(position, places.positionCount))
      return -1;
    const int64_t entry = int64_t{sequence} * (places.positionCount / kPage) + position / kPage;
    const int32_t page = places.pages[entry];
    return numerics::isBelow(page, places.pageCount) ? int64_t{page} * kPage + position % kPage
                                                     : -1;
  }

  /// The first of the tokens [first, end) whose place a later token of all has, too, and the last
  /// such token. Lane i of each warp has token first + i, and the warp some of the others.
  SORTIE_DEVICE IndexStatus checkCommon(const TokenPlaces &places, int first, int end) {
    static_assert(kPlaceTokens == kWarp);
    auto *words = hw::sharedMemory<uint32_t>();
    auto *tile = hw::sharedMemory<int64_t>(kPlaceTile);
    const int token = first + hw::laneIndex();
    int64_t own = -1;
    uint32_t last = 0; // no token is later than another and has number 0
    for (int64_t begin = first; begin < places.tokens; begin += kPlaceThreads) {
      hw::syncBlock(); // the tile before has been read
      tile[hw::threadIndex()] = placeOf(places, begin + hw::threadIndex());
      hw::syncBlock();
      if (begin == first && token < end)
        own = tile[hw::laneIndex()];
      for (int i = hw::warpIndex(); i < kPlaceThreads; i += kPlaceThreads / kWarp)
        if (own >= 0 && tile[i] == own && begin + i > token)
          last = static_cast<uint32_t>(begin + i);
    }
    const uint32_t found = blockMax(last != 0 ? earlier(token) : 0, words);
    if (found == 0)
      return {};
    const int with = positionOf(found);
    last = blockMax(token == with ? last : 0, words);
    return fault(IndexFault::Place, with, static_cast<int32_t>(last), places.tokens);
  }
};

/// Writes the fault of each whole segment to `segments`. Grid (tokens floordiv kPlaceTokens).
template <int Window, bool Appends>
SORTIE_DEVICE void checkSegments(const TokenPlaces &places, IndexStatus *segments) {
  const int first = hw::blockIndexX() * kPlaceTokens;
  const IndexStatus found = PlaceCheck<Window, Appends>::check(places, first, first + kPlaceTokens);
  if (hw::threadIndex() == 0)
    segments[hw::blockIndexX()] = found;
}

/// Checks the tokens behind whole segments, and writes the first fault of all to `status`. Grid
/// (1).
template <int Window, bool Appends>
SORTIE_DEVICE void checkPlaces(const TokenPlaces &places, const IndexStatus *segments,
                               IndexStatus *status) {
  constexpr auto kCommon = static_cast<int32_t>(IndexFault::Place);
  const int whole = places.tokens / kPlaceTokens;
  const IndexStatus rest =
      PlaceCheck<Window, Appends>::check(places, whole * kPlaceTokens, places.tokens);
  uint32_t bad = 0;
  uint32_t common = 0;
  for (int i = hw::threadIndex(); i < whole; i += hw::threadCount()) {
    const int32_t fault = segments[i].fault;
    if (bad == 0 && fault != 0 && fault != kCommon)
      bad = earlier(i);
    if (common == 0 && fault == kCommon)
      common = earlier(i);
  }
  bad = blockMax(bad, hw::sharedMemory<uint32_t>());
  common = blockMax(common, hw::sharedMemory<uint32_t>());
  if (hw::threadIndex() != 0)
    return;
  // A place in common counts only where all places are good.
  if (bad != 0)
    *status = segments[positionOf(bad)];
  else if (common != 0 && (rest.fault == 0 || rest.fault == kCommon))
    *status = segments[positionOf(common)];
  else
    *status = rest;
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_CACHE_CHECKPLACES_H
