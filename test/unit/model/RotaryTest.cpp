// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rotary frequencies against values of 400-bit arithmetic (the `mpmath` package).

#include "runtime/model/Rotary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limits>
#include <utility>

using namespace sortie;
using namespace sortie::model;

namespace {

using Expected = std::vector<std::pair<size_t, uint64_t>>;

void expectFrequencies(const RotaryParameters &parameters, const Expected &expected) {
  const std::vector<uint64_t> frequencies = llvm::cantFail(rotaryFrequencies(parameters));
  ASSERT_EQ(static_cast<int64_t>(frequencies.size()), parameters.dimensions / 2);
  for (const auto &[pair, frequency] : expected)
    EXPECT_EQ(frequencies[pair], frequency) << "pair " << pair;
}

std::string refusal(const RotaryParameters &parameters) {
  return llvm::toString(rotaryFrequencies(parameters).takeError());
}

} // namespace

TEST(Rotary, FrequenciesArePowersOfTheBase) {
  expectFrequencies({128, 1e6f}, {{0, 0x28be60db9391054a},
                                  {1, 0x20d53d2925f67455},
                                  {31, 0xcf185f65ff0fe},
                                  {62, 0x41ca3eab5fa},
                                  {63, 0x350430ff7cb}});
  expectFrequencies({64, 10000.0f}, {{0, 0x28be60db9391054a},
                                     {1, 0x1e8dae29db02bb88},
                                     {16, 0x684dc4c179c52c},
                                     {31, 0x16412e4ffae4c}});
}

TEST(Rotary, LinearScalingDividesAll) {
  expectFrequencies({64, 10000.0f, 4.0f},
                    {{0, 0xa2f9836e4e44153}, {16, 0x1a1371305e714b}, {31, 0x5904b93feb93}});
}

TEST(Rotary, FactorsDivideEachPair) {
  const float factors[] = {1.0f, 1.5f, 8.0f, 3.25f};
  expectFrequencies(
      {8, 500000.0f, 1.0f, std::nullopt, factors},
      {{0, 0x28be60db9391054a}, {1, 0x1057f2b43af5c61}, {2, 0x1d8066912545c}, {3, 0x2bb1da819361}});
}

TEST(Rotary, YarnMixesBetweenWholePairs) {
  expectFrequencies({64, 10000.0f, 1.0f, Yarn{40.0f, 4096}}, {{0, 0x28be60db9391054a},
                                                              {9, 0x30e2b042f8045f4},
                                                              {10, 0x24a8b144acc0654},
                                                              {15, 0x56ee9ce86c0d78},
                                                              {22, 0x1dad5016848ff},
                                                              {23, 0x5904b93feb93},
                                                              {31, 0x8e6df533128}});
}

TEST(Rotary, YarnOfGptOssHasEndsBetweenPairs) {
  expectFrequencies({64, 150000.0f, 1.0f, Yarn{32.0f, 4096, 32.0f, 1.0f, false}},
                    {{0, 0x28be60db9391054a},
                     {7, 0x3012f0a1746006a},
                     {8, 0x212006e33c18930},
                     {12, 0x46dfbe5b2b4d6b},
                     {17, 0x1594dc60e2c5e},
                     {18, 0x664a92ea46b3},
                     {31, 0xcead3efb06}});
}

TEST(Rotary, YarnGrowsByAMultipleOfTheLogarithmOfItsFactor) {
  EXPECT_EQ(yarnGrowth({.factor = 40.0f, .context = 4096}, 0.0f), 1.0);
  EXPECT_EQ(yarnGrowth({.factor = 1.0f, .context = 4096}, 0.5f), 1.0);
  EXPECT_EQ(yarnGrowth({.factor = 40.0f, .context = 4096}, 0.125f), 1.4611099317642420);
  EXPECT_EQ(yarnGrowth({.factor = 65536.0f, .context = 4096}, 16.0f), 178.44567822334599);
}

TEST(Rotary, YarnGrowsWithTheLogarithmOfItsFactor) {
  EXPECT_EQ(yarnAttentionFactor({.factor = 1.0f, .context = 4096}), 1.0f);
  EXPECT_EQ(yarnAttentionFactor({.factor = 4.0f, .context = 4096}), 1.1386294361119891f);
  EXPECT_EQ(yarnAttentionFactor({.factor = 32.0f, .context = 4096}), 1.3465735902799727f);
  EXPECT_EQ(yarnAttentionFactor({.factor = 65536.0f, .context = 4096}), 2.1090354888959124f);
}

TEST(Rotary, ParametersOutOfBoundsAreErrors) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(refusal({7, 10000.0f}),
            "rotary embeddings: 7 elements turn, it must be an even number from 2 to 1024");
  EXPECT_THAT(refusal({8, 1.0f}),
              testing::HasSubstr("the base is 1, it must be from 1.0625 to 1.15292e+18"));
  EXPECT_THAT(refusal({8, nan}), testing::HasSubstr("the base is nan"));
  EXPECT_THAT(refusal({8, 10.0f, 0.5f}), testing::HasSubstr("the divisor of frequencies is 0.5,"));
  const float factors[] = {1.0f, nan, 1.0f, 1.0f};
  EXPECT_THAT(refusal({8, 10.0f, 1.0f, std::nullopt, factors}),
              testing::HasSubstr("a factor of the frequencies is nan"));
  EXPECT_EQ(refusal({16, 10.0f, 1.0f, std::nullopt, factors}),
            "rotary embeddings: there are 4 factors of frequencies for 8 pairs");
  EXPECT_THAT(refusal({8, 10.0f, 1.0f, Yarn{0.5f, 4096}}),
              testing::HasSubstr("YaRN's factor is 0.5,"));
  EXPECT_THAT(refusal({8, 10.0f, 1.0f, Yarn{2.0f, 0}}),
              testing::HasSubstr("YaRN's original context is 0"));
  EXPECT_THAT(refusal({8, 10.0f, 1.0f, Yarn{2.0f, 10, 1.0f, 2.0f}}),
              testing::HasSubstr("YaRN's number of slow turns is 2,"));
}
