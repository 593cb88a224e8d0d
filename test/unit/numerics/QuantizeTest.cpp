// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Quantization of activations.

#include "runtime/numerics/quantize.h"

#include "test/unit/numerics/Reference.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <gtest/gtest.h>
#include <vector>

using namespace sortie::test;
namespace num = sortie::numerics;
using num::ActivationWidth;

namespace {

template <ActivationWidth Width> struct Block {
  int16_t q[num::kActivationBlock];
  float scale;

  explicit Block(const std::vector<float> &x) {
    scale = num::quantizeBlock<Width>(x.data(), static_cast<int>(x.size()), q);
  }
};

/// The proof of |q| <= Q by exhaustion: q of the block's maximum, for every mantissa that the
/// maximum may have. Powers of two change nothing (the quotients stay normal), and every other
/// element is smaller, so its q is no larger.
template <ActivationWidth Width> void expectEveryMaximumHitsTheLimit(uint32_t exponent) {
  for (uint32_t mantissa = 0; mantissa < 0x800000u; ++mantissa) {
    const float amax = fromBits(exponent << 23 | mantissa);
    const auto scale = num::activationScale<Width>(bits(amax));
    ASSERT_TRUE(scale.isRegular);
    ASSERT_EQ(num::quantizeElement(amax, scale.reciprocal), num::maxActivation(Width)) << amax;
    ASSERT_EQ(num::quantizeElement(-amax, scale.reciprocal), -num::maxActivation(Width)) << amax;
  }
}

/// Every block of `x` is zero with the scale `scaleBits`, in both widths.
void expectZeros(const std::vector<float> &x, uint32_t scaleBits) {
  const Block<ActivationWidth::Int16> wide(x);
  const Block<ActivationWidth::Int8> narrow(x);
  EXPECT_EQ(bits(wide.scale), scaleBits);
  EXPECT_EQ(bits(narrow.scale), scaleBits);
  for (size_t i = 0; i < x.size(); ++i) {
    EXPECT_EQ(wide.q[i], 0);
    EXPECT_EQ(narrow.q[i], 0);
  }
}

} // namespace

TEST(Quantize, MaximumBecomesTheLargestIntegerForEveryMantissa) {
  for (const uint32_t exponent : {31u, 127u, 254u}) { // 2^-96, 1, 2^127
    expectEveryMaximumHitsTheLimit<ActivationWidth::Int16>(exponent);
    expectEveryMaximumHitsTheLimit<ActivationWidth::Int8>(exponent);
  }
}

TEST(Quantize, FollowsTheStatedRoundings) {
  Random random(1);
  for (int trial = 0; trial < 2000; ++trial) {
    std::vector<float> x(static_cast<size_t>(1 + random.below(128)));
    const float limit = fromBits(static_cast<uint32_t>(60 + random.below(180)) << 23);
    float amax = 0.0f;
    for (float &value : x) {
      value = random.uniform(limit);
      amax = std::fmax(amax, std::fabs(value));
    }
    const Block<ActivationWidth::Int16> wide(x);
    const Block<ActivationWidth::Int8> narrow(x);
    ASSERT_EQ(bits(wide.scale), bits(amax / 16319.0f));
    ASSERT_EQ(bits(narrow.scale), bits(amax / 127.0f));
    for (size_t i = 0; i < x.size(); ++i) {
      ASSERT_EQ(wide.q[i], std::lrint(x[i] * (16319.0f / amax)));
      ASSERT_EQ(narrow.q[i], std::lrint(x[i] * (127.0f / amax)));
      // Rounding to an integer, plus three float roundings of relative size 2^-24.
      const double error = std::fabs(static_cast<double>(wide.q[i]) * wide.scale - x[i]);
      ASSERT_LE(error, 0.503 * wide.scale);
    }
  }
}

TEST(Quantize, LimbsRecompose) {
  for (int q = -num::kMaxActivationInt16; q <= num::kMaxActivationInt16; ++q) {
    const int high = num::highLimb(q);
    const int low = num::lowLimb(q);
    ASSERT_EQ(128 * high + low, q);
    ASSERT_TRUE(high >= -127 && high <= 127) << q;
    ASSERT_TRUE(low >= -64 && low <= 63) << q;
  }
}

TEST(Quantize, TinyBlocksAreZero) {
  expectZeros({0.0f, -0.0f}, 0u);
  expectZeros({0x1p-149f, -0x1p-149f}, 0u);
  expectZeros({0x1p-126f, -0x1.8p-120f, 0x1.fffffep-97f}, 0u);
  const Block<ActivationWidth::Int16> least({0x1p-96f, -0x1p-97f});
  EXPECT_EQ(least.q[0], 16319);
  EXPECT_EQ(least.q[1], -8160); // 8159.5, the tie goes to even
  EXPECT_EQ(bits(least.scale), bits(0x1p-96f / 16319.0f));
}

TEST(Quantize, NonFiniteElementsMakeTheScaleNan) {
  for (const uint32_t bad : {0x7f800000u, 0xff800000u, 0x7fc00000u, 0x7f800001u, 0xffffffffu}) {
    expectZeros({1.0f, fromBits(bad), 2.0f}, kCanonicalNan);
    expectZeros({fromBits(bad)}, kCanonicalNan);
  }
}

TEST(Quantize, LargestFiniteBlock) {
  const float largest = fromBits(0x7f7fffffu);
  const Block<ActivationWidth::Int16> block({largest, -largest, largest / 2});
  EXPECT_EQ(block.q[0], 16319);
  EXPECT_EQ(block.q[1], -16319);
  EXPECT_LT(block.scale * 16319.0f, fromBits(0x7f800000u));
}

TEST(Quantize, RowsAreBlocksOf128WithAShortLastOne) {
  Random random(3);
  for (const int k : {1, 32, 127, 128, 129, 352, 2880}) {
    std::vector<float> x(static_cast<size_t>(k));
    for (float &value : x)
      value = random.uniform(3.0f);
    std::vector<int16_t> q(x.size());
    std::vector<int8_t> narrow(x.size());
    std::vector<float> scales(static_cast<size_t>(num::activationBlocks(k)));
    std::vector<float> narrowScales(scales.size());
    num::quantizeRow<ActivationWidth::Int16>(x.data(), k, q.data(), scales.data());
    num::quantizeRow<ActivationWidth::Int8>(x.data(), k, narrow.data(), narrowScales.data());
    for (size_t first = 0; first < x.size(); first += 128) {
      const size_t end = std::min(first + 128, x.size());
      const std::vector<float> part(x.begin() + first, x.begin() + end);
      const Block<ActivationWidth::Int16> wide(part);
      const Block<ActivationWidth::Int8> thin(part);
      EXPECT_EQ(bits(scales[first / 128]), bits(wide.scale));
      EXPECT_EQ(bits(narrowScales[first / 128]), bits(thin.scale));
      for (size_t i = first; i < end; ++i) {
        ASSERT_EQ(q[i], wide.q[i - first]);
        ASSERT_EQ(narrow[i], thin.q[i - first]);
      }
    }
  }
}
