// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Exact attention: its bits against a second implementation, written from docs/numerics-models.md
// with the arithmetic of Reference.h; its error against double precision; what must not show.

#include "runtime/numerics/attention.h"

#include "test/unit/numerics/Reference.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <numbers>
#include <vector>

using namespace sortie::test;
namespace num = sortie::numerics;
using num::ActivationWidth;

namespace {

constexpr auto kInt8 = ActivationWidth::Int8;
constexpr auto kInt16 = ActivationWidth::Int16;

/// The second part of keys of two parts, whose first part is the value.
struct RotatedPart {
  int size = 0; ///< 0: there is none
  std::vector<float> q, k;
  std::vector<int16_t> queryIntegers, keys;
  std::vector<float> keyScales;
  float queryScale = 0.0f;
};

/// One head of one sequence: rows as numbers, and as the cache keeps them.
struct Sequence {
  int head;
  std::vector<float> q, k, v; ///< q is one row, the query of the last position
  std::vector<int16_t> queryIntegers, keys, values;
  std::vector<float> keyScales, valueScales;
  float queryScale = 0.0f;
  RotatedPart rotated = {};

  int64_t positions() const { return static_cast<int64_t>(keyScales.size()); }
  num::HeadCache cache() const {
    return {keys.data(),         keyScales.data(),         values.data(), valueScales.data(), head,
            rotated.keys.data(), rotated.keyScales.data(), rotated.size};
  }
  num::HeadQuery query(int64_t window = 0) const {
    return {queryIntegers.data(),         queryScale,        positions() - 1, window,
            rotated.queryIntegers.data(), rotated.queryScale};
  }
};

float scaleOf(ActivationWidth width, const float *x, int count) {
  const uint32_t magnitude = num::magnitudeBits(x, count);
  return width == kInt16 ? num::activationScale<kInt16>(magnitude).scale
                         : num::activationScale<kInt8>(magnitude).scale;
}

/// A row of a head is one block, of any length up to 1024.
float quantizeHead(ActivationWidth width, const float *x, int head, int16_t *integers) {
  return width == kInt16 ? num::quantizeBlock<kInt16>(x, head, integers)
                         : num::quantizeBlock<kInt8>(x, head, integers);
}

/// What keys and queries are like.
enum class Shape { Plain, Outliers, Peaked, ConstantChannels };

Sequence makeSequence(ActivationWidth queryWidth, ActivationWidth cacheWidth, Shape shape, int head,
                      int positions, uint64_t seed) {
  Random random(seed);
  Sequence it;
  it.head = head;
  const auto fill = [&](std::vector<float> &rows, int count, float limit) {
    rows.resize(static_cast<size_t>(count) * static_cast<size_t>(head));
    for (size_t i = 0; i < rows.size(); ++i) {
      const bool isOutlier = shape == Shape::Outliers && i % static_cast<size_t>(head) < 4;
      rows[i] = random.uniform(isOutlier ? 20 * limit : limit);
    }
  };
  fill(it.q, 1, shape == Shape::Peaked ? 8.0f : 1.7f);
  fill(it.k, positions, shape == Shape::Peaked ? 3.4f : 1.7f);
  if (shape == Shape::ConstantChannels)
    for (size_t i = 0; i < it.k.size(); i += static_cast<size_t>(head))
      it.k[i] += 60.0f;
  fill(it.v, positions, 1.7f);

  const auto quantize = [&](ActivationWidth width, const std::vector<float> &rows,
                            std::vector<int16_t> &integers, std::vector<float> &scales) {
    integers.resize(rows.size());
    scales.resize(rows.size() / static_cast<size_t>(head));
    for (size_t row = 0; row < scales.size(); ++row) {
      const size_t at = row * static_cast<size_t>(head);
      scales[row] = quantizeHead(width, &rows[at], head, &integers[at]);
    }
  };
  std::vector<float> queryScales;
  quantize(queryWidth, it.q, it.queryIntegers, queryScales);
  quantize(cacheWidth, it.k, it.keys, it.keyScales);
  quantize(cacheWidth, it.v, it.values, it.valueScales);
  const double kappa = std::numbers::log2e / std::sqrt(static_cast<double>(head));
  it.queryScale = queryScales[0] * static_cast<float>(kappa);
  return it;
}

/// A sequence whose keys are latents, which are values, too, and a rotated part beside them.
Sequence makeLatentSequence(ActivationWidth queryWidth, ActivationWidth cacheWidth, int latent,
                            int rotated, int positions, uint64_t seed) {
  Sequence it = makeSequence(queryWidth, cacheWidth, Shape::Outliers, latent, positions, seed);
  const Sequence other =
      makeSequence(queryWidth, cacheWidth, Shape::Peaked, rotated, positions, seed + 1);
  it.v = it.k;
  it.values = it.keys;
  it.valueScales = it.keyScales;
  it.rotated = {rotated,    other.q,         other.k,         other.queryIntegers,
                other.keys, other.keyScales, other.queryScale};
  // One softmax, one scale.
  it.rotated.queryScale *= std::sqrt(static_cast<float>(rotated) / static_cast<float>(latent));
  return it;
}

std::vector<float> attend(ActivationWidth queryWidth, ActivationWidth cacheWidth,
                          const num::HeadQuery &query, const num::HeadCache &cache,
                          const float *sink = nullptr) {
  std::vector<float> output(static_cast<size_t>(cache.head));
  std::vector<float> scratch(2 * output.size());
  const auto run = [&](auto function) {
    function(query, cache, sink, output.data(), scratch.data());
  };
  if (queryWidth == kInt16)
    run(cacheWidth == kInt16 ? num::attend<kInt16, kInt16> : num::attend<kInt16, kInt8>);
  else
    run(cacheWidth == kInt16 ? num::attend<kInt8, kInt16> : num::attend<kInt8, kInt8>);
  return output;
}

/// Attention in double precision, of the numbers before quantization.
std::vector<double> trueAttention(const Sequence &it, int64_t window, const float *sink) {
  const auto head = static_cast<size_t>(it.head);
  const int64_t first = window == 0 ? 0 : std::max<int64_t>(0, it.positions() - window);
  std::vector<double> scores;
  for (int64_t n = first; n < it.positions(); ++n) {
    double sum = 0.0;
    for (size_t i = 0; i < head; ++i)
      sum += static_cast<double>(it.q[i]) * it.k[static_cast<size_t>(n) * head + i];
    const auto rotated = static_cast<size_t>(it.rotated.size);
    for (size_t i = 0; i < rotated; ++i)
      sum +=
          static_cast<double>(it.rotated.q[i]) * it.rotated.k[static_cast<size_t>(n) * rotated + i];
    scores.push_back(sum / std::sqrt(static_cast<double>(head)));
  }
  double most = *std::max_element(scores.begin(), scores.end());
  double total = sink != nullptr ? std::exp(*sink - most) : 0.0;
  std::vector<double> output(head);
  for (size_t n = 0; n < scores.size(); ++n) {
    const double p = std::exp(scores[n] - most);
    total += p;
    for (size_t i = 0; i < head; ++i)
      output[i] += p * it.v[(static_cast<size_t>(first) + n) * head + i];
  }
  for (double &value : output)
    value /= total;
  return output;
}

/// The normalised mean squared error.
double errorOf(const std::vector<float> &actual, const std::vector<double> &expected) {
  double difference = 0.0;
  double size = 0.0;
  for (size_t i = 0; i < actual.size(); ++i) {
    difference += (actual[i] - expected[i]) * (actual[i] - expected[i]);
    size += expected[i] * expected[i];
  }
  return difference / size;
}

bool isSame(const std::vector<float> &a, const std::vector<float> &b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](float x, float y) { return bits(x) == bits(y); });
}

//===- A second implementation -------------------------------------------===//

float referenceSub(float a, float b) { return referenceFma(b, -1.0f, a); }

float referenceExp2(float x) {
  x = std::max(x, -126.0f);
  const auto n = static_cast<float>(std::lrint(x));
  const float r = referenceSub(x, n);
  float p = 0x1.5bda42p-10f;
  for (const float c : {0x1.3ce8acp-7f, 0x1.c6b6d8p-5f, 0x1.ebf9c2p-3f, 0x1.62e42ap-1f, 1.0f})
    p = referenceFma(p, r, c);
  return std::ldexp(p, static_cast<int>(n));
}

struct Limbs {
  int64_t high, low;
};
Limbs split(int64_t q) {
  const int64_t low = (q + 64 + (1 << 20)) % 128 - 64;
  return {(q - low) / 128, low};
}

/// The sum of products without those of two low limbs, in units of 128, and those apart.
struct Products {
  int64_t upper = 0, lowLow = 0;
  void add(int64_t a, int64_t b) {
    const Limbs x = split(a);
    const Limbs y = split(b);
    upper += 128 * x.high * y.high + x.high * y.low + x.low * y.high;
    lowLow += x.low * y.low;
  }
};

/// A result that is merged: elements, and D, l and m.
struct Part {
  std::vector<float> elements;
  float scale, sum, largest;
};

/// The product of a query and the key of position `n`.
float referenceProduct(const std::vector<int16_t> &query, const std::vector<int16_t> &keys,
                       bool isInt16, int64_t n) {
  Products products;
  int64_t whole = 0;
  for (size_t i = 0; i < query.size(); ++i) {
    const int16_t key = keys[static_cast<size_t>(n) * query.size() + i];
    products.add(query[i], key);
    whole += int64_t{query[i]} * key;
  }
  return isInt16
             ? referenceFma(128.0f, referenceFloat(products.upper), referenceFloat(products.lowLow))
             : referenceFloat(whole);
}

/// The score of a key of two parts.
float referenceSum(const Sequence &it, float first, bool isInt16, int64_t n) {
  const float product = referenceProduct(it.rotated.queryIntegers, it.rotated.keys, isInt16, n);
  return referenceFma(referenceMul(product, it.rotated.keyScales[static_cast<size_t>(n)]),
                      it.rotated.queryScale, referenceMul(first, it.queryScale));
}

Part referenceChunk(const Sequence &it, bool isInt16, ActivationWidth queryWidth, int64_t first,
                    int64_t last) {
  const auto head = static_cast<size_t>(it.head);
  const float queryScale = it.rotated.size == 0 ? it.queryScale : 1.0f;
  std::vector<float> scores;
  for (int64_t n = first; n < last; ++n) {
    const float f = referenceProduct(it.queryIntegers, it.keys, isInt16, n);
    const float score = referenceMul(f, it.keyScales[static_cast<size_t>(n)]);
    scores.push_back(it.rotated.size == 0 ? score : referenceSum(it, score, isInt16, n));
  }
  Part part;
  part.largest = referenceMul(*std::max_element(scores.begin(), scores.end()), queryScale);
  float partials[8] = {};
  std::vector<float> weights;
  for (int64_t n = first; n < last; ++n) {
    const auto at = static_cast<size_t>(n - first);
    const float p = referenceExp2(referenceFma(scores[at], queryScale, -part.largest));
    partials[n % 8] = referenceAdd(partials[n % 8], p);
    weights.push_back(referenceMul(p, it.valueScales[static_cast<size_t>(n)]));
  }
  for (int stride = 1; stride < 8; stride *= 2)
    for (int j = 0; j < 8; j += 2 * stride)
      partials[j] = referenceAdd(partials[j], partials[j + stride]);
  part.sum = partials[0];

  const float scale = scaleOf(queryWidth, weights.data(), static_cast<int>(weights.size()));
  const float amax = *std::max_element(weights.begin(), weights.end());
  const float reciprocal = (queryWidth == kInt16 ? 16319.0f : 127.0f) / amax;
  std::vector<int64_t> integers;
  for (const float w : weights) // the product of two floats is exact in double
    integers.push_back(std::llrint(static_cast<double>(w) * static_cast<double>(reciprocal)));
  for (size_t i = 0; i < head; ++i) {
    Products products;
    int64_t whole = 0;
    for (size_t key = 0; key < integers.size(); ++key) {
      const int16_t value = it.values[(static_cast<size_t>(first) + key) * head + i];
      products.add(integers[key], value);
      whole += integers[key] * value;
    }
    part.elements.push_back(referenceFloat(isInt16 ? products.upper : whole));
  }
  part.scale = isInt16 ? 128.0f * scale : scale;
  return part;
}

void referenceMerge(Part &into, const Part &next) {
  if (into.elements.empty()) {
    into = {{}, 1.0f, next.sum, next.largest};
    for (const float element : next.elements)
      into.elements.push_back(referenceMul(element, next.scale));
    return;
  }
  const float largest = std::max(into.largest, next.largest);
  const float alpha = referenceExp2(referenceSub(into.largest, largest));
  const float beta = referenceExp2(referenceSub(next.largest, largest));
  const float factor = referenceMul(next.scale, beta);
  for (size_t i = 0; i < into.elements.size(); ++i)
    into.elements[i] =
        referenceFma(next.elements[i], factor, referenceMul(into.elements[i], alpha));
  into.sum = referenceFma(next.sum, beta, referenceMul(into.sum, alpha));
  into.largest = largest;
}

std::vector<float> referenceAttend(const Sequence &it, ActivationWidth queryWidth,
                                   ActivationWidth cacheWidth, int64_t window) {
  const bool isInt16 = queryWidth == kInt16 && cacheWidth == kInt16;
  const int64_t position = it.positions() - 1;
  Part total;
  for (int64_t span = 0; span <= position; span += 512) {
    Part part;
    for (int64_t chunk = span; chunk < span + 512; chunk += 128) {
      const int64_t first = std::max(chunk, window == 0 ? 0 : position - window + 1);
      const int64_t last = std::min(chunk + 128, position + 1);
      if (first < last)
        referenceMerge(part, referenceChunk(it, isInt16, queryWidth, first, last));
    }
    if (!part.elements.empty())
      referenceMerge(total, part);
  }
  for (float &element : total.elements)
    element = element / total.sum;
  return total.elements;
}

struct Widths {
  ActivationWidth query, cache;
};
constexpr Widths kWidths[] = {{kInt16, kInt16}, {kInt16, kInt8}, {kInt8, kInt16}, {kInt8, kInt8}};

} // namespace

TEST(Attention, Exp2IsNearTheTruthAndNeverBelowItsLeast) {
  Random random(80);
  for (int i = 0; i < 1'000'000; ++i) {
    const float x = -std::fabs(random.uniform(130.0f));
    const double expected = std::exp2(std::max(static_cast<double>(x), -126.0));
    EXPECT_LE(std::fabs(num::exp2(x) - expected), 1.6e-7 * expected) << x;
    EXPECT_EQ(bits(num::exp2(x)), bits(referenceExp2(x))) << x;
  }
  EXPECT_EQ(num::exp2(0.0f), 1.0f);
  EXPECT_EQ(num::exp2(1.0f), 2.0f);
  for (const float x : {-126.0f, -1e30f, -std::numeric_limits<float>::infinity()})
    EXPECT_EQ(num::exp2(x), 0x1p-126f) << x;
  EXPECT_TRUE(std::isnan(num::exp2(fromBits(0x7fc00000u))));
  EXPECT_TRUE(std::isnan(num::exp2(fromBits(0xffffffffu))));
}

TEST(Attention, BitsAreThoseOfASecondImplementation) {
  for (const Widths widths : kWidths)
    for (const int positions : {1, 7, 128, 129, 512, 513, 1100})
      for (const int64_t window : {0, 1, 100, 300}) {
        const Sequence it = makeSequence(widths.query, widths.cache, Shape::Outliers, 64, positions,
                                         static_cast<uint64_t>(positions));
        EXPECT_TRUE(isSame(attend(widths.query, widths.cache, it.query(window), it.cache()),
                           referenceAttend(it, widths.query, widths.cache, window)))
            << positions << " positions, window " << window;
      }
}

TEST(Attention, BitsOfTwoPartsAreThoseOfASecondImplementation) {
  for (const Widths widths : kWidths)
    for (const int positions : {1, 128, 129, 513, 1100})
      for (const int rotated : {2, 16, 64}) {
        const Sequence it = makeLatentSequence(widths.query, widths.cache, 96, rotated, positions,
                                               static_cast<uint64_t>(positions));
        EXPECT_TRUE(isSame(attend(widths.query, widths.cache, it.query(), it.cache()),
                           referenceAttend(it, widths.query, widths.cache, 0)))
            << positions << " positions, " << rotated << " rotated";
      }
}

TEST(Attention, ErrorOfTwoPartsIsThatOfQuantization) {
  for (const int positions : {100, 2000}) {
    const auto error = [&](ActivationWidth width) {
      const Sequence it = makeLatentSequence(width, width, 512, 64, positions, 5);
      return errorOf(attend(width, width, it.query(), it.cache()), trueAttention(it, 0, nullptr));
    };
    EXPECT_LE(error(kInt16), 1e-6) << positions;
    EXPECT_LE(error(kInt8), 2e-2) << positions;
  }
}

TEST(Attention, BothPartsCanMakeTheRowNan) {
  const auto isAllNan = [](const std::vector<float> &row) {
    return std::all_of(row.begin(), row.end(), [](float x) { return bits(x) == kCanonicalNan; });
  };
  const auto rowOf = [](auto change) {
    Sequence it = makeLatentSequence(kInt16, kInt16, 64, 16, 300, 9);
    change(it);
    return attend(kInt16, kInt16, it.query(), it.cache());
  };
  EXPECT_FALSE(isAllNan(rowOf([](Sequence &) {})));
  const float nan = fromBits(kCanonicalNan);
  EXPECT_TRUE(isAllNan(rowOf([&](Sequence &it) { it.keyScales[130] = nan; })));
  EXPECT_TRUE(isAllNan(rowOf([&](Sequence &it) { it.rotated.keyScales[130] = nan; })));
  EXPECT_TRUE(isAllNan(rowOf([&](Sequence &it) { it.queryScale = nan; })));
  EXPECT_TRUE(isAllNan(rowOf([&](Sequence &it) { it.rotated.queryScale = nan; })));
}

TEST(Attention, ErrorIsThatOfQuantization) {
  struct Limit {
    Shape shape;
    double int16, int8;
  };
  for (const Limit limit :
       {Limit{Shape::Plain, 1e-7, 2e-3}, Limit{Shape::Outliers, 1e-6, 2e-2},
        Limit{Shape::Peaked, 1e-6, 1e-2}, Limit{Shape::ConstantChannels, 1e-5, 1.0}})
    for (const int positions : {100, 2000}) {
      const auto error = [&](ActivationWidth width) {
        const Sequence it = makeSequence(width, width, limit.shape, 128, positions, 5);
        return errorOf(attend(width, width, it.query(), it.cache()), trueAttention(it, 0, nullptr));
      };
      EXPECT_LE(error(kInt16), limit.int16) << static_cast<int>(limit.shape) << " " << positions;
      EXPECT_LE(error(kInt8), limit.int8) << static_cast<int>(limit.shape) << " " << positions;
      EXPECT_LT(error(kInt16), error(kInt8)) << static_cast<int>(limit.shape) << " " << positions;
    }
}

TEST(Attention, SinksTakeTheirShare) {
  const Sequence it = makeSequence(kInt16, kInt16, Shape::Plain, 64, 300, 6);
  const std::vector<float> without = attend(kInt16, kInt16, it.query(), it.cache());
  for (const float sink : {-5.0f, 0.5f, 4.0f, 200.0f}) {
    const std::vector<float> with = attend(kInt16, kInt16, it.query(), it.cache(), &sink);
    EXPECT_FALSE(isSame(with, without)) << sink;
    // Beside a sink of 200 nothing is left to compare.
    if (sink < 100.0f) {
      EXPECT_LE(errorOf(with, trueAttention(it, 0, &sink)), 1e-6) << sink;
    }
  }
}

TEST(Attention, WindowsSeeTheLastPositions) {
  const Sequence it = makeSequence(kInt16, kInt16, Shape::Plain, 64, 700, 7);
  for (const int64_t window : {1, 127, 128, 129, 512, 699})
    EXPECT_LE(errorOf(attend(kInt16, kInt16, it.query(window), it.cache()),
                      trueAttention(it, window, nullptr)),
              1e-6)
        << window;
  EXPECT_TRUE(isSame(attend(kInt16, kInt16, it.query(700), it.cache()),
                     attend(kInt16, kInt16, it.query(), it.cache())));
}

// Pages hold what an earlier owner left, and positions behind a window may be gone.
TEST(Attention, InvisiblePositionsCannotShow) {
  for (const Widths widths : kWidths) {
    Sequence it = makeSequence(widths.query, widths.cache, Shape::Plain, 64, 640, 8);
    num::HeadQuery query = it.query(200);
    query.position = 500;
    const std::vector<float> clean = attend(widths.query, widths.cache, query, it.cache());
    for (int64_t n = 0; n < it.positions(); ++n) {
      if (n > 300 && n <= 500)
        continue;
      it.keyScales[static_cast<size_t>(n)] = fromBits(0x7fc00001u);
      it.valueScales[static_cast<size_t>(n)] = std::numeric_limits<float>::infinity();
      std::fill_n(&it.values[static_cast<size_t>(n) * 64], 64, int16_t{127});
    }
    EXPECT_TRUE(isSame(attend(widths.query, widths.cache, query, it.cache()), clean));
  }
}

TEST(Attention, WhatIsNotFiniteMakesTheRowNan) {
  const auto isAllNan = [](const std::vector<float> &row) {
    return std::all_of(row.begin(), row.end(), [](float x) { return bits(x) == kCanonicalNan; });
  };
  for (const size_t where : {0u, 130u, 599u}) {
    Sequence it = makeSequence(kInt16, kInt16, Shape::Plain, 64, 600, 9);
    it.keyScales[where] = fromBits(kCanonicalNan);
    EXPECT_TRUE(isAllNan(attend(kInt16, kInt16, it.query(), it.cache()))) << where;
    it = makeSequence(kInt16, kInt16, Shape::Plain, 64, 600, 9);
    it.valueScales[where] = fromBits(kCanonicalNan);
    EXPECT_TRUE(isAllNan(attend(kInt16, kInt16, it.query(), it.cache()))) << where;
  }
  Sequence it = makeSequence(kInt16, kInt16, Shape::Plain, 64, 600, 9);
  it.queryScale = fromBits(kCanonicalNan);
  EXPECT_TRUE(isAllNan(attend(kInt16, kInt16, it.query(), it.cache())));
}

TEST(Attention, AQueryOfZerosSeesAllKeysAlike) {
  Sequence it = makeSequence(kInt16, kInt16, Shape::Plain, 64, 300, 10);
  std::fill(it.q.begin(), it.q.end(), 0.0f);
  std::fill(it.queryIntegers.begin(), it.queryIntegers.end(), int16_t{0});
  it.queryScale = 0.0f;
  EXPECT_LE(errorOf(attend(kInt16, kInt16, it.query(), it.cache()), trueAttention(it, 0, nullptr)),
            1e-6);
}

// Every integer at its largest: the sanitizers see it if a sum leaves 32 bits.
TEST(Attention, TheLargestSumsFit) {
  for (const Widths widths : kWidths) {
    Sequence it = makeSequence(widths.query, widths.cache, Shape::Plain, num::kMaxHead, 128, 11);
    const auto most = [](ActivationWidth width) {
      return static_cast<int16_t>(num::maxActivation(width));
    };
    std::fill(it.queryIntegers.begin(), it.queryIntegers.end(), most(widths.query));
    std::fill(it.keys.begin(), it.keys.end(), most(widths.cache));
    std::fill(it.values.begin(), it.values.end(), most(widths.cache));
    std::fill(it.keyScales.begin(), it.keyScales.end(), 1e-6f);
    std::fill(it.valueScales.begin(), it.valueScales.end(), 1.0f);
    const std::vector<float> output = attend(widths.query, widths.cache, it.query(), it.cache());
    for (const float value : output)
      EXPECT_NEAR(value, most(widths.cache), 0.01f * most(widths.cache));
  }
}

TEST(Attention, TheLargestScoresFit) {
  const std::vector<int16_t> wide(num::kMaxHead, num::kMaxActivationInt16);
  const std::vector<int16_t> narrow(num::kMaxHead, num::kMaxActivationInt8);
  constexpr double kWide = num::kMaxActivationInt16;
  const double head = num::kMaxHead;
  EXPECT_NEAR((num::scoreProduct<kInt16, kInt16>(wide.data(), wide.data(), num::kMaxHead)),
              kWide * kWide * head, 1e-7 * kWide * kWide * head);
  EXPECT_EQ((num::scoreProduct<kInt16, kInt8>(wide.data(), narrow.data(), num::kMaxHead)),
            static_cast<float>(kWide * 127 * head));
}

TEST(Attention, ScoresOfTwoPartsAreRoundedAsStated) {
  Random random(12);
  for (int i = 0; i < 10000; ++i) {
    const float f1 = random.uniform(1e6f), d1 = random.uniform(1.0f), q1 = random.uniform(1.0f);
    const float f2 = random.uniform(1e6f), d2 = random.uniform(1.0f), q2 = random.uniform(1.0f);
    const float latent = referenceMul(referenceMul(f1, d1), q1);
    EXPECT_EQ(bits(num::scoreOfTwoParts(f1, d1, q1, f2, d2, q2)),
              bits(referenceFma(referenceMul(f2, d2), q2, latent)));
  }
}
