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
  static constexpr int kSumFloats = 2 * kTileQueries; ///< of a span

  /// What the outputs of a span and of those before it are multiplied with, for one query.
  struct alignas(8) Factors {
    float old;
    float next;
  };

public:
  SORTIE_DEVICE void run(const float *results, const int32_t *positions, const int32_t *status,
                         float *outputs, const float *sinks, int32_t tokens) {
    if (status[0] != 0 || tokens > Spec::kSplit)
      return;
    const int token = hw::blockIndexX() / Shape::kTilesOfToken;
    const int position = positions[token];
    const int panel = hw::blockIndexZ() * kMergePanels + hw::warpIndex();
    RunningSums sums; // of query `threadIndex`
    LaneFloats output{};
    const int last = position / kAttentionSpan;
    const int begin = Shape::firstSeen(position) / kAttentionSpan;
#pragma unroll 1
    for (int first = begin; first <= last; first += kMergeSpans) {
      const int left = last + 1 - first;
      const int spans = left < kMergeSpans ? left : kMergeSpans;
      if (panel < Shape::kValuePanels)
        startCopies(results, panel, first, spans);
      makeFactors(results, first, spans, sums);
      if (panel < Shape::kValuePanels)
        merge(spans, first == begin, output);
      hw::syncBlock(); // the factors have been read
    }
    if (hw::threadIndex() < kTileQueries)
      finalSums()[hw::threadIndex()] = {sums.sum, sums.largest};
    hw::syncBlock();
    if (panel < Shape::kValuePanels)
      finish(outputs, sinks, token, panel, output);
  }

private:
  SORTIE_DEVICE const float *resultOf(const float *results, int span) {
    return results + SpanResults<Spec>::first(hw::blockIndexX(), hw::blockIndexY(), span);
  }
  /// [spans][queries]: l, then m.
  SORTIE_DEVICE float *spanSums() { return hw::sharedMemory<float>(); }
  SORTIE_DEVICE Factors *factorsOf(int span) {
    return hw::sharedMemory<Factors>(kMergeFactorsOffset) + span * kTileQueries;
  }
  SORTIE_DEVICE Factors *finalSums() { return hw::sharedMemory<Factors>(); }

  /// The lane's outputs of a span.
  SORTIE_DEVICE LaneFloats *outputOf(int span) {
    return hw::sharedMemory<LaneFloats>(kMergeOutputsOffset) + span * kMergeThreads +
           hw::threadIndex();
  }

  /// Starts to copy the lane's outputs of some spans: all at once, and while factors are made.
  SORTIE_DEVICE void startCopies(const float *results, int panel, int first, int spans) {
    constexpr int64_t kStride = spanFloats(Spec::kValue);
    const float *from = resultOf(results, first) + (panel * kWarp + hw::laneIndex()) * 4;
#pragma unroll 8
    for (int span = 0; span < spans; ++span)
      hw::copyAsync<16>(outputOf(span), from + span * kStride);
    hw::commitCopies();
  }

  /// The factors of some spans. The first threads have a query each.
  SORTIE_DEVICE void makeFactors(const float *results, int first, int spans, RunningSums &sums) {
    for (int i = hw::threadIndex(); i < spans * kSumFloats; i += kMergeThreads)
      spanSums()[i] =
          resultOf(results, first + i / kSumFloats)[SpanResults<Spec>::kSums + i % kSumFloats];
    hw::syncBlock();
    const int query = hw::threadIndex();
    if (query < kTileQueries)
#pragma unroll 4
      for (int span = 0; span < spans; ++span) {
        const float *next = spanSums() + span * kSumFloats + query;
        const numerics::MergeFactors merged = sums.merge(next[0], next[kTileQueries]);
        factorsOf(span)[query] = {merged.old, numerics::mul(1.0f, merged.next)};
      }
    hw::syncBlock();
  }

  SORTIE_DEVICE void merge(int spans, bool isFirst, LaneFloats &output) {
    hw::waitForCopies<0>();
#pragma unroll 4
    for (int span = 0; span < spans; ++span) {
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

  SORTIE_DEVICE void finish(float *outputs, const float *sinks, int token, int panel,
                            LaneFloats output) {
    OutputRows<Spec> rows;
#pragma unroll
    for (int query = 0; query < kLaneQueries; ++query) {
      const int inGroup =
          hw::blockIndexX() % Shape::kTilesOfToken * kTileQueries + queryOfLane(query);
      const bool isThere = inGroup < Shape::kGroup;
      const int head = hw::blockIndexY() * Shape::kGroup + inGroup;
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

/// Outputs of up to Spec::kSplit tokens from the results of their spans; nothing for more.
template <typename Spec>
SORTIE_DEVICE void attendMerge(const float *results, const int32_t *positions,
                               const int32_t *status, float *outputs, const float *sinks,
                               int32_t tokens) {
  AttendMerge<Spec>::run(results, positions, status, outputs, sinks, tokens);
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_ATTENTION_ATTENDMERGE_H
