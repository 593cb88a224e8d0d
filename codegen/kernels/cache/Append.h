// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rows of keys and values, quantized into the pages of a cache (runtime/numerics/cache.h): a warp
// for each row of a head. Like the CPU's, it writes no padding. Grid (tokens,
// appendBlocks(rows of a token)), appendThreads(rows of a token) threads, no shared memory.

#ifndef SORTIE_CODEGEN_KERNELS_CACHE_APPEND_H
#define SORTIE_CODEGEN_KERNELS_CACHE_APPEND_H

#include "codegen/kernels/cache/CacheGeometry.h"
#include "codegen/kernels/common/FourFloats.h"
#include "runtime/numerics/quantize.h"
#include "runtime/numerics/status.h"

namespace sortie::kernels {

using numerics::ActivationWidth;
using numerics::IndexStatus;

/// Where the tokens of a run lie in a cache. All places are good.
struct AppendPlaces {
  const int32_t *positions; ///< [tokens]
  const int32_t *sequences; ///< [tokens]
  const int32_t *pages;     ///< [sequences, pagesOfSequence]
  int32_t pagesOfSequence;

  /// The place of a token among those of its page.
  SORTIE_MEMBER int rowOfPage(int64_t token) const {
    return positions[token] % numerics::kAttentionChunk;
  }
  SORTIE_MEMBER int64_t pageOf(int64_t token) const {
    return pages[int64_t{sequences[token]} * pagesOfSequence +
                 positions[token] / numerics::kAttentionChunk];
  }
};

/// A row of `Count` floats that a warp quantizes as one block. A lane has four neighbouring
/// elements of each 128.
template <ActivationWidth Width, int Count> class BlockOfWarp {
  static constexpr int kLimbs = Width == ActivationWidth::Int16 ? 2 : 1;
  static constexpr int kStep = 4 * kWarp;
  static constexpr int kSteps = static_cast<int>(ceilDiv(Count, kStep));

public:
  /// All 32 lanes take part.
  SORTIE_MEMBER explicit BlockOfWarp(const float *row) {
    uint32_t magnitude = 0;
#pragma unroll
    for (int step = 0; step < kSteps; ++step) {
      x[step] = loadFour<Count>(row, columnOf(step));
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const uint32_t bits = numerics::bitsOf(x[step].value[i]) & 0x7fffffffu;
        magnitude = bits > magnitude ? bits : magnitude;
      }
    }
    scale = numerics::activationScale<Width>(hw::reduceMax(magnitude));
  }

  /// Writes the scale of the row's position.
  SORTIE_MEMBER void storeScale(uint8_t *scales, int position) const {
    if (hw::laneIndex() == 0)
      reinterpret_cast<float *>(scales)[position] = scale.scale;
  }

  /// Writes the integers as the row `position` of panels, four elements as a word.
  SORTIE_MEMBER void storeAlong(uint8_t *first, const numerics::CacheRowsLayout &layout,
                                int position) const {
#pragma unroll
    for (int step = 0; step < kSteps; ++step) {
      const int column = columnOf(step);
      uint8_t *to = first + numerics::cacheByte(layout.panel, position, column);
#pragma unroll
      for (int limb = 0; limb < kLimbs; ++limb) {
        uint32_t word = 0;
#pragma unroll
        for (int i = 0; i < 4; ++i)
          word |= biasedLimb(limb, step, i) << (8 * i);
        storeSome(to + limb * layout.limb, word, Count - column);
      }
    }
  }

  /// Writes the integers across the panels, whose rows are elements.
  SORTIE_MEMBER void storeAcross(uint8_t *first, int64_t limbBytes, int64_t panelBytes,
                                 int position) const {
#pragma unroll
    for (int step = 0; step < kSteps; ++step)
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int column = columnOf(step) + i;
        if (column >= Count)
          continue;
        uint8_t *to = first + numerics::cacheByte(panelBytes, column, position);
#pragma unroll
        for (int limb = 0; limb < kLimbs; ++limb)
          to[limb * limbBytes] = static_cast<uint8_t>(biasedLimb(limb, step, i));
      }
  }

private:
  SORTIE_DEVICE int columnOf(int step) { return step * kStep + hw::laneIndex() * 4; }

  /// A limb of element `i` of the lane's four, as the cache stores it. The low limb is the first.
  SORTIE_MEMBER uint32_t biasedLimb(int limb, int step, int i) const {
    const int32_t q =
        scale.isRegular ? numerics::quantizeElement(x[step].value[i], scale.reciprocal) : 0;
    const int32_t value = kLimbs == 1 ? q
                          : limb == 0 ? numerics::lowLimb(q)
                                      : numerics::highLimb(q);
    return static_cast<uint32_t>(value + numerics::kCacheBias);
  }

  /// Writes the bytes of a word that belong to elements; `left` there are from its first one on.
  SORTIE_DEVICE void storeSome(uint8_t *to, uint32_t word, int left) {
    if (left >= 4) {
      *reinterpret_cast<uint32_t *>(to) = word;
      return;
    }
#pragma unroll
    for (int i = 0; i < 4; ++i)
      if (i < left)
        to[i] = static_cast<uint8_t>(word >> (8 * i));
  }

  FourFloats x[kSteps];
  numerics::ActivationScale scale;
};

/// The warp's number among those of its token.
SORTIE_DEVICE int warpOfToken() {
  return hw::blockIndexY() * (hw::threadCount() / kWarp) + hw::warpIndex();
}

/// Appends the rows of keys [tokens, KvHeads * Key] and values [tokens, KvHeads * Value] to
/// `cache`, if `status` has no fault. A token has 2 * KvHeads rows.
template <ActivationWidth Width, int KvHeads, int Key, int Value>
SORTIE_DEVICE void appendRows(const float *keys, const float *values, const AppendPlaces &places,
                              const IndexStatus *status, void *cache) {
  constexpr numerics::CachePageLayout kLayout = numerics::cachePageLayout(Width, Key, Value);
  const int head = warpOfToken() / 2;
  if (status->fault != 0 || head >= KvHeads)
    return;
  const int64_t token = hw::blockIndexX();
  const int position = places.rowOfPage(token);
  uint8_t *page =
      static_cast<uint8_t *>(cache) + (places.pageOf(token) * KvHeads + head) * kLayout.headBytes;
  if (warpOfToken() % 2 == 0) {
    const BlockOfWarp<Width, Key> row(keys + (token * KvHeads + head) * Key);
    row.storeScale(page + kLayout.keys.scales, position);
    row.storeAlong(page + kLayout.keys.first, kLayout.keys, position);
  } else {
    const BlockOfWarp<Width, Value> row(values + (token * KvHeads + head) * Value);
    row.storeScale(page + kLayout.valueScales, position);
    row.storeAcross(page + kLayout.values, kLayout.valueLimb, kLayout.valuePanel, position);
  }
}

/// Appends the rows of latents [tokens, Latent], which are keys and values, and of rotated keys
/// [tokens, Rotated]. A token has 2 rows.
template <ActivationWidth Width, int Latent, int Rotated>
SORTIE_DEVICE void appendLatentRows(const float *latents, const float *rotated,
                                    const AppendPlaces &places, const IndexStatus *status,
                                    void *cache) {
  constexpr numerics::CachePageLayout kLayout =
      numerics::cachePageLayout(Width, Latent, Latent, Rotated);
  if (status->fault != 0)
    return;
  const int64_t token = hw::blockIndexX();
  const int position = places.rowOfPage(token);
  uint8_t *page = static_cast<uint8_t *>(cache) + places.pageOf(token) * kLayout.headBytes;
  if (warpOfToken() == 0) {
    const BlockOfWarp<Width, Latent> row(latents + token * Latent);
    row.storeScale(page + kLayout.keys.scales, position);
    row.storeAlong(page + kLayout.keys.first, kLayout.keys, position);
    row.storeAcross(page + kLayout.values, kLayout.valueLimb, kLayout.valuePanel, position);
  } else {
    const BlockOfWarp<Width, Rotated> row(rotated + token * Rotated);
    row.storeScale(page + kLayout.rotated.scales, position);
    row.storeAlong(page + kLayout.rotated.first, kLayout.rotated, position);
  }
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_CACHE_APPEND_H
