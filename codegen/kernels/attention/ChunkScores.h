// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The scores of a tile of queries and a chunk of keys, panel by panel: 16 positions by eight
// queries.

#ifndef SORTIE_CODEGEN_KERNELS_ATTENTION_CHUNKSCORES_H
#define SORTIE_CODEGEN_KERNELS_ATTENTION_CHUNKSCORES_H

#include "codegen/kernels/attention/Pieces.h"
#include "codegen/kernels/attention/QueryTile.h"

namespace sortie::kernels {

/// The products of a lane's rows of a panel with its queries, for each limb of both.
template <typename Spec> class PanelProducts {
  using Shape = AttentionShape<Spec>;
  static constexpr int kOwn = Shape::kOwn;
  static constexpr int kCached = Shape::kCached;

public:
  SORTIE_MEMBER void begin(const int32_t (&bias)[kOwn][2]) {
#pragma unroll
    for (int limb = 0; limb < kCached; ++limb)
#pragma unroll
      for (int group = 0; group < kOwn; ++group)
#pragma unroll
        for (int i = 0; i < 4; ++i)
          sums[limb][group][i] = bias[group][i % 2];
  }

  /// Adds the products of a slice: the piece at `piece`, and `queries` of it.
  template <int Part>
  SORTIE_MEMBER void add(int piece, const typename QueryTile<Spec, Part>::Slice &queries) {
    constexpr int kMmas = sizeof(queries.words) / sizeof(queries.words[0]);
    const int row = laneRow();
    const int place = (row / 4) ^ (2 * laneColumn());
    const char *line =
        hw::sharedMemory<char>(piece) + laneColumn() * kLineBytes + row % 4 * numerics::kCacheQuad;
#pragma unroll
    for (int mma = 0; mma < kMmas; ++mma)
#pragma unroll
      for (int limb = 0; limb < kCached; ++limb) {
        uint32_t a[4];
#pragma unroll
        for (int i = 0; i < 4; ++i)
          a[i] = *reinterpret_cast<const uint32_t *>(line + limb * kPieceLimbBytes +
                                                     mma * kMmaQuads * kQuadBytes +
                                                     (place ^ (2 * i)) * kUnitBytes);
#pragma unroll
        for (int group = 0; group < kOwn; ++group)
          hw::multiplyUnsignedK32(sums[limb][group], a, queries.words[mma][group].word[0],
                                  queries.words[mma][group].word[1]);
      }
  }

  /// F of the lane's query and row.
  SORTIE_MEMBER float product(int query, int row) const {
    constexpr int kTop = kCached - 1;
    if constexpr (Shape::kAreBothInt16) {
      const int32_t (&low)[4] = sums[0][query];
      const int32_t (&high)[4] = sums[kTop][query];
      return numerics::combineLimbs(
          numerics::kLimbBase * high[2 * row] + high[2 * row + 1] + low[2 * row], low[2 * row + 1]);
    } else if constexpr (kOwn == 2) {
      const int32_t (&both)[4] = sums[0][query];
      return numerics::toFloat(numerics::kLimbBase * both[2 * row] + both[2 * row + 1]);
    } else {
      const int at = 2 * row + query;
      return numerics::toFloat(
          kCached == 2 ? numerics::kLimbBase * sums[kTop][0][at] + sums[0][0][at] : sums[0][0][at]);
    }
  }

private:
  int32_t sums[kCached][kOwn][4];
};

/// One part of the queries of the tile at `tile` while panels are multiplied.
template <typename Spec, int kPart> class ScorePart {
  using Shape = AttentionShape<Spec>;
  using Queries = QueryTile<Spec, kPart>;
  static constexpr SliceGeometry kSlices = kPart == 0 ? Shape::kKeySlices : Shape::kRotatedSlices;

public:
  SORTIE_MEMBER explicit ScorePart(int tile) : tile(tile) {
    Queries::loadBias(tile, bias);
    if constexpr (kSlices.slices == 1)
      Queries::load(tile, 0, queries);
  }

  /// F of the lane's rows of a panel, whose pieces `next` gives.
  template <typename Next> SORTIE_MEMBER LaneFloats multiply(Next &next) {
    PanelProducts<Spec> products;
    products.begin(bias);
#pragma unroll 1
    for (int slice = 0; slice < kSlices.slices; ++slice) {
      if constexpr (kSlices.slices != 1)
        Queries::load(tile, slice, queries);
      products.template add<kPart>(next(), queries);
    }
    LaneFloats result;
#pragma unroll
    for (int query = 0; query < kLaneQueries; ++query)
#pragma unroll
      for (int row = 0; row < kLaneRows; ++row)
        result.value[query][row] = products.product(query, row);
    return result;
  }

private:
  int tile;
  int32_t bias[Shape::kOwn][2];
  typename Queries::Slice queries;
};

template <typename Spec> class ChunkScores {
  using Shape = AttentionShape<Spec>;

public:
  /// The scores of the panels [first, last) go to the lane's place of each panel at `work`. `tile`
  /// is where the queries are, `scales` where the chunk's scales are; `next` gives the next piece.
  template <typename Next>
  SORTIE_DEVICE void compute(int tile, int scales, int first, int last, int work, Next next) {
    ScorePart<Spec, 0> keys(tile);
    const int keyScales = scales + static_cast<int>(Shape::kPage.keys.scales);
    if constexpr (Shape::kHasTwoParts) {
      ScorePart<Spec, 1> rotated(tile);
      const int rotatedScales = scales + static_cast<int>(Shape::kPage.rotated.scales);
      float scale[kLaneQueries];
      float rotatedScale[kLaneQueries];
#pragma unroll
      for (int query = 0; query < kLaneQueries; ++query) {
        scale[query] = QueryTile<Spec, 0>::scale(tile, queryOfLane(query));
        rotatedScale[query] = QueryTile<Spec, 1>::scale(tile, queryOfLane(query));
      }
#pragma unroll 1
      for (int panel = first; panel < last; ++panel) {
        const LaneFloats product = keys.multiply(next);
        const LaneFloats rotatedProduct = rotated.multiply(next);
        store(work, panel, [&](int query, int row) {
          return numerics::scoreOfTwoParts(product.value[query][row],
                                           scaleOf(keyScales, panel, row), scale[query],
                                           rotatedProduct.value[query][row],
                                           scaleOf(rotatedScales, panel, row), rotatedScale[query]);
        });
      }
    } else {
#pragma unroll 1
      for (int panel = first; panel < last; ++panel) {
        const LaneFloats product = keys.multiply(next);
        store(work, panel, [&](int query, int row) {
          return numerics::score(product.value[query][row], scaleOf(keyScales, panel, row));
        });
      }
    }
  }

private:
  /// The scale of the lane's row of a panel.
  SORTIE_DEVICE float scaleOf(int scales, int panel, int row) {
    return hw::sharedMemory<float>(
        scales)[panel * kCachePanelRows + row * (kCachePanelRows / 2) + laneRow()];
  }
  template <typename Score> SORTIE_DEVICE void store(int work, int panel, Score score) {
    LaneFloats scores;
#pragma unroll
    for (int query = 0; query < kLaneQueries; ++query)
#pragma unroll
      for (int row = 0; row < kLaneRows; ++row)
        scores.value[query][row] = score(query, row);
    hw::sharedMemory<LaneFloats>(work)[panel * kWarp + hw::laneIndex()] = scores;
  }
};

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_ATTENTION_CHUNKSCORES_H
