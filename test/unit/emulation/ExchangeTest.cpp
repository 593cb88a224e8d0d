// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Shuffles and votes against their definition.

#include "test/emulation/Launcher.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <random>
#include <sortie_hardware.h>
#include <vector>

using namespace sortie;
using emulation::launch;

namespace {

constexpr int kThreads = 96;

using Words = std::vector<uint32_t>;

Words randomWords(uint32_t bound) {
  std::mt19937 random(7);
  Words words(kThreads);
  for (uint32_t &word : words)
    word = random() % bound;
  return words;
}

} // namespace

SORTIE_KERNEL(96, 1) testShuffle(const uint32_t *in, uint32_t *out, int32_t lane) {
  const int thread = hw::threadIndex();
  out[thread] = hw::shuffle(in[thread], lane < 0 ? (hw::laneIndex() * 5 + 3) % 32 : lane);
}

TEST(Exchange, Shuffle) {
  const Words in = randomWords(~0u);
  for (const int lane : {-1, 0, 13, 31}) {
    Words out(kThreads);
    EXPECT_EQ(launch<testShuffle>({}, kThreads, 0, {}, in.data(), out.data(), lane), "");
    for (size_t i = 0; i < kThreads; ++i) {
      const size_t from = lane < 0 ? (i % 32 * 5 + 3) % 32 : static_cast<size_t>(lane);
      EXPECT_EQ(out[i], in[i / 32 * 32 + from]) << i;
    }
  }
}

SORTIE_KERNEL(96, 1) testShuffleXor(const float *in, float *out, int32_t mask) {
  out[hw::threadIndex()] = hw::shuffleXor(in[hw::threadIndex()], mask);
}

TEST(Exchange, ShuffleXor) {
  const Words words = randomWords(1000);
  const std::vector<float> in(words.begin(), words.end());
  for (int mask = 0; mask < 32; ++mask) {
    std::vector<float> out(kThreads);
    EXPECT_EQ(launch<testShuffleXor>({}, kThreads, 0, {}, in.data(), out.data(), mask), "");
    for (size_t i = 0; i < kThreads; ++i)
      EXPECT_EQ(out[i], in[i ^ static_cast<size_t>(mask)]) << i;
  }
}

SORTIE_KERNEL(96, 1) testShuffleUp(const int32_t *in, int32_t *out, int32_t delta) {
  out[hw::threadIndex()] = hw::shuffleUp(in[hw::threadIndex()], delta);
}

TEST(Exchange, ShuffleUp) {
  const Words words = randomWords(1u << 30);
  const std::vector<int32_t> in(words.begin(), words.end());
  for (int delta = 0; delta < 32; ++delta) {
    std::vector<int32_t> out(kThreads);
    EXPECT_EQ(launch<testShuffleUp>({}, kThreads, 0, {}, in.data(), out.data(), delta), "");
    for (int i = 0; i < kThreads; ++i) {
      const int from = i % 32 >= delta ? i - delta : i;
      EXPECT_EQ(out[static_cast<size_t>(i)], in[static_cast<size_t>(from)]) << i;
    }
  }
}

SORTIE_KERNEL(96, 1)
testVotes(const uint32_t *in, uint32_t *ballots, uint32_t *matches, uint32_t *largest) {
  const uint32_t value = in[hw::threadIndex()];
  ballots[hw::threadIndex()] = hw::ballot((value & 1) != 0);
  matches[hw::threadIndex()] = hw::matchAny(value);
  largest[hw::threadIndex()] = hw::reduceMax(value * 0x9e3779b9u);
}

TEST(Exchange, BallotMatchAnyAndReduceMax) {
  const Words in = randomWords(9);
  Words ballots(kThreads);
  Words matches(kThreads);
  Words largest(kThreads);
  EXPECT_EQ(launch<testVotes>({}, kThreads, 0, {}, in.data(), ballots.data(), matches.data(),
                              largest.data()),
            "");
  for (size_t i = 0; i < kThreads; ++i) {
    uint32_t expected = 0;
    for (size_t lane = 0; lane < 32; ++lane)
      expected = std::max(expected, in[i / 32 * 32 + lane] * 0x9e3779b9u);
    EXPECT_EQ(largest[i], expected);
    for (size_t lane = 0; lane < 32; ++lane) {
      const uint32_t other = in[i / 32 * 32 + lane];
      EXPECT_EQ(ballots[i] >> lane & 1, other & 1) << i << ", " << lane;
      EXPECT_EQ(matches[i] >> lane & 1, uint32_t{other == in[i]}) << i << ", " << lane;
    }
  }
}
