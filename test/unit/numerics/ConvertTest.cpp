// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Floats of other widths.

#include "runtime/numerics/convert.h"

#include "gtest/gtest.h"

#include <cmath>
#include <limits>

using namespace sortie::numerics;

namespace {

uint32_t halfOf(float x) { return toHalf(x).bits; }

} // namespace

/// Rounding is monotonic, so the halves themselves, the middles between neighbours and what lies
/// next to these are all there is to see.
TEST(Convert, HalvesAreTheNearestAndEvenInTies) {
  for (uint32_t half = 0; half < 0x7c00; ++half) {
    const float low = fromHalf(static_cast<uint16_t>(half));
    // Behind the largest half the next one would be 65536.
    const float high = half == 0x7bff ? 65536.0f : fromHalf(static_cast<uint16_t>(half + 1));
    const float middle = (low + high) / 2;
    for (const uint32_t sign : {0u, 0x8000u}) {
      const float factor = sign == 0 ? 1.0f : -1.0f;
      ASSERT_EQ(halfOf(factor * low), sign | half);
      ASSERT_EQ(halfOf(factor * std::nextafter(middle, 0.0f)), sign | half);
      ASSERT_EQ(halfOf(factor * middle), sign | (half % 2 == 0 ? half : half + 1));
      ASSERT_EQ(halfOf(factor * std::nextafter(middle, 1e9f)), sign | (half + 1));
    }
  }
}

TEST(Convert, HalvesBeyondAllNumbers) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(halfOf(kInfinity), 0x7c00u);
  EXPECT_EQ(halfOf(-kInfinity), 0xfc00u);
  EXPECT_EQ(halfOf(std::numeric_limits<float>::max()), 0x7c00u);
  EXPECT_EQ(halfOf(-65536.0f), 0xfc00u);
  EXPECT_EQ(halfOf(-0x1p-149f), 0x8000u);
  EXPECT_EQ(halfOf(-0.0f), 0x8000u);
}

TEST(Convert, NansBecomeCanonical) {
  for (const uint32_t nan : {0x7fc00000u, 0xffc00000u, 0x7f800001u, 0xffffffffu}) {
    Half half;
    BFloat16 bfloat;
    convert(floatOf(nan), half);
    convert(floatOf(nan), bfloat);
    EXPECT_EQ(half.bits, 0x7e00);
    EXPECT_EQ(bfloat.bits, 0x7fc0);
  }
  for (const uint16_t nan : {0x7e00, 0xfc01, 0x7fff}) {
    float wide;
    convert(Half{nan}, wide);
    EXPECT_EQ(bitsOf(wide), 0x7fc00000u);
  }
  for (const uint16_t nan : {0x7fc0, 0xff81, 0xffff}) {
    float wide;
    convert(BFloat16{nan}, wide);
    EXPECT_EQ(bitsOf(wide), 0x7fc00000u);
  }
}
