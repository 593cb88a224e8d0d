// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Shared memory and asynchronous copies.

#include "test/emulation/Launcher.h"

#include <gtest/gtest.h>
#include <numeric>
#include <sortie_hardware.h>
#include <vector>

using namespace sortie;
using emulation::launch;

namespace {
std::vector<uint32_t> ascending(size_t count) {
  std::vector<uint32_t> words(count);
  std::iota(words.begin(), words.end(), 1u);
  return words;
}
} // namespace

/// Two groups of a copy each; `out` has, for both, what is there before any wait, after waiting for
/// all but one group, and after waiting for all.
SORTIE_KERNEL(32, 1) testGroups(const uint32_t *in, uint32_t *out) {
  auto *words = hw::sharedMemory<uint32_t>() + 8 * hw::laneIndex();
  hw::copyAsync<16>(words, in);
  hw::commitCopies();
  hw::copyAsync<16>(words + 4, in + 4);
  hw::commitCopies();
  uint32_t *row = out + 6 * hw::laneIndex();
  row[0] = words[0];
  row[1] = words[4];
  hw::waitForCopies<1>();
  row[2] = words[0];
  row[3] = words[4];
  hw::waitForCopies<0>();
  row[4] = words[0];
  row[5] = words[4];
}

TEST(Copies, AreVisibleOnlyAfterTheirWait) {
  const std::vector<uint32_t> in = ascending(8);
  std::vector<uint32_t> out(6 * 32);
  ASSERT_EQ(launch<testGroups>({}, 32, 32 * 32, {}, in.data(), out.data()), "");
  for (size_t lane = 0; lane < 32; ++lane) {
    const uint32_t *row = &out[6 * lane];
    EXPECT_NE(row[0], 1u);
    EXPECT_NE(row[1], 5u);
    EXPECT_EQ(row[2], 1u);
    EXPECT_NE(row[3], 5u);
    EXPECT_EQ(row[4], 1u);
    EXPECT_EQ(row[5], 5u);
  }
}

SORTIE_KERNEL(1, 1) testUncommitted(const uint32_t *in, uint32_t *out) {
  auto *words = hw::sharedMemory<uint32_t>();
  hw::copyAsync<4>(words, in);
  hw::waitForCopies<0>();
  out[0] = words[0];
  hw::commitCopies();
  hw::waitForCopies<0>();
  out[1] = words[0];
}

TEST(Copies, AWaitIgnoresWhatIsNotCommitted) {
  const uint32_t in = 77;
  uint32_t out[2];
  ASSERT_EQ(launch<testUncommitted>({}, 1, 16, {}, &in, &out[0]), "");
  EXPECT_NE(out[0], 77u);
  EXPECT_EQ(out[1], 77u);
}

/// Copies of every size and every number of valid bytes, one after the other in shared memory.
template <int Bytes> SORTIE_DEVICE void copyPrefixes(const char *in, char *shared, char *out) {
  for (int valid = 0; valid <= Bytes; ++valid) {
    hw::copyAsync<Bytes>(shared, in, valid);
    hw::commitCopies();
    hw::waitForCopies<0>();
    for (int i = 0; i < Bytes; ++i)
      *out++ = shared[i];
  }
}
SORTIE_KERNEL(1, 1) testPrefixes(const char *in, int32_t bytes, char *out) {
  char *shared = hw::sharedMemory<char>(16);
  if (bytes == 4)
    copyPrefixes<4>(in, shared, out);
  else if (bytes == 8)
    copyPrefixes<8>(in, shared, out);
  else
    copyPrefixes<16>(in, shared, out);
}

TEST(Copies, TheBytesThatAreNotValidBecomeZeros) {
  const std::vector<uint32_t> in = ascending(4);
  const auto *bytes = reinterpret_cast<const char *>(in.data());
  for (const int size : {4, 8, 16}) {
    std::vector<char> out(static_cast<size_t>(size * (size + 1)), 'x');
    ASSERT_EQ(launch<testPrefixes>({}, 1, 32, {}, bytes, size, out.data()), "");
    for (int valid = 0; valid <= size; ++valid)
      for (int i = 0; i < size; ++i)
        EXPECT_EQ(out[static_cast<size_t>(valid * size + i)], i < valid ? bytes[i] : 0);
  }
}

SORTIE_KERNEL(1, 1) testGarbage(uint32_t *out) {
  auto *words = hw::sharedMemory<uint32_t>();
  out[hw::blockIndexX()] = words[5];
  words[5] = 1;
}

TEST(SharedMemory, HoldsOtherGarbageInEveryBlockAndSeed) {
  uint32_t out[4];
  ASSERT_EQ(launch<testGarbage>({2}, 1, 64, {0}, &out[0]), "");
  ASSERT_EQ(launch<testGarbage>({2}, 1, 64, {1}, &out[2]), "");
  for (int i = 0; i < 4; ++i)
    for (int j = 0; j < i; ++j)
      EXPECT_NE(out[i], out[j]) << i << ", " << j;
}

/// Every thread would write another number.
SORTIE_KERNEL(64, 1) testProgress(uint32_t *progress) {
  hw::beginStep(progress,
                static_cast<uint32_t>(hw::threadIndex() + 100 * hw::blockIndexX() +
                                      1000 * hw::blockIndexY() + 10000 * hw::blockIndexZ()));
}

TEST(Progress, TheFirstThreadOfTheGridWrites) {
  for (const uint64_t seed : {1, 2, 3}) {
    uint32_t words[3] = {77, 77, 77};
    ASSERT_EQ(launch<testProgress>({2, 3, 2}, 64, 0, {seed}, &words[1]), "");
    EXPECT_EQ(words[0], 77u);
    EXPECT_EQ(words[1], 0u);
    EXPECT_EQ(words[2], 77u);
  }
  uint32_t *nowhere = nullptr;
  EXPECT_EQ(launch<testProgress>({2}, 64, 0, {0}, nowhere), "");
}

SORTIE_KERNEL(64, 1) testCoordinates(int32_t *out) {
  const int block =
      (hw::blockIndexZ() * 3 + hw::blockIndexY()) * hw::gridCountX() + hw::blockIndexX();
  const int thread = block * hw::threadCount() + hw::warpIndex() * 32 + hw::laneIndex();
  out[thread] = hw::threadIndex() + 1000 * block;
}

TEST(SharedMemory, EveryThreadOfEveryBlockRunsOnce) {
  constexpr int kBlocks = 5 * 3 * 2;
  std::vector<int32_t> out(kBlocks * 64, -1);
  ASSERT_EQ(launch<testCoordinates>({5, 3, 2}, 64, 0, {9}, out.data()), "");
  for (int i = 0; i < kBlocks * 64; ++i)
    EXPECT_EQ(out[static_cast<size_t>(i)], i % 64 + 1000 * (i / 64));
}
