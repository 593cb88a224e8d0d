// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The table of formats and the bounds that follow from it: the ranges are reached by blocks and
// never left, and the bounds of the integer sums are reached by rows made for it.

#include "runtime/numerics/decode.h"

#include "test/unit/numerics/Reference.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <gtest/gtest.h>
#include <vector>

using namespace sortie::test;
namespace num = sortie::numerics;
using num::ActivationWidth;
using num::DecodedBlock;
using num::Encoding;
using num::EncodingInfo;
using num::Format;
using num::FormatInfo;

namespace {

/// The last row of a strip of one block.
DecodedBlock decode(const EncodingInfo &info, const std::vector<uint8_t> &bytes) {
  DecodedBlock block{};
  num::visitEncoding(info.encoding, [&]<Encoding E>() {
    num::decodeBlock<E>({bytes.data(), info.stripRows - 1}, 0, block);
  });
  return block;
}

/// Blocks that between them hold the extremes of every field of every encoding: a window of one
/// byte value in a block of another (the windows start and end where some encoding's fields do),
/// and random bytes.
void forExtremeBlocks(const EncodingInfo &info,
                      const std::function<void(const DecodedBlock &)> &use) {
  constexpr int kEdges[] = {0, 1, 2, 4, 6, 8, 12, 16, 32, 48, 64, 80, 96, 108, 128, 192, 208, 256};
  constexpr uint8_t kValues[] = {0x00, 0x01, 0x7f, 0x80, 0xff, 0x77, 0x88};
  const auto size = static_cast<int>(num::rowBytes(info, info.elements)) * info.stripRows;
  std::vector<uint8_t> bytes(static_cast<size_t>(size));
  for (const int first : kEdges) {
    for (const int last : kEdges) {
      if (first >= last || first >= size)
        continue;
      for (const uint8_t inside : kValues) {
        for (const uint8_t outside : kValues) {
          std::fill(bytes.begin(), bytes.end(), outside);
          std::fill(bytes.begin() + first, bytes.begin() + std::min(last, size), inside);
          use(decode(info, bytes));
        }
      }
    }
  }
  Random random(info.ggufType);
  for (int i = 0; i < 2000; ++i) {
    for (uint8_t &byte : bytes)
      byte = static_cast<uint8_t>(random.next());
    use(decode(info, bytes));
  }
}

/// The same of all encodings of a format.
void forExtremeBlocks(const FormatInfo &info,
                      const std::function<void(const DecodedBlock &)> &use) {
  for (const EncodingInfo &encoding : num::kEncodings)
    if (encoding.format == info.format)
      forExtremeBlocks(encoding, use);
}

/// Least and greatest value seen.
struct Seen {
  int least = 1 << 30;
  int most = -(1 << 30);

  void add(int value) {
    least = std::min(least, value);
    most = std::max(most, value);
  }
  /// Of a format that leaves room for encodings to come, only the lower end is reached.
  void expect(num::Range range, bool isReached = true) const {
    EXPECT_EQ(least, range.least);
    EXPECT_LE(most, range.most);
    if (isReached) {
      EXPECT_EQ(most, range.most);
    }
  }
};

int64_t productAt(const FormatInfo &info, const DecodedBlock &block, int i) {
  return static_cast<int64_t>(block.subScales[i / info.subBlock]) * block.levels[i];
}

class EveryQuantizedFormat : public testing::TestWithParam<FormatInfo> {};

std::vector<FormatInfo> quantizedFormats() {
  std::vector<FormatInfo> result;
  std::copy_if(std::begin(num::kFormats), std::end(num::kFormats), std::back_inserter(result),
               [](const FormatInfo &info) { return num::isQuantized(info); });
  return result;
}

} // namespace

TEST_P(EveryQuantizedFormat, RangesAreReachedAndNeverLeft) {
  const FormatInfo &info = GetParam();
  Seen levels;
  Seen subScales;
  Seen minimums;
  forExtremeBlocks(info, [&](const DecodedBlock &block) {
    for (int i = 0; i < info.elements; ++i)
      levels.add(block.levels[i]);
    for (int s = 0; s < info.elements / info.subBlock; ++s) {
      subScales.add(block.subScales[s]);
      minimums.add(block.minimums[s]);
    }
  });
  levels.expect(info.levels, info.format != Format::I8_SUB32);
  subScales.expect(info.subScales);
  minimums.expect(info.minimums);
}

// For each block the worst activations: limbs and integers of largest magnitude, with the sign of
// the weight they meet. In 64 bits, so that the bound itself cannot hide an overflow.
TEST_P(EveryQuantizedFormat, BoundsOfTheSumsAreReachedAndNeverExceeded) {
  const FormatInfo &info = GetParam();
  int64_t worstRun = 0;
  int64_t worstMinimum = 0;
  const int run = num::integerRun(info);
  forExtremeBlocks(info, [&](const DecodedBlock &block) {
    for (int first = 0; first < info.elements; first += run) {
      int64_t sum = 0;
      int64_t minimums = 0;
      for (int i = first; i < first + run; ++i) {
        sum += std::abs(productAt(info, block, i));
        minimums += block.minimums[i / info.subBlock];
      }
      worstRun = std::max(worstRun, sum);
      worstMinimum = std::max(worstMinimum, minimums);
    }
  });
  for (const int64_t limb :
       {num::kMaxHighLimb, num::kMaxLowLimb, num::kMaxActivationInt8, num::kMaxActivationInt16})
    EXPECT_EQ(worstRun * limb, num::runBound(info, limb));
  if (info.minimum == num::Minimum::SubtractedInteger) {
    EXPECT_EQ(worstMinimum * num::kMaxActivationInt16,
              num::minimumBound(info, ActivationWidth::Int16));
  }

  constexpr int64_t kInt32 = int64_t{1} << 31;
  EXPECT_LT(worstRun * num::kMaxHighLimb, kInt32);
  EXPECT_LT(worstRun * num::kMaxActivationInt8, kInt32);
  EXPECT_LT(worstMinimum * num::kMaxActivationInt16, kInt32);
  EXPECT_EQ(num::isCombinable(info), worstRun * num::kMaxHighLimb <= (1 << 24) &&
                                         worstRun * num::kMaxActivationInt16 < kInt32);
}

INSTANTIATE_TEST_SUITE_P(Format, EveryQuantizedFormat, testing::ValuesIn(quantizedFormats()),
                         [](const auto &instance) { return std::string(instance.param.name); });

TEST(Encoding, AllAreFoundByNameAndNumber) {
  for (const EncodingInfo &info : num::kEncodings) {
    const EncodingInfo *row = &num::kEncodings[static_cast<int>(info.encoding)];
    EXPECT_EQ(num::findEncoding(info.ggufType), row);
    EXPECT_EQ(num::findEncoding(info.name, std::strlen(info.name)), row);
    EXPECT_EQ(num::findEncoding(info.name, std::strlen(info.name) - 1), nullptr);
  }
}

TEST(Encoding, UnknownOnesAreNotFound) {
  for (const uint32_t type : {4u, 5u, 9u, 15u, 17u, 24u, 34u, 40u, 0xffffffffu})
    EXPECT_EQ(num::findEncoding(type), nullptr);
  EXPECT_EQ(num::findEncoding("q4_k", 4), nullptr);
  EXPECT_EQ(num::findEncoding("q4_Kx", 5), nullptr);
  EXPECT_EQ(num::findEncoding("i8_sub32", 8), nullptr) << "a format that no file has";
  EXPECT_EQ(num::findEncoding("", 0), nullptr);
  EXPECT_EQ(num::findEncoding("q4_Kx", 4)->encoding, Encoding::Q4_K);
}

TEST(Encoding, RowsAreWhereTheFileHasThem) {
  constexpr EncodingInfo kHeaders = num::encodingInfo(Encoding::IQ4_KS);
  EXPECT_EQ(num::rowBytes(kHeaders, 1024), 548);
  EXPECT_EQ(num::blocksBytes(kHeaders, 1024), 544);
  EXPECT_EQ(num::scaleStride(kHeaders, 1024), 548) << "a scale a row";
  constexpr EncodingInfo kStrips = num::encodingInfo(Encoding::Q4_K_R4);
  EXPECT_EQ(num::rowBytes(kStrips, 1024), 576);
  EXPECT_EQ(num::scaleStride(kStrips, 1024), 576) << "scales of four rows a block";
  const std::vector<uint8_t> tensor(8 * 576);
  EXPECT_EQ(num::rowOf(kStrips, tensor.data(), 7, 1024).strip, tensor.data() + 4 * 576);
  EXPECT_EQ(num::rowOf(kStrips, tensor.data(), 7, 1024).place, 3);
}

// The figures that docs/numerics.md prints.
TEST(Format, BoundsAreAsDocumented) {
  struct Row {
    Format format;
    int64_t high, low, whole, int8, minimum;
    bool combinable;
  };
  constexpr Row kRows[] = {
      {Format::Q8_0, 520192, 262144, 66842624, 520192, 0, true},
      {Format::Q4_0, 32512, 16384, 4177664, 32512, 0, true},
      {Format::Q4_1, 60960, 30720, 7833120, 60960, 522208, true},
      {Format::Q5_0, 65024, 32768, 8355328, 65024, 0, true},
      {Format::Q5_1, 125984, 63488, 16188448, 125984, 522208, true},
      {Format::IQ4_NL, 516128, 260096, 66320416, 516128, 0, true},
      {Format::MXFP4, 48768, 24576, 6266496, 48768, 0, true},
      {Format::Q2_K, 731520, 368640, 93997440, 731520, 31332480, true},
      {Format::Q3_K, 2080768, 1048576, 267370496, 2080768, 0, true},
      {Format::Q4_K, 15361920, 7741440, 1973946240, 15361920, 131596416, true},
      {Format::Q5_K, 31747968, 15998976, 4079488896, 31747968, 131596416, false},
      {Format::Q6_K, 66584576, 33554432, 8555855872, 66584576, 0, false},
      {Format::IQ4_XS, 66064384, 33292288, 8489013248, 66064384, 0, false},
      {Format::I8_SUB32, 262193024, 132128768, 33690771328, 262193024, 0, false},
  };
  for (const Row &row : kRows) {
    const FormatInfo info = num::formatInfo(row.format);
    SCOPED_TRACE(info.name);
    EXPECT_EQ(num::runBound(info, num::kMaxHighLimb), row.high);
    EXPECT_EQ(num::runBound(info, num::kMaxLowLimb), row.low);
    EXPECT_EQ(num::runBound(info, num::kMaxActivationInt16), row.whole);
    EXPECT_EQ(num::runBound(info, num::kMaxActivationInt8), row.int8);
    EXPECT_EQ(num::minimumBound(info, ActivationWidth::Int16), row.minimum);
    EXPECT_EQ(num::isCombinable(info), row.combinable);
  }
}
