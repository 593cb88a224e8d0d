// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Named barriers: who waits for whom, and every misuse.

#include "test/emulation/Launcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>
#include <sortie_hardware.h>
#include <vector>

using namespace sortie;
using emulation::launch;
using testing::HasSubstr;

constexpr uint64_t kSeeds = 20;

//===- Producers and consumers -------------------------------------------===//

enum RelayKind : int32_t { Sound, NoWaitForWords, NoWaitForRoom };

/// Warp 0 makes words, warps 1 and 2 read them, in `rounds` rounds through one place: barrier 1
/// says that words are there, barrier 2 that there is room again.
SORTIE_KERNEL(96, 1) testRelay(int32_t rounds, int32_t kind, int32_t *out) {
  auto *words = hw::sharedMemory<int32_t>();
  const int lane = hw::laneIndex();
  for (int round = 0; round < rounds; ++round) {
    if (hw::warpIndex() == 0) {
      if (round > 0 && kind != NoWaitForRoom)
        hw::syncThreads(2, 96);
      words[lane] = 100 * round + lane;
      hw::arriveThreads(1, 96);
    } else {
      if (kind != NoWaitForWords)
        hw::syncThreads(1, 96);
      out[(2 * round + hw::warpIndex() - 1) * 32 + lane] = words[31 - lane];
      if (round + 1 < rounds)
        hw::arriveThreads(2, 96);
    }
  }
}

static std::vector<int32_t> relay(RelayKind kind, uint64_t seed, std::string &error) {
  constexpr int kRounds = 4;
  std::vector<int32_t> out(size_t{kRounds} * 64);
  error = launch<testRelay>({}, 96, 128, {seed}, kRounds, static_cast<int32_t>(kind), out.data());
  return out;
}

TEST(NamedBarriers, OrderTheWarpsThatMeet) {
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    std::string error;
    const std::vector<int32_t> out = relay(Sound, seed, error);
    ASSERT_EQ(error, "");
    for (size_t i = 0; i < out.size(); ++i)
      ASSERT_EQ(out[i], static_cast<int32_t>(100 * (i / 64) + 31 - i % 32)) << seed;
  }
}

TEST(NamedBarriers, AMissingOneShowsBetweenSeedsOrFails) {
  for (const RelayKind kind : {NoWaitForWords, NoWaitForRoom}) {
    std::set<std::vector<int32_t>> outs;
    std::string error;
    for (uint64_t seed = 0; seed < kSeeds; ++seed)
      outs.insert(relay(kind, seed, error));
    EXPECT_GT(outs.size(), 1u) << kind;
  }
}

/// Two pairs of warps at two barriers: neither pair waits for the other.
SORTIE_KERNEL(128, 1) testPairs(int32_t *out) {
  auto *words = hw::sharedMemory<int32_t>();
  const int thread = hw::threadIndex();
  const int pair = hw::warpIndex() / 2;
  words[thread] = thread;
  hw::syncThreads(14 + pair, 64);
  out[thread] = words[thread ^ 32];
  hw::syncThreads(14 + pair, 64);
}

TEST(NamedBarriers, AreIndependent) {
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    int32_t out[128];
    ASSERT_EQ(launch<testPairs>({}, 128, 512, {seed}, &out[0]), "");
    for (int i = 0; i < 128; ++i)
      ASSERT_EQ(out[i], i ^ 32);
  }
}

//===- Misuse ------------------------------------------------------------===//

SORTIE_KERNEL(64, 1) testUse(int32_t barrier, int32_t threads, int32_t arrives) {
  if (arrives != 0)
    hw::arriveThreads(barrier, threads);
  else
    hw::syncThreads(barrier, threads);
}

static std::string use(int barrier, int threads, bool arrives = false) {
  return launch<testUse>({}, 64, 0, {}, barrier, threads, int32_t{arrives});
}

TEST(NamedBarriers, NumbersAndCountsThatDoNotExist) {
  EXPECT_EQ(use(1, 64), "");
  EXPECT_EQ(use(15, 32), "");
  EXPECT_EQ(use(15, 64, true), "");
  for (const int barrier : {-1, 0, 16}) {
    EXPECT_THAT(use(barrier, 64), HasSubstr("a named barrier is one of 1 to 15"));
    EXPECT_THAT(use(barrier, 64, true), HasSubstr("a named barrier is one of 1 to 15"));
  }
  EXPECT_THAT(use(1, 48), HasSubstr("a positive multiple of 32"));
  EXPECT_THAT(use(1, 0, true), HasSubstr("a positive multiple of 32"));
  EXPECT_THAT(use(1, 96), HasSubstr("more threads at a named barrier than the block has"));
  EXPECT_THAT(use(0, 64), HasSubstr("NamedBarrierTest.cpp:"));
}

enum BarrierMistake : int32_t { TwoCounts, LanesAtTwo, LaneSkips, TooFew, NobodyArrives };

SORTIE_KERNEL(96, 1) testBarrierMistake(int32_t mistake) {
  if (mistake == TwoCounts)
    hw::syncThreads(3, hw::warpIndex() == 1 ? 64 : 96);
  else if (mistake == LanesAtTwo)
    hw::syncThreads(hw::laneIndex() == 5 ? 4 : 3, 96);
  else if ((mistake == LaneSkips && hw::threadIndex() != 40) ||
           (mistake == TooFew && hw::warpIndex() != 1))
    hw::syncThreads(3, 96);
  else if (mistake == NobodyArrives)
    hw::syncThreads(1 + hw::warpIndex(), 64);
}

static std::string make(BarrierMistake mistake) {
  const std::string error =
      launch<testBarrierMistake>({}, 96, 0, {0}, static_cast<int32_t>(mistake));
  for (uint64_t seed = 1; seed < kSeeds; ++seed)
    EXPECT_NE(launch<testBarrierMistake>({}, 96, 0, {seed}, static_cast<int32_t>(mistake)), "");
  return error;
}

TEST(NamedBarriers, WarpsThatDisagree) {
  EXPECT_THAT(make(TwoCounts), HasSubstr("used with two numbers of threads at a time"));
  EXPECT_THAT(make(TwoCounts), HasSubstr("NamedBarrierTest.cpp:"));
  EXPECT_THAT(make(LanesAtTwo), HasSubstr("the lanes of a warp are at different named barriers"));
}

TEST(NamedBarriers, WaitsWithoutEnd) {
  EXPECT_THAT(make(LaneSkips), HasSubstr("some lanes of warp 1 wait in a collective"));
  EXPECT_THAT(make(LaneSkips), HasSubstr("wait in syncThreads at "));
  EXPECT_THAT(make(TooFew), HasSubstr("deadlock: no thread can go on"));
  EXPECT_THAT(make(TooFew), HasSubstr("threads 0 to 31 wait in syncThreads at "));
  EXPECT_THAT(make(TooFew), HasSubstr("threads 32 to 63 have ended"));
  EXPECT_THAT(make(NobodyArrives), HasSubstr("threads 0 to 95 wait in syncThreads at "));
}

/// Another use of the same barrier may have another number of threads.
SORTIE_KERNEL(96, 1) testAnotherCount() {
  hw::syncThreads(3, 96);
  hw::syncBlock();
  if (hw::warpIndex() < 2)
    hw::syncThreads(3, 64);
}

TEST(NamedBarriers, TheNextUseMayHaveAnotherCount) {
  for (uint64_t seed = 0; seed < kSeeds; ++seed)
    EXPECT_EQ(launch<testAnotherCount>({}, 96, 0, {seed}), "");
}
