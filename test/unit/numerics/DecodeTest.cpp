// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Decoding against the `gguf` package: the fixtures hold raw blocks and the fp32 values that the
// package's dequantizer gives for them; the decoded fields, put together by the same fp32
// operations, must give the same bits.

#include "runtime/numerics/decode.h"

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
using num::Format;
using num::FormatInfo;

namespace {

std::vector<uint8_t> readFixture(const FormatInfo &info, const std::string &extension) {
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

std::vector<float> dequantizeBlock(const FormatInfo &info, const uint8_t *bytes) {
  if (info.format == Format::F32) {
    float value = 0;
    std::memcpy(&value, bytes, sizeof value);
    return {value};
  }
  if (info.format == Format::F16)
    return {num::fromHalf(num::loadUint16(bytes))};
  if (info.format == Format::BF16)
    return {num::fromBFloat16(num::loadUint16(bytes))};
  DecodedBlock block{};
  num::visitQuantized(info.format, [&]<Format F>() { num::decodeBlock<F>(bytes, block); });
  std::vector<float> values(static_cast<size_t>(info.elements));
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = dequantize(info, block, static_cast<int>(i));
  return values;
}

class EveryFormat : public testing::TestWithParam<FormatInfo> {};

/// All but MXFP4, every scale of which is finite.
class EveryFormatWithInfinities : public testing::TestWithParam<FormatInfo> {};

std::vector<FormatInfo> formatsWithInfinities() {
  std::vector<FormatInfo> result;
  std::copy_if(std::begin(num::kFormats), std::end(num::kFormats), std::back_inserter(result),
               [](const FormatInfo &info) { return info.format != Format::MXFP4; });
  return result;
}

/// Compares every block of a fixture; `kind` is what its file names have behind the format's name.
void expectEqualToFixture(const FormatInfo &info, const std::string &kind) {
  const std::vector<uint8_t> blocks = readFixture(info, kind + ".bin");
  const std::vector<uint8_t> expected = readFixture(info, kind + ".f32");
  const size_t count = blocks.size() / static_cast<size_t>(info.bytes);
  ASSERT_GT(count, 0u);
  ASSERT_EQ(blocks.size(), count * static_cast<size_t>(info.bytes));
  ASSERT_EQ(expected.size(), count * static_cast<size_t>(info.elements) * sizeof(float));
  for (size_t b = 0; b < count; ++b) {
    const std::vector<float> values =
        dequantizeBlock(info, blocks.data() + b * static_cast<size_t>(info.bytes));
    for (size_t i = 0; i < values.size(); ++i) {
      float reference = 0;
      std::memcpy(&reference, expected.data() + (b * values.size() + i) * sizeof reference,
                  sizeof reference);
      ASSERT_EQ(canonicalBits(values[i]), canonicalBits(reference))
          << info.name << " block " << b << " element " << i;
    }
  }
}

} // namespace

TEST_P(EveryFormat, EqualsTheReferenceDequantizerBitForBit) {
  expectEqualToFixture(GetParam(), "");
}

TEST_P(EveryFormatWithInfinities, EqualsTheReferenceDequantizerBitForBit) {
  expectEqualToFixture(GetParam(), ".nonfinite");
}

INSTANTIATE_TEST_SUITE_P(Decode, EveryFormatWithInfinities,
                         testing::ValuesIn(formatsWithInfinities()),
                         [](const auto &instance) { return std::string(instance.param.name); });
INSTANTIATE_TEST_SUITE_P(Decode, EveryFormat, testing::ValuesIn(num::kFormats),
                         [](const auto &instance) { return std::string(instance.param.name); });

TEST(Decode, AnyAlignmentWillDo) {
  for (const FormatInfo &info : num::kFormats) {
    if (!num::isQuantized(info))
      continue;
    std::vector<uint8_t> bytes(static_cast<size_t>(info.bytes) + 3);
    Random random(info.ggufType);
    for (uint8_t &byte : bytes)
      byte = static_cast<uint8_t>(random.next());
    const std::vector<uint8_t> aligned(bytes.begin() + 3, bytes.end());
    const std::vector<float> expected = dequantizeBlock(info, aligned.data());
    const std::vector<float> values = dequantizeBlock(info, bytes.data() + 3);
    for (size_t i = 0; i < values.size(); ++i)
      ASSERT_EQ(canonicalBits(values[i]), canonicalBits(expected[i]));
  }
}
