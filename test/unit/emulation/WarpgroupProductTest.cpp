// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products of warpgroups: against plain ones, when their sums are there, and every misuse.

#include "test/emulation/Launcher.h"
#include "test/unit/emulation/WarpgroupProducts.h"

#include "runtime/numerics/float.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <random>
#include <vector>

using namespace sortie;
using emulation::launch;
using testing::HasSubstr;

constexpr uint64_t kSeeds = 12;

namespace {
/// Operands of `warpgroupProducts` and what comes out.
struct Problem {
  int width;
  std::vector<uint32_t> rows = std::vector<uint32_t>(size_t{64} * kDepth / 4);
  std::vector<uint32_t> columns;
  std::vector<int32_t> out;
  std::vector<float> outOfHalves;

  explicit Problem(int width)
      : width(width), columns(static_cast<size_t>(width) * kDepth / 4),
        out(static_cast<size_t>(3 * 64 * width)), outOfHalves(static_cast<size_t>(64 * width)) {
    std::mt19937 random(7);
    for (auto *words : {&rows, &columns})
      for (uint32_t &word : *words) // fp16 of moderate size, too
        word = static_cast<uint32_t>(random()) & 0xbbffbbffu;
  }

  static int byteOf(const std::vector<uint32_t> &words, int index) {
    return static_cast<int8_t>(words[static_cast<size_t>(index / 4)] >> (index % 4 * 8) & 0xff);
  }
  static float halfOf(const std::vector<uint32_t> &words, int index) {
    return numerics::fromHalf(
        static_cast<uint16_t>(words[static_cast<size_t>(index / 2)] >> (index % 2 * 16)));
  }

  std::vector<int32_t> expected() const {
    constexpr int kBegins[] = {0, 32, 64, 128};
    std::vector<int32_t> sums;
    for (int part = 0; part < 3; ++part)
      for (int row = 0; row < 64; ++row)
        for (int column = 0; column < width; ++column) {
          int32_t sum = 0;
          for (int k = kBegins[part]; k < kBegins[part + 1]; ++k)
            sum += byteOf(rows, row * kDepth + k) * byteOf(columns, column * kDepth + k);
          sums.push_back(sum);
        }
    return sums;
  }
  std::vector<float> expectedOfHalves() const {
    std::vector<float> sums;
    for (int row = 0; row < 64; ++row)
      for (int column = 0; column < width; ++column) {
        float sum = 0.0f;
        for (int k = 0; k < 8; ++k)
          sum += halfOf(rows, row * 8 + k) * halfOf(columns, column * 8 + k);
        sums.push_back(sum);
      }
    return sums;
  }

  template <auto Kernel> std::string run(ProductMistake mistake, uint64_t seed) {
    return launch<Kernel>({}, 256, 64 * kDepth + 64 * 16, {seed},
                          static_cast<const uint32_t *>(rows.data()),
                          static_cast<const uint32_t *>(columns.data()),
                          static_cast<int32_t>(mistake), out.data(), outOfHalves.data());
  }
};

template <int Width, auto Kernel> void expectRight() {
  Problem problem(Width);
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    ASSERT_EQ(problem.run<Kernel>(NoProductMistake, seed), "");
    ASSERT_EQ(problem.out, problem.expected()) << seed;
    ASSERT_EQ(problem.outOfHalves, problem.expectedOfHalves()) << seed;
  }
}

/// How many seeds show a mistake by wrong results.
int seedsThatShow(ProductMistake mistake) {
  int wrong = 0;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    Problem problem(32);
    EXPECT_EQ(problem.run<warpgroupProducts32>(mistake, seed), "");
    wrong += static_cast<int>(problem.out != problem.expected());
  }
  return wrong;
}
std::string errorOf(ProductMistake mistake) {
  return Problem(32).run<warpgroupProducts32>(mistake, 1);
}
} // namespace

TEST(WarpgroupProducts, AreThoseOfAllColumns) {
  expectRight<16, warpgroupProducts16>();
  expectRight<32, warpgroupProducts32>();
  expectRight<48, warpgroupProducts48>();
  expectRight<64, warpgroupProducts64>();
}

TEST(WarpgroupProducts, SumsAreThereForWhoHasWaited) {
  EXPECT_EQ(seedsThatShow(NoWaitForProducts), static_cast<int>(kSeeds));
  EXPECT_EQ(seedsThatShow(NoCommit), static_cast<int>(kSeeds)) << "both are of one group";
}

TEST(WarpgroupProducts, OperandsMayNotChange) {
  for (const ProductMistake mistake : {LevelsChange, ColumnsChange}) {
    const int wrong = seedsThatShow(mistake);
    EXPECT_GT(wrong, static_cast<int>(kSeeds) / 4) << mistake;
  }
}

TEST(WarpgroupProducts, AFenceComesFirst) {
  EXPECT_THAT(errorOf(NoFence), HasSubstr("a product of a warpgroup: the warp has not executed "
                                          "fenceProducts() since it waited for products"));
  EXPECT_THAT(errorOf(NoFence), HasSubstr("WarpgroupProducts.h:"));
}

//===- Misuse ------------------------------------------------------------===//

enum Misuse : int32_t {
  NoMisuse,
  NoWait,
  ReceivedBefore,
  SumsInUse,
  LinesMoved,
  PastTheLine,
  OutOfMemory,
  OtherColumns,
  LanesDiffer,
  OneWarpLess,
  OtherLayout,
};

SORTIE_KERNEL(128, 1) testMisuse(int32_t misuse, int32_t *out) {
  const uint32_t a[4] = {};
  int32_t sums[8] = {};
  const bool isOther = hw::warpIndex() == 2 && misuse == OtherColumns;
  const bool isLane = hw::laneIndex() == 9 && misuse == LanesDiffer;
  const int moved = misuse == LinesMoved || isOther || isLane ? 128 : 0;
  const int past = misuse == PastTheLine ? 112 : 0;
  const uint32_t b =
      misuse == OutOfMemory ? 64 : hw::columnsAt(hw::sharedMemory<char>(moved + past));
  if (misuse == OneWarpLess && hw::warpIndex() == 3)
    return;
  hw::fenceProducts();
  if (misuse == OtherLayout)
    hw::multiplyWarpgroup<16, false, static_cast<hw::Columns>(3u << 30)>(sums, a, b);
  else if (isOther || isLane)
    hw::multiplyWarpgroup<16, false, hw::Columns::Short>(sums, a, b);
  else
    hw::multiplyWarpgroup<16, false>(sums, a, b);
  if (misuse == SumsInUse)
    hw::multiplyWarpgroup<16, false>(sums, a, b);
  hw::commitProducts();
  if (misuse == ReceivedBefore)
    hw::receive(sums);
  if (misuse == NoWait)
    return;
  hw::waitForProducts<0>();
  hw::receive(sums);
  out[hw::threadIndex()] = sums[0];
}

static std::string make(Misuse misuse) {
  int32_t out[128];
  return launch<testMisuse>({}, 128, 2048, {}, static_cast<int32_t>(misuse), &out[0]);
}

TEST(WarpgroupProducts, Misuse) {
  EXPECT_EQ(make(NoMisuse), "");
  EXPECT_THAT(make(NoWait), HasSubstr("has not waited for the product at "));
  EXPECT_THAT(make(ReceivedBefore), HasSubstr("receive: the product has not been waited for"));
  EXPECT_THAT(make(SumsInUse), HasSubstr("the sums are those of a product that nobody has waited"));
  EXPECT_THAT(make(LinesMoved), HasSubstr("lines of 128 bytes do not begin at a multiple of 1024"));
  EXPECT_THAT(make(PastTheLine), HasSubstr("K goes past the end of the lines"));
  EXPECT_THAT(make(OutOfMemory), HasSubstr("columns are not within shared memory"));
  EXPECT_THAT(make(OtherColumns),
              HasSubstr("another warp of the warpgroup begins another product"));
  EXPECT_THAT(make(LanesDiffer), HasSubstr("begin different products"));
  EXPECT_THAT(make(OneWarpLess), HasSubstr("has not begun all products that others of its warpg"));
  EXPECT_THAT(make(OtherLayout), HasSubstr("columns lie in a way that is not modelled"));
}

SORTIE_KERNEL(96, 1) testThreeWarps() {
  const uint32_t a[4] = {};
  int32_t sums[8] = {};
  hw::fenceProducts();
  hw::multiplyWarpgroup<16, false>(sums, a, 0);
}
TEST(WarpgroupProducts, AWarpgroupHasFourWarps) {
  EXPECT_THAT(launch<testThreeWarps>({}, 96, 2048, {}), HasSubstr("the block has no four warps"));
}

SORTIE_KERNEL(1, 1) testPack(uint32_t *out) {
  out[0] = hw::packHalves(1.0f, -2.0f);
  out[1] = hw::packHalves(2049.0f, 0.0f); // halfway: to even
}
TEST(WarpgroupProducts, PackHalves) {
  uint32_t out[2] = {};
  ASSERT_EQ(launch<testPack>({}, 1, 0, {}, &out[0]), "");
  EXPECT_EQ(out[0], 0xc0003c00u);
  EXPECT_EQ(out[1], 0x00006800u);
}

//===- Registers ---------------------------------------------------------===//

/// A block of 256 threads has 248 each.
template <int Taken, int Given> void testRegisters() {
  if (hw::warpIndex() < 4)
    hw::takeRegisters<Taken>();
  else
    hw::giveRegisters<Given>();
}

SORTIE_KERNEL(128, 1) testLanesTakeDifferently() {
  if (hw::laneIndex() == 3)
    hw::giveRegisters<32>();
  else
    hw::giveRegisters<40>();
}

TEST(Registers, AreTakenWhenOthersHaveGiven) {
  for (uint64_t seed = 0; seed < kSeeds; ++seed)
    EXPECT_EQ((launch<testRegisters<256, 240>>({}, 256, 0, {seed})), "");
  EXPECT_EQ((launch<testRegisters<128, 24>>({}, 512, 0, {})), "");
}

TEST(Registers, NobodyGivesWhatIsNotThere) {
  const std::string error = launch<testRegisters<240, 96>>({}, 512, 0, {});
  EXPECT_THAT(error, HasSubstr("no thread can go on"));
  EXPECT_THAT(error, HasSubstr("wait in takeRegisters at "));
}

TEST(Registers, NumbersAndDirections) {
  EXPECT_THAT((launch<testRegisters<260, 24>>({}, 256, 0, {})),
              HasSubstr("registers are a multiple of 8 from 24 to 256"));
  EXPECT_THAT((launch<testRegisters<256, 16>>({}, 256, 0, {})),
              HasSubstr("giveRegisters: registers are a multiple of 8 from 24 to 256"));
  EXPECT_THAT((launch<testRegisters<240, 240>>({}, 256, 0, {})),
              HasSubstr("takeRegisters: the warp has more registers than it takes"));
  EXPECT_THAT((launch<testRegisters<256, 256>>({}, 256, 0, {})),
              HasSubstr("giveRegisters: the warp has fewer registers than it keeps"));
  EXPECT_THAT(launch<testLanesTakeDifferently>({}, 128, 0, {}),
              HasSubstr("the lanes of a warp want different numbers of registers"));
}
