// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Decoding against the `gguf` package: the fixtures hold raw blocks and the fp32 values that the
// package's dequantizer gives for them; the decoded fields, put together by the same fp32
// operations, must give the same bits.

#include "runtime/numerics/decode.h"

#include "test/unit/numerics/InterleaveQ4K.h"
#include "test/unit/numerics/Reference.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <string>
#include <vector>

using namespace sortie::test;
namespace num = sortie::numerics;
using num::DecodedBlock;
using num::Encoding;
using num::EncodingInfo;
using num::FormatInfo;

namespace {

std::vector<uint8_t> readFixture(const EncodingInfo &info, const std::string &extension) {
  const std::string path = std::string(SORTIE_FIXTURES "/") + info.name + extension;
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << "cannot open " << path;
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// Element `i` of a block, by the operations of the package's dequantizer.
float dequantize(const FormatInfo &info, const DecodedBlock &block, int i) {
  const auto level = static_cast<float>(block.levels[i]);
  if (info.minimum == num::Minimum::AddedFloat)
    return block.d * level + block.m;
  if (!num::hasSubScales(info))
    return block.d * level;
  const int s = i / info.subBlock;
  const float scaled = (block.d * static_cast<float>(block.subScales[s])) * level;
  if (info.minimum == num::Minimum::None)
    return scaled;
  return scaled - block.m * static_cast<float>(block.minimums[s]);
}

/// The values of a row of one block: those of a block where rows are blocks.
std::vector<float> dequantizeRow(const EncodingInfo &info, num::EncodedRow row) {
  const uint8_t *bytes = row.strip;
  if (info.encoding == Encoding::F32) {
    float value = 0;
    std::memcpy(&value, bytes, sizeof value);
    return {value};
  }
  if (info.encoding == Encoding::F16)
    return {num::fromHalf(num::loadUint16(bytes))};
  if (info.encoding == Encoding::BF16)
    return {num::fromBFloat16(num::loadUint16(bytes))};
  DecodedBlock block{};
  num::visitEncoding(info.encoding, [&]<Encoding E>() { num::decodeBlock<E>(row, 0, block); });
  std::vector<float> values(static_cast<size_t>(info.elements));
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = dequantize(num::formatInfo(info), block, static_cast<int>(i));
  return values;
}

class EveryEncoding : public testing::TestWithParam<EncodingInfo> {};

/// All but MXFP4, every scale of which is finite.
class EveryEncodingWithInfinities : public testing::TestWithParam<EncodingInfo> {};

std::vector<EncodingInfo> encodingsWithInfinities() {
  std::vector<EncodingInfo> result;
  std::copy_if(std::begin(num::kEncodings), std::end(num::kEncodings), std::back_inserter(result),
               [](const EncodingInfo &info) { return info.encoding != Encoding::MXFP4; });
  return result;
}

/// Compares every row of a fixture, which is one block long; `kind` is what its file names have
/// behind the encoding's name.
void expectEqualToFixture(const EncodingInfo &info, const std::string &kind) {
  const std::vector<uint8_t> bytes = readFixture(info, kind + ".bin");
  const std::vector<uint8_t> expected = readFixture(info, kind + ".f32");
  const auto rowBytes = static_cast<size_t>(num::rowBytes(info, info.elements));
  const size_t count = bytes.size() / rowBytes;
  ASSERT_GT(count, 0u);
  ASSERT_EQ(bytes.size(), count * rowBytes);
  ASSERT_EQ(expected.size(), count * static_cast<size_t>(info.elements) * sizeof(float));
  for (size_t r = 0; r < count; ++r) {
    const std::vector<float> values =
        dequantizeRow(info, num::rowOf(info, bytes.data(), static_cast<int64_t>(r), info.elements));
    for (size_t i = 0; i < values.size(); ++i) {
      float reference = 0;
      std::memcpy(&reference, expected.data() + (r * values.size() + i) * sizeof reference,
                  sizeof reference);
      ASSERT_EQ(canonicalBits(values[i]), canonicalBits(reference))
          << info.name << " row " << r << " element " << i;
    }
  }
}

} // namespace

TEST_P(EveryEncoding, EqualsTheReferenceDequantizerBitForBit) {
  expectEqualToFixture(GetParam(), "");
}

TEST_P(EveryEncodingWithInfinities, EqualsTheReferenceDequantizerBitForBit) {
  expectEqualToFixture(GetParam(), ".nonfinite");
}

INSTANTIATE_TEST_SUITE_P(Decode, EveryEncodingWithInfinities,
                         testing::ValuesIn(encodingsWithInfinities()),
                         [](const auto &instance) { return std::string(instance.param.name); });
INSTANTIATE_TEST_SUITE_P(Decode, EveryEncoding, testing::ValuesIn(num::kEncodings),
                         [](const auto &instance) { return std::string(instance.param.name); });

TEST(Decode, AnyAlignmentWillDo) {
  for (const EncodingInfo &info : num::kEncodings) {
    if (!num::isQuantized(info))
      continue;
    std::vector<uint8_t> bytes(
        static_cast<size_t>(num::rowBytes(info, info.elements) * info.stripRows) + 3);
    Random random(info.ggufType);
    for (uint8_t &byte : bytes)
      byte = static_cast<uint8_t>(random.next());
    const std::vector<uint8_t> aligned(bytes.begin() + 3, bytes.end());
    for (int place = 0; place < info.stripRows; ++place) {
      const std::vector<float> expected = dequantizeRow(info, {aligned.data(), place});
      const std::vector<float> values = dequantizeRow(info, {bytes.data() + 3, place});
      for (size_t i = 0; i < values.size(); ++i)
        ASSERT_EQ(canonicalBits(values[i]), canonicalBits(expected[i]));
    }
  }
}

// Rows of several blocks, several strips: each block is found, and is that of a tensor of its own.
TEST(Decode, BlocksOfLongRowsAreFound) {
  constexpr int kBlocks = 3;
  constexpr int kStrips = 2;
  for (const EncodingInfo &info : num::kEncodings) {
    if (!num::isQuantized(info))
      continue;
    const int64_t k = kBlocks * info.elements;
    const auto stripBytes = static_cast<size_t>(info.stripRows * num::rowBytes(info, k));
    std::vector<uint8_t> tensor(kStrips * stripBytes);
    Random random(info.ggufType);
    for (uint8_t &byte : tensor)
      byte = static_cast<uint8_t>(random.next());
    for (int64_t row = 0; row < int64_t{kStrips} * info.stripRows; ++row)
      for (int b = 0; b < kBlocks; ++b) {
        // The headers of the strip, then the block of all its rows.
        const uint8_t *strip =
            tensor.data() + static_cast<size_t>(row / info.stripRows) * stripBytes;
        const auto header = static_cast<size_t>(info.stripRows * info.headerBytes);
        const auto size = static_cast<size_t>(info.stripRows * info.bytes);
        std::vector<uint8_t> alone(strip, strip + header);
        const uint8_t *block = strip + header + static_cast<size_t>(b) * size;
        alone.insert(alone.end(), block, block + size);
        DecodedBlock expected{};
        DecodedBlock found{};
        num::visitEncoding(info.encoding, [&]<Encoding E>() {
          num::decodeBlock<E>({alone.data(), static_cast<int>(row % info.stripRows)}, 0, expected);
          num::decodeBlock<E>(num::rowOf(info, tensor.data(), row, k), b, found);
        });
        for (int i = 0; i < info.elements; ++i)
          ASSERT_EQ(found.levels[i], expected.levels[i]) << info.name;
        ASSERT_EQ(canonicalBits(found.d), canonicalBits(expected.d)) << info.name;
      }
  }
}

// The same weights in strips of four rows decode to the same blocks.
TEST(Decode, StripsOfQ4KHoldTheBlocksOfQ4K) {
  constexpr EncodingInfo kWhole = num::encodingInfo(Encoding::Q4_K);
  constexpr EncodingInfo kStrip = num::encodingInfo(Encoding::Q4_K_R4);
  std::vector<uint8_t> rows(4 * static_cast<size_t>(kWhole.bytes));
  Random random(5);
  for (uint8_t &byte : rows)
    byte = static_cast<uint8_t>(random.next());
  const std::vector<uint8_t> strip = interleaveQ4K(rows, kWhole.elements);
  for (int row = 0; row < 4; ++row) {
    DecodedBlock a{};
    DecodedBlock b{};
    num::decodeBlock<Encoding::Q4_K>({rows.data() + row * kWhole.bytes}, 0, a);
    num::decodeBlock<Encoding::Q4_K_R4>({strip.data(), row}, 0, b);
    EXPECT_EQ(canonicalBits(a.d), canonicalBits(b.d));
    EXPECT_EQ(canonicalBits(a.m), canonicalBits(b.m));
    for (int i = 0; i < kStrip.elements; ++i)
      ASSERT_EQ(a.levels[i], b.levels[i]) << i;
    for (int s = 0; s < kStrip.elements / 32; ++s) {
      ASSERT_EQ(a.subScales[s], b.subScales[s]) << s;
      ASSERT_EQ(a.minimums[s], b.minimums[s]) << s;
    }
  }
}
