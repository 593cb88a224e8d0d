// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// exp and the activation functions, against long double.

#include "runtime/numerics/activation.h"

#include "test/unit/numerics/Reference.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>

using namespace sortie::test;
namespace num = sortie::numerics;

namespace {

const float kInfinity = fromBits(0x7f800000u);
const float kNan = fromBits(kCanonicalNan);

/// |got - expected| in units of the last place of the fp32 number nearest to `expected`.
double ulps(float got, double expected) {
  int exponent = 0;
  std::frexp(expected, &exponent);
  const double ulp = std::ldexp(1.0, exponent - 24 < -149 ? -149 : exponent - 24);
  return std::fabs(expected - static_cast<double>(got)) / ulp;
}

} // namespace

// Every 37th float from the first that gives 0 to the last that is finite; double precision is
// eight digits finer than the error measured.
TEST(Exp, IsWithinOneUlp) {
  double worst = 0;
  const auto sweep = [&](uint32_t first, uint32_t last) {
    for (uint32_t u = first; u < last; u += 37) {
      const float x = fromBits(u);
      worst = std::max(worst, ulps(num::exp(x), std::exp(static_cast<double>(x))));
    }
  };
  sweep(bits(0x1p-30f), bits(0x1.62e42ep+6f) + 1);
  sweep(bits(-0x1p-30f), bits(-0x1.9fe36ap+6f));
  RecordProperty("max_ulp", std::to_string(worst));
  EXPECT_LE(worst, 0.892) << "docs/numerics.md and exp.h state the measured figure";
  EXPECT_GE(worst, 0.5)
      << "no fp32 function of this shape is correctly rounded: the test is broken";
}

TEST(Exp, SpecialValuesAndEnds) {
  EXPECT_EQ(bits(num::exp(0.0f)), bits(1.0f));
  EXPECT_EQ(bits(num::exp(-0.0f)), bits(1.0f));
  EXPECT_EQ(num::exp(kInfinity), kInfinity);
  EXPECT_EQ(bits(num::exp(-kInfinity)), 0u);
  EXPECT_TRUE(num::isNan(num::exp(kNan)));
  EXPECT_TRUE(num::isNan(num::exp(fromBits(0xff812345u))));
  EXPECT_LT(num::exp(0x1.62e42ep+6f), kInfinity);
  EXPECT_EQ(num::exp(0x1.62e43p+6f), kInfinity);
  EXPECT_EQ(num::exp(fromBits(0x7f7fffffu)), kInfinity);
  EXPECT_EQ(bits(num::exp(-0x1.9fe368p+6f)), 1u);
  EXPECT_EQ(bits(num::exp(-0x1.9fe36ap+6f)), 0u);
  EXPECT_EQ(bits(num::exp(-fromBits(0x7f7fffffu))), 0u);
  EXPECT_EQ(bits(num::exp(0x1p-149f)), bits(1.0f));
}

TEST(Activation, FollowsTheStatedRoundings) {
  Random random(1);
  for (int i = 0; i < 200'000; ++i) {
    const float gate = random.uniform(30.0f);
    const float up = random.uniform(30.0f);
    const float denominator = 1.0f + num::exp(-gate);
    ASSERT_EQ(bits(num::sigmoid(gate)), bits(1.0f / denominator));
    ASSERT_EQ(bits(num::silu(gate)), bits(gate / denominator));
    ASSERT_EQ(bits(num::swiglu(gate, up)), bits((gate / denominator) * up));

    const float g = std::fmin(gate, 7.0f);
    const float u = std::fmax(std::fmin(up, 7.0f), -7.0f);
    const float scaled = 1.702f * g;
    const float gated = g * (1.0f / (1.0f + num::exp(-scaled)));
    const float shifted = u + 1.0f;
    ASSERT_EQ(bits(num::swigluClamped(gate, up, 1.702f, 7.0f)), bits(shifted * gated));
  }
}

TEST(Activation, GluIsChosenByKind) {
  Random random(3);
  const num::Glu plain{};
  const num::Glu clamped{num::GluKind::SwigluClamped, 1.702f, 7.0f};
  for (int i = 0; i < 1000; ++i) {
    const float gate = random.uniform(30.0f);
    const float up = random.uniform(30.0f);
    ASSERT_EQ(bits(num::applyGlu(plain, gate, up)), bits(num::swiglu(gate, up)));
    ASSERT_EQ(bits(num::applyGlu(clamped, gate, up)),
              bits(num::swigluClamped(gate, up, 1.702f, 7.0f)));
  }
}

TEST(Activation, IsAccurate) {
  Random random(2);
  for (int i = 0; i < 200'000; ++i) {
    const float x = random.uniform(20.0f);
    const double truth = 1.0 / (1.0 + std::exp(-static_cast<double>(x)));
    ASSERT_LE(ulps(num::sigmoid(x), truth), 2.5) << x;
    ASSERT_LE(ulps(num::silu(x), truth * x), 2.5) << x;
  }
}

TEST(Activation, SpecialValues) {
  EXPECT_EQ(num::sigmoid(kInfinity), 1.0f);
  EXPECT_EQ(bits(num::sigmoid(-kInfinity)), 0u);
  EXPECT_EQ(num::silu(kInfinity), kInfinity);
  EXPECT_TRUE(num::isNan(num::silu(-kInfinity)));
  EXPECT_EQ(bits(num::silu(-200.0f)), 0x80000000u);
  EXPECT_EQ(bits(num::silu(-0.0f)), 0x80000000u);
  EXPECT_TRUE(num::isNan(num::swiglu(kNan, 1.0f)));
  EXPECT_TRUE(num::isNan(num::swiglu(1.0f, kNan)));
  EXPECT_TRUE(num::isNan(num::swigluClamped(kNan, 1.0f, 1.702f, 7.0f)));
  EXPECT_TRUE(num::isNan(num::swigluClamped(1.0f, kNan, 1.702f, 7.0f)));
  EXPECT_EQ(num::swigluClamped(kInfinity, kInfinity, 1.702f, 7.0f),
            num::swigluClamped(7.0f, 7.0f, 1.702f, 7.0f));
  EXPECT_EQ(num::swigluClamped(1.0f, -kInfinity, 1.702f, 7.0f),
            num::swigluClamped(1.0f, -7.0f, 1.702f, 7.0f));
}
