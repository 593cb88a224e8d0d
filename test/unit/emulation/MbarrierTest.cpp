// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// mbarriers by themselves: phases, who waits for whom, and every misuse.

#include "test/emulation/Launcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>
#include <sortie_hardware_sm90.h>
#include <vector>

using namespace sortie;
using emulation::launch;
using testing::HasSubstr;

constexpr uint64_t kSeeds = 20;

//===- Phases ------------------------------------------------------------===//

enum RoundsKind : int32_t { Sound, NoWait, ArrivesEarly };

/// Warp 0 makes words and warp 1 reads them, round after round through one place. Each lane arrives
/// at barriers[0] when its word is there, and at barriers[1] when it has read one.
SORTIE_KERNEL(64, 1) testRounds(int32_t rounds, int32_t kind, int32_t *out) {
  auto *barriers = hw::sharedMemory<hw::Mbarrier>();
  auto *words = hw::sharedMemory<int32_t>(16);
  const int lane = hw::laneIndex();
  if (hw::threadIndex() < 2)
    hw::initMbarrier(barriers + lane, 32);
  hw::syncBlock();
  for (int round = 0; round < rounds; ++round) {
    if (hw::warpIndex() == 0) {
      hw::waitForPhase(barriers + 1, round % 2 ^ 1);
      if (kind == ArrivesEarly)
        hw::arriveMbarrier(barriers);
      words[lane] = 100 * round + lane;
      if (kind != ArrivesEarly)
        hw::arriveMbarrier(barriers);
    } else {
      if (kind != NoWait)
        hw::waitForPhase(barriers, round % 2);
      out[32 * round + lane] = words[31 - lane];
      hw::arriveMbarrier(barriers + 1);
    }
  }
}

static std::set<std::vector<int32_t>> rounds(RoundsKind kind) {
  constexpr int kRounds = 5;
  std::set<std::vector<int32_t>> outs;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    std::vector<int32_t> out(size_t{32} * kRounds);
    const std::string error =
        launch<testRounds>({}, 64, 144, {seed}, kRounds, static_cast<int32_t>(kind), out.data());
    EXPECT_TRUE(error.empty() || kind != Sound) << error;
    outs.insert(out);
  }
  return outs;
}

TEST(Mbarriers, PhasesOrderTheirThreads) {
  const auto outs = rounds(Sound);
  ASSERT_EQ(outs.size(), 1u);
  const std::vector<int32_t> &out = *outs.begin();
  for (size_t i = 0; i < out.size(); ++i)
    EXPECT_EQ(out[i], static_cast<int32_t>(100 * (i / 32) + 31 - i % 32));
}

TEST(Mbarriers, AMissingOrderShowsBetweenSeeds) {
  EXPECT_GT(rounds(NoWait).size(), 1u);
  EXPECT_GT(rounds(ArrivesEarly).size(), 1u);
}

/// A lane that waits may be awaited by the other lanes of its warp.
SORTIE_KERNEL(64, 1) testLaneWaits(int32_t *out) {
  auto *barrier = hw::sharedMemory<hw::Mbarrier>();
  auto *word = hw::sharedMemory<int32_t>(8);
  if (hw::threadIndex() == 0)
    hw::initMbarrier(barrier, 1);
  hw::syncBlock();
  if (hw::threadIndex() == 63) {
    *word = 5;
    hw::arriveMbarrier(barrier);
  }
  if (hw::warpIndex() == 0) {
    if (hw::laneIndex() == 7)
      hw::waitForPhase(barrier, 0);
    hw::syncWarp();
    out[hw::laneIndex()] = *word;
  }
}

TEST(Mbarriers, OneLaneWaitsForItsWarp) {
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    int32_t out[32];
    ASSERT_EQ(launch<testLaneWaits>({}, 64, 16, {seed}, &out[0]), "");
    for (const int32_t word : out)
      EXPECT_EQ(word, 5);
  }
}

//===- Misuse ------------------------------------------------------------===//

enum MbarrierMistake : int32_t {
  NoMistake,
  NoArrivals,
  TooManyArrivals,
  Twice,
  Misaligned,
  Outside,
  ArriveBeforeInit,
  WaitBeforeInit,
  InvalidateBeforeInit,
  ArriveTooOften,
  NegativeBytes,
  TooManyBytes,
  TooManyBytesInAll,
  Parity,
  WrittenOver,
  UseAfterEnd,
  Reused,
};

SORTIE_DEVICE void mistakeOfInit(hw::Mbarrier *barrier, int32_t mistake) {
  if (mistake == NoArrivals)
    hw::initMbarrier(barrier, 0);
  else if (mistake == TooManyArrivals)
    hw::initMbarrier(barrier, 1 << 20);
  else if (mistake == Misaligned)
    hw::initMbarrier(hw::sharedMemory<hw::Mbarrier>(4), 1);
  else if (mistake == Outside)
    hw::initMbarrier(hw::sharedMemory<hw::Mbarrier>(64), 1);
  else if (mistake == ArriveBeforeInit)
    hw::arriveMbarrier(barrier);
  else if (mistake == WaitBeforeInit)
    hw::waitForPhase(barrier, 1);
  else if (mistake == InvalidateBeforeInit)
    hw::invalidateMbarrier(barrier);
}

SORTIE_KERNEL(1, 1) testMbarrierMistake(int32_t mistake) {
  auto *barrier = hw::sharedMemory<hw::Mbarrier>(8);
  mistakeOfInit(barrier, mistake);
  hw::initMbarrier(barrier, 2);
  if (mistake == Twice)
    hw::initMbarrier(barrier, 2);
  else if (mistake == NegativeBytes)
    hw::arriveExpecting(barrier, -16);
  else if (mistake == TooManyBytes)
    hw::arriveExpecting(barrier, 1 << 20);
  else if (mistake == Parity)
    hw::waitForPhase(barrier, 2);
  hw::arriveExpecting(barrier, mistake == TooManyBytesInAll ? (1 << 20) - 1 : 16);
  if (mistake == TooManyBytesInAll)
    hw::arriveExpecting(barrier, 1);
  if (mistake == WrittenOver)
    *hw::sharedMemory<volatile int32_t>(12) = 1;
  hw::arriveMbarrier(barrier);
  if (mistake == ArriveTooOften)
    hw::arriveMbarrier(barrier);
  hw::invalidateMbarrier(barrier);
  if (mistake == UseAfterEnd)
    hw::arriveMbarrier(barrier);
  if (mistake == Reused)
    hw::initMbarrier(barrier, 1);
}

static std::string make(MbarrierMistake mistake) {
  return launch<testMbarrierMistake>({}, 1, 64, {}, static_cast<int32_t>(mistake));
}

TEST(Mbarriers, Initialization) {
  EXPECT_EQ(make(NoMistake), "");
  EXPECT_EQ(make(Reused), "");
  EXPECT_THAT(make(NoArrivals), HasSubstr("initMbarrier: the arrivals are not within 1 to 2^20"));
  EXPECT_THAT(make(TooManyArrivals), HasSubstr("the arrivals are not within 1 to 2^20 - 1"));
  EXPECT_THAT(make(Twice), HasSubstr("initMbarrier: there is an mbarrier already"));
  EXPECT_THAT(make(Misaligned), HasSubstr("byte 4, is not aligned to 8 bytes"));
  EXPECT_THAT(make(Outside), HasSubstr("initMbarrier: bytes 64 to 71 are not within the 64 bytes"));
  EXPECT_THAT(make(Twice), HasSubstr("thread 0 at "));
  EXPECT_THAT(make(Twice), HasSubstr("MbarrierTest.cpp:"));
}

TEST(Mbarriers, UseOfNone) {
  constexpr char kNone[] = ": there is no mbarrier that has been initialized";
  EXPECT_THAT(make(ArriveBeforeInit), HasSubstr(std::string("arriveMbarrier") + kNone));
  EXPECT_THAT(make(WaitBeforeInit), HasSubstr(std::string("waitForPhase") + kNone));
  EXPECT_THAT(make(InvalidateBeforeInit), HasSubstr(std::string("invalidateMbarrier") + kNone));
  EXPECT_THAT(make(UseAfterEnd), HasSubstr(std::string("arriveMbarrier") + kNone));
  EXPECT_THAT(make(WrittenOver), HasSubstr("arriveMbarrier: the mbarrier has been written over"));
}

TEST(Mbarriers, ArrivalsAndBytes) {
  EXPECT_THAT(make(ArriveTooOften), HasSubstr("arriveMbarrier: more arrivals than the mbarrier"));
  constexpr char kBytes[] = "arriveExpecting: an mbarrier expects 0 to 2^20 - 1 bytes in a phase";
  EXPECT_THAT(make(NegativeBytes), HasSubstr(kBytes));
  EXPECT_THAT(make(TooManyBytes), HasSubstr(kBytes));
  EXPECT_THAT(make(TooManyBytesInAll), HasSubstr(kBytes));
  EXPECT_THAT(make(Parity), HasSubstr("waitForPhase: the parity is neither 0 nor 1"));
}

enum MbarrierWait : int32_t { MissingArrival, MissingBytes, InvalidatedMeanwhile, TooLate };

SORTIE_KERNEL(64, 1) testMbarrierWait(int32_t kind) {
  auto *barrier = hw::sharedMemory<hw::Mbarrier>();
  if (hw::threadIndex() == 0)
    hw::initMbarrier(barrier, 2);
  hw::syncBlock();
  if (hw::warpIndex() == 1) {
    hw::waitForPhase(barrier, 0);
    return;
  }
  if (hw::laneIndex() != 0)
    return;
  hw::arriveMbarrier(barrier);
  if (kind == MissingBytes)
    hw::arriveExpecting(barrier, 32);
  else if (kind == InvalidatedMeanwhile)
    hw::invalidateMbarrier(barrier);
  for (int i = 0; kind == TooLate && i < 3; ++i)
    hw::arriveMbarrier(barrier);
}

static std::set<std::string> waits(MbarrierWait kind) {
  std::set<std::string> errors;
  for (uint64_t seed = 0; seed < kSeeds; ++seed)
    errors.insert(launch<testMbarrierWait>({}, 64, 8, {seed}, static_cast<int32_t>(kind)));
  return errors;
}

TEST(Mbarriers, WaitsWithoutEnd) {
  for (const MbarrierWait kind : {MissingArrival, MissingBytes})
    for (const std::string &error : waits(kind)) {
      EXPECT_THAT(error, HasSubstr("deadlock: no thread can go on"));
      EXPECT_THAT(error, HasSubstr("threads 0 to 31 have ended"));
      EXPECT_THAT(error, HasSubstr("threads 32 to 63 wait in waitForPhase at "));
    }
}

TEST(Mbarriers, InvalidatedWhileThreadsWait) {
  for (const std::string &error : waits(InvalidatedMeanwhile))
    EXPECT_TRUE(error.find("a thread waits for the mbarrier") != std::string::npos ||
                error.find("there is no mbarrier") != std::string::npos)
        << error;
}

// A thread that looks when the next phase is complete too waits for the one after it.
TEST(Mbarriers, APhaseThatIsMissed) {
  const std::set<std::string> errors = waits(TooLate);
  EXPECT_GT(errors.size(), 1u);
  EXPECT_TRUE(errors.count("") == 1);
}
