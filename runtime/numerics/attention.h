// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `exact` attention of one query over a cache, as docs/numerics-models.md defines it and in the
// plainest code: the reference of every kernel. The roundings, which kernels share, are functions
// of their own.

#ifndef SORTIE_RUNTIME_NUMERICS_ATTENTION_H
#define SORTIE_RUNTIME_NUMERICS_ATTENTION_H

#include "runtime/numerics/dot.h"
#include "runtime/numerics/exp2.h"

namespace sortie::numerics {

/// Version of the contract that has what whole models need beside their feed-forward halves:
/// everything of kContractVersion, and docs/numerics-models.md. Programs of whole models record it.
constexpr int kWholeModelContractVersion = 2;
static_assert(kWholeModelContractVersion > kContractVersion);

/// Positions whose keys are weighed together, and whose weights have one scale.
constexpr int kAttentionChunk = 128;
/// Positions whose chunks are merged before they are merged with those of other spans.
constexpr int kAttentionSpan = 512;
/// Elements of a head: more could overflow the sums of products of two limbs.
constexpr int kMaxHead = 1024;
/// Partial sums of a chunk's weights (a power of two).
constexpr int kWeightPartials = 8;

static_assert(kAttentionSpan % kAttentionChunk == 0);
static_assert(kAttentionChunk % kWeightPartials == 0);

/// Sums of the products of the limbs of two `int16` integers.
struct LimbSums {
  int32_t upper = 0;  ///< 128 * high * high + high * low + low * high
  int32_t lowLow = 0; ///< low * low
};

/// Adds one product of two `int16` integers. The sums over kMaxHead products fit 32 bits.
SORTIE_NUMERICS_INLINE void addLimbProducts(int32_t a, int32_t b, LimbSums &sums) {
  const int32_t aHigh = highLimb(a);
  const int32_t bHigh = highLimb(b);
  const int32_t aLow = lowLimb(a);
  const int32_t bLow = lowLimb(b);
  sums.upper += kLimbBase * aHigh * bHigh + aHigh * bLow + aLow * bHigh;
  sums.lowLow += aLow * bLow;
}

SORTIE_NUMERICS_CONSTEXPR bool areBothInt16(ActivationWidth a, ActivationWidth b) {
  return a == ActivationWidth::Int16 && b == ActivationWidth::Int16;
}

/// F of a score: the product of the integers of a query and a key, `head` <= kMaxHead of each.
template <ActivationWidth Query, ActivationWidth Cache>
SORTIE_NUMERICS_INLINE float scoreProduct(const int16_t *query, const int16_t *key, int head) {
  if constexpr (areBothInt16(Query, Cache)) {
    LimbSums sums;
    for (int i = 0; i < head; ++i)
      addLimbProducts(query[i], key[i], sums);
    return combineLimbs(sums.upper, sums.lowLow);
  } else {
    int32_t sum = 0;
    for (int i = 0; i < head; ++i)
      sum += query[i] * key[i];
    return toFloat(sum);
  }
}

/// The score t of a key whose scale is `keyScale`.
SORTIE_NUMERICS_INLINE float score(float product, float keyScale) { return mul(product, keyScale); }

/// The score of a key of two parts. `queryScale` and `rotatedQueryScale` have the softmax's scale
/// in them; the score has, too, so the softmax's own scale is 1.
SORTIE_NUMERICS_INLINE float scoreOfTwoParts(float product, float keyScale, float queryScale,
                                             float rotatedProduct, float rotatedKeyScale,
                                             float rotatedQueryScale) {
  const float latent = mul(mul(product, keyScale), queryScale);
  return fma(mul(rotatedProduct, rotatedKeyScale), rotatedQueryScale, latent);
}

/// The visible keys of a chunk: `first` <= key < `last`.
struct KeyRange {
  int first;
  int last;
};

/// What is known of a chunk's weights beside their integers.
struct ChunkWeights {
  float largest; ///< m: the largest exponent
  float sum;     ///< l
  float scale;   ///< D: of a sum of integers of weights and values
};

/// p of a key: 2 to the power of its score over the chunk's largest.
SORTIE_NUMERICS_INLINE float probability(float score, float queryScale, float largest) {
  return exp2(fma(score, queryScale, -largest));
}

/// The integer of a weight, rounded once.
SORTIE_NUMERICS_INLINE int32_t quantizeWeight(float weight, float reciprocal) {
  constexpr float kMagic = 0x1.8p23f;
  return static_cast<int32_t>(bitsOf(fma(weight, reciprocal, kMagic)) - bitsOf(kMagic));
}

/// Adds neighbours until one sum is left. Overwrites the partials.
SORTIE_NUMERICS_INLINE float sumNeighbours(float (&partials)[kWeightPartials]) {
  for (int count = kWeightPartials / 2; count > 0; count /= 2)
    for (int j = 0; j < count; ++j)
      partials[j] = add(partials[2 * j], partials[2 * j + 1]);
  return partials[0];
}

/// Softmax of a chunk: the integers `weights` [kAttentionChunk] of the weights p * d_v, 0 for
/// invisible keys. `scores` and `valueScales` [kAttentionChunk] are read for visible keys alone, of
/// which there is at least one.
template <ActivationWidth Weight, ActivationWidth Cache>
SORTIE_NUMERICS_INLINE ChunkWeights weighChunk(const float *scores, float queryScale,
                                               const float *valueScales, KeyRange visible,
                                               int16_t *weights) {
  float largestScore = scores[visible.first];
  for (int key = visible.first + 1; key < visible.last; ++key)
    largestScore = scores[key] > largestScore ? scores[key] : largestScore;
  const float largest = mul(largestScore, queryScale);

  float partials[kWeightPartials] = {};
  float values[kAttentionChunk] = {};
  for (int key = visible.first; key < visible.last; ++key) {
    const float p = probability(scores[key], queryScale, largest);
    partials[key % kWeightPartials] = add(partials[key % kWeightPartials], p);
    values[key] = mul(p, valueScales[key]);
  }
  const ActivationScale scale =
      activationScale<Weight>(magnitudeBits(values + visible.first, visible.last - visible.first));
  for (int key = 0; key < kAttentionChunk; ++key)
    weights[key] = scale.isRegular
                       ? static_cast<int16_t>(quantizeWeight(values[key], scale.reciprocal))
                       : int16_t{0};
  constexpr auto kUnit = static_cast<float>(areBothInt16(Weight, Cache) ? kLimbBase : 1);
  return {largest, sumNeighbours(partials), mul(kUnit, scale.scale)};
}

/// F of one element of a chunk's output: the product of the integers of the weights and of that
/// element of the values, which are `stride` apart. Invisible values are not read.
template <ActivationWidth Weight, ActivationWidth Cache>
SORTIE_NUMERICS_INLINE float valueProduct(const int16_t *weights, const int16_t *values,
                                          int64_t stride, KeyRange visible) {
  LimbSums sums;
  for (int key = visible.first; key < visible.last; ++key) {
    const int16_t value = values[key * stride];
    if constexpr (areBothInt16(Weight, Cache))
      addLimbProducts(weights[key], value, sums);
    else
      sums.upper += weights[key] * value;
  }
  return toFloat(sums.upper);
}

/// What two results are multiplied with when they are merged, and the larger exponent.
struct MergeFactors {
  float old;     ///< alpha
  float next;    ///< beta
  float largest; ///< m'
};

SORTIE_NUMERICS_INLINE MergeFactors mergeFactors(float old, float next) {
  const float largest = next > old ? next : old;
  return {exp2(sub(old, largest)), exp2(sub(next, largest)), largest};
}

/// An element of the output after a merge; `factor` is RN(D * beta).
SORTIE_NUMERICS_INLINE float mergeElement(float output, float old, float element, float factor) {
  return fma(element, factor, mul(output, old));
}

SORTIE_NUMERICS_INLINE float mergeSum(float sum, float next, const MergeFactors &factors) {
  return fma(next, factors.next, mul(sum, factors.old));
}

/// The result of some chunks: `output` [head], not yet divided by `sum`.
struct PartialAttention {
  float *output;
  float sum = 0.0f;
  float largest = 0.0f;
  bool isEmpty = true;
};

/// Merges a result of `elements` [head] and scale D into `into`.
SORTIE_NUMERICS_INLINE void mergeAttention(PartialAttention &into, const float *elements, int head,
                                           const ChunkWeights &next) {
  if (into.isEmpty) {
    for (int i = 0; i < head; ++i)
      into.output[i] = mul(elements[i], next.scale);
    into.sum = next.sum;
    into.largest = next.largest;
    into.isEmpty = false;
    return;
  }
  const MergeFactors factors = mergeFactors(into.largest, next.largest);
  const float factor = mul(next.scale, factors.next);
  for (int i = 0; i < head; ++i)
    into.output[i] = mergeElement(into.output[i], factors.old, elements[i], factor);
  into.sum = mergeSum(into.sum, next.sum, factors);
  into.largest = factors.largest;
}

/// Merges the model's sink, a score that has no value. `scratch` [head] is overwritten.
SORTIE_NUMERICS_INLINE void mergeSink(PartialAttention &into, float sink, int head,
                                      float *scratch) {
  for (int i = 0; i < head; ++i)
    scratch[i] = 0.0f;
  mergeAttention(into, scratch, head, {mul(sink, ExpConstants::kLog2E), 1.0f, 1.0f});
}

/// The keys that a query sees of the chunk that begins at position `chunk`: those up to its own
/// position, and of these the last `window` (0: all). May be empty (first >= last).
SORTIE_NUMERICS_CONSTEXPR KeyRange visibleKeys(int64_t chunk, int64_t position, int64_t window) {
  const int64_t least = window != 0 && position >= window ? position - window + 1 : 0;
  const int64_t first = least > chunk ? least - chunk : 0;
  const int64_t last = position + 1 - chunk;
  return {static_cast<int>(first < kAttentionChunk ? first : kAttentionChunk),
          static_cast<int>(last < kAttentionChunk ? last : kAttentionChunk)};
}

/// The rows of one head that a sequence has cached, position by position: integers [positions,
/// head] and scales [positions].
struct HeadCache {
  const int16_t *keys;
  const float *keyScales;
  const int16_t *values; ///< of keys of two parts the first one, which is the value, too
  const float *valueScales;
  int head;
  /// The second part of keys of two parts: integers [positions, rotated] and scales [positions].
  const int16_t *rotatedKeys = nullptr;
  const float *rotatedScales = nullptr;
  int rotated = 0; ///< 0: keys have one part
};

/// A query of one head: integers [head] and their scale, with the softmax's scale in it.
struct HeadQuery {
  const int16_t *integers;
  float scale;
  int64_t position;
  int64_t window = 0; ///< positions that it sees; 0: all up to its own
  /// The part that meets the second part of keys: integers [rotated] and their scale, as above.
  const int16_t *rotatedIntegers = nullptr;
  float rotatedScale = 0.0f;
};

/// The score of the key at a position.
template <ActivationWidth Query, ActivationWidth Cache>
SORTIE_NUMERICS_INLINE float scoreAt(const HeadQuery &query, const HeadCache &cache,
                                     int64_t position) {
  const float product =
      scoreProduct<Query, Cache>(query.integers, cache.keys + position * cache.head, cache.head);
  if (cache.rotated == 0)
    return score(product, cache.keyScales[position]);
  const float rotatedProduct = scoreProduct<Query, Cache>(
      query.rotatedIntegers, cache.rotatedKeys + position * cache.rotated, cache.rotated);
  return scoreOfTwoParts(product, cache.keyScales[position], query.scale, rotatedProduct,
                         cache.rotatedScales[position], query.rotatedScale);
}

/// Merges the chunk that begins at position `chunk` into `into`, if the query sees some of it.
/// `elements` [head] is overwritten.
template <ActivationWidth Query, ActivationWidth Cache>
SORTIE_NUMERICS_INLINE void attendChunk(const HeadQuery &query, const HeadCache &cache,
                                        int64_t chunk, PartialAttention &into, float *elements) {
  const KeyRange visible = visibleKeys(chunk, query.position, query.window);
  if (visible.first >= visible.last)
    return;
  float scores[kAttentionChunk];
  for (int key = visible.first; key < visible.last; ++key)
    scores[key] = scoreAt<Query, Cache>(query, cache, chunk + key);
  // Scores of two parts have the query's scales in them.
  const float queryScale = cache.rotated == 0 ? query.scale : 1.0f;
  int16_t weights[kAttentionChunk];
  const ChunkWeights sums =
      weighChunk<Query, Cache>(scores, queryScale, cache.valueScales + chunk, visible, weights);
  for (int i = 0; i < cache.head; ++i)
    elements[i] = valueProduct<Query, Cache>(weights, cache.values + chunk * cache.head + i,
                                             cache.head, visible);
  mergeAttention(into, elements, cache.head, sums);
}

/// The attention of one query: `output` [head]. `sink` is the model's for this head, or null.
/// `scratch` [2 * head] is overwritten.
template <ActivationWidth Query, ActivationWidth Cache>
SORTIE_NUMERICS_INLINE void attend(const HeadQuery &query, const HeadCache &cache,
                                   const float *sink, float *output, float *scratch) {
  PartialAttention total = {output};
  for (int64_t span = 0; span <= query.position; span += kAttentionSpan) {
    PartialAttention part = {scratch};
    for (int64_t chunk = span; chunk < span + kAttentionSpan; chunk += kAttentionChunk)
      attendChunk<Query, Cache>(query, cache, chunk, part, scratch + cache.head);
    if (!part.isEmpty)
      mergeAttention(total, part.output, cache.head, {part.largest, part.sum, 1.0f});
  }
  if (sink != nullptr)
    mergeSink(total, *sink, cache.head, scratch);
  for (int i = 0; i < cache.head; ++i)
    output[i] = canonicalNan(div(output[i], total.sum));
}

} // namespace sortie::numerics

#endif // SORTIE_RUNTIME_NUMERICS_ATTENTION_H
