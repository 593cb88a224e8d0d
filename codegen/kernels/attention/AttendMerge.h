// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Merges the results of attendSpans in ascending order, then the sink, and divides.
//
// Grid (kTilesOfToken * tokens, at most those of kSplit; heads of keys; panels of the values
// ceildiv kMergePanels), kMergeThreads threads, kMergeSharedBytes bytes.

#ifndef SORTIE_CODEGEN_KERNELS_ATTENTION_ATTENDMERGE_H
#define SORTIE_CODEGEN_KERNELS_ATTENTION_ATTENDMERGE_H

#include "codegen/kernels/attention/AttendSpans.h"

namespace sortie::kernels {

template <typename Spec> class AttendMerge {
  using Shape = AttentionShape<Spec>;
  static constexpr AttendGeometry kGeometry = attendGeometry(Shape::kHeads, Spec::kSharedLimit);
  static constexpr int kThreads = kGeometry.warps * kWarp;
  static constexpr int kSumFloats = 2 * kTileQueries; ///< of a span
  static constexpr int kAtOnce = mergedSpans(kGeometry);
  static constexpr int kFactorsOffset = kAtOnce * kSumFloats * 4;
  static constexpr int kOutputsOffset = 2 * kFactorsOffset;
  static_assert(kAtOnce >= 1);

  /// What the outputs of a span and of those before it are multiplied with, for one query.
  struct alignas(8) Factors {
    float old;
    float next;
  };

public:
  /// Tile `tile` of the tiles of all tokens, for one head of keys.
  SORTIE_DEVICE void run(const float *results, const int32_t *positions, float *outputs,
                         const float *sinks, int tile, int kvHead) {
    const int token = tile / Shape::kTilesOfToken;
    const int position = positions[token];
    const int panel = hw::blockIndexZ() * kGeometry.warps + hw::warpIndex();
    const float *spans = results + SpanResults<Spec>::first(tile, kvHead, 0);
    RunningSums sums; // of query `threadIndex`
    LaneFloats output{};
    const int last = position / kAttentionSpan;
    const int begin = Shape::firstSeen(position) / kAttentionSpan;
#pragma unroll 1
    for (int first = begin; first <= last; first += kAtOnce) {
      const int left = last + 1 - first;
      const int count = left < kAtOnce ? left : kAtOnce;
      const float *from = spans + first * spanFloats(Spec::kValue);
      if (panel < Shape::kValuePanels)
        startCopies(from, panel, count);
      makeFactors(from, count, sums);
      if (panel < Shape::kValuePanels)
        merge(count, first == begin, output);
      hw::syncBlock(); // the factors have been read
    }
    if (hw::threadIndex() < kTileQueries)
      finalSums()[hw::threadIndex()] = {sums.sum, sums.largest};
    hw::syncBlock();
    if (panel < Shape::kValuePanels)
      finish(outputs, sinks, tile, kvHead, panel, output);
  }

private:
  /// [spans][queries]: l, then m.
  SORTIE_DEVICE float *spanSums() { return hw::sharedMemory<float>(); }
  SORTIE_DEVICE Factors *factorsOf(int span) {
    return hw::sharedMemory<Factors>(kFactorsOffset) + span * kTileQueries;
  }
  SORTIE_DEVICE Factors *finalSums() { return hw::sharedMemory<Factors>(); }

  /// The lane's outputs of a span.
  SORTIE_DEVICE LaneFloats *outputOf(int span) {
    return hw::sharedMemory<LaneFloats>(kOutputsOffset) + span * kThreads + hw::threadIndex();
  }

  /// Starts to copy the lane's outputs of some spans: all at once, and while factors are made.
  SORTIE_DEVICE void startCopies(const float *spans, int panel, int count) {
    const float *from = spans + (panel * kWarp + hw::laneIndex()) * 4;
#pragma unroll 8
    for (int span = 0; span < count; ++span)
      hw::copyAsync<16>(outputOf(span), from + span * spanFloats(Spec::kValue));
    hw::commitCopies();
  }

  /// The factors of some spans. The first threads have a query each.
  SORTIE_DEVICE void makeFactors(const float *spans, int count, RunningSums &sums) {
#pragma unroll 4
    for (int i = hw::threadIndex(); i < count * kSumFloats; i += kThreads)
      spanSums()[i] = spans[i / kSumFloats * spanFloats(Spec::kValue) + SpanResults<Spec>::kSums +
                            i % kSumFloats];
    hw::syncBlock();
    const int query = hw::threadIndex();
    if (query < kTileQueries)
#pragma unroll 4
      for (int span = 0; span < count; ++span) {
        const float *next = spanSums() + span * kSumFloats + query;
        const numerics::MergeFactors merged = sums.merge(next[0], next[kTileQueries]);
        factorsOf(span)[query] = {merged.old, numerics::mul(1.0f, merged.next)};
      }
    hw::syncBlock();
  }

  SORTIE_DEVICE void merge(int count, bool isFirst, LaneFloats &output) {
    hw::waitForCopies<0>();
#pragma unroll 4
    for (int span = 0; span < count; ++span) {
      const LaneFloats next = *outputOf(span);
      const bool sets = isFirst && span == 0;
#pragma unroll
      for (int query = 0; query < kLaneQueries; ++query) {
        const Factors factors = factorsOf(span)[queryOfLane(query)];
#pragma unroll
        for (int i = 0; i < kLaneRows; ++i) {
          float &value = output.value[query][i];
          const float merged =
              numerics::mergeElement(value, factors.old, next.value[query][i], factors.next);
          value = sets ? next.value[query][i] : merged; // which may be -0.0
        }
      }
    }
  }

  SORTIE_DEVICE void finish(float *outputs, const float *sinks, int tile, int kvHead, int panel,
                            LaneFloats output) {
    const int token = tile / Shape::kTilesOfToken;
    OutputRows<Spec> rows;
#pragma unroll
    for (int query = 0; query < kLaneQueries; ++query) {
      const int inGroup = tile % Shape::kTilesOfToken * kTileQueries + queryOfLane(query);
      const bool isThere = inGroup < Shape::kGroup;
      const int head = kvHead * Shape::kGroup + inGroup;
      rows.row[query] =
          isThere ? outputs + (int64_t{token} * Spec::kHeads + head) * Spec::kValue : nullptr;
      const Factors sums = finalSums()[queryOfLane(query)];
      const QueryEnd<Spec> end(sinks, isThere ? head : 0, {sums.old, sums.next});
#pragma unroll
      for (int i = 0; i < kLaneRows; ++i)
        output.value[query][i] = end.finish(output.value[query][i]);
    }
    rows.store(panel, output);
  }
};

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_ATTENTION_ATTENDMERGE_H
