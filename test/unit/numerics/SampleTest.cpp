// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The logarithm against double precision, and where random numbers fall.

#include "runtime/numerics/sample.h"

#include "test/unit/numerics/Reference.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <limits>

using namespace sortie::test;
namespace num = sortie::numerics;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// The error of log(x) in units of the last place of the truth.
double logError(float x) {
  const double truth = std::log(static_cast<double>(x));
  const double ulp = std::ldexp(1.0, std::ilogb(static_cast<float>(truth)) - 23);
  return std::fabs(num::log(x) - truth) / ulp;
}

} // namespace

// Of all floats, 0x1.69fe58p-1 has the worst: 0.954.
TEST(Log, IsWithinOneUlp) {
  Random random(91);
  double worst = 0;
  for (int i = 0; i < 2'000'000; ++i) {
    const float x = fromBits(static_cast<uint32_t>(random.next()) % 0x7f800000u);
    if (x != 0.0f && x != 1.0f)
      worst = std::max(worst, logError(x));
  }
  for (uint32_t near = 0x3f000000u; near < 0x40000000u; near += 7)
    if (near != bits(1.0f))
      worst = std::max(worst, logError(fromBits(near)));
  worst = std::max(worst, logError(0x1.69fe58p-1f));
  EXPECT_LT(worst, 1.0);
  EXPECT_GT(worst, 0.5) << "nothing was compared";
}

TEST(Log, SpecialValues) {
  EXPECT_EQ(bits(num::log(1.0f)), bits(0.0f));
  EXPECT_EQ(num::log(0.0f), -kInfinity);
  EXPECT_EQ(num::log(-0.0f), -kInfinity);
  EXPECT_EQ(num::log(kInfinity), kInfinity);
  for (const float x : {-1.0f, -kInfinity, std::numeric_limits<float>::quiet_NaN(),
                        -std::numeric_limits<float>::denorm_min()})
    EXPECT_EQ(bits(num::log(x)), kCanonicalNan) << x;
  EXPECT_EQ(num::log(std::numeric_limits<float>::denorm_min()), -0x1.9d1dap+6f);
}

TEST(Sample, AThresholdFallsWhereTheSumPassesIt) {
  const float weights[] = {0, 0.5f, 0, 0.25f, 1, 0};
  const auto draw = [&](float threshold) { return num::drawInChunk(weights, 6, threshold); };
  EXPECT_EQ(draw(0.0f), 1);
  EXPECT_EQ(draw(0.499f), 1);
  EXPECT_EQ(draw(0.5f), 3);
  EXPECT_EQ(draw(0.75f), 4);
  EXPECT_EQ(draw(1.74f), 4);
  EXPECT_EQ(draw(1.75f), 4) << "past the end, the last that has a weight";
}

TEST(Sample, WordsAreNumbersBelowOne) {
  EXPECT_EQ(num::toUnitInterval(0), 0.0f);
  EXPECT_EQ(num::toUnitInterval((uint64_t{1} << 40) - 1), 0.0f);
  EXPECT_EQ(num::toUnitInterval(uint64_t{1} << 63), 0.5f);
  EXPECT_EQ(num::toUnitInterval(~uint64_t{0}), 1.0f - 0x1p-24f);
}

TEST(Sample, TheLargestLogitWeighsOne) {
  for (const float temperature : {1e-30f, 0.7f, 1e4f}) {
    EXPECT_EQ(num::sampleWeight(3.5f, 3.5f, temperature), 1.0f);
    EXPECT_EQ(num::sampleWeight(-kInfinity, 3.5f, temperature), 0.0f);
  }
  EXPECT_EQ(num::sampleWeight(3.4f, 3.5f, 1e-30f), 0.0f);
}
