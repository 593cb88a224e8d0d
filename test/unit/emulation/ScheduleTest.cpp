// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Seeds: sound kernels give the same under every seed, racy ones do not. And calls by name.

#include "test/emulation/Launcher.h"

#include <gtest/gtest.h>
#include <set>
#include <sortie_hardware.h>
#include <vector>

using namespace sortie;
using emulation::launch;

constexpr int kThreads = 128;
constexpr int kSeeds = 20;

enum Kind : int32_t { Sound, RaceOfWarps, RaceOfLanes, MissingWait };

/// Each thread hands a word to its neighbour: the next thread, or (by warps) the next warp's.
SORTIE_KERNEL(128, 1) testHandOver(const uint32_t *in, uint32_t *out, int32_t kind) {
  auto *words = hw::sharedMemory<uint32_t>();
  const int thread = hw::threadIndex();
  if (kind == MissingWait) {
    hw::copyAsync<4>(words + thread, in + thread);
    hw::commitCopies();
  } else {
    words[thread] = in[thread];
  }
  if (kind == RaceOfWarps)
    hw::syncWarp();
  else if (kind != RaceOfLanes)
    hw::syncBlock();
  const int neighbour = kind == RaceOfLanes ? (thread ^ 1) : (thread + 32) % kThreads;
  out[thread] = words[neighbour];
}

/// The different results of some seeds, leaving out the garbage of shared memory.
static std::set<std::vector<uint32_t>> results(Kind kind) {
  std::vector<uint32_t> in(kThreads);
  for (size_t i = 0; i < in.size(); ++i)
    in[i] = static_cast<uint32_t>(i) + 1;
  std::set<std::vector<uint32_t>> all;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    std::vector<uint32_t> out(kThreads);
    EXPECT_EQ(launch<testHandOver>({}, kThreads, 4 * kThreads, {seed}, in.data(), out.data(),
                                   static_cast<int32_t>(kind)),
              "");
    for (uint32_t &word : out)
      word = word <= kThreads ? word : 0;
    all.insert(out);
  }
  return all;
}

TEST(Schedule, SoundKernelsDoNotSeeTheSeed) {
  const auto all = results(Sound);
  ASSERT_EQ(all.size(), 1u);
  for (size_t i = 0; i < kThreads; ++i)
    EXPECT_EQ((*all.begin())[i], (i + 32) % kThreads + 1);
}

TEST(Schedule, RacesDoShowBetweenSeeds) {
  EXPECT_GT(results(RaceOfWarps).size(), 1u);
  EXPECT_GT(results(RaceOfLanes).size(), size_t{kSeeds} / 2);
}

TEST(Schedule, AMissingWaitNeverGivesTheRightResult) {
  const auto all = results(MissingWait);
  ASSERT_EQ(all.size(), 1u);
  for (const uint32_t word : *all.begin())
    EXPECT_EQ(word, 0u);
}

/// Blocks write to the same place: the last one remains.
SORTIE_KERNEL(1, 1) testLastBlock(int32_t *out) { *out = hw::blockIndexX(); }

TEST(Schedule, TheOrderOfBlocksIsTheSeeds) {
  std::set<int32_t> last;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    int32_t out = -1;
    EXPECT_EQ(launch<testLastBlock>({7}, 1, 0, {seed}, &out), "");
    last.insert(out);
  }
  EXPECT_GT(last.size(), 3u);
}

//===- Calls by name -----------------------------------------------------===//

SORTIE_KERNEL(32, 1)
testParameters(const int8_t *bytes, int64_t wide, float number, uint8_t small, double *out) {
  out[hw::threadIndex()] = bytes[0] + static_cast<double>(wide) + double{number} + small;
}
SORTIE_EXPORT(testParameters)

TEST(Export, ParametersHaveTheTypesOfTheKernel) {
  const emulation::Kernel &kernel = testParameters_emulated;
  EXPECT_STREQ(kernel.name, "testParameters");
  ASSERT_EQ(kernel.parameterCount, 5);
  const std::vector<int> bytes(kernel.parameterBytes, kernel.parameterBytes + 5);
  EXPECT_EQ(bytes, (std::vector<int>{8, 8, 4, 1, 8}));

  const int8_t byte = -3;
  const int8_t *pointer = &byte;
  int64_t wide = int64_t{1} << 40;
  float number = 0.5f;
  uint8_t small = 250;
  std::vector<double> out(32);
  double *results = out.data();
  void *const parameters[] = {static_cast<void *>(&pointer), &wide, &number, &small,
                              static_cast<void *>(&results)};
  EXPECT_EQ(launch(kernel, {}, 32, 0, parameters), "");
  for (const double result : out)
    EXPECT_EQ(result, 0x1p40 + 0.5 + 250 - 3);
}
