// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reductions, softmax, norms and the combine: the stated order of additions, written out a second
// time with the exact arithmetic of Reference.h.

#include "runtime/numerics/reduce.h"
#include "runtime/numerics/combine.h"
#include "runtime/numerics/norm.h"

#include "test/unit/numerics/Reference.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <vector>

using namespace sortie::test;
namespace num = sortie::numerics;

namespace {

/// The pairwise tree: its root adds the sum of the even partials and that of the odd ones.
float referenceTree(const float *p, int count, int stride) {
  if (count == 1)
    return p[0];
  return referenceAdd(referenceTree(p, count / 2, stride * 2),
                      referenceTree(p + stride, count / 2, stride * 2));
}

/// The `float` dot product: partials of index j mod 16, tree, chunks of 1024 in order.
float referenceDot(const std::vector<float> &x, const std::vector<float> &w) {
  float total = 0;
  for (size_t first = 0; first < x.size(); first += 1024) {
    float partials[16] = {};
    for (size_t k = first; k < x.size() && k < first + 1024; ++k)
      partials[k % 16] = referenceFma(x[k], w[k], partials[k % 16]);
    const float sum = referenceTree(partials, 16, 1);
    total = first == 0 ? sum : referenceAdd(total, sum);
  }
  return total;
}

std::vector<float> randomRow(Random &random, int n, float limit) {
  std::vector<float> row(static_cast<size_t>(n));
  for (float &value : row)
    value = random.uniform(limit);
  return row;
}

constexpr int kLengths[] = {1, 15, 16, 17, 31, 100, 352, 1023, 1024, 1025, 1408, 2048, 2880};

} // namespace

TEST(Reduce, FloatDotFollowsTheStatedOrder) {
  Random random(1);
  for (const int k : kLengths) {
    const std::vector<float> x = randomRow(random, k, 3.0f);
    const std::vector<float> w = randomRow(random, k, 3.0f);
    EXPECT_EQ(bits(num::floatDot(x.data(), w.data(), k)), bits(referenceDot(x, w))) << k;
  }
}

TEST(Reduce, FloatDotWidensHalvesAndBFloat16s) {
  Random random(2);
  for (const int k : kLengths) {
    const std::vector<float> x = randomRow(random, k, 3.0f);
    std::vector<num::Half> halves;
    std::vector<num::BFloat16> bfloats;
    std::vector<float> fromHalves;
    std::vector<float> fromBFloats;
    for (int i = 0; i < k; ++i) {
      halves.push_back({static_cast<uint16_t>(random.below(0x7c00))});
      bfloats.push_back({static_cast<uint16_t>(bits(random.uniform(2.0f)) >> 16)});
      fromHalves.push_back(num::fromHalf(halves.back().bits));
      fromBFloats.push_back(num::fromBFloat16(bfloats.back().bits));
    }
    EXPECT_EQ(bits(num::floatDot(x.data(), halves.data(), k)), bits(referenceDot(x, fromHalves)));
    EXPECT_EQ(bits(num::floatDot(x.data(), bfloats.data(), k)), bits(referenceDot(x, fromBFloats)));
  }
}

// Elements past the end do not exist: a partial of -0.0 stays -0.0. Padding must be (+0.0, -0.0).
TEST(Reduce, PaddingOfNegativeZeroWeightsChangesNothing) {
  std::vector<float> x(1, -0x1p-100f);
  std::vector<float> w(1, 0x1p-100f);
  const float bare = num::floatDot(x.data(), w.data(), 1);
  const float partial = num::fma(x[0], w[0], 0.0f);
  EXPECT_EQ(bits(partial), 0x80000000u);
  EXPECT_EQ(bits(num::fma(0.0f, -0.0f, partial)), 0x80000000u);
  EXPECT_EQ(bits(num::fma(0.0f, 0.0f, partial)), 0u);
  x.resize(32, 0.0f);
  w.resize(32, -0.0f);
  EXPECT_EQ(bits(num::floatDot(x.data(), w.data(), 32)), bits(bare));
}

// The total starts as the first chunk's sum: added to +0.0 it would lose the sign of zero.
TEST(Reduce, TotalStartsAsTheFirstChunk) {
  const std::vector<float> x(16, -0x1p-100f);
  const std::vector<float> w(16, 0x1p-100f);
  EXPECT_EQ(bits(num::floatDot(x.data(), w.data(), 16)), 0x80000000u);
}

TEST(Reduce, SoftmaxFollowsTheStatedOrder) {
  Random random(3);
  for (const int n : {1, 2, 8, 16, 17, 64, 128, 256, 1024}) {
    const std::vector<float> x = randomRow(random, n, 12.0f);
    std::vector<float> e(x.size());
    const float largest = *std::max_element(x.begin(), x.end());
    for (size_t i = 0; i < x.size(); ++i)
      e[i] = num::exp(referenceAdd(x[i], -largest));
    const float sum = referenceDot(e, std::vector<float>(x.size(), 1.0f));
    std::vector<float> out(x.size());
    num::softmax(x.data(), n, out.data());
    double total = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      EXPECT_EQ(bits(out[i]), bits(e[i] / sum)) << n << ' ' << i;
      total += out[i];
    }
    EXPECT_NEAR(total, 1.0, 1e-6);
    std::vector<float> inPlace = x;
    num::softmax(inPlace.data(), n, inPlace.data());
    EXPECT_EQ(inPlace, out);
  }
}

TEST(Reduce, SoftmaxOfNonFiniteValues) {
  const float inf = fromBits(0x7f800000u);
  const auto softmax = [](std::vector<float> x) {
    num::softmax(x.data(), static_cast<int>(x.size()), x.data());
    return x;
  };
  for (const std::vector<float> &x :
       {std::vector<float>{fromBits(0xffc00001u), 1, 2}, std::vector<float>{1, num::nan(), 2},
        std::vector<float>{1, inf, 2}, std::vector<float>{-inf, -inf}})
    for (const float p : softmax(x))
      EXPECT_EQ(bits(p), kCanonicalNan);
  EXPECT_EQ(softmax({-inf, 3, 3}), (std::vector<float>{0, 0.5f, 0.5f}));
  EXPECT_EQ(softmax({-0.0f, 0.0f}), (std::vector<float>{0.5f, 0.5f}));
}

TEST(Norm, FollowsTheStatedRoundings) {
  Random random(4);
  for (const int k : kLengths) {
    const std::vector<float> x = randomRow(random, k, 5.0f);
    const std::vector<float> w = randomRow(random, k, 2.0f);
    const float epsilon = 1e-6f;
    const float mean = referenceDot(x, x) / static_cast<float>(k);
    const float root = std::sqrt(referenceAdd(mean, epsilon));
    const float factor = 1.0f / root;
    std::vector<float> out(x.size());
    num::rmsNorm(x.data(), w.data(), k, epsilon, out.data());
    for (size_t i = 0; i < x.size(); ++i)
      ASSERT_EQ(bits(out[i]), bits(referenceMul(referenceMul(x[i], factor), w[i])));
  }
}

TEST(Norm, SpecialRows) {
  const std::vector<float> w(4, 1.0f);
  std::vector<float> zeros(4, 0.0f);
  num::rmsNorm(zeros.data(), w.data(), 4, 1e-6f, zeros.data());
  EXPECT_EQ(zeros, std::vector<float>(4, 0.0f));
  for (const uint32_t bad : {0x7f800000u, 0xff800000u, 0xffc12345u}) {
    std::vector<float> x = {1, fromBits(bad), 2, 3};
    num::rmsNorm(x.data(), w.data(), 4, 1e-6f, x.data());
    // An infinity makes the factor 0: its own place becomes NaN, the others zero.
    EXPECT_EQ(bits(x[1]), kCanonicalNan);
    EXPECT_EQ(bits(x[0]), isInfBits(bad) ? 0u : kCanonicalNan);
  }
}

TEST(Combine, AddsInSlotOrderWithRoundedProducts) {
  Random random(5);
  for (const int slots : {1, 2, 6, 8, 32}) {
    constexpr int kWidth = 64;
    std::vector<std::vector<float>> rows(static_cast<size_t>(slots));
    std::vector<const float *> pointers(rows.size());
    for (size_t j = 0; j < rows.size(); ++j) {
      rows[j] = randomRow(random, kWidth, 9.0f);
      pointers[j] = rows[j].data();
    }
    const std::vector<float> weights = randomRow(random, slots, 1.0f);
    std::vector<float> out(kWidth);
    num::combineSlots(pointers.data(), weights.data(), slots, kWidth, out.data());
    std::vector<float> plain(kWidth);
    num::combineSlots(pointers.data(), nullptr, slots, kWidth, plain.data());
    for (size_t i = 0; i < kWidth; ++i) {
      float sum = referenceMul(weights[0], rows[0][i]);
      float plainSum = rows[0][i];
      for (size_t j = 1; j < rows.size(); ++j) {
        sum = referenceAdd(sum, referenceMul(weights[j], rows[j][i]));
        plainSum = referenceAdd(plainSum, rows[j][i]);
      }
      ASSERT_EQ(bits(out[i]), bits(sum));
      ASSERT_EQ(bits(plain[i]), bits(plainSum));
    }
  }
}

TEST(Combine, StoresCanonicalNans) {
  const float bad = fromBits(0xffc12345u);
  const float *row = &bad;
  float out = 0;
  num::combineSlots(&row, nullptr, 1, 1, &out);
  EXPECT_EQ(bits(out), kCanonicalNan);
}
