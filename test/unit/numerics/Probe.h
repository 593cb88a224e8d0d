// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A probe of the whole contract: many independent items, each of which makes its own awkward input
// from its number and computes one word with runtime/numerics. The same source is compiled with
// different instruction sets, optimization levels and for the GPU; all must give the same words.

#ifndef SORTIE_TEST_UNIT_NUMERICS_PROBE_H
#define SORTIE_TEST_UNIT_NUMERICS_PROBE_H

#include "runtime/numerics/attention.h"
#include "runtime/numerics/combine.h"
#include "runtime/numerics/log.h"
#include "runtime/numerics/norm.h"
#include "runtime/numerics/rotate.h"
#include "runtime/numerics/route.h"

namespace sortie::test::probe {

using numerics::ActivationWidth;
using numerics::Encoding;

constexpr int kItemsPerSection = 512;
constexpr int kFirstDotSection = 17;
constexpr int kEncodings = 16; // the quantized ones
constexpr int kSections = kFirstDotSection + 2 * kEncodings;
constexpr int kItems = kSections * kItemsPerSection;
constexpr int kMaxRow = 2880;

/// What a section computes, for messages. Sections from kFirstDotSection on are exact dot products.
constexpr const char *kSectionNames[kFirstDotSection] = {"fma",
                                                         "software fma",
                                                         "exp",
                                                         "sigmoid and silu",
                                                         "swiglu",
                                                         "division and square root",
                                                         "quantize",
                                                         "float dot",
                                                         "softmax",
                                                         "rms norm",
                                                         "route",
                                                         "combine",
                                                         "exp2, log and turns",
                                                         "attention, int16 and int16",
                                                         "attention, int16 and int8",
                                                         "attention, int8 and int16",
                                                         "attention, int8 and int8"};

/// SplitMix64.
struct Random {
  uint64_t state;
};

SORTIE_NUMERICS_INLINE uint32_t next(Random &random) {
  uint64_t z = (random.state += 0x9e3779b97f4a7c15u);
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return static_cast<uint32_t>(z ^ z >> 31);
}

/// Any bit pattern, or one near 1, or a subnormal.
SORTIE_NUMERICS_INLINE float anyFloat(Random &random) {
  const uint32_t raw = next(random);
  const uint32_t kind = next(random) % 4;
  if (kind == 0)
    return numerics::floatOf(raw);
  if (kind == 1)
    return numerics::floatOf(raw & 0x807fffffu);
  return numerics::floatOf((raw & 0x80000000u) | (0x3e000000u + (raw & 0x03ffffffu)));
}

/// Uniform in [-8, 8).
SORTIE_NUMERICS_INLINE float ordinary(Random &random) {
  return static_cast<float>(static_cast<int32_t>(next(random)) >> 8) * 0x1p-20f;
}

SORTIE_NUMERICS_INLINE uint32_t word(float x) {
  return numerics::bitsOf(numerics::canonicalNan(x));
}

/// Folds another result into a word (FNV-1a on whole words).
SORTIE_NUMERICS_INLINE uint32_t fold(uint32_t hash, uint32_t value) {
  return (hash ^ value) * 16777619u;
}

SORTIE_NUMERICS_INLINE uint32_t foldRow(const float *row, int n) {
  uint32_t hash = 0;
  for (int i = 0; i < n; ++i)
    hash = fold(hash, word(row[i]));
  return hash;
}

SORTIE_NUMERICS_INLINE void fillRow(Random &random, float *row, int n) {
  for (int i = 0; i < n; ++i)
    row[i] = ordinary(random);
}

SORTIE_NUMERICS_INLINE uint32_t quantizeItem(Random &random) {
  float x[300];
  int16_t q[300];
  float scales[3];
  fillRow(random, x, 300);
  x[7] = anyFloat(random);
  numerics::quantizeRow<ActivationWidth::Int16>(x, 300, q, scales);
  uint32_t hash = foldRow(scales, 3);
  for (int i = 0; i < 300; ++i)
    hash = fold(hash, static_cast<uint32_t>(q[i]));
  numerics::quantizeRow<ActivationWidth::Int8>(x, 300, q, scales);
  hash = fold(hash, foldRow(scales, 3));
  for (int i = 0; i < 300; ++i)
    hash = fold(hash, static_cast<uint32_t>(q[i]));
  return hash;
}

SORTIE_NUMERICS_INLINE uint32_t floatDotItem(Random &random) {
  float x[kMaxRow];
  float w[kMaxRow];
  const int k = 1 + static_cast<int>(next(random) % kMaxRow);
  fillRow(random, x, k);
  fillRow(random, w, k);
  return word(numerics::floatDot(x, w, k));
}

SORTIE_NUMERICS_INLINE uint32_t softmaxItem(Random &random) {
  float x[300];
  const int n = 1 + static_cast<int>(next(random) % 300);
  fillRow(random, x, n);
  numerics::softmax(x, n, x);
  return foldRow(x, n);
}

SORTIE_NUMERICS_INLINE uint32_t normItem(Random &random) {
  float x[kMaxRow];
  float w[kMaxRow];
  const int k = 1 + static_cast<int>(next(random) % kMaxRow);
  fillRow(random, x, k);
  fillRow(random, w, k);
  numerics::rmsNorm(x, w, k, 1e-6f, x);
  return foldRow(x, k);
}

SORTIE_NUMERICS_INLINE uint32_t routeItem(Random &random) {
  float logits[256];
  float bias[256];
  float scores[256];
  int32_t ids[8];
  float weights[8];
  fillRow(random, logits, 256);
  fillRow(random, bias, 256);
  for (int i = 0; i < 256; ++i)
    bias[i] *= 0x1p-4f;
  numerics::RouteParams params{256, 8};
  params.groups = 8;
  params.groupsUsed = 1 + static_cast<int>(next(random) % 8);
  params.scoring = static_cast<numerics::Scoring>(next(random) % 4);
  params.normalize = next(random) % 2 != 0;
  params.scale = 2.5f;
  numerics::routeToken(params, logits, next(random) % 2 != 0 ? bias : nullptr, scores, ids,
                       weights);
  uint32_t hash = foldRow(weights, 8);
  for (int j = 0; j < 8; ++j)
    hash = fold(hash, static_cast<uint32_t>(ids[j]));
  return hash;
}

SORTIE_NUMERICS_INLINE uint32_t combineItem(Random &random) {
  float rows[8][16];
  const float *pointers[8];
  float weights[8];
  float out[16];
  for (int j = 0; j < 8; ++j) {
    fillRow(random, rows[j], 16);
    pointers[j] = rows[j];
  }
  fillRow(random, weights, 8);
  numerics::combineSlots(pointers, weights, 8, 16, out);
  return foldRow(out, 16);
}

SORTIE_NUMERICS_INLINE uint32_t turnItem(Random &random) {
  const uint64_t position = next(random);
  const uint64_t frequency = static_cast<uint64_t>(next(random)) << 32 | next(random);
  const numerics::Turn turn =
      numerics::scaleTurn(numerics::turnAt(position, frequency), ordinary(random));
  float x0 = ordinary(random);
  float x1 = anyFloat(random);
  numerics::rotatePair(turn, x0, x1);
  uint32_t hash = fold(word(turn.cosine), word(turn.sine));
  hash = fold(fold(hash, word(x0)), word(x1));
  hash = fold(hash, word(numerics::log(anyFloat(random))));
  return fold(hash, word(numerics::exp2(ordinary(random) * 20.0f - 130.0f)));
}

/// A query over up to 700 positions of a small head, now and then with scales that are no numbers.
template <ActivationWidth Query, ActivationWidth Cache>
SORTIE_NUMERICS_INLINE uint32_t attentionItem(Random &random) {
  constexpr int kHead = 4;
  constexpr int kMaxPositions = 700;
  int16_t query[kHead], keys[kMaxPositions * kHead], values[kMaxPositions * kHead];
  float keyScales[kMaxPositions], valueScales[kMaxPositions];
  const auto integer = [&](ActivationWidth width) {
    const int most = numerics::maxActivation(width);
    return static_cast<int16_t>(static_cast<int>(next(random) % (2u * most + 1u)) - most);
  };
  const int positions = 1 + static_cast<int>(next(random) % kMaxPositions);
  for (int16_t &q : query)
    q = integer(Query);
  for (int i = 0; i < positions * kHead; ++i) {
    keys[i] = integer(Cache);
    values[i] = integer(Cache);
  }
  for (int i = 0; i < positions; ++i) {
    keyScales[i] = ordinary(random) * 0x1p-10f;
    valueScales[i] = next(random) % 20000 == 0 ? anyFloat(random) : ordinary(random);
  }
  const numerics::HeadCache cache{keys, keyScales, values, valueScales, kHead};
  const numerics::HeadQuery row{query, 0x1p-12f, positions - 1,
                                next(random) % 2 != 0 ? 1 + next(random) % 300 : 0};
  const float sink = ordinary(random);
  float output[kHead];
  float scratch[2 * kHead];
  numerics::attend<Query, Cache>(row, cache, next(random) % 2 != 0 ? &sink : nullptr, output,
                                 scratch);
  return foldRow(output, kHead);
}

/// Random bytes for every field, scales included, of a strip of rows; the product is of the last.
template <Encoding E, ActivationWidth Width>
SORTIE_NUMERICS_INLINE uint32_t dotItem(Random &random) {
  constexpr numerics::EncodingInfo kInfo = numerics::encodingInfo(E);
  uint8_t
      strip[kInfo.stripRows * numerics::rowBytes(kInfo, kMaxRow / kInfo.elements * kInfo.elements)];
  float x[kMaxRow];
  int16_t q[kMaxRow];
  float scales[(kMaxRow + 127) / 128];
  const int blocks = 1 + static_cast<int>(next(random) % (kMaxRow / kInfo.elements));
  const int k = blocks * kInfo.elements;
  for (int i = 0; i < kInfo.stripRows * (kInfo.headerBytes + blocks * kInfo.bytes); ++i)
    strip[i] = static_cast<uint8_t>(next(random) % 4 == 0 ? next(random) : next(random) & 0x3bu);
  fillRow(random, x, k);
  numerics::quantizeRow<Width>(x, k, q, scales);
  return word(numerics::exactDot<E, Width>({strip, kInfo.stripRows - 1}, q, scales, k));
}

template <ActivationWidth Width, int I = numerics::kEncodingCount - kEncodings>
SORTIE_NUMERICS_INLINE uint32_t dotItem(int encoding, Random &random) {
  if constexpr (I + 1 < numerics::kEncodingCount)
    if (encoding != 0)
      return dotItem<Width, I + 1>(encoding - 1, random);
  return dotItem<static_cast<Encoding>(I), Width>(random);
}

SORTIE_NUMERICS_INLINE uint32_t elementItem(int section, Random &random) {
  const float a = anyFloat(random);
  const float b = anyFloat(random);
  const float c = anyFloat(random);
  const float x = next(random) % 2 != 0 ? ordinary(random) * 16.0f : a;
  switch (section) {
  case 0:
    return word(numerics::fma(a, b, c));
  case 1:
    return word(numerics::softwareFma(a, b, c));
  case 2:
    return word(numerics::exp(x));
  case 3:
    return fold(word(numerics::sigmoid(x)), word(numerics::silu(x)));
  case 4:
    return fold(word(numerics::swiglu(x, b)), word(numerics::swigluClamped(x, c, 1.702f, 7.0f)));
  default:
    return fold(word(numerics::div(a, b)), word(numerics::sqrt(c)));
  }
}

/// The word of item `item` in [0, kItems).
SORTIE_NUMERICS_INLINE uint32_t probeItem(int item) {
  Random random{static_cast<uint64_t>(item) << 32};
  const int section = item / kItemsPerSection;
  switch (section) {
  case 6:
    return quantizeItem(random);
  case 7:
    return floatDotItem(random);
  case 8:
    return softmaxItem(random);
  case 9:
    return normItem(random);
  case 10:
    return routeItem(random);
  case 11:
    return combineItem(random);
  case 12:
    return turnItem(random);
  case 13:
    return attentionItem<ActivationWidth::Int16, ActivationWidth::Int16>(random);
  case 14:
    return attentionItem<ActivationWidth::Int16, ActivationWidth::Int8>(random);
  case 15:
    return attentionItem<ActivationWidth::Int8, ActivationWidth::Int16>(random);
  case 16:
    return attentionItem<ActivationWidth::Int8, ActivationWidth::Int8>(random);
  default:
    break;
  }
  if (section < kFirstDotSection)
    return elementItem(section, random);
  const int encoding = (section - kFirstDotSection) / 2;
  return (section - kFirstDotSection) % 2 == 0 ? dotItem<ActivationWidth::Int16>(encoding, random)
                                               : dotItem<ActivationWidth::Int8>(encoding, random);
}

} // namespace sortie::test::probe

#endif // SORTIE_TEST_UNIT_NUMERICS_PROBE_H
