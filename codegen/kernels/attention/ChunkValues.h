// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The product of a tile's weights with the values of a chunk, panel by panel: 16 elements by eight
// queries. The rows that an mma calls g and g + 8 are the elements 2g and 2g + 1, so that a lane
// loads both at once.

#ifndef SORTIE_CODEGEN_KERNELS_ATTENTION_CHUNKVALUES_H
#define SORTIE_CODEGEN_KERNELS_ATTENTION_CHUNKVALUES_H

#include "codegen/kernels/attention/ChunkWeights.h"
#include "codegen/kernels/attention/Pieces.h"

namespace sortie::kernels {

/// The first of the lane's elements of a panel; the other one follows it.
SORTIE_DEVICE int laneElement(int panel) { return panel * kCachePanelRows + 2 * laneRow(); }

template <typename Spec> class ChunkValues {
  using Shape = AttentionShape<Spec>;
  using Weights = ChunkWeights<Spec>;
  static constexpr int kOwn = Shape::kOwn;
  static constexpr int kCached = Shape::kCached;
  static constexpr int kMmas = kPieceQuads / kMmaQuads;

public:
  /// Takes the weights at `work`, which may then become something else.
  SORTIE_MEMBER explicit ChunkValues(int work) {
    Weights::load(work, weights);
    hw::syncWarp();
    makeBias();
  }

  /// F of the lane's elements of the panel in the piece at `piece`.
  SORTIE_MEMBER LaneFloats multiply(int piece) const {
    int32_t high[kOwn][4];
    int32_t low[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
#pragma unroll
      for (int group = 0; group < kOwn; ++group)
        high[group][i] = bias[group][i % 2];
      low[i] = lowBias[i % 2];
    }
    const int row = laneRow();
    const int place = (row / 2) ^ (2 * laneColumn());
    const char *line =
        hw::sharedMemory<char>(piece) + laneColumn() * kLineBytes + row % 2 * (kUnitBytes / 2);
#pragma unroll
    for (int mma = 0; mma < kMmas; ++mma) {
      uint32_t a[kCached][4];
#pragma unroll
      for (int limb = 0; limb < kCached; ++limb)
#pragma unroll
        for (int quad = 0; quad < 2; ++quad) {
          const auto words = *reinterpret_cast<const hw::Words2 *>(
              line + limb * kPieceLimbBytes + mma * kMmaQuads * kQuadBytes +
              (place ^ (kUnitsOfQuad * quad)) * kUnitBytes);
          a[limb][2 * quad] = words.word[0];
          a[limb][2 * quad + 1] = words.word[1];
        }
#pragma unroll
      for (int group = 0; group < kOwn; ++group)
        hw::multiplyUnsignedK32(high[group], a[kCached - 1], weights.words[mma][group][0],
                                weights.words[mma][group][1]);
      if constexpr (kCached == 2) {
        const uint32_t (&b)[2] = Shape::kAreBothInt16 ? weights.high[mma] : weights.words[mma][0];
        hw::multiplyUnsignedK32(low, a[0], b[0], b[1]);
      }
    }
    LaneFloats result;
#pragma unroll
    for (int query = 0; query < kLaneQueries; ++query)
#pragma unroll
      for (int element = 0; element < kLaneRows; ++element)
        result.value[query][element] = numerics::toFloat(combine(high, low, query, element));
    return result;
  }

private:
  /// Bytes of values have 128 more than their integers: then a product has 128 times the sum of the
  /// weights more. It begins with that number, negative.
  SORTIE_MEMBER void makeBias() {
    constexpr uint32_t kBias = 0x01010101u * numerics::kCacheBias;
    const uint32_t a[4] = {kBias, kBias, kBias, kBias};
    int32_t sums[kOwn][4] = {};
    int32_t lowSums[4] = {};
#pragma unroll
    for (int mma = 0; mma < kMmas; ++mma) {
#pragma unroll
      for (int group = 0; group < kOwn; ++group)
        hw::multiplyUnsignedK32(sums[group], a, weights.words[mma][group][0],
                                weights.words[mma][group][1]);
      if constexpr (Shape::kAreBothInt16)
        hw::multiplyUnsignedK32(lowSums, a, weights.high[mma][0], weights.high[mma][1]);
    }
#pragma unroll
    for (int i = 0; i < 2; ++i) {
#pragma unroll
      for (int group = 0; group < kOwn; ++group)
        bias[group][i] = -sums[group][i];
      lowBias[i] = Shape::kAreBothInt16 ? -lowSums[i] : bias[0][i];
    }
  }

  /// I of the lane's query and element. Low limbs of weights are doubled, so their sums are even.
  SORTIE_DEVICE int32_t combine(const int32_t (&high)[kOwn][4], const int32_t (&low)[4], int query,
                                int element) {
    const int at = 2 * element + query; // in the order of `int8` queries
    if constexpr (kOwn == 2) {
      const int32_t (&both)[4] = high[query];
      const int32_t sum = numerics::kLimbBase * both[2 * element] + (both[2 * element + 1] >> 1);
      return kCached == 2 ? sum + low[at] : sum;
    } else {
      return kCached == 2 ? numerics::kLimbBase * high[0][at] + low[at] : high[0][at];
    }
  }

  typename Weights::Columns weights;
  int32_t bias[kOwn][2];
  int32_t lowBias[2];
};

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_ATTENTION_CHUNKVALUES_H
