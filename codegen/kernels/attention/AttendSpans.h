// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Attention of few tokens, whose spans are shared out. A thread block has one span, one head of
// keys and a tile of queries of one token; each of its four warps has a chunk, copies it through a
// ring of its own and waits for nobody until the chunks are merged. AttendMerge.h merges the spans.
//
// Grid (kTilesOfToken * tokens, at most those of kSplit; heads of keys; spans of the longest
// sequence), kSpanThreads threads, spansGeometry().sharedBytes bytes.

#ifndef SORTIE_CODEGEN_KERNELS_ATTENTION_ATTENDSPANS_H
#define SORTIE_CODEGEN_KERNELS_ATTENTION_ATTENDSPANS_H

#include "codegen/kernels/attention/AttentionOutput.h"
#include "codegen/kernels/attention/ChunkScores.h"

namespace sortie::kernels {

/// Where the result of a span for a tile is.
template <typename Spec> struct SpanResults {
  using Shape = AttentionShape<Spec>;

  SORTIE_DEVICE int64_t first(int tile, int kvHead, int span) {
    return ((int64_t{tile} * Spec::kKvHeads + kvHead) * Shape::kSpans + span) *
           spanFloats(Spec::kValue);
  }
  /// l of the tile's queries, behind its outputs; then m.
  static constexpr int kSums = Shape::kValuePanels * kLanesBytes / 4;
};

template <typename Spec> class AttendSpans {
  using Shape = AttentionShape<Spec>;
  static constexpr SpansGeometry kGeometry = spansGeometry(Shape::kHeads, Spec::kSharedLimit);
  static_assert(kGeometry.stages >= 2, "the chip has too little shared memory");

  /// The pieces of a warp's chunk, those of the panels of keys [first, last) and all values.
  struct Source {
    const char *head;
    int piece;
    int lastKey;

    SORTIE_MEMBER void copyNext(int to) {
      if (piece == lastKey)
        piece = Shape::kKeyPieces;
      if (piece < Shape::kPieces)
        PieceCopy<Spec, kWarp>::start(head, piece++, to, hw::laneIndex());
    }
    SORTIE_MEMBER void wait() { hw::syncWarp(); }
  };
  using Ring = PieceRing<Spec, kGeometry.stages, /*Together=*/1>;

  /// m, l and D of a chunk for a query.
  struct alignas(16) Sums {
    numerics::ChunkWeights chunk;
    float unused;
  };

public:
  SORTIE_DEVICE void run(const AttendOperands &operands, float *results, int32_t tokens) {
    if (operands.status[0] != 0 || tokens > Spec::kSplit)
      return;
    const int token = hw::blockIndexX() / Shape::kTilesOfToken;
    const int position = operands.positions[token];
    const int span = hw::blockIndexZ();
    if (span < Shape::firstSeen(position) / kAttentionSpan || span > position / kAttentionSpan)
      return;
    const int chunk = span * kChunksOfSpan + hw::warpIndex();
    const numerics::KeyRange keys = Shape::visibleKeys(chunk, position);
    Source source{};
    Ring ring;
    if (keys.last != 0) {
      const int sequence = operands.sequences[token];
      source.head = Shape::headOf(operands, sequence, chunk, hw::blockIndexY());
      source.piece = keys.first / kCachePanelRows * Shape::kSlices;
      source.lastKey = lastPanel(keys) * Shape::kSlices;
      PieceCopy<Spec, kWarp>::startScales(source.head, scalesAt(), hw::laneIndex());
      ring.start(ringAt(), source);
    }
    quantizeQueries(operands, token);
    hw::syncBlock();
    attend(keys, position, source, ring, resultOf(results, span));
  }

private:
  SORTIE_DEVICE int lastPanel(numerics::KeyRange keys) {
    return (keys.last + kCachePanelRows - 1) / kCachePanelRows;
  }
  SORTIE_DEVICE int workAt(int warp) { return kGeometry.workOffset + warp * kWorkBytes; }
  SORTIE_DEVICE int scalesAt() { return kGeometry.scalesOffset + hw::warpIndex() * kScalesBytes; }
  SORTIE_DEVICE int ringAt() {
    return kGeometry.ringOffset + hw::warpIndex() * kGeometry.stages * Shape::kPieceBytes;
  }
  SORTIE_DEVICE Sums *sumsOf(int chunk) {
    return hw::sharedMemory<Sums>(kGeometry.sumsOffset) + chunk * kTileQueries;
  }
  SORTIE_DEVICE float *resultOf(float *results, int span) {
    return results + SpanResults<Spec>::first(hw::blockIndexX(), hw::blockIndexY(), span);
  }

  /// Each warp takes some queries of the block's tile.
  SORTIE_DEVICE void quantizeQueries(const AttendOperands &operands, int token) {
    const int first = hw::blockIndexX() % Shape::kTilesOfToken * kTileQueries;
#pragma unroll
    for (int i = 0; i < kTileQueries / kChunksOfSpan; ++i) {
      const int query = i * kChunksOfSpan + hw::warpIndex();
      const int64_t head =
          int64_t{token} * Spec::kHeads + hw::blockIndexY() * Shape::kGroup + first + query;
      const bool isThere = first + query < Shape::kGroup;
      QueryTile<Spec, 0>::quantize(isThere ? operands.queries + head * Spec::kKey : nullptr,
                                   /*tile=*/0, query);
      if constexpr (Shape::kHasTwoParts)
        QueryTile<Spec, 1>::quantize(isThere ? operands.rotated + head * Spec::kRotated : nullptr,
                                     /*tile=*/0, query);
    }
  }

  SORTIE_DEVICE void attend(numerics::KeyRange keys, int position, Source &source, Ring &ring,
                            float *result) {
    const int work = workAt(hw::warpIndex());
    const auto next = [&] { return ring.next(source); };
    if (keys.last == 0) {
      mergePanels(position, result, [](int) {});
      return;
    }
    ChunkScores<Spec>::compute(/*tile=*/0, scalesAt(), keys.first / kCachePanelRows,
                               lastPanel(keys), work, next);
    weigh(keys, work);
    const ChunkValues<Spec> values(work);
    mergePanels(position, result, [&](int panel) {
      hw::sharedMemory<LaneFloats>(work)[panel % kPanelsOfWork * kWarp + hw::laneIndex()] =
          values.multiply(next());
    });
  }

  SORTIE_DEVICE void weigh(numerics::KeyRange keys, int work) {
    LaneVisible visible{};
    float queryScale[kLaneQueries];
    visible.isWhole = keys.first == 0 && keys.last == kAttentionChunk;
#pragma unroll
    for (int query = 0; query < kLaneQueries; ++query) {
      visible.keys[query] = keys;
      queryScale[query] =
          Shape::kHasTwoParts ? 1.0f : QueryTile<Spec, 0>::scale(/*tile=*/0, queryOfLane(query));
    }
    numerics::ChunkWeights chunk[kLaneQueries];
    ChunkWeights<Spec>::weigh(work, scalesAt(), queryScale, visible, chunk);
    if (laneRow() == 0)
#pragma unroll
      for (int query = 0; query < kLaneQueries; ++query)
        sumsOf(hw::warpIndex())[queryOfLane(query)].chunk = chunk[query];
  }

  //===- Merging ----------------------------------------------------------===//

  /// What the chunks of the span are multiplied with, for the lane's queries.
  struct Factors {
    float old[kChunksOfSpan][kLaneQueries];
    float next[kChunksOfSpan][kLaneQueries];
    RunningSums sums[kLaneQueries];
  };

  SORTIE_DEVICE bool isSeen(int chunk, int position) {
    return Shape::visibleKeys(hw::blockIndexZ() * kChunksOfSpan + chunk, position).last != 0;
  }

  /// `compute(panel)` leaves the outputs of a panel at the warp's work. A few panels at a time are
  /// merged, by warps that share them.
  template <typename Compute>
  SORTIE_DEVICE void mergePanels(int position, float *result, Compute compute) {
    Factors factors;
#pragma unroll 1
    for (int first = 0; first < Shape::kValuePanels; first += kPanelsOfWork) {
      const int left = Shape::kValuePanels - first;
      const int panels = left < kPanelsOfWork ? left : kPanelsOfWork;
#pragma unroll 1
      for (int panel = 0; panel < panels; ++panel)
        compute(first + panel);
      hw::syncBlock();
      if (first == 0)
        mergeSums(position, factors);
#pragma unroll 1
      for (int panel = hw::warpIndex(); panel < panels; panel += kChunksOfSpan)
        reinterpret_cast<LaneFloats *>(result)[(first + panel) * kWarp + hw::laneIndex()] =
            merge(position, panel, factors);
      if (left > kPanelsOfWork)
        hw::syncBlock(); // work may become that of the next panels
    }
    if (hw::warpIndex() == 0 && laneRow() == 0)
#pragma unroll
      for (int query = 0; query < kLaneQueries; ++query) {
        float *sums = result + SpanResults<Spec>::kSums + queryOfLane(query);
        sums[0] = factors.sums[query].sum;
        sums[kTileQueries] = factors.sums[query].largest;
      }
  }

  SORTIE_DEVICE void mergeSums(int position, Factors &factors) {
#pragma unroll
    for (int chunk = 0; chunk < kChunksOfSpan; ++chunk)
      if (isSeen(chunk, position))
#pragma unroll
        for (int query = 0; query < kLaneQueries; ++query) {
          const numerics::ChunkWeights next = sumsOf(chunk)[queryOfLane(query)].chunk;
          const numerics::MergeFactors merged = factors.sums[query].merge(next.sum, next.largest);
          factors.old[chunk][query] = merged.old;
          factors.next[chunk][query] = numerics::mul(next.scale, merged.next);
        }
  }

  SORTIE_DEVICE LaneFloats merge(int position, int panel, const Factors &factors) {
    LaneFloats output{};
#pragma unroll
    for (int chunk = 0; chunk < kChunksOfSpan; ++chunk)
      if (isSeen(chunk, position)) {
        const LaneFloats next =
            hw::sharedMemory<LaneFloats>(workAt(chunk))[panel * kWarp + hw::laneIndex()];
#pragma unroll
        for (int query = 0; query < kLaneQueries; ++query)
#pragma unroll
          for (int i = 0; i < kLaneRows; ++i)
            output.value[query][i] =
                numerics::mergeElement(output.value[query][i], factors.old[chunk][query],
                                       next.value[query][i], factors.next[chunk][query]);
      }
    return output;
  }
};

/// Results of spans for up to Spec::kSplit tokens; nothing for more.
template <typename Spec>
SORTIE_DEVICE void attendSpans(const AttendOperands &operands, float *results, int32_t tokens) {
  AttendSpans<Spec>::run(operands, results, tokens);
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_ATTENTION_ATTENDSPANS_H
