// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The instructions on integers, and the maximum of floats, against their definition.

#include "test/emulation/Launcher.h"

#include <cstring>
#include <gtest/gtest.h>
#include <limits>
#include <random>
#include <sortie_hardware.h>

using namespace sortie;

TEST(Integer, Dot2) {
  std::mt19937 random(3);
  for (int round = 0; round < 1000; ++round) {
    const auto a = static_cast<int32_t>(round == 0 ? 0x80008000u : random());
    const uint32_t b = round == 0 ? ~0u : static_cast<uint32_t>(random());
    const auto sum = static_cast<int32_t>(random());
    int16_t halves[2];
    uint8_t bytes[4];
    std::memcpy(halves, &a, 4);
    std::memcpy(bytes, &b, 4);
    const auto expect = [&](int first) {
      const int64_t exact = int64_t{sum} + halves[0] * bytes[first] + halves[1] * bytes[first + 1];
      return static_cast<int32_t>(static_cast<uint32_t>(static_cast<uint64_t>(exact)));
    };
    EXPECT_EQ(hw::dot2Low(a, b, sum), expect(0));
    EXPECT_EQ(hw::dot2High(a, b, sum), expect(2));
  }
}

TEST(Integer, SelectBytes) {
  const uint32_t low = 0x33221100;
  const uint32_t high = 0x77665544;
  EXPECT_EQ(hw::selectBytes(low, high, 0x3210), low);
  EXPECT_EQ(hw::selectBytes(low, high, 0x7654), high);
  EXPECT_EQ(hw::selectBytes(low, high, 0x0527), 0x00552277u);
}

TEST(Integer, SignedByteAnew) {
  const int32_t expected[4] = {-128, 127, -1, 5};
  for (int i = 0; i < 4; ++i)
    EXPECT_EQ(hw::signedByteAnew(0x05ff7f80u, i), expected[i]);
}

TEST(Integer, CountBits) {
  EXPECT_EQ(hw::countBits(0), 0);
  EXPECT_EQ(hw::countBits(0x80000001u), 2);
  EXPECT_EQ(hw::countBits(~0u), 32);
}

TEST(Float, Larger) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(hw::larger(1.0f, 2.0f), 2.0f);
  EXPECT_EQ(hw::larger(-1.0f, -2.0f), -1.0f);
  EXPECT_EQ(hw::larger(kNan, -2.0f), -2.0f);
  EXPECT_EQ(hw::larger(-2.0f, kNan), -2.0f);
  EXPECT_NE(hw::larger(kNan, kNan), hw::larger(kNan, kNan));
}
