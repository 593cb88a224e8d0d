// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Matrix fragments: ldmatrix's layout, and mma against a plain product.

#include "test/emulation/Launcher.h"

#include <cstring>
#include <gtest/gtest.h>
#include <random>
#include <sortie_hardware.h>
#include <vector>

using namespace sortie;
using emulation::launch;

SORTIE_KERNEL(32, 1) testLoadMatrices(uint32_t *out) {
  auto *bytes = hw::sharedMemory<uint8_t>();
  for (int i = hw::laneIndex(); i < 1024; i += 32)
    bytes[i] = static_cast<uint8_t>(i * 7 + i / 256);
  hw::syncWarp();
  // The rows of the matrices are 32 bytes apart, in descending order.
  uint32_t rows[4];
  hw::loadMatrices(rows, bytes + 32 * (31 - hw::laneIndex()));
  for (int i = 0; i < 4; ++i)
    out[4 * hw::laneIndex() + i] = rows[i];
}

TEST(Matrix, LoadMatrices) {
  std::vector<uint32_t> out(128);
  ASSERT_EQ(launch<testLoadMatrices>({}, 32, 1024, {}, out.data()), "");
  for (int lane = 0; lane < 32; ++lane) {
    for (int matrix = 0; matrix < 4; ++matrix) {
      const int row = 8 * matrix + lane / 4;
      uint32_t expected = 0;
      for (int i = 0; i < 4; ++i) {
        const int at = 32 * (31 - row) + 4 * (lane % 4) + i;
        expected |= static_cast<uint32_t>((at * 7 + at / 256) & 255) << 8 * i;
      }
      EXPECT_EQ(out[static_cast<size_t>(4 * lane + matrix)], expected) << lane << ", " << matrix;
    }
  }
}

// The kernels read fragments by the layout as the PTX manual draws it, element by element.
SORTIE_DEVICE uint32_t gather(const int8_t *elements, int first) {
  uint32_t word;
  std::memcpy(&word, elements + first, 4);
  return word;
}

SORTIE_DEVICE void storeSum(const int32_t (&sum)[4], int32_t *out) {
  for (int i = 0; i < 4; ++i) {
    const int row = hw::laneIndex() / 4 + (i < 2 ? 0 : 8);
    const int column = hw::laneIndex() % 4 * 2 + (i & 1);
    out[row * 8 + column] = sum[i];
  }
}

/// a: 16 x 32 row-major, b: 8 columns of 32, out: 16 x 8.
template <auto multiply>
SORTIE_DEVICE void multiplyOf32(const int8_t *a, const int8_t *b, int32_t start, int32_t *out) {
  const int group = hw::laneIndex() / 4;
  const int k = hw::laneIndex() % 4 * 4;
  const uint32_t fragment[4] = {gather(a, group * 32 + k), gather(a, (group + 8) * 32 + k),
                                gather(a, group * 32 + k + 16),
                                gather(a, (group + 8) * 32 + k + 16)};
  int32_t sum[4] = {start, start, start, start};
  multiply(sum, fragment, gather(b, group * 32 + k), gather(b, group * 32 + k + 16),
           emulation::Site::current());
  storeSum(sum, out);
}

SORTIE_KERNEL(32, 1)
testMultiplyK32(const int8_t *a, const int8_t *b, int32_t start, int32_t *out) {
  multiplyOf32<hw::multiplyK32>(a, b, start, out);
}

SORTIE_KERNEL(32, 1)
testMultiplyUnsignedK32(const int8_t *a, const int8_t *b, int32_t start, int32_t *out) {
  multiplyOf32<hw::multiplyUnsignedK32>(a, b, start, out);
}

SORTIE_KERNEL(32, 1)
testMultiplyK16(const int8_t *a, const int8_t *b, int32_t start, int32_t *out) {
  const int group = hw::laneIndex() / 4;
  const int k = hw::laneIndex() % 4 * 4;
  int32_t sum[4] = {start, start, start, start};
  hw::multiplyK16(sum, gather(a, group * 16 + k), gather(a, (group + 8) * 16 + k),
                  gather(b, group * 16 + k));
  storeSum(sum, out);
}

/// a: 16 x 16 row-major, b: 8 columns of 16, both bfloat16; sums: 16 x 8.
SORTIE_KERNEL(32, 1) testMultiplyBf16(const uint16_t *a, const uint16_t *b, float *sums) {
  const int group = hw::laneIndex() / 4;
  const int pair = hw::laneIndex() % 4 * 2;
  const auto word = [&](const uint16_t *elements, int row, int k) {
    return elements[row * 16 + k] | uint32_t{elements[row * 16 + k + 1]} << 16;
  };
  const uint32_t fragment[4] = {word(a, group, pair), word(a, group + 8, pair),
                                word(a, group, pair + 8), word(a, group + 8, pair + 8)};
  float sum[4];
  for (int i = 0; i < 4; ++i)
    sum[i] = sums[(group + i / 2 * 8) * 8 + pair + i % 2];
  hw::multiplyBf16(sum, fragment, word(b, group, pair), word(b, group, pair + 8));
  for (int i = 0; i < 4; ++i)
    sums[(group + i / 2 * 8) * 8 + pair + i % 2] = sum[i];
}

SORTIE_KERNEL(32, 1) testPackBFloat16(const float *values, uint32_t *pairs) {
  pairs[hw::laneIndex()] =
      hw::packBFloat16(values[2 * hw::laneIndex()], values[2 * hw::laneIndex() + 1]);
}

namespace {

/// Random bytes; the first round has only -128.
std::vector<int8_t> randomBytes(size_t count, int round, std::mt19937 &random) {
  std::vector<int8_t> bytes(count);
  for (int8_t &byte : bytes)
    byte = static_cast<int8_t>(round == 0 ? 0x80 : random());
  return bytes;
}

/// `Byte` is what A consists of.
template <auto kernel, typename Byte = int8_t> void checkMultiply(int depth) {
  std::mt19937 random(5);
  for (int round = 0; round < 50; ++round) {
    const auto a = randomBytes(static_cast<size_t>(16 * depth), round, random);
    const auto b = randomBytes(static_cast<size_t>(8 * depth), round, random);
    const int32_t start = round == 1 ? 0x7fffffff : static_cast<int32_t>(random());
    std::vector<int32_t> out(128);
    ASSERT_EQ(launch<kernel>({}, 32, 0, {static_cast<uint64_t>(round)}, a.data(), b.data(), start,
                             out.data()),
              "");
    for (int row = 0; row < 16; ++row) {
      for (int column = 0; column < 8; ++column) {
        int64_t exact = start;
        for (int k = 0; k < depth; ++k)
          exact += static_cast<Byte>(a[static_cast<size_t>(row * depth + k)]) *
                   b[static_cast<size_t>(column * depth + k)];
        EXPECT_EQ(static_cast<uint32_t>(out[static_cast<size_t>(row * 8 + column)]),
                  static_cast<uint32_t>(static_cast<uint64_t>(exact)))
            << row << ", " << column;
      }
    }
  }
}

} // namespace

TEST(Matrix, MultiplyK32) { checkMultiply<testMultiplyK32>(32); }
TEST(Matrix, MultiplyUnsignedK32) { checkMultiply<testMultiplyUnsignedK32, uint8_t>(32); }
TEST(Matrix, MultiplyK16) { checkMultiply<testMultiplyK16>(16); }

// Of any bits: infinities and NaNs stay in their row and column.
TEST(Matrix, MultiplyBf16) {
  std::mt19937 random(6);
  for (int round = 0; round < 50; ++round) {
    std::vector<uint16_t> a(16 * 16);
    std::vector<uint16_t> b(8 * 16);
    std::vector<float> sums(16 * 8);
    for (std::vector<uint16_t> *elements : {&a, &b})
      for (uint16_t &element : *elements)
        element = static_cast<uint16_t>(random() & (round == 0 ? 0xffff : 0xbfff));
    for (float &sum : sums)
      sum = static_cast<float>(random()) * 0x1p-16f;
    std::vector<float> expected = sums;
    for (size_t row = 0; row < 16; ++row)
      for (size_t column = 0; column < 8; ++column)
        for (size_t k = 0; k < 16; ++k)
          expected[row * 8 + column] +=
              numerics::fromBFloat16(a[row * 16 + k]) * numerics::fromBFloat16(b[column * 16 + k]);
    ASSERT_EQ(launch<testMultiplyBf16>({}, 32, 0, {static_cast<uint64_t>(round)}, a.data(),
                                       b.data(), sums.data()),
              "");
    for (size_t i = 0; i < sums.size(); ++i)
      EXPECT_EQ(numerics::bitsOf(numerics::canonicalNan(sums[i])),
                numerics::bitsOf(numerics::canonicalNan(expected[i])))
          << i;
  }
}

TEST(Matrix, PackBFloat16) {
  std::vector<float> values(64);
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = 1.0f + static_cast<float>(i) * 0x1p-9f;
  std::vector<uint32_t> pairs(32);
  ASSERT_EQ(launch<testPackBFloat16>({}, 32, 0, {}, values.data(), pairs.data()), "");
  for (size_t i = 0; i < values.size(); ++i)
    EXPECT_EQ(static_cast<uint16_t>(pairs[i / 2] >> i % 2 * 16),
              numerics::toBFloat16(values[i]).bits);
}
