// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Choices against an implementation in double precision, frequencies against probabilities, and the
// edges of filters.

#include "runtime/generation/Sampler.h"

#include "runtime/generation/Exponentials.h"
#include "runtime/support/CounterRandom.h"
#include "test/unit/numerics/Reference.h"

#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limits>

using namespace sortie;
using namespace sortie::generation;
using ::testing::HasSubstr;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

Sampler makeSampler(const SamplingOptions &options) {
  return llvm::cantFail(Sampler::create(options));
}

int32_t sampleAt(Sampler &sampler, llvm::ArrayRef<float> logits, int64_t position,
                 llvm::ArrayRef<int32_t> history = {}) {
  return llvm::cantFail(sampler.sample(logits, history, {0, position}));
}

/// Which tokens ever come of many draws.
std::set<int32_t> tokensOf(const SamplingOptions &options, llvm::ArrayRef<float> logits,
                           llvm::ArrayRef<int32_t> history = {}) {
  Sampler sampler = makeSampler(options);
  std::set<int32_t> tokens;
  for (int64_t position = 0; position < 2000; ++position)
    tokens.insert(sampleAt(sampler, logits, position, history));
  return tokens;
}

std::string errorOf(const SamplingOptions &options, llvm::ArrayRef<float> logits) {
  return llvm::toString(makeSampler(options).sample(logits, {}, {0, 0}).takeError());
}

std::string refusal(const SamplingOptions &options) {
  return llvm::toString(Sampler::create(options).takeError());
}

std::vector<float> randomLogits(size_t count, uint64_t seed) {
  test::Random random(seed);
  std::vector<float> logits(count);
  for (float &logit : logits)
    logit = random.uniform(6.0f);
  return logits;
}

} // namespace

TEST(Sampler, GreedyTakesTheFirstOfTheLargest) {
  Sampler sampler = makeSampler({});
  EXPECT_EQ(sampleAt(sampler, {1, 3, -2, 3, 2}, 5), 1);
  EXPECT_EQ(sampleAt(sampler, {-kInfinity, -5, -kInfinity}, 5), 1);
  EXPECT_EQ(sampleAt(sampler, {-0.0f, 0.0f}, 5), 0);
}

// 20000 draws of each of several shapes of distributions: a frequency is within five deviations.
TEST(Sampler, FrequenciesAreTheProbabilities) {
  for (const float temperature : {0.5f, 1.0f, 2.0f}) {
    const std::vector<float> logits = {0, 1, 2, -1, 3, -kInfinity, 2.5f};
    Sampler sampler = makeSampler({.temperature = temperature, .seed = 9});
    constexpr int kDraws = 20000;
    std::vector<int> counts(logits.size());
    for (int64_t position = 0; position < kDraws; ++position)
      ++counts[static_cast<size_t>(sampleAt(sampler, logits, position))];
    double sum = 0;
    for (const float logit : logits)
      sum += std::exp(logit / temperature);
    for (size_t token = 0; token < logits.size(); ++token) {
      const double p = std::exp(logits[token] / temperature) / sum;
      EXPECT_NEAR(counts[token], kDraws * p, 5 * std::sqrt(kDraws * p * (1 - p)) + 1e-9) << token;
    }
  }
}

// Of a vocabulary of many chunks, the token is where the random number falls in the exact sums.
TEST(Sampler, ALargeVocabularyIsDrawnWhereTheRandomNumberFalls) {
  const std::vector<float> logits = randomLogits(50'000, 4);
  Sampler sampler = makeSampler({.temperature = 0.8f, .seed = 3});
  std::vector<double> sums;
  double sum = 0;
  for (const float logit : logits)
    sums.push_back(sum += std::exp(logit / 0.8));
  for (int64_t position = 0; position < 300; ++position) {
    const uint64_t word = CounterRandom(3, "sample").word(static_cast<uint64_t>(position));
    const double random = static_cast<double>(word >> 40) * 0x1p-24;
    const auto token = static_cast<size_t>(sampleAt(sampler, logits, position));
    const double slack = 2e-6 * sum;
    EXPECT_LE(token == 0 ? 0 : sums[token - 1], random * sum + slack);
    EXPECT_GE(sums[token], random * sum - slack);
  }
}

TEST(Sampler, TheSameNumbersGiveTheSameTokensAndNoOthers) {
  const std::vector<float> logits(1000, 0.0f);
  Sampler first = makeSampler({.temperature = 1, .seed = 5});
  Sampler second = makeSampler({.temperature = 1, .seed = 5});
  Sampler other = makeSampler({.temperature = 1, .seed = 6});
  int sameSeed = 0;
  int otherSeed = 0;
  int otherSequence = 0;
  for (int64_t position = 0; position < 200; ++position) {
    const int32_t token = sampleAt(first, logits, position);
    // In another order than the first.
    sameSeed += sampleAt(second, logits, 199 - position) == sampleAt(first, logits, 199 - position);
    otherSeed += sampleAt(other, logits, position) == token;
    otherSequence += llvm::cantFail(second.sample(logits, {}, {1, position})) == token;
  }
  EXPECT_EQ(sameSeed, 200);
  EXPECT_LT(otherSeed, 10);
  EXPECT_LT(otherSequence, 10);
}

TEST(Sampler, TopKLeavesTheLikeliest) {
  const std::vector<float> logits = {1, 2, 2, 2, 0, 1.5f};
  EXPECT_EQ(tokensOf({.topK = 1, .temperature = 2}, logits), (std::set<int32_t>{1}));
  EXPECT_EQ(tokensOf({.topK = 2, .temperature = 2}, logits), (std::set<int32_t>{1, 2}));
  EXPECT_EQ(tokensOf({.topK = 4, .temperature = 2}, logits), (std::set<int32_t>{1, 2, 3, 5}));
  EXPECT_EQ(tokensOf({.topK = 100, .temperature = 2}, logits).size(), 6u);
}

TEST(Sampler, TopPLeavesTheFirstThatReachIt) {
  const std::vector<float> logits = {0, std::log(2.0f), std::log(4.0f), std::log(8.0f)}; // of 15
  const auto tokens = [&](float topP) {
    return tokensOf({.topP = topP, .temperature = 1}, logits);
  };
  EXPECT_EQ(tokens(0.1f), (std::set<int32_t>{3}));
  EXPECT_EQ(tokens(7.9f / 15), (std::set<int32_t>{3}));
  EXPECT_EQ(tokens(8.1f / 15), (std::set<int32_t>{2, 3}));
  EXPECT_EQ(tokens(12.1f / 15), (std::set<int32_t>{1, 2, 3}));
  EXPECT_EQ(tokens(1), (std::set<int32_t>{0, 1, 2, 3}));
  // After top-k 2, it is of 12.
  EXPECT_EQ(tokensOf({.topK = 2, .topP = 7.9f / 12, .temperature = 1}, logits),
            (std::set<int32_t>{3}));
  EXPECT_EQ(tokensOf({.topK = 2, .topP = 8.1f / 12, .temperature = 1}, logits),
            (std::set<int32_t>{2, 3}));
}

// It is of the whole vocabulary, though no more than 1024 tokens stay.
TEST(Sampler, TopPOfAFlatVocabularyLeavesTheCandidates) {
  const std::vector<float> logits(4000, 1.0f);
  Sampler few = makeSampler({.topP = 0.1f, .temperature = 1});
  Sampler all = makeSampler({.topP = 0.9f, .temperature = 1});
  int32_t fewest = 0;
  int32_t most = 0;
  for (int64_t position = 0; position < 8000; ++position) {
    fewest = std::max(fewest, sampleAt(few, logits, position));
    most = std::max(most, sampleAt(all, logits, position));
  }
  EXPECT_EQ(fewest, 399);
  EXPECT_EQ(most, 1023);
}

TEST(Sampler, MinPComparesWithTheLikeliest) {
  const std::vector<float> logits = {0, std::log(2.0f), std::log(4.0f), std::log(8.0f)};
  EXPECT_EQ(tokensOf({.minP = 0.49f, .temperature = 1}, logits), (std::set<int32_t>{2, 3}));
  EXPECT_EQ(tokensOf({.minP = 0.51f, .temperature = 1}, logits), (std::set<int32_t>{3}));
  // Filters come before the temperature.
  EXPECT_EQ(tokensOf({.minP = 0.49f, .temperature = 9}, logits), (std::set<int32_t>{2, 3}));
}

TEST(Sampler, RepeatedTokensArePenalized) {
  Sampler sampler = makeSampler({.repeatPenalty = 2});
  EXPECT_EQ(sampleAt(sampler, {3, 2, 1}, 5, {0}), 1);
  EXPECT_EQ(sampleAt(sampler, {3, 2, 1}, 5, {0, 0, 1}), 0); // 1.5, once for each token
  EXPECT_EQ(sampleAt(sampler, {-2, -3, -5}, 5, {0}), 1);
  std::vector<int32_t> history(kPenaltyTokens, 2);
  history.front() = 0;
  EXPECT_EQ(sampleAt(sampler, {3, 2, 1}, 5, history), 1);
  history.insert(history.begin() + 1, 2); // 0 is one token too far back
  EXPECT_EQ(sampleAt(sampler, {3, 2, 1}, 5, history), 0);
}

TEST(Sampler, BannedTokensNeverCome) {
  Sampler sampler = makeSampler({.banned = {1, 77}});
  EXPECT_EQ(sampleAt(sampler, {3, 9, 4}, 5), 2);
  EXPECT_EQ(tokensOf({.banned = {1}, .temperature = 1}, {3, 9, 4}), (std::set<int32_t>{0, 2}));
  EXPECT_THAT(errorOf({.banned = {0}}, {1}), HasSubstr("all 1 logits are -infinity"));
}

TEST(Sampler, LogitsThatAreNoNumbersAreErrors) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const float temperature : {0.0f, 1.0f}) {
    EXPECT_THAT(errorOf({.temperature = temperature}, {1, 2, nan, 3}),
                HasSubstr("the logit of token 2 is NaN; look for weights"));
    EXPECT_THAT(errorOf({.temperature = temperature}, {nan, 2}),
                HasSubstr("the logit of token 0 is NaN"));
    EXPECT_THAT(errorOf({.temperature = temperature}, {1, kInfinity}),
                HasSubstr("the logit of token 1 is infinite"));
    EXPECT_THAT(errorOf({.temperature = temperature}, {-kInfinity, -kInfinity}),
                HasSubstr("all 2 logits are -infinity"));
  }
}

TEST(Sampler, NumbersOutOfRangeAreErrors) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const float temperature : {-1.0f, nan, kInfinity})
    EXPECT_THAT(refusal({.temperature = temperature}), HasSubstr("a temperature of"));
  for (const int32_t topK : {-1, 1025})
    EXPECT_EQ(refusal({.topK = topK}), "top-k of " + std::to_string(topK) +
                                           " cannot be: give 1 to 1024, or 0 for all tokens");
  for (const float topP : {0.0f, 1.5f, nan})
    EXPECT_THAT(refusal({.topP = topP}), HasSubstr("give more than 0, up to 1"));
  for (const float minP : {-0.5f, 1.5f, nan})
    EXPECT_THAT(refusal({.minP = minP}), HasSubstr("give 0 to 1"));
  for (const float penalty : {0.0f, nan, kInfinity})
    EXPECT_THAT(refusal({.repeatPenalty = penalty}), HasSubstr("a repetition penalty of"));
}

TEST(Distribution, LogProbabilitiesAreNearTheTruth) {
  for (const size_t count : {1, 7, 1024, 1025, 5000}) {
    const std::vector<float> logits = randomLogits(count, count);
    double sum = 0;
    for (const float logit : logits)
      sum += std::exp(static_cast<double>(logit));
    for (size_t token = 0; token < count; token += 1 + count / 10)
      EXPECT_NEAR(llvm::cantFail(logProbability(logits, static_cast<int32_t>(token))),
                  logits[token] - std::log(sum), 3e-6);
  }
  EXPECT_EQ(llvm::cantFail(logProbability({0, -kInfinity}, 1)), -kInfinity);
  EXPECT_EQ(llvm::cantFail(logProbability({4}, 0)), 0.0f);
}

TEST(Distribution, InstructionsChangeNoBit) {
  const std::vector<float> logits = randomLogits(3000, 8);
  std::vector<float> best(3000);
  std::vector<float> plain(3000);
  exponentials(logits.data(), logits.size(), 6.0f, 0.7f, best.data());
  exponentialsPortable(logits.data(), logits.size(), 6.0f, 0.7f, plain.data());
  EXPECT_EQ(best, plain);
}
