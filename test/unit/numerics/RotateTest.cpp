// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sine and cosine of exact phases, and rotation, against double precision.

#include "runtime/numerics/rotate.h"

#include "test/unit/numerics/Reference.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <numbers>

using namespace sortie::test;
namespace num = sortie::numerics;

namespace {

/// The angle of a phase in radians. 2^-64 of a turn is far below what a long double's 64 bits lose.
long double radians(uint64_t phase) {
  return std::ldexp(static_cast<long double>(phase), -64) * 2 * std::numbers::pi_v<long double>;
}

double turnError(uint64_t phase) {
  const num::Turn turn = num::turnOf(phase);
  return std::max(std::fabs(static_cast<double>(turn.cosine - std::cos(radians(phase)))),
                  std::fabs(static_cast<double>(turn.sine - std::sin(radians(phase)))));
}

} // namespace

TEST(Rotate, SineAndCosineAreNearTheTruthAtAnyPhase) {
  Random random(71);
  double largest = 0.0;
  for (int i = 0; i < 1'000'000; ++i)
    largest = std::max(largest, turnError(random.next() << 32 | (random.next() & 0xffffffffu)));
  for (uint64_t eighth = 0; eighth < 8; ++eighth)
    for (const int64_t off : {-3'000'000'000l, -1l, 0l, 1l, 3'000'000'000l})
      largest = std::max(largest, turnError((eighth << 61) + static_cast<uint64_t>(off)));
  EXPECT_LT(largest, 1.3e-7);
  EXPECT_GT(largest, 1e-8) << "nothing was compared";
}

TEST(Rotate, QuarterTurnsAreExact) {
  const float expected[4][2] = {{1, 0}, {0, 1}, {-1, 0}, {0, -1}};
  for (uint64_t quarter = 0; quarter < 4; ++quarter) {
    const num::Turn turn = num::turnOf(quarter << 62);
    EXPECT_EQ(turn.cosine, expected[quarter][0]) << quarter;
    EXPECT_EQ(turn.sine, expected[quarter][1]) << quarter;
  }
}

// The product wraps at whole turns, so the millionth position is as exact as the first.
TEST(Rotate, DistantPositionsAreExact) {
  const uint64_t frequency = 0x28be60db9391054aull; // one radian
  for (const uint64_t position : {1ull, 1000ull, 1'000'000ull, 1ull << 40}) {
    const num::Turn turn = num::turnAt(position, frequency);
    const num::Turn same = num::turnOf(frequency * position);
    EXPECT_EQ(bits(turn.cosine), bits(same.cosine));
    if (position <= 1'000'000) {
      EXPECT_NEAR(turn.cosine, std::cos(static_cast<double>(position)), 2e-7);
      EXPECT_NEAR(turn.sine, std::sin(static_cast<double>(position)), 2e-7);
    }
  }
}

TEST(Rotate, PairsTurnAsStated) {
  Random random(72);
  for (int i = 0; i < 10000; ++i) {
    num::Turn turn = num::turnOf(random.next() << 32);
    turn = num::scaleTurn(turn, 1.25f);
    const float x0 = random.uniform(4.0f);
    const float x1 = random.uniform(4.0f);
    float y0 = x0;
    float y1 = x1;
    num::rotatePair(turn, y0, y1);
    EXPECT_EQ(bits(y0), bits(referenceFma(x0, turn.cosine, -referenceMul(x1, turn.sine))));
    EXPECT_EQ(bits(y1), bits(referenceFma(x1, turn.cosine, referenceMul(x0, turn.sine))));
  }
}
