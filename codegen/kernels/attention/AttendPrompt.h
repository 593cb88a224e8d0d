// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Attention of many tokens. Each warp of a thread block has a tile of queries of one head of keys,
// counted token by token; all read the chunks of each sequence that the block's tokens belong to
// from one ring. Outputs of a span lie in shared memory, those of the spans before in the output
// itself, which nobody else touches. The tokens that see the most come first.

#ifndef SORTIE_CODEGEN_KERNELS_ATTENTION_ATTENDPROMPT_H
#define SORTIE_CODEGEN_KERNELS_ATTENTION_ATTENDPROMPT_H

#include "codegen/kernels/attention/AttentionOutput.h"
#include "codegen/kernels/attention/ChunkScores.h"

namespace sortie::kernels {

template <typename Spec> class AttendPrompt {
  using Shape = AttentionShape<Spec>;
  static constexpr AttendGeometry kGeometry = attendGeometry(Shape::kHeads, Spec::kSharedLimit);
  static_assert(kGeometry.stages >= 2, "the chip has too little shared memory");
  static constexpr int kThreads = kGeometry.warps * kWarp;
  static constexpr int kQueries = kGeometry.warps * kTileQueries;

  /// Tokens of the block, and the sequence that it is at.
  struct Tokens {
    int first;
    int last;
  };

  /// Chunks [chunk, lastChunk] of a sequence, piece by piece.
  struct Source {
    const AttendOperands &operands;
    int sequence;
    int chunk;
    int lastChunk;
    const char *head;
    int piece = Shape::kPieces; ///< of the chunk before `chunk`

    SORTIE_MEMBER void copyNext(int to) {
      if (piece == Shape::kPieces) {
        if (chunk > lastChunk)
          return;
        head = Shape::headOf(operands, sequence, chunk, hw::blockIndexY());
        PieceCopy<Spec, kThreads>::startScales(head, scalesOf(chunk), hw::threadIndex());
        ++chunk;
        piece = 0;
      }
      PieceCopy<Spec, kThreads>::start(head, piece++, to, hw::threadIndex());
    }
    SORTIE_MEMBER void wait() { hw::syncBlock(); }
  };
  using Ring = PieceRing<Spec, kGeometry.stages, kGeometry.together>;
  // The ring is never two chunks ahead.
  static_assert(kGeometry.stages * kGeometry.together <= Shape::kPieces);

  /// What a lane knows of its queries.
  struct Queries {
    int position[kLaneQueries];
    int sequence[kLaneQueries];
    float scale[kLaneQueries]; ///< what is left of a score's scale
    RunningSums span[kLaneQueries];
    RunningSums total[kLaneQueries];
    int head[kLaneQueries];
    OutputRows<Spec> rows;
  };

public:
  /// The tiles of block `block` of a head of keys, if they have one; blockIndexY() is the head.
  SORTIE_DEVICE void run(const AttendOperands &operands, float *outputs, const float *sinks,
                         int32_t tokens, int block) {
    const int lastQuery = tokens * Shape::kGroup - 1;
    const int first = (lastQuery / kQueries - block) * kQueries;
    if (first < 0)
      return;
    const int end = first + kQueries - 1;
    const Tokens range = {first / Shape::kGroup,
                          (end < lastQuery ? end : lastQuery) / Shape::kGroup};
    Queries queries;
    loadQueries(operands, outputs, first + hw::warpIndex() * kTileQueries, lastQuery, queries);
    clearSpan();
    Ring ring;
    int sequence = nextSequence(operands, range, -1);
    while (sequence >= 0) {
      attendSequence(operands, range, sequence, ring, queries);
      sequence = nextSequence(operands, range, sequence);
    }
    finish(sinks, queries);
  }

private:
  SORTIE_DEVICE int tileAt() { return hw::warpIndex() * kGeometry.warpBytes; }
  SORTIE_DEVICE int workAt() { return tileAt() + kGeometry.workOffset; }
  SORTIE_DEVICE int scalesOf(int chunk) {
    return kGeometry.scalesOffset + chunk % 2 * kScalesBytes;
  }
  /// The lane's outputs of the span.
  SORTIE_DEVICE LaneFloats &outputOf(int panel) {
    return hw::sharedMemory<LaneFloats>(tileAt() +
                                        kGeometry.outputOffset)[panel * kWarp + hw::laneIndex()];
  }

  //===- Queries ----------------------------------------------------------===//

  /// The warp's queries from `first` on, of which those past `last` are copies of it whose output
  /// nobody stores.
  SORTIE_DEVICE void loadQueries(const AttendOperands &operands, float *outputs, int first,
                                 int last, Queries &queries) {
#pragma unroll 1
    for (int query = 0; query < kTileQueries; ++query) {
      const bool isThere = first + query <= last;
      const int64_t row = rowOf(first + query);
      QueryTile<Spec, 0>::quantize(isThere ? operands.queries + row * Spec::kKey : nullptr,
                                   tileAt(), query);
      if constexpr (Shape::kHasTwoParts)
        QueryTile<Spec, 1>::quantize(isThere ? operands.rotated + row * Spec::kRotated : nullptr,
                                     tileAt(), query);
    }
    hw::syncWarp();
#pragma unroll
    for (int i = 0; i < kLaneQueries; ++i) {
      const int query = first + queryOfLane(i);
      const int token = (query < last ? query : last) / Shape::kGroup;
      queries.position[i] = operands.positions[token];
      queries.sequence[i] = operands.sequences[token];
      queries.scale[i] =
          Shape::kHasTwoParts ? 1.0f : QueryTile<Spec, 0>::scale(tileAt(), queryOfLane(i));
      queries.head[i] = hw::blockIndexY() * Shape::kGroup + query % Shape::kGroup;
      queries.rows.row[i] = query <= last ? outputs + rowOf(query) * Spec::kValue : nullptr;
    }
  }
  /// The row of a query in buffers of [tokens, kHeads].
  SORTIE_DEVICE int64_t rowOf(int query) {
    return int64_t{query / Shape::kGroup} * Spec::kHeads + hw::blockIndexY() * Shape::kGroup +
           query % Shape::kGroup;
  }

  //===- Sequences --------------------------------------------------------===//

  /// The largest of `value(token)` over the block's tokens. All lanes take part.
  template <typename Value> SORTIE_DEVICE uint32_t largestOf(Tokens range, Value value) {
    uint32_t largest = 0;
#pragma unroll 1
    for (int token = range.first + hw::laneIndex(); token <= range.last; token += kWarp) {
      const uint32_t own = value(token);
      largest = own > largest ? own : largest;
    }
    return hw::reduceMax(largest);
  }

  /// The sequence of the block's tokens that follows `sequence`; -1 if none does.
  SORTIE_DEVICE int nextSequence(const AttendOperands &operands, Tokens range, int sequence) {
    const uint32_t least = largestOf(range, [&](int token) {
      const int own = operands.sequences[token];
      return own > sequence ? ~static_cast<uint32_t>(own) : 0u;
    });
    return least != 0 ? static_cast<int>(~least) : -1;
  }

  SORTIE_DEVICE void attendSequence(const AttendOperands &operands, Tokens range, int sequence,
                                    Ring &ring, Queries &queries) {
    const auto isOwn = [&](int token) { return operands.sequences[token] == sequence; };
    const uint32_t least = largestOf(range, [&](int token) {
      return isOwn(token) ? ~static_cast<uint32_t>(Shape::firstSeen(operands.positions[token]))
                          : 0u;
    });
    const uint32_t most = largestOf(range, [&](int token) {
      return isOwn(token) ? static_cast<uint32_t>(operands.positions[token]) : 0u;
    });
    const int firstChunk = static_cast<int>(~least) / kAttentionChunk;
    const int lastChunk = static_cast<int>(most) / kAttentionChunk;
    Source source = {operands, sequence, firstChunk, lastChunk, nullptr};
    source.wait(); // the ring has been read
    ring.start(kGeometry.ringOffset, source);
#pragma unroll 1
    for (int chunk = firstChunk; chunk <= lastChunk; ++chunk) {
      attendChunk(chunk, sequence, ring, source, queries);
      if ((chunk + 1) % kChunksOfSpan == 0 || chunk == lastChunk)
        endSpan(queries);
    }
  }

  //===- Chunks -----------------------------------------------------------===//

  SORTIE_DEVICE LaneVisible visibleOf(int chunk, int sequence, const Queries &queries) {
    LaneVisible visible{};
    bool isWhole = true;
#pragma unroll
    for (int query = 0; query < kLaneQueries; ++query) {
      if (queries.sequence[query] == sequence)
        visible.keys[query] = Shape::visibleKeys(chunk, queries.position[query]);
      isWhole =
          isWhole && visible.keys[query].first == 0 && visible.keys[query].last == kAttentionChunk;
    }
    visible.isWhole = hw::ballot(!isWhole) == 0;
    return visible;
  }

  SORTIE_DEVICE void attendChunk(int chunk, int sequence, Ring &ring, Source &source,
                                 Queries &queries) {
    const auto next = [&] { return ring.next(source); };
    const LaneVisible visible = visibleOf(chunk, sequence, queries);
    if (hw::ballot(visible.sees(0) || visible.sees(1)) == 0) {
#pragma unroll 1
      for (int piece = 0; piece < Shape::kPieces; ++piece)
        next();
      return;
    }
    ChunkScores<Spec>::compute(tileAt(), scalesOf(chunk), /*first=*/0, kKeyPanels, workAt(), next);
    numerics::ChunkWeights sums[kLaneQueries];
    ChunkWeights<Spec>::weigh(workAt(), scalesOf(chunk), queries.scale, visible, sums);
    float old[kLaneQueries];
    float factor[kLaneQueries];
#pragma unroll
    for (int query = 0; query < kLaneQueries; ++query) {
      RunningSums merged = queries.span[query];
      const numerics::MergeFactors factors = merged.merge(sums[query].sum, sums[query].largest);
      old[query] = factors.old;
      factor[query] = numerics::mul(sums[query].scale, factors.next);
      if (visible.sees(query))
        queries.span[query] = merged;
    }
    const ChunkValues<Spec> values(workAt());
#pragma unroll 1
    for (int panel = 0; panel < Shape::kValuePanels; ++panel) {
      const LaneFloats next4 = values.multiply(next());
      LaneFloats &output = outputOf(panel);
      LaneFloats merged = output;
#pragma unroll
      for (int query = 0; query < kLaneQueries; ++query)
#pragma unroll
        for (int i = 0; i < kLaneRows; ++i) {
          float &value = merged.value[query][i];
          const float sum =
              numerics::mergeElement(value, old[query], next4.value[query][i], factor[query]);
          value = visible.sees(query) ? sum : value;
        }
      output = merged;
    }
  }

  //===- Spans ------------------------------------------------------------===//

  SORTIE_DEVICE void clearSpan() {
#pragma unroll 1
    for (int panel = 0; panel < Shape::kValuePanels; ++panel)
      outputOf(panel) = {};
  }

  /// Merges the span into those before, of the queries that see some of it.
  SORTIE_DEVICE void endSpan(Queries &queries) {
    numerics::MergeFactors factors[kLaneQueries];
    bool isSeen[kLaneQueries];
    bool sets[kLaneQueries];
#pragma unroll
    for (int query = 0; query < kLaneQueries; ++query) {
      RunningSums &span = queries.span[query];
      isSeen[query] = !span.isEmpty();
      sets[query] = queries.total[query].isEmpty();
      RunningSums merged = queries.total[query];
      factors[query] = merged.merge(span.sum, span.largest);
      if (isSeen[query])
        queries.total[query] = merged;
      span = RunningSums();
    }
    if (hw::ballot(isSeen[0] || isSeen[1]) == 0)
      return;
#pragma unroll 1
    for (int panel = 0; panel < Shape::kValuePanels; ++panel) {
      const LaneFloats span = outputOf(panel);
      outputOf(panel) = {};
      LaneFloats total = queries.rows.load(panel);
#pragma unroll
      for (int query = 0; query < kLaneQueries; ++query)
#pragma unroll
        for (int i = 0; i < kLaneRows; ++i) {
          float &value = total.value[query][i];
          const float merged =
              numerics::mergeElement(value, factors[query].old, span.value[query][i],
                                     numerics::mul(1.0f, factors[query].next));
          value = !isSeen[query] ? value : sets[query] ? span.value[query][i] : merged;
        }
      queries.rows.store(panel, total);
    }
  }

  SORTIE_DEVICE void finish(const float *sinks, const Queries &queries) {
    const QueryEnd<Spec> ends[kLaneQueries] = {{sinks, queries.head[0], queries.total[0]},
                                               {sinks, queries.head[1], queries.total[1]}};
#pragma unroll 1
    for (int panel = 0; panel < Shape::kValuePanels; ++panel) {
      LaneFloats output = queries.rows.load(panel);
#pragma unroll
      for (int query = 0; query < kLaneQueries; ++query)
#pragma unroll
        for (int i = 0; i < kLaneRows; ++i)
          output.value[query][i] = ends[query].finish(output.value[query][i]);
      queries.rows.store(panel, output);
    }
  }
};

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_ATTENTION_ATTENDPROMPT_H
