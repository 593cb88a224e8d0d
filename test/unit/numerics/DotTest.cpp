// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The exact dot product against a second implementation of the contract, written from its text with
// 128-bit integers and the exact arithmetic of Reference.h, and against double precision.

#include "runtime/numerics/dot.h"

#include "test/unit/numerics/Reference.h"
#include "test/unit/numerics/StoredNumbers.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <vector>

using namespace sortie::test;
namespace num = sortie::numerics;
using num::ActivationWidth;
using num::DecodedBlock;
using num::Encoding;
using num::EncodingInfo;
using num::FormatClass;
using num::FormatInfo;
using num::Minimum;

namespace {

/// A weight row of `k` elements, the last one of its strip, and a quantized activation row to go
/// with it.
struct Problem {
  const EncodingInfo encoding;
  const FormatInfo info;
  const int k;
  std::vector<uint8_t> strip;
  std::vector<int16_t> q;
  std::vector<float> scales;
  std::vector<float> x;

  Problem(const EncodingInfo &encoding, int k, ActivationWidth width, Random &random)
      : encoding(encoding), info(num::formatInfo(encoding)), k(k),
        strip(static_cast<size_t>(encoding.stripRows * num::rowBytes(encoding, k))),
        q(static_cast<size_t>(k)), scales(static_cast<size_t>(num::activationBlocks(k))),
        x(static_cast<size_t>(k)) {
    for (uint8_t &byte : strip)
      byte = static_cast<uint8_t>(random.next());
    for (float &value : x)
      value = random.uniform(4.0f);
    if (width == ActivationWidth::Int16)
      num::quantizeRow<ActivationWidth::Int16>(x.data(), k, q.data(), scales.data());
    else
      num::quantizeRow<ActivationWidth::Int8>(x.data(), k, q.data(), scales.data());
  }

  num::EncodedRow row() const { return {strip.data(), encoding.stripRows - 1}; }

  std::vector<DecodedBlock> decode() const {
    std::vector<DecodedBlock> blocks(static_cast<size_t>(k / encoding.elements));
    for (size_t b = 0; b < blocks.size(); ++b)
      num::visitEncoding(encoding.encoding, [&]<Encoding E>() {
        num::decodeBlock<E>(row(), static_cast<int64_t>(b), blocks[b]);
      });
    return blocks;
  }

  /// Makes the scales of random blocks ordinary numbers, as files have them.
  void makeScalesSane(Random &random) {
    const auto makeSane = [&](num::StoredNumber type, uint8_t *at) {
      const auto half = static_cast<uint32_t>(0x2000 + random.below(0x1400)) |
                        (random.below(2) != 0 ? 0x8000u : 0u);
      storeNumber(type, static_cast<uint16_t>(half), static_cast<uint8_t>(120 + random.below(12)),
                  at);
    };
    forEachStoredNumber(encoding, k, strip, makeSane);
  }

  float dot(ActivationWidth width) const {
    return num::visitEncoding(encoding.encoding, [&]<Encoding E>() {
      return width == ActivationWidth::Int16
                 ? num::exactDot<E, ActivationWidth::Int16>(row(), q.data(), scales.data(), k)
                 : num::exactDot<E, ActivationWidth::Int8>(row(), q.data(), scales.data(), k);
    });
  }
};

/// F of a run from its integers, as the contract's text has it.
float runValue(ActivationWidth width, bool combinable, const std::vector<int64_t> &weights,
               const int16_t *q) {
  __int128 whole = 0;
  __int128 high = 0;
  __int128 low = 0;
  for (size_t i = 0; i < weights.size(); ++i) {
    const int lowLimb = ((q[i] % 128 + 128 + 64) % 128) - 64;
    whole += static_cast<__int128>(weights[i]) * q[i];
    low += static_cast<__int128>(weights[i]) * lowLimb;
    high += static_cast<__int128>(weights[i]) * ((q[i] - lowLimb) / 128);
  }
  EXPECT_TRUE(whole == high * 128 + low);
  if (width == ActivationWidth::Int8)
    return roundScaled({whole, 0}, 0);
  const float apart = referenceFma(128.0f, roundScaled({high, 0}, 0), roundScaled({low, 0}, 0));
  if (combinable) {
    EXPECT_EQ(bits(apart), bits(roundScaled({whole, 0}, 0)));
  }
  return apart;
}

/// The dot product as docs/numerics.md defines it.
float referenceDot(const Problem &problem, ActivationWidth width) {
  const FormatInfo &info = problem.info;
  const std::vector<DecodedBlock> blocks = problem.decode();
  const bool combinable = num::isCombinable(info);
  const int run = info.formatClass == FormatClass::GroupScale ? 32 : 128;
  float total = 0;
  float acc = 0;
  for (int start = 0; start < problem.k; start += 128) {
    const int end = std::min(start + 128, problem.k);
    float t = 0;
    for (int first = start; first < end; first += run) {
      const DecodedBlock &block = blocks[static_cast<size_t>(first / info.elements)];
      std::vector<int64_t> weights;
      for (int i = first; i < first + run; ++i) {
        const int inBlock = i % info.elements;
        weights.push_back(static_cast<int64_t>(block.subScales[inBlock / info.subBlock]) *
                          block.levels[inBlock]);
      }
      const float value = runValue(width, combinable, weights, problem.q.data() + first);
      t = first == start ? referenceMul(value, block.d) : referenceFma(value, block.d, t);
    }
    for (int first = start; first < end && info.minimum != Minimum::None; first += run) {
      const DecodedBlock &block = blocks[static_cast<size_t>(first / info.elements)];
      int64_t sum = 0;
      for (int i = first; i < first + run; ++i) {
        const bool isFloat = info.minimum == Minimum::AddedFloat;
        const int64_t q = problem.q[static_cast<size_t>(i)];
        sum += isFloat ? q : q * block.minimums[i % info.elements / info.subBlock];
      }
      const float rounded = referenceFloat(sum);
      t = referenceFma(info.minimum == Minimum::AddedFloat ? rounded : -rounded, block.m, t);
    }
    acc = referenceFma(t, problem.scales[static_cast<size_t>(start / 128)], acc);
    if (end % 1024 == 0 || end == problem.k) {
      total = start < 1024 ? acc : referenceAdd(total, acc);
      acc = 0;
    }
  }
  return total;
}

/// The dot product of the dequantized weights and the given activations, in double precision; and
/// the sum of the magnitudes of its terms, which errors are measured by.
struct Truth {
  double dot = 0;
  double magnitude = 0;
};

Truth doubleDot(const Problem &problem) {
  const FormatInfo &info = problem.info;
  const std::vector<DecodedBlock> blocks = problem.decode();
  Truth truth;
  for (int i = 0; i < problem.k; ++i) {
    const DecodedBlock &block = blocks[static_cast<size_t>(i / info.elements)];
    const int inBlock = i % info.elements;
    const int s = inBlock / info.subBlock;
    double weight = static_cast<double>(block.d) * block.subScales[s] * block.levels[inBlock];
    if (info.minimum == Minimum::AddedFloat)
      weight += block.m;
    else
      weight -= static_cast<double>(block.m) * block.minimums[s];
    truth.dot += weight * problem.x[static_cast<size_t>(i)];
    truth.magnitude += std::fabs(weight * problem.x[static_cast<size_t>(i)]);
  }
  return truth;
}

std::vector<int> rowLengths(const EncodingInfo &info) {
  if (info.elements == 256)
    return {256, 512, 768, 1024, 1280, 2048, 2304};
  return {32, 64, 96, 128, 160, 352, 416, 1024, 1056, 1152, 1408, 2048, 2880};
}

class ExactDot : public testing::TestWithParam<std::tuple<EncodingInfo, ActivationWidth>> {};

} // namespace

TEST_P(ExactDot, EqualsTheContractBitForBit) {
  const auto &[info, width] = GetParam();
  Random random(17 + info.ggufType);
  for (const int k : rowLengths(info)) {
    for (int trial = 0; trial < 6; ++trial) {
      Problem problem(info, k, width, random);
      problem.makeScalesSane(random);
      ASSERT_EQ(canonicalBits(problem.dot(width)), canonicalBits(referenceDot(problem, width)))
          << "k = " << k;
    }
  }
}

// Random bytes as scales as well: subnormal, huge, infinite and NaN ones.
TEST_P(ExactDot, EqualsTheContractForAnyBytes) {
  const auto &[info, width] = GetParam();
  Random random(23 + info.ggufType);
  for (int trial = 0; trial < 60; ++trial) {
    const Problem problem(info, info.elements == 256 ? 1280 : 1184, width, random);
    ASSERT_EQ(canonicalBits(problem.dot(width)), canonicalBits(referenceDot(problem, width)));
  }
}

// The largest integers that a row can hold, with activations of full magnitude and either sign.
TEST_P(ExactDot, EqualsTheContractAtTheExtremes) {
  const auto &[info, width] = GetParam();
  Random random(29 + info.ggufType);
  for (const int pattern : {0x00, 0x7f, 0x80, 0x88, 0xff}) {
    for (int signs = 0; signs < 3; ++signs) {
      Problem problem(info, 1280, width, random);
      std::fill(problem.strip.begin(), problem.strip.end(), static_cast<uint8_t>(pattern));
      problem.makeScalesSane(random);
      for (size_t i = 0; i < problem.q.size(); ++i) {
        const bool isNegative = signs == 2 ? random.below(2) != 0 : signs == 1;
        problem.q[i] = static_cast<int16_t>(num::maxActivation(width) * (isNegative ? -1 : 1));
      }
      ASSERT_EQ(canonicalBits(problem.dot(width)), canonicalBits(referenceDot(problem, width)))
          << pattern << ' ' << signs;
    }
  }
}

TEST_P(ExactDot, IsCloseToTheTruth) {
  const auto &[info, width] = GetParam();
  const double tolerance = width == ActivationWidth::Int16 ? 4e-5 : 5e-3;
  Random random(31 + info.ggufType);
  for (const int k : rowLengths(info)) {
    Problem problem(info, k, width, random);
    problem.makeScalesSane(random);
    const Truth truth = doubleDot(problem);
    EXPECT_NEAR(problem.dot(width), truth.dot, tolerance * truth.magnitude) << "k = " << k;
  }
}

TEST_P(ExactDot, NonFiniteActivationsMakeTheRowNan) {
  const auto &[info, width] = GetParam();
  Random random(37 + info.ggufType);
  Problem problem(info, 1280, width, random);
  problem.makeScalesSane(random);
  problem.scales[3] = num::nan();
  std::fill(problem.q.begin() + 3 * 128, problem.q.begin() + 4 * 128, int16_t{0});
  EXPECT_TRUE(num::isNan(problem.dot(width)));
}

TEST_P(ExactDot, ZeroActivationsGiveZero) {
  const auto &[info, width] = GetParam();
  Random random(41 + info.ggufType);
  Problem problem(info, 1280, width, random);
  problem.makeScalesSane(random);
  std::fill(problem.q.begin(), problem.q.end(), int16_t{0});
  std::fill(problem.scales.begin(), problem.scales.end(), 0.0f);
  EXPECT_EQ(bits(problem.dot(width)), 0u) << "+0.0, whatever the signs of the scales";
}

// The first run of a block is a product, not an fma onto +0.0: that would lose the sign of zero.
TEST(Dot, KeepsTheSignOfZero) {
  constexpr int kLength = 256;
  std::vector<uint8_t> row(8 * 34);
  for (size_t group = 0; group < 8; ++group) {
    row[group * 34] = group < 4 ? 0x01 : 0x00; // 2^-24 in the first block, -1 in the second
    row[group * 34 + 1] = group < 4 ? 0x00 : 0xbc;
  }
  row[2] = 1;
  std::vector<int16_t> q(kLength);
  q[0] = -1;
  const float scales[] = {0x1p-140f, 1.0f}; // -2^-164 rounds to -0.0
  const float dot = num::exactDot<Encoding::Q8_0, ActivationWidth::Int16>({row.data()}, q.data(),
                                                                          scales, kLength);
  EXPECT_EQ(bits(dot), 0x80000000u);
}

// A chunk is summed by itself: splitting a row at chunk ends and adding the parts is the same.
TEST_P(ExactDot, MaySplitAtChunkEnds) {
  const auto &[info, width] = GetParam();
  Random random(43 + info.ggufType);
  Problem whole(info, 2560, width, random);
  whole.makeScalesSane(random);
  float total = 0;
  for (int first = 0; first < whole.k; first += num::kChunk) {
    Problem part(info, std::min(num::kChunk, whole.k - first), width, random);
    // The headers of the rows, then their blocks from the chunk on.
    const auto header = static_cast<size_t>(info.stripRows * info.headerBytes);
    const auto skipped = static_cast<size_t>(info.stripRows * num::blocksBytes(info, first));
    std::memcpy(part.strip.data(), whole.strip.data(), header);
    std::memcpy(part.strip.data() + header, whole.strip.data() + header + skipped,
                part.strip.size() - header);
    std::copy_n(whole.q.begin() + first, part.k, part.q.begin());
    std::copy_n(whole.scales.begin() + first / 128, part.scales.size(), part.scales.begin());
    total = first == 0 ? part.dot(width) : num::add(total, part.dot(width));
  }
  EXPECT_EQ(bits(total), bits(whole.dot(width)));
}

namespace {

std::vector<EncodingInfo> quantizedEncodings() {
  std::vector<EncodingInfo> result;
  for (const EncodingInfo &info : num::kEncodings)
    if (num::isQuantized(info))
      result.push_back(info);
  return result;
}

} // namespace

INSTANTIATE_TEST_SUITE_P(
    Dot, ExactDot,
    testing::Combine(testing::ValuesIn(quantizedEncodings()),
                     testing::Values(ActivationWidth::Int16, ActivationWidth::Int8)),
    [](const auto &instance) {
      const bool isWide = std::get<1>(instance.param) == ActivationWidth::Int16;
      return std::string(std::get<0>(instance.param).name) + (isWide ? "_int16" : "_int8");
    });
