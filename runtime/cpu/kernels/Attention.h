// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Attention over a cache of pages and the rows that are appended to it, in the order of operations
// of numerics/attention.h. Several queries share the loads of a chunk's keys and values.

#ifndef SORTIE_RUNTIME_CPU_KERNELS_ATTENTION_H
#define SORTIE_RUNTIME_CPU_KERNELS_ATTENTION_H

#include "runtime/cpu/AttentionOperands.h"
#include "runtime/cpu/Kernels.h"
#include "runtime/cpu/kernels/Elementwise.h"
#include "runtime/cpu/kernels/LimbDot.h"

namespace sortie::cpu {

/// Parts of a worker's scratch, one behind the other.
class ScratchParts {
public:
  explicit ScratchParts(std::byte *scratch) : next(scratch) {}

  template <typename T> SORTIE_KERNEL_INLINE T *take(int64_t count) {
    auto *part = reinterpret_cast<T *>(next);
    next += numerics::roundedUp(count * static_cast<int64_t>(sizeof(T)), 64);
    return part;
  }

private:
  std::byte *next;
};

template <typename Simd, numerics::ActivationWidth Own, numerics::ActivationWidth Cached>
struct AttentionOf {
  using Floats = typename Simd::Floats;
  using Ints = typename Simd::Ints;
  using Vectors = Elementwise<Simd>;
  static constexpr int kOwn = Own == numerics::ActivationWidth::Int16 ? 2 : 1;
  static constexpr int kCached = Cached == numerics::ActivationWidth::Int16 ? 2 : 1;
  using ScoreDot = LimbDot<Simd, kOwn, kCached, true>;
  using ValueDot = LimbDot<Simd, kOwn, kCached, false>;

  static constexpr int kChunk = numerics::kAttentionChunk;
  static constexpr int kLanes = Simd::kLanes;
  static_assert(kLanes == numerics::kCachePanelRows);
  /// Bytes of a quad of each row of a panel.
  static constexpr int64_t kVector = numerics::kCachePanelRows * numerics::kCacheQuad;
  /// Queries whose sums are in registers together.
  static constexpr int kTogether = Simd::kLimbRows;

  /// A query, and what is known of the chunks that it has seen.
  struct Query {
    typename ScoreDot::Row row;
    float scale;
    typename ScoreDot::Row rotatedRow; ///< what meets the second part of keys, where they have two
    float rotatedScale;
    int64_t position;
    numerics::PartialAttention span;  ///< of the chunks of the span
    numerics::PartialAttention total; ///< of the spans before
  };

  /// A query and a chunk that it sees.
  struct Weighed {
    Query *query;
    numerics::KeyRange visible;
    typename ValueDot::Row row; ///< the integers of the weights
    float old, factor;          ///< what the output so far and the chunk's are multiplied with
    bool isFirst;
  };

  struct Scratch {
    Query *queries;
    std::byte *weightRows; ///< [kTogether] rows of weights
    float *scores;         ///< [kTogether][128]

    static constexpr int64_t kWeightBytes = numerics::roundedUp(ValueDot::rowBytes(kChunk), 64);
  };

  //===- Queries ----------------------------------------------------------===//

  SORTIE_KERNEL_INLINE static void makeQuery(const AttendOperands &op, int64_t token, int64_t head,
                                             ScratchParts &parts, Query &query) {
    query.scale = makeRow(op, op.query(token, head), op.key, parts, query.row);
    if (op.rotated != 0)
      query.rotatedScale =
          makeRow(op, op.rotatedQuery(token, head), op.rotated, parts, query.rotatedRow);
    query.position = op.positions[token];
    const int64_t padded = numerics::roundedUp(op.value, kLanes);
    query.span = {parts.take<float>(padded)};
    query.total = {parts.take<float>(padded)};
  }

  /// Quantizes `count` elements of a query to integers; their scale, times the softmax's.
  SORTIE_KERNEL_INLINE static float makeRow(const AttendOperands &op, const float *elements,
                                            int64_t count, ScratchParts &parts,
                                            typename ScoreDot::Row &row) {
    int16_t integers[numerics::kMaxHead];
    const float scale = numerics::quantizeBlock<Own>(elements, static_cast<int>(count), integers);
    row = ScoreDot::makeRow(integers, static_cast<int>(count),
                            parts.take<std::byte>(ScoreDot::rowBytes(count)));
    return numerics::mul(scale, op.scale);
  }

  /// Bytes of scratch that a query takes.
  static int64_t queryBytes(const AttendOperands &op) {
    const int64_t padded = numerics::roundedUp(op.value, kLanes) * 4;
    return numerics::roundedUp(ScoreDot::rowBytes(op.key), 64) +
           numerics::roundedUp(ScoreDot::rowBytes(op.rotated), 64) +
           2 * numerics::roundedUp(padded, 64) + static_cast<int64_t>(sizeof(Query));
  }

  //===- Scores -----------------------------------------------------------===//

  /// The products of `Count` queries with one part of the keys of a panel, times the keys' scales.
  /// `row` says which row of a query meets that part.
  template <int Count>
  SORTIE_KERNEL_INLINE static void
  scorePart(const numerics::CacheRowsLayout &layout, typename ScoreDot::Row Query::*row,
            const std::byte *page, const Weighed *weighed, int panel, Floats (&scores)[Count]) {
    const std::byte *keys = page + layout.first + panel * layout.panel;
    const int64_t quads = layout.panel / kVector;
    Ints sums[Count][ScoreDot::kSums];
    clear(sums);
    for (int64_t quad = 0; quad < quads; ++quad) {
      typename ScoreDot::Vector limbs[kCached];
      unrolled<kCached>([&](auto limb) SORTIE_KERNEL_LAMBDA {
        limbs[limb] = ScoreDot::load(keys + limb * layout.limb + quad * kVector);
      });
      unrolled<Count>([&](auto q) SORTIE_KERNEL_LAMBDA {
        ScoreDot::add(sums[q], limbs, weighed[q].query->*row, quad);
      });
    }
    const auto *scales = reinterpret_cast<const float *>(page + layout.scales);
    const Floats scale = Simd::load(scales + panel * kLanes);
    unrolled<Count>([&](auto q) SORTIE_KERNEL_LAMBDA {
      scores[q] = Simd::mul(ScoreDot::finish(sums[q], weighed[q].query->*row), scale);
    });
  }

  /// The scores of `Count` queries with the keys of the panels [first, last) of a chunk.
  template <int Count>
  SORTIE_KERNEL_INLINE static void scorePanels(const AttendOperands &op, const std::byte *page,
                                               const Weighed *weighed, int first, int last,
                                               float *to) {
    for (int panel = first; panel < last; ++panel) {
      Floats scores[Count];
      scorePart(op.layout.keys, &Query::row, page, weighed, panel, scores);
      if (op.rotated != 0)
        addRotated(op, page, weighed, panel, scores);
      unrolled<Count>([&](auto q) SORTIE_KERNEL_LAMBDA {
        Simd::store(to + q * kChunk + panel * kLanes, scores[q]);
      });
    }
  }

  /// numerics::scoreOfTwoParts, of what the first part gives.
  template <int Count>
  SORTIE_KERNEL_INLINE static void addRotated(const AttendOperands &op, const std::byte *page,
                                              const Weighed *weighed, int panel,
                                              Floats (&scores)[Count]) {
    Floats rotated[Count];
    scorePart(op.layout.rotated, &Query::rotatedRow, page, weighed, panel, rotated);
    unrolled<Count>([&](auto q) SORTIE_KERNEL_LAMBDA {
      const Query &query = *weighed[q].query;
      scores[q] = Simd::fma(rotated[q], Simd::broadcast(query.rotatedScale),
                            Simd::mul(scores[q], Simd::broadcast(query.scale)));
    });
  }

  template <int Count, int Sums> SORTIE_KERNEL_INLINE static void clear(Ints (&sums)[Count][Sums]) {
    unrolled<Count>([&](auto q) SORTIE_KERNEL_LAMBDA {
      unrolled<Sums>([&](auto s) SORTIE_KERNEL_LAMBDA { sums[q][s] = Simd::zeroInts(); });
    });
  }

  //===- Softmax ----------------------------------------------------------===//

  /// Sets what is not visible.
  SORTIE_KERNEL_INLINE static void hide(float *values, numerics::KeyRange visible, float with) {
    for (int key = 0; key < visible.first; ++key)
      values[key] = with;
    for (int key = visible.last; key < kChunk; ++key)
      values[key] = with;
  }

  SORTIE_KERNEL_INLINE static float largestOf(const float *scores) {
    Floats largest = Simd::load(scores);
    for (int key = kLanes; key < kChunk; key += kLanes)
      largest = Simd::greater(largest, Simd::load(scores + key));
    float lanes[kLanes];
    Simd::store(lanes, largest);
    float most = lanes[0];
    for (int lane = 1; lane < kLanes; ++lane)
      most = lanes[lane] > most ? lanes[lane] : most;
    return most;
  }

  SORTIE_KERNEL_INLINE static float sumOf(const float *probabilities) {
    float partials[numerics::kWeightPartials] = {};
    for (int key = 0; key < kChunk; key += numerics::kWeightPartials)
      for (int j = 0; j < numerics::kWeightPartials; ++j)
        partials[j] = numerics::add(partials[j], probabilities[key + j]);
    return numerics::sumNeighbours(partials);
  }

  /// numerics::weighChunk: overwrites the scores. `integers` [128].
  ///
  /// Which of several NaNs or zeros is the largest score cannot show: any NaN makes all of the
  /// output NaN, and the sign of a zero is lost in exp2.
  SORTIE_KERNEL_INLINE static numerics::ChunkWeights weigh(float *scores, const float *valueScales,
                                                           float queryScale,
                                                           numerics::KeyRange visible,
                                                           int16_t *integers) {
    hide(scores, visible, -__builtin_inff());
    const float largest = numerics::mul(largestOf(scores), queryScale);
    float values[kChunk];
    const Floats scale = Simd::broadcast(queryScale);
    const Floats minusLargest = Simd::broadcast(-largest);
    for (int key = 0; key < kChunk; key += kLanes) {
      const Floats p = Vectors::exp2(Simd::fma(Simd::load(scores + key), scale, minusLargest));
      Simd::store(scores + key, p);
      Simd::store(values + key, Simd::mul(p, Simd::load(valueScales + key)));
    }
    hide(scores, visible, 0.0f);
    hide(values, visible, 0.0f);

    const numerics::ActivationScale chunk =
        numerics::activationScale<Own>(numerics::magnitudeBits(values, kChunk));
    for (int key = 0; key < kChunk; ++key)
      integers[key] =
          chunk.isRegular
              ? static_cast<int16_t>(numerics::quantizeWeight(values[key], chunk.reciprocal))
              : int16_t{0};
    constexpr auto kUnit = static_cast<float>(kOwn == 2 && kCached == 2 ? numerics::kLimbBase : 1);
    return {largest, sumOf(scores), numerics::mul(kUnit, chunk.scale)};
  }

  /// Weighs the chunk for one query, whose sum and largest exponent then count the chunk, too.
  SORTIE_KERNEL_INLINE static void weighFor(const AttendOperands &op, const std::byte *page,
                                            float *scores, std::byte *row, Weighed &weighed) {
    const auto *valueScales = reinterpret_cast<const float *>(page + op.layout.valueScales);
    // Scores of two parts have the query's scales in them.
    const float queryScale = op.rotated != 0 ? 1.0f : weighed.query->scale;
    int16_t integers[kChunk];
    const numerics::ChunkWeights next =
        weigh(scores, valueScales, queryScale, weighed.visible, integers);
    weighed.row = ValueDot::makeRow(integers, kChunk, row);
    numerics::PartialAttention &span = weighed.query->span;
    weighed.isFirst = span.isEmpty;
    weighed.factor = next.scale;
    if (span.isEmpty) {
      span.sum = next.sum;
      span.largest = next.largest;
      span.isEmpty = false;
      return;
    }
    const numerics::MergeFactors factors = numerics::mergeFactors(span.largest, next.largest);
    weighed.old = factors.old;
    weighed.factor = numerics::mul(next.scale, factors.next);
    span.sum = numerics::mergeSum(span.sum, next.sum, factors);
    span.largest = factors.largest;
  }

  //===- Values -----------------------------------------------------------===//

  /// Adds the values of positions [4 * firstQuad, 4 * lastQuad), as `Count` queries weigh them.
  template <int Count>
  SORTIE_KERNEL_INLINE static void addValues(const AttendOperands &op, const std::byte *page,
                                             const Weighed *weighed, int firstQuad, int lastQuad) {
    for (int64_t element = 0; element < op.value; element += kLanes) {
      const std::byte *values = page + op.layout.values + element / kLanes * op.layout.valuePanel;
      Ints sums[Count][ValueDot::kSums];
      clear(sums);
      for (int quad = firstQuad; quad < lastQuad; ++quad) {
        typename ValueDot::Vector limbs[kCached];
        unrolled<kCached>([&](auto limb) SORTIE_KERNEL_LAMBDA {
          limbs[limb] = ValueDot::load(values + limb * op.layout.valueLimb + quad * kVector);
        });
        unrolled<Count>([&](auto q) SORTIE_KERNEL_LAMBDA {
          ValueDot::add(sums[q], limbs, weighed[q].row, quad);
        });
      }
      unrolled<Count>([&](auto q) SORTIE_KERNEL_LAMBDA {
        mergeVector(weighed[q], ValueDot::finish(sums[q], weighed[q].row), element);
      });
    }
  }

  SORTIE_KERNEL_INLINE static void mergeVector(const Weighed &weighed, Floats next,
                                               int64_t element) {
    float *output = weighed.query->span.output + element;
    Floats merged = Simd::mul(next, Simd::broadcast(weighed.factor));
    if (!weighed.isFirst)
      merged = Simd::fma(next, Simd::broadcast(weighed.factor),
                         Simd::mul(Simd::load(output), Simd::broadcast(weighed.old)));
    Simd::store(output, merged);
  }

  //===- Chunks -----------------------------------------------------------===//

  /// The chunk in `page`, for `Count` queries that each see some of it.
  template <int Count>
  static void attendChunk(const AttendOperands &op, const std::byte *page, Weighed *weighed,
                          const Scratch &scratch) {
    numerics::KeyRange seen = weighed[0].visible;
    for (int q = 1; q < Count; ++q) {
      seen.first = weighed[q].visible.first < seen.first ? weighed[q].visible.first : seen.first;
      seen.last = weighed[q].visible.last > seen.last ? weighed[q].visible.last : seen.last;
    }
    scorePanels<Count>(op, page, weighed, seen.first / kLanes, (seen.last + kLanes - 1) / kLanes,
                       scratch.scores);
    for (int q = 0; q < Count; ++q)
      weighFor(op, page, scratch.scores + q * kChunk,
               scratch.weightRows + q * Scratch::kWeightBytes, weighed[q]);
    addValues<Count>(op, page, weighed, seen.first / numerics::kCacheQuad,
                     (seen.last + numerics::kCacheQuad - 1) / numerics::kCacheQuad);
  }

  /// The chunk that begins at position `chunk`, for all queries that see some of it.
  SORTIE_KERNEL_INLINE static void attendChunk(const AttendOperands &op, const std::byte *page,
                                               int64_t chunk, int queries, const Scratch &scratch) {
    Weighed together[kTogether];
    int waiting = 0;
    for (int i = 0; i < queries; ++i) {
      Query &query = scratch.queries[i];
      const numerics::KeyRange visible = numerics::visibleKeys(chunk, query.position, op.window);
      if (visible.first >= visible.last)
        continue;
      together[waiting].query = &query;
      together[waiting].visible = visible;
      if (++waiting == kTogether) {
        attendChunk<kTogether>(op, page, together, scratch);
        waiting = 0;
      }
    }
    for (int i = 0; i < waiting; ++i)
      attendChunk<1>(op, page, together + i, scratch);
  }

  /// Merges the chunks of a span into those before.
  SORTIE_KERNEL_INLINE static void endSpan(const AttendOperands &op, Query &query) {
    if (query.span.isEmpty)
      return;
    numerics::mergeAttention(query.total, query.span.output, static_cast<int>(op.value),
                             {query.span.largest, query.span.sum, 1.0f});
    query.span.isEmpty = true;
  }

  SORTIE_KERNEL_INLINE static void writeOutput(const AttendOperands &op, int64_t token,
                                               int64_t head, Query &query) {
    if (op.sinks != nullptr)
      numerics::mergeSink(query.total, op.sinks[head], static_cast<int>(op.value),
                          query.span.output);
    float *to = op.output(token, head);
    const Floats sum = Simd::broadcast(query.total.sum);
    Vectors::forEachVector(op.value, [&](int64_t i, int n) {
      const Floats all = Vectors::loadSome(query.total.output + i, n);
      Vectors::storeSome(to + i, Simd::canonicalNan(Simd::div(all, sum)), n);
    });
  }

  /// Queries [first, first + count) of a head of keys, all of one sequence.
  static void attendSequence(const AttendOperands &op, int64_t kvHead, int64_t first, int count,
                             std::byte *memory) {
    ScratchParts parts(memory);
    const Scratch scratch = {parts.take<Query>(count),
                             parts.take<std::byte>(kTogether * Scratch::kWeightBytes),
                             parts.take<float>(int64_t{kTogether} * kChunk)};
    int64_t last = 0, begin = INT64_MAX;
    for (int i = 0; i < count; ++i) {
      const auto [token, head] = op.place(kvHead, first + i);
      makeQuery(op, token, head, parts, scratch.queries[i]);
      const int64_t position = scratch.queries[i].position;
      const int64_t least = op.window != 0 && position >= op.window ? position - op.window + 1 : 0;
      last = position > last ? position : last;
      begin = least < begin ? least : begin;
    }
    const int64_t sequence = op.sequences[op.place(kvHead, first).token];
    for (int64_t chunk = begin / kChunk * kChunk; chunk <= last; chunk += kChunk) {
      attendChunk(op, op.page(sequence, chunk / kChunk, kvHead), chunk, count, scratch);
      if ((chunk + kChunk) % numerics::kAttentionSpan == 0 || chunk + kChunk > last)
        for (int i = 0; i < count; ++i)
          endSpan(op, scratch.queries[i]);
    }
    for (int i = 0; i < count; ++i) {
      const auto [token, head] = op.place(kvHead, first + i);
      writeOutput(op, token, head, scratch.queries[i]);
    }
  }
};

template <typename Simd> struct Attention {
  /// Queries [first, first + count) of a head of keys: those of equal sequence next to each other
  /// are computed together.
  template <numerics::ActivationWidth Own, numerics::ActivationWidth Cached>
  static void attendAs(const AttendOperands &op, const AttentionUnit &unit, std::byte *scratch) {
    using Kernel = AttentionOf<Simd, Own, Cached>;
    const int64_t most =
        (static_cast<int64_t>(kScratchBytes) - kScratchReserve) / Kernel::queryBytes(op);
    const auto sequenceOf = [&](int64_t query) {
      return op.sequences[op.place(unit.kvHead, query).token];
    };
    for (int64_t first = unit.first; first < unit.first + unit.count;) {
      int64_t end = first + 1;
      while (end < unit.first + unit.count && end - first < most &&
             sequenceOf(end) == sequenceOf(first))
        ++end;
      Kernel::attendSequence(op, unit.kvHead, first, static_cast<int>(end - first), scratch);
      first = end;
    }
  }

  /// For what a kernel has beside its queries, and for the alignment of their parts.
  static constexpr int64_t kScratchReserve = int64_t{64} << 10;

  static void attend(const AttendOperands &op, const AttentionUnit &unit, std::byte *scratch) {
    using enum numerics::ActivationWidth;
    if (op.ownWidth == Int16)
      return op.width == Int16 ? attendAs<Int16, Int16>(op, unit, scratch)
                               : attendAs<Int16, Int8>(op, unit, scratch);
    return op.width == Int16 ? attendAs<Int8, Int16>(op, unit, scratch)
                             : attendAs<Int8, Int8>(op, unit, scratch);
  }

  //===- Appending --------------------------------------------------------===//

  /// Stores integers as a row of panels whose elements run along the row, as keys do, or across it.
  template <int Limbs>
  SORTIE_KERNEL_INLINE static void storeRow(const int16_t *integers, int64_t count,
                                            std::byte *limbs, int64_t limbBytes, int64_t panelBytes,
                                            int64_t position, bool isAcross) {
    for (int64_t i = 0; i < count; ++i) {
      const int64_t at = isAcross ? numerics::cacheByte(panelBytes, i, position)
                                  : numerics::cacheByte(panelBytes, position, i);
      const int32_t low = Limbs == 2 ? numerics::lowLimb(integers[i]) : integers[i];
      limbs[at] = static_cast<std::byte>(low + numerics::kCacheBias);
      if constexpr (Limbs == 2)
        limbs[limbBytes + at] =
            static_cast<std::byte>(((integers[i] - low) >> 7) + numerics::kCacheBias);
    }
  }

  /// Stores integers as the row of a position.
  template <int Limbs>
  SORTIE_KERNEL_INLINE static void storeKey(const int16_t *integers, int64_t count, std::byte *page,
                                            const numerics::CacheRowsLayout &layout,
                                            int64_t position) {
    storeRow<Limbs>(integers, count, page + layout.first, layout.limb, layout.panel, position,
                    /*isAcross=*/false);
  }

  template <numerics::ActivationWidth Width>
  static void appendAs(const AppendOperands &op, const AppendUnit &unit) {
    constexpr int kLimbs = Width == numerics::ActivationWidth::Int16 ? 2 : 1;
    const numerics::CachePageLayout &layout = op.layout;
    const int64_t kvHead = unit.kvHead;
    for (int64_t token = unit.first; token < unit.first + unit.count; ++token) {
      std::byte *page = op.page(token, kvHead);
      const int64_t position = op.positions[token] % numerics::kAttentionChunk;
      const auto scaleAt = [&](int64_t scales) SORTIE_KERNEL_LAMBDA -> float & {
        return reinterpret_cast<float *>(page + scales)[position];
      };
      int16_t integers[numerics::kMaxHead];
      if (op.rotated != 0) {
        scaleAt(layout.rotated.scales) = numerics::quantizeBlock<Width>(
            op.rotatedRow(token, kvHead), static_cast<int>(op.rotated), integers);
        storeKey<kLimbs>(integers, op.rotated, page, layout.rotated, position);
      }
      scaleAt(layout.keys.scales) = numerics::quantizeBlock<Width>(
          op.keyRow(token, kvHead), static_cast<int>(op.key), integers);
      storeKey<kLimbs>(integers, op.key, page, layout.keys, position);
      if (op.rotated == 0) // otherwise the integers are the value's, too
        scaleAt(layout.valueScales) = numerics::quantizeBlock<Width>(
            op.valueRow(token, kvHead), static_cast<int>(op.value), integers);
      storeRow<kLimbs>(integers, op.value, page + layout.values, layout.valueLimb,
                       layout.valuePanel, position, /*isAcross=*/true);
    }
  }

  static void append(const AppendOperands &op, const AppendUnit &unit) {
    if (op.width == numerics::ActivationWidth::Int16)
      appendAs<numerics::ActivationWidth::Int16>(op, unit);
    else
      appendAs<numerics::ActivationWidth::Int8>(op, unit);
  }
};

} // namespace sortie::cpu

#endif // SORTIE_RUNTIME_CPU_KERNELS_ATTENTION_H
