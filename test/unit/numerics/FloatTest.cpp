// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Single operations: the software fma, roundings, conversions.

#include "runtime/numerics/float.h"

#include "test/unit/numerics/Reference.h"

#include <gtest/gtest.h>

using namespace sortie;
using namespace sortie::test;
namespace num = sortie::numerics;

namespace {

constexpr int kMany = 4'000'000;

void expectFma(float a, float b, float c) {
  const uint32_t expected = canonicalBits(referenceFma(a, b, c));
  ASSERT_EQ(canonicalBits(num::softwareFma(a, b, c)), expected)
      << std::hexfloat << a << " * " << b << " + " << c;
  ASSERT_EQ(canonicalBits(num::fma(a, b, c)), expected)
      << std::hexfloat << a << " * " << b << " + " << c;
}

} // namespace

TEST(Float, SoftwareFmaOfAnyNumbersIsExact) {
  Random random(1);
  for (int i = 0; i < kMany && !HasFatalFailure(); ++i) {
    const float a = random.anyFloat();
    const float b = random.anyFloat();
    expectFma(a, b, random.anyFloat());
  }
}

// c is close to -a * b, so that nearly everything cancels, or half a unit of the product's last
// bit.
TEST(Float, SoftwareFmaNearCancellationAndTies) {
  Random random(2);
  for (int i = 0; i < kMany && !HasFatalFailure(); ++i) {
    const float a = random.anyFloat();
    const float b = random.anyFloat();
    const float product = a * b;
    const auto offset = static_cast<uint32_t>(random.below(5)) - 2u;
    expectFma(a, b, fromBits(bits(-product) + offset));
    const auto exponent = static_cast<uint32_t>(random.below(80)) << 23;
    expectFma(a, b, fromBits((bits(product) & 0xff800000u) - exponent + offset));
  }
}

// The double rounding that a plain conversion of the double-precision sum would make.
TEST(Float, SoftwareFmaDoesNotRoundTwice) {
  const float a = 0x1.000002p0f; // 1 + 2^-23
  const float b = 0x1p-24f;      // a * b = 2^-24 + 2^-47: just above half of the last bit of 1
  expectFma(a, b, 1.0f);
  EXPECT_EQ(num::softwareFma(a, b, 1.0f), 0x1.000002p0f);
  // 1 + 2^-24 + 2^-80: the double sum is the tie 1 + 2^-24.
  EXPECT_EQ(num::softwareFma(0x1p-40f, 0x1p-40f, 0x1.000002p0f), 0x1.000002p0f);
  const float nearTie = 0x1.000001p0f; // rounds to 1.0: not representable
  EXPECT_EQ(nearTie, 1.0f);
  EXPECT_EQ(num::softwareFma(0x1.000002p-12f, 0x1.fffffep-13f, 1.0f),
            referenceFma(0x1.000002p-12f, 0x1.fffffep-13f, 1.0f));
}

TEST(Float, SubnormalsAreNotFlushed) {
  const volatile float least = 0x1p-149f;
  EXPECT_EQ(bits(num::add(least, least)), 2u);
  EXPECT_EQ(bits(num::mul(least, 0.75f)), 1u);
  EXPECT_EQ(bits(num::mul(0x1p-126f, 0.5f)), 0x00400000u);
  EXPECT_EQ(bits(num::fma(least, 1.0f, least)), 2u);
  EXPECT_EQ(bits(num::div(0x1p-126f, 2.0f)), 0x00400000u);
}

TEST(Float, AdditionAndMultiplicationRoundToNearestEven) {
  Random random(3);
  for (int i = 0; i < kMany; ++i) {
    const float a = random.anyFloat();
    const float b = random.anyFloat();
    ASSERT_EQ(canonicalBits(num::add(a, b)), canonicalBits(referenceAdd(a, b)));
    ASSERT_EQ(canonicalBits(num::sub(a, b)), canonicalBits(referenceAdd(a, -b)));
    ASSERT_EQ(canonicalBits(num::mul(a, b)), canonicalBits(referenceMul(a, b)));
  }
}

// A quotient q is right when no neighbour is nearer: compared as |q * b - a| in exact arithmetic.
TEST(Float, DivisionIsCorrectlyRounded) {
  Random random(4);
  for (int i = 0; i < kMany / 4; ++i) {
    const float a = fromBits(0x3f800000u | (random.next() & 0x7fffffu));
    const float b = fromBits(0x3f800000u | (random.next() & 0x7fffffu));
    const Scaled numerator = decompose(a);
    const Scaled denominator = decompose(b);
    // 40 more bits than needed, and a sticky bit for the remainder.
    const __int128 quotient = (numerator.mantissa << 64) / denominator.mantissa;
    const bool isInexact = quotient * denominator.mantissa != numerator.mantissa << 64;
    const float expected = roundScaled({quotient * 2 + (isInexact ? 1 : 0), -65}, 0);
    ASSERT_EQ(bits(num::div(a, b)), bits(expected)) << std::hexfloat << a << " / " << b;
  }
}

TEST(Float, SquareRootIsCorrectlyRounded) {
  Random random(5);
  for (int i = 0; i < kMany / 4; ++i) {
    const float x = fromBits(static_cast<uint32_t>(random.next() % 0x7f800000u));
    const float root = num::sqrt(x);
    // root is right when x lies between the squares of the midpoints to its neighbours.
    const Scaled r = decompose(root);
    const Scaled square = decompose(x);
    const __int128 below = 2 * r.mantissa - 1;
    const __int128 above = 2 * r.mantissa + 1;
    const int shift = square.exponent - 2 * (r.exponent - 1);
    ASSERT_TRUE(shift >= 0 && shift < 100) << x;
    const __int128 scaled = square.mantissa << shift;
    ASSERT_TRUE(x == 0.0f || (below * below <= scaled && scaled <= above * above)) << x;
  }
  EXPECT_TRUE(num::isNan(num::sqrt(-1.0f)));
  EXPECT_EQ(bits(num::sqrt(-0.0f)), 0x80000000u);
  EXPECT_EQ(num::sqrt(fromBits(0x7f800000u)), fromBits(0x7f800000u));
}

TEST(Float, IntegersRoundToNearestEven) {
  Random random(6);
  for (int i = 0; i < kMany; ++i) {
    const auto value = static_cast<int32_t>(random.next() >> random.below(32));
    ASSERT_EQ(bits(num::toFloat(value)), bits(referenceFloat(value))) << value;
  }
  EXPECT_EQ(num::toFloat(16777217), 16777216.0f);
  EXPECT_EQ(num::toFloat(16777219), 16777220.0f);
}

TEST(Float, RoundToIntTiesToEven) {
  for (int i = -20000; i <= 20000; ++i) {
    const auto whole = static_cast<float>(i);
    ASSERT_EQ(num::roundToInt(whole), i);
    ASSERT_EQ(num::roundToInt(whole + 0.5f), i % 2 == 0 ? i : i + 1);
    ASSERT_EQ(num::roundToInt(whole + 0.498f), i);
    ASSERT_EQ(num::roundToInt(whole - 0.498f), i);
    ASSERT_EQ(num::roundToEven(whole + 0.25f), whole);
  }
  EXPECT_EQ(num::roundToInt(-4194304.0f), -4194304);
  EXPECT_EQ(num::roundToInt(4194304.0f), 4194304);
}

TEST(Float, EveryHalfIsExact) {
  for (uint32_t half = 0; half < 0x10000u; ++half) {
    const float value = num::fromHalf(static_cast<uint16_t>(half));
    const int exponent = static_cast<int>(half >> 10 & 31);
    const __int128 mantissa = half & 0x3ffu;
    const uint32_t sign = (half & 0x8000u) << 16;
    if (exponent == 31) {
      const uint32_t expected = mantissa != 0 ? kCanonicalNan : sign | 0x7f800000u;
      ASSERT_EQ(canonicalBits(value), expected) << half;
      continue;
    }
    const Scaled magnitude = {exponent == 0 ? mantissa : mantissa + 1024,
                              (exponent == 0 ? 1 : exponent) - 25};
    ASSERT_EQ(bits(value), bits(roundScaled(magnitude, 0)) | sign) << half;
  }
}

TEST(Float, EveryBFloat16IsExact) {
  for (uint32_t value = 0; value < 0x10000u; ++value)
    ASSERT_EQ(bits(num::fromBFloat16(static_cast<uint16_t>(value))), value << 16);
}

// A bfloat16 is near when x lies between the midpoints to its neighbours, which are floats.
TEST(Float, BFloat16IsTheNearestAndEvenInTies) {
  Random random(7);
  for (int i = 0; i < kMany; ++i) {
    const float x = random.anyFloat();
    const num::BFloat16 rounded = num::toBFloat16(x);
    if (num::isNan(x)) {
      ASSERT_TRUE(num::isNan(num::widen(rounded))) << std::hex << bits(x);
      continue;
    }
    const uint32_t magnitude = bits(x) & 0x7fffffffu;
    const uint32_t below = magnitude >> 16;
    const uint32_t half = magnitude & 0xffffu;
    const bool isUp = half > 0x8000u || (half == 0x8000u && below % 2 != 0);
    ASSERT_EQ(rounded.bits, (bits(x) >> 31 << 15) + below + (isUp ? 1 : 0)) << std::hexfloat << x;
  }
  EXPECT_EQ(num::toBFloat16(0x1.fffffep127f).bits, 0x7f80);
  EXPECT_EQ(num::toBFloat16(0x1.feffp127f).bits, 0x7f7f);
  EXPECT_EQ(num::toBFloat16(-0x1p-149f).bits, 0x8000);
  EXPECT_EQ(num::toBFloat16(0x1.01p0f).bits, 0x3f80); // ties
  EXPECT_EQ(num::toBFloat16(0x1.03p0f).bits, 0x3f82);
  // A payload of low bits alone, and one that would carry into the sign.
  EXPECT_TRUE(num::isNan(num::widen(num::toBFloat16(fromBits(0x7f800001u)))));
  EXPECT_TRUE(num::isNan(num::widen(num::toBFloat16(fromBits(0x7fffffffu)))));
}

TEST(Float, BFloat16OfABFloat16IsItself) {
  for (uint32_t value = 0; value < 0x10000u; ++value)
    if (const float wide = num::fromBFloat16(static_cast<uint16_t>(value)); !num::isNan(wide)) {
      ASSERT_EQ(num::toBFloat16(wide).bits, value);
    }
}

TEST(Float, EveryE8M0IsAFinitePowerOfTwo) {
  for (int exponent = 0; exponent < 256; ++exponent) {
    const float expected = roundScaled({1, exponent - 128}, 0);
    ASSERT_EQ(bits(num::fromE8M0Half(static_cast<uint8_t>(exponent))), bits(expected)) << exponent;
  }
}

TEST(Float, NansAreMadeCanonical) {
  for (const uint32_t nan : {0x7fc00000u, 0xffc00000u, 0x7f800001u, 0xffffffffu, 0x7fc12345u})
    EXPECT_EQ(bits(num::canonicalNan(fromBits(nan))), kCanonicalNan);
  for (const uint32_t other : {0u, 0x80000000u, 0x7f800000u, 0xff800000u, 0x3f800000u, 1u})
    EXPECT_EQ(bits(num::canonicalNan(fromBits(other))), other);
}
