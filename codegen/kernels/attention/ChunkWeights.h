// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The softmax of a chunk: scores of a tile become the integers of its weights, as
// numerics::weighChunk does it. A lane has the positions of its row modulo 8 of two queries, in
// ascending order, so its sum is a partial of the contract.
//
// The integers go through shared memory to the lanes that need them as the B operand of the product
// with the values, whose K is positions: four neighbours in a word. An `int16` integer q, with
// limbs q = 128 * high + low, is stored as 16 bits of which the upper byte is `high` and the lower
// one 2 * low + 128: an addition and a shift. It is loaded as 2 * low.

#ifndef SORTIE_CODEGEN_KERNELS_ATTENTION_CHUNKWEIGHTS_H
#define SORTIE_CODEGEN_KERNELS_ATTENTION_CHUNKWEIGHTS_H

#include "codegen/kernels/attention/AttentionShape.h"

namespace sortie::kernels {

/// Which keys of a chunk the lane's queries see.
struct LaneVisible {
  numerics::KeyRange keys[kLaneQueries];
  bool isWhole; ///< all queries of the warp see all keys

  SORTIE_MEMBER bool sees(int query) const { return keys[query].last != 0; }
};

template <typename Spec> class ChunkWeights {
  using Shape = AttentionShape<Spec>;
  static constexpr int kOwn = Shape::kOwn;
  static constexpr int kStride = weightStride(Spec::kOwn);
  static constexpr int kLaneKeys = kAttentionChunk / (kWarp / 4); ///< of a query
  static constexpr int kMmas = kAttentionChunk / numerics::kCacheQuad / kMmaQuads;
  using Keys = float[kLaneQueries][kLaneKeys];

public:
  /// Replaces the scores at `work` by weights. `scales` is where the chunk's scales are.
  SORTIE_DEVICE void weigh(int work, int scales, const float (&queryScale)[kLaneQueries],
                           const LaneVisible &visible,
                           numerics::ChunkWeights (&chunk)[kLaneQueries]) {
    Keys p;
    loadScores(work, p);
    if (!visible.isWhole)
      hide(visible, -infinity(), p);
    exponentiate(queryScale, p, chunk);
    if (!visible.isWhole)
      hide(visible, 0.0f, p);
    sum(p, chunk);
    multiplyByValueScales(scales + static_cast<int>(Shape::kPage.valueScales), p);
    if (!visible.isWhole)
      hide(visible, 0.0f, p);
    hw::syncWarp(); // all have their scores
    quantize(work, p, chunk);
    hw::syncWarp();
  }

  /// The weights as B: of the columns of QueryTile.h, and where both are `int16` also the high
  /// limbs of all eight queries in the order of columns of `int8` queries.
  struct Columns {
    uint32_t words[kMmas][kOwn][2];
    uint32_t high[kMmas][2];
  };
  SORTIE_DEVICE void load(int work, Columns &to) {
    const int row = laneRow();
    const int allQueries = row / 2 + row % 2 * (kTileQueries / 2);
#pragma unroll
    for (int mma = 0; mma < kMmas; ++mma) {
      if constexpr (kOwn == 2) {
        const uint32_t selector = row % 2 == 0 ? 0x7531 : 0x6420;
        const uint32_t flip = row % 2 == 0 ? 0 : 0x80808080u;
#pragma unroll
        for (int group = 0; group < kOwn; ++group)
          loadLimbs(work, group * (kTileQueries / 2) + row / 2, mma, selector, flip,
                    to.words[mma][group]);
        if constexpr (Shape::kAreBothInt16)
          loadLimbs(work, allQueries, mma, 0x7531, 0, to.high[mma]);
      } else {
        const auto words = *reinterpret_cast<const hw::Words2 *>(
            placeOf(work, allQueries) + 4 * (mma * kMmaQuads + 2 * laneColumn()));
        to.words[mma][0][0] = words.word[0];
        to.words[mma][0][1] = words.word[1];
      }
    }
  }

private:
  SORTIE_DEVICE float infinity() { return numerics::floatOf(0x7f800000u); }
  SORTIE_DEVICE char *placeOf(int work, int query) {
    return hw::sharedMemory<char>(work) + query * kStride;
  }

  SORTIE_DEVICE void loadScores(int work, Keys &scores) {
#pragma unroll
    for (int panel = 0; panel < kKeyPanels; ++panel) {
      const LaneFloats four = hw::sharedMemory<LaneFloats>(work)[panel * kWarp + hw::laneIndex()];
#pragma unroll
      for (int query = 0; query < kLaneQueries; ++query)
#pragma unroll
        for (int row = 0; row < kLaneRows; ++row)
          scores[query][kLaneRows * panel + row] = four.value[query][row];
    }
  }

  /// How many of the lane's keys are below `key`.
  SORTIE_DEVICE int keysBelow(int key) { return (key - laneRow() + 7) >> 3; }

  /// Sets what is not visible.
  SORTIE_DEVICE void hide(const LaneVisible &visible, float with, Keys &keys) {
#pragma unroll
    for (int query = 0; query < kLaneQueries; ++query) {
      const int first = keysBelow(visible.keys[query].first);
      const int last = keysBelow(visible.keys[query].last);
#pragma unroll
      for (int key = 0; key < kLaneKeys; ++key)
        keys[query][key] = key >= first && key < last ? keys[query][key] : with;
    }
  }

  /// The largest of several NaNs or zeros cannot show: any NaN makes all of the output NaN, and the
  /// sign of a zero is lost in exp2.
  SORTIE_DEVICE void exponentiate(const float (&queryScale)[kLaneQueries], Keys &keys,
                                  numerics::ChunkWeights (&chunk)[kLaneQueries]) {
#pragma unroll
    for (int query = 0; query < kLaneQueries; ++query) {
      float largest = keys[query][0];
#pragma unroll
      for (int key = 1; key < kLaneKeys; ++key)
        largest = hw::larger(largest, keys[query][key]);
      chunk[query].largest = numerics::mul(largestOfRows(largest), queryScale[query]);
#pragma unroll
      for (int key = 0; key < kLaneKeys; ++key)
        keys[query][key] =
            numerics::probability(keys[query][key], queryScale[query], chunk[query].largest);
    }
  }

  SORTIE_DEVICE void sum(const Keys &p, numerics::ChunkWeights (&chunk)[kLaneQueries]) {
    static_assert(numerics::kWeightPartials == kWarp / 4, "a partial for each lane of a query");
#pragma unroll
    for (int query = 0; query < kLaneQueries; ++query) {
      float partial = p[query][0]; // no p is -0.0, so 0.0 + p is p
#pragma unroll
      for (int key = 1; key < kLaneKeys; ++key)
        partial = numerics::add(partial, p[query][key]);
      chunk[query].sum = sumOfRows(partial);
    }
  }

  SORTIE_DEVICE void multiplyByValueScales(int scales, Keys &keys) {
#pragma unroll
    for (int key = 0; key < kLaneKeys; ++key) {
      const float scale = hw::sharedMemory<float>(scales)[key * (kWarp / 4) + laneRow()];
#pragma unroll
      for (int query = 0; query < kLaneQueries; ++query)
        keys[query][key] = numerics::mul(keys[query][key], scale);
    }
  }

  /// Where a chunk's values are not finite, its integers are anything: D is NaN then, and so is all
  /// that they are multiplied with.
  SORTIE_DEVICE void quantize(int work, const Keys &values,
                              numerics::ChunkWeights (&chunk)[kLaneQueries]) {
    constexpr auto kUnit = static_cast<float>(Shape::kAreBothInt16 ? numerics::kLimbBase : 1);
#pragma unroll
    for (int query = 0; query < kLaneQueries; ++query) {
      const numerics::ActivationScale scale =
          numerics::activationScale<Spec::kOwn>(largestOfRows(magnitude(values[query])));
      chunk[query].scale = numerics::mul(kUnit, scale.scale);
#pragma unroll
      for (int key = 0; key < kLaneKeys; ++key)
        store(placeOf(work, queryOfLane(query)), key * (kWarp / 4) + laneRow(),
              numerics::quantizeWeight(values[query][key], scale.reciprocal));
    }
  }
  SORTIE_DEVICE uint32_t magnitude(const float (&values)[kLaneKeys]) {
    uint32_t largest = 0;
#pragma unroll
    for (int key = 0; key < kLaneKeys; ++key) {
      const uint32_t bits = numerics::bitsOf(values[key]) & 0x7fffffffu;
      largest = bits > largest ? bits : largest;
    }
    return largest;
  }
  SORTIE_DEVICE void store(char *row, int key, int32_t integer) {
    if constexpr (kOwn == 2) {
      // (q + 64) / 128 is the high limb, and what is left of q + 64 the low one plus 64.
      const uint32_t shifted = (static_cast<uint32_t>(integer) + numerics::kMaxLowLimb) << 1;
      reinterpret_cast<uint16_t *>(row)[key] = static_cast<uint16_t>(shifted & 0xffffu);
    } else {
      reinterpret_cast<uint8_t *>(row)[key] = static_cast<uint8_t>(integer & 0xff);
    }
  }

  /// One byte of eight positions of a query: two words of B.
  SORTIE_DEVICE void loadLimbs(int work, int query, int mma, uint32_t selector, uint32_t flip,
                               uint32_t (&to)[2]) {
    const auto words = *reinterpret_cast<const hw::Words4 *>(
        placeOf(work, query) + 8 * (mma * kMmaQuads + 2 * laneColumn()));
#pragma unroll
    for (int i = 0; i < 2; ++i)
      to[i] = hw::selectBytes(words.word[2 * i], words.word[2 * i + 1], selector) ^ flip;
  }
};

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_ATTENTION_CHUNKWEIGHTS_H
