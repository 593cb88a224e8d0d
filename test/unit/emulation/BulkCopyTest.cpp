// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Bulk copies: when their bytes are there, a pipeline of them, and every misuse.

#include "test/emulation/Launcher.h"
#include "test/unit/emulation/BulkPipeline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <numeric>
#include <set>
#include <vector>

using namespace sortie;
using emulation::launch;
using testing::HasSubstr;

constexpr uint64_t kSeeds = 30;

//===- When bytes are there ----------------------------------------------===//

/// A thread that does not wait reads the word again and again, another one waits. `out` has the
/// last word that the first read before the second had it, the second's, and the first's after.
SORTIE_KERNEL(64, 1) testArrival(const int32_t *in, int32_t *out) {
  auto *words = hw::sharedMemory<volatile int32_t>();
  auto *barrier = hw::sharedMemory<hw::Mbarrier>(32);
  auto *other = barrier + 1;
  if (hw::threadIndex() == 0) {
    hw::initMbarrier(barrier, 1);
    hw::initMbarrier(other, 64);
    hw::publishMbarriers();
    hw::copyBulk(hw::sharedMemory<char>(), in, 32, barrier); // before its bytes are expected
    hw::arriveExpecting(barrier, 32);
  }
  hw::syncBlock();
  for (int i = 0; i < 20; ++i) {
    if (hw::threadIndex() == 0)
      out[0] = words[7];
    hw::arriveMbarrier(other);
    hw::waitForPhase(other, i % 2);
  }
  hw::syncBlock();
  if (hw::threadIndex() == 40) {
    hw::waitForPhase(barrier, 0);
    out[1] = words[7];
  }
  hw::syncBlock();
  if (hw::threadIndex() == 0)
    out[2] = words[7];
}

TEST(BulkCopies, BytesAreThereForWhoHasWaited) {
  alignas(16) int32_t in[8];
  std::iota(std::begin(in), std::end(in), 1);
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    int32_t out[3] = {};
    ASSERT_EQ(launch<testArrival>({}, 64, 48, {seed}, in, &out[0]), "");
    EXPECT_NE(out[0], 8);
    EXPECT_EQ(out[1], 8);
    EXPECT_EQ(out[2], 8);
  }
}

/// Two copies with a barrier each, and a thread for each: which thread comes first is the seed's.
SORTIE_KERNEL(64, 1) testOrder(const int32_t *in, int32_t *out) {
  auto *barriers = hw::sharedMemory<hw::Mbarrier>(32);
  auto *count = hw::sharedMemory<volatile int32_t>(48);
  if (hw::threadIndex() == 0) {
    *count = 0;
    for (int i = 0; i < 2; ++i) {
      hw::initMbarrier(barriers + i, 1);
      hw::publishMbarriers();
      hw::arriveExpecting(barriers + i, 16);
      hw::copyBulk(hw::sharedMemory<char>(16 * i), in, 16, barriers + i);
    }
  }
  hw::syncBlock();
  if (hw::laneIndex() == 5) {
    hw::waitForPhase(barriers + hw::warpIndex(), 0);
    const int32_t place = *count;
    *count = place + 1;
    out[place] = hw::warpIndex();
  }
}

TEST(BulkCopies, LandInAnyOrder) {
  alignas(16) const int32_t in[4] = {};
  std::set<int32_t> first;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    int32_t out[2] = {};
    ASSERT_EQ(launch<testOrder>({}, 64, 64, {seed}, &in[0], &out[0]), "");
    first.insert(out[0]);
  }
  EXPECT_EQ(first.size(), 2u);
}

//===- A pipeline --------------------------------------------------------===//

namespace {
/// Words and rows of words for `bulkPipeline`.
struct Pipeline {
  static constexpr int kSteps = 7;
  static constexpr int kSharedBytes = kPipelineStages * (kPipelineBoxBytes + kPipelineWordBytes +
                                                         2 * int{sizeof(sortie::hw::Mbarrier)});
  alignas(16) int32_t words[64 * kSteps];
  alignas(16) int32_t matrix[8 * kSteps][32];
  emulation::TensorMap map;

  Pipeline() {
    std::iota(std::begin(words), std::end(words), 1000);
    std::iota(&matrix[0][0], &matrix[0][0] + 8 * kSteps * 32, 0);
    map.address = reinterpret_cast<const char *>(matrix);
    map.sizes[0] = 32;
    map.sizes[1] = int64_t{8} * kSteps;
    map.strides[0] = 128;
    map.box[0] = 32;
    map.box[1] = 8;
    map.rank = 2;
    map.elementBytes = 4;
    map.swizzle = emulation::Swizzle::Bytes128;
  }

  std::string run(PipelineMistake mistake, uint64_t seed, std::vector<int32_t> &out) const {
    out.assign(size_t{64} * kSteps, -1);
    return launch<bulkPipeline>({}, 96, kSharedBytes, {seed}, map, &words[0], kSteps,
                                static_cast<int32_t>(mistake), out.data());
  }

  std::vector<int32_t> expected() const {
    std::vector<int32_t> out;
    for (int i = 0; i < 64 * kSteps; ++i) {
      const int32_t *four = &matrix[i / 8][4 * (i % 8)];
      out.push_back(words[i] + four[0] + four[1] + four[2] + four[3]);
    }
    return out;
  }
};
} // namespace

TEST(BulkPipeline, IsRightForEverySeed) {
  const Pipeline pipeline;
  std::vector<int32_t> out;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    ASSERT_EQ(pipeline.run(NoPipelineMistake, seed, out), "");
    ASSERT_EQ(out, pipeline.expected()) << seed;
  }
}

TEST(BulkPipeline, AMissingWaitForBytesAlwaysFails) {
  const Pipeline pipeline;
  std::vector<int32_t> out;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    EXPECT_NE(pipeline.run(NoWaitForFull, seed, out), "");
    EXPECT_NE(out, pipeline.expected());
  }
}

TEST(BulkPipeline, MissingOrdersOfReuseShow) {
  const Pipeline pipeline;
  for (const PipelineMistake mistake : {NoWaitForEmpty, EmptyBeforeRead}) {
    int wrong = 0;
    std::vector<int32_t> out;
    for (uint64_t seed = 0; seed < kSeeds; ++seed)
      if (!pipeline.run(mistake, seed, out).empty() || out != pipeline.expected())
        ++wrong;
    EXPECT_GT(wrong, static_cast<int>(kSeeds) / 4) << mistake;
  }
}

//===- Misuse ------------------------------------------------------------===//

enum CopyMistake : int32_t {
  NoMistake,
  NoBytes,
  OddBytes,
  NotPublished,
  NotInitialized,
  SameBytes,
  NotWaitedFor,
  TooManyExpected,
  InvalidatedBefore,
};

SORTIE_KERNEL(32, 1)
testCopyMistake(int32_t mistake, const char *in, int32_t offset, int32_t *out) {
  if (hw::threadIndex() != 0)
    return;
  auto *barrier = hw::sharedMemory<hw::Mbarrier>(64);
  hw::initMbarrier(barrier, 1);
  if (mistake != NotPublished)
    hw::fenceBeforeCopies();
  const int bytes = mistake == NoBytes ? 0 : mistake == OddBytes ? 24 : 32;
  char *to = hw::sharedMemory<char>() + offset;
  hw::copyBulk(to, in, bytes, mistake == NotInitialized ? barrier + 1 : barrier);
  if (mistake == SameBytes)
    hw::copyBulk(to + 16, in, 16, barrier);
  hw::arriveExpecting(barrier, mistake == TooManyExpected ? 48 : 32);
  if (mistake == InvalidatedBefore)
    hw::invalidateMbarrier(barrier);
  if (mistake != NotWaitedFor)
    hw::waitForPhase(barrier, 0);
  *out = *hw::sharedMemory<int32_t>();
}

static std::string make(CopyMistake mistake, int global = 0, int offset = 0) {
  alignas(16) static const char in[64] = {};
  int32_t out = 0;
  return launch<testCopyMistake>({}, 32, 96, {}, static_cast<int32_t>(mistake), in + global, offset,
                                 &out);
}

TEST(BulkCopies, BoundsAndAlignment) {
  EXPECT_EQ(make(NoMistake), "");
  EXPECT_THAT(make(NoBytes), HasSubstr("copyBulk: the bytes are not a positive multiple of 16"));
  EXPECT_THAT(make(OddBytes), HasSubstr("the bytes are not a positive multiple of 16"));
  EXPECT_THAT(make(NoMistake, 8), HasSubstr("the global address is not aligned to 16 bytes"));
  EXPECT_THAT(make(NoMistake, 0, 8), HasSubstr("byte 8, is not aligned to 16 bytes"));
  EXPECT_THAT(make(NoMistake, 0, 80), HasSubstr("copyBulk: bytes 80 to 111 are not within the 96"));
  EXPECT_THAT(make(OddBytes), HasSubstr("BulkCopyTest.cpp:"));
}

TEST(BulkCopies, TheirBarrier) {
  EXPECT_THAT(make(NotPublished), HasSubstr("copyBulk: the thread that has initialized the "
                                            "mbarrier has not published it"));
  EXPECT_THAT(make(NotInitialized), HasSubstr("copyBulk: there is no mbarrier that has been init"));
  EXPECT_THAT(make(InvalidatedBefore), HasSubstr("invalidateMbarrier: no thread has waited for"));
  EXPECT_THAT(make(TooManyExpected), HasSubstr("deadlock: no thread can go on"));
  EXPECT_THAT(make(TooManyExpected), HasSubstr("threads 0 to 0 wait in waitForPhase at "));
}

// A copy over its own barrier.
TEST(BulkCopies, WriteOverABarrier) {
  EXPECT_THAT(make(NoMistake, 0, 48), HasSubstr("the mbarrier has been written over"));
}

TEST(BulkCopies, WithoutAWait) {
  EXPECT_THAT(make(SameBytes), HasSubstr("copyBulk: no thread has waited for the copy before"));
  EXPECT_THAT(make(NotWaitedFor), HasSubstr("no thread has waited for the copy at "));
  EXPECT_THAT(make(NotWaitedFor), HasSubstr("BulkCopyTest.cpp:"));
}

SORTIE_KERNEL(1, 1) testNowhere(const char *in) {
  auto *barrier = hw::sharedMemory<hw::Mbarrier>(16);
  hw::initMbarrier(barrier, 1);
  hw::publishMbarriers();
  hw::copyBulk(hw::sharedMemory<char>(), in, 16, barrier);
}

TEST(BulkCopies, FromWhereNoMemoryIs) {
  const char *nowhere = reinterpret_cast<const char *>(intptr_t{0x1230}); // NOLINT
  EXPECT_THAT(launch<testNowhere>({}, 1, 32, {}, nowhere), HasSubstr("access to address 0x1230"));
  EXPECT_EQ(make(NoMistake), "");
}
