// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A tile of queries in shared memory, quantized, as the B operand of mma. Its columns are limbs of
// `int16` queries (query q: the high one is column 2 * q, the low one the next; an mma has those of
// four queries), or `int8` queries (q is column 2 * (q mod 4) + q / 4). Either way lane t of the
// four of a row has the products of queries t and t + 4.
//
// An mma takes any order of K as long as both operands have it: its words 2t and 2t + 1 are the
// quads that lane t multiplies, so that a lane loads both words of B at once.

#ifndef SORTIE_CODEGEN_KERNELS_ATTENTION_QUERYTILE_H
#define SORTIE_CODEGEN_KERNELS_ATTENTION_QUERYTILE_H

#include "codegen/kernels/attention/AttentionShape.h"
#include "codegen/kernels/common/FourFloats.h"

namespace sortie::kernels {

/// One part of the queries: kPart 0 meets keys, or their first part, kPart 1 the second.
template <typename Spec, int kPart> class QueryTile {
  using Shape = AttentionShape<Spec>;
  static constexpr QueryGeometry kGeometry = queryGeometry(Shape::kHeads);
  static constexpr int kElements = kPart == 0 ? Spec::kKey : Spec::kRotated;
  static constexpr SliceGeometry kSlices = sliceGeometry(kElements);
  static constexpr int kWords = kPart == 0 ? kGeometry.keyWords : kGeometry.rotatedWords;
  static constexpr int kOffset = kPart == 0 ? 0 : kGeometry.rotatedOffset;
  static constexpr int kOwn = Shape::kOwn;
  static constexpr int kMmas = kSlices.sliceQuads / kMmaQuads; ///< of a slice

public:
  /// B of a slice, for each mma and columns of eight.
  struct Slice {
    hw::Words2 words[kMmas][kOwn];
  };

  /// Quantizes query `query` of the tile at `tile` from its row, null for one that is not there.
  /// All lanes take part.
  SORTIE_DEVICE void quantize(const float *row, int tile, int query) {
    FourFloats own[kLaneQuads];
#pragma unroll
    for (int i = 0; i < kLaneQuads; ++i)
      own[i] = row != nullptr ? loadFour<kElements>(row, quadOfLane(i) * numerics::kCacheQuad)
                              : FourFloats{};
    const numerics::ActivationScale scale =
        numerics::activationScale<Spec::kOwn>(hw::reduceMax(magnitudeOf(own)));
    int32_t sums[2] = {};
#pragma unroll
    for (int i = 0; i < kLaneQuads; ++i)
      storeQuad(own[i], scale, tile, query, quadOfLane(i), sums);
    storeSums(sums, tile, query);
    if (hw::laneIndex() == 0)
      scales(tile)[query] = numerics::mul(scale.scale, numerics::floatOf(Spec::kScale));
  }

  /// The scale of a query, with the softmax's in it.
  SORTIE_DEVICE float scale(int tile, int query) { return scales(tile)[query]; }

  SORTIE_DEVICE void load(int tile, int slice, Slice &to) {
    const auto *columns = hw::sharedMemory<uint32_t>(tile + kOffset);
#pragma unroll
    for (int mma = 0; mma < kMmas; ++mma)
#pragma unroll
      for (int group = 0; group < kOwn; ++group)
        to.words[mma][group] = *reinterpret_cast<const hw::Words2 *>(
            columns + (group * kTileQueries + laneRow()) * kWords + slice * kSlices.sliceQuads +
            mma * kMmaQuads + 2 * laneColumn());
  }

  /// What the products of a lane begin with. Bytes of keys have 128 more than their integers: then
  /// a product has 128 times the sum of the query's integers more.
  SORTIE_DEVICE void loadBias(int tile, int32_t (&bias)[kOwn][2]) {
#pragma unroll
    for (int group = 0; group < kOwn; ++group) {
      const int32_t *sums = columnSums(tile) + group * kTileQueries + 2 * laneColumn();
      bias[group][0] = sums[0];
      bias[group][1] = sums[1];
    }
  }

private:
  SORTIE_DEVICE int columnOf(int query, int limb) {
    return kOwn == 2 ? 2 * query + limb : 2 * (query % 4) + query / 4;
  }
  SORTIE_DEVICE int32_t *columnSums(int tile) {
    return hw::sharedMemory<int32_t>(tile + kGeometry.sumsOffset) + kPart * kGeometry.columns;
  }
  SORTIE_DEVICE float *scales(int tile) {
    return hw::sharedMemory<float>(tile + kGeometry.scalesOffset) + kPart * kTileQueries;
  }

  static constexpr int kQuads = kSlices.slices * kSlices.sliceQuads;
  static constexpr int kLaneQuads = static_cast<int>(ceilDiv(kQuads, kWarp));
  SORTIE_DEVICE int quadOfLane(int i) { return i * kWarp + hw::laneIndex(); }

  /// Bits of the largest magnitude of the lane's elements.
  SORTIE_DEVICE uint32_t magnitudeOf(const FourFloats (&own)[kLaneQuads]) {
    uint32_t largest = 0;
#pragma unroll
    for (int quad = 0; quad < kLaneQuads; ++quad)
#pragma unroll
      for (int i = 0; i < numerics::kCacheQuad; ++i) {
        const uint32_t magnitude = numerics::bitsOf(own[quad].value[i]) & 0x7fffffffu;
        largest = magnitude > largest ? magnitude : largest;
      }
    return largest;
  }

  /// Stores the limbs of a quad, if the columns have it, and adds them up.
  SORTIE_DEVICE void storeQuad(const FourFloats &elements, const numerics::ActivationScale &scale,
                               int tile, int query, int quad, int32_t (&sums)[2]) {
    uint32_t words[2] = {};
#pragma unroll
    for (int i = 0; i < numerics::kCacheQuad; ++i) {
      const int32_t q =
          scale.isRegular ? numerics::quantizeElement(elements.value[i], scale.reciprocal) : 0;
      addLimb(kOwn == 2 ? numerics::highLimb(q) : q, i, words[0], sums[0]);
      if constexpr (kOwn == 2)
        addLimb(numerics::lowLimb(q), i, words[1], sums[1]);
    }
    auto *columns = hw::sharedMemory<uint32_t>(tile + kOffset);
    if (quad < kQuads)
#pragma unroll
      for (int limb = 0; limb < kOwn; ++limb)
        columns[columnOf(query, limb) * kWords + quad] = words[limb];
  }
  SORTIE_DEVICE void addLimb(int32_t limb, int i, uint32_t &word, int32_t &sum) {
    word |= (static_cast<uint32_t>(limb) & 0xffu) << (8 * i);
    sum += limb;
  }
  SORTIE_DEVICE void storeSums(int32_t (&sums)[2], int tile, int query) {
#pragma unroll
    for (int limb = 0; limb < kOwn; ++limb) {
#pragma unroll
      for (int mask = 1; mask < kWarp; mask *= 2)
        sums[limb] += hw::shuffleXor(sums[limb], mask);
      if (hw::laneIndex() == 0)
        columnSums(tile)[columnOf(query, limb)] = -numerics::kCacheBias * sums[limb];
    }
  }
};

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_ATTENTION_QUERYTILE_H
