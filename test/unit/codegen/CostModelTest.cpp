// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The cost model: its chips, and that its terms do what its comments say.

#include "codegen/CostModel.h"

#include "gtest/gtest.h"

#include <cmath>

using namespace sortie::codegen;
using sortie::numerics::Format;

namespace {

const Chip &chip(llvm::StringRef name) {
  const Chip *found = findChip(name);
  EXPECT_NE(found, nullptr) << name.str();
  return *found;
}

/// A dense product with `rows` rows. The weights, in Q4_K, are as wide as an H100.
Work productOf(double rows) {
  Work work;
  work.unit = Work::Unit::Tensor;
  work.format = Format::Q4_K;
  work.limbs = 2;
  work.rows = rows;
  const double weights = 132 * 256 * 4096.0;
  work.multiplyAdds = weights * rows;
  work.bytes = weights * 4.5 / 8 + rows * 4096 * 6;
  work.tiles = std::ceil(rows / 64);
  work.blocks = 132 * work.tiles;
  return work;
}

TEST(CostModelTest, ChipsAreKnownByTheNamesOfNvrtc) {
  for (llvm::StringRef name : getChipNames())
    EXPECT_EQ(chip(name).architecture, name);
  EXPECT_EQ(findChip("sm_70"), nullptr);
  EXPECT_EQ(findChip(""), nullptr);
  // PTX must run where shared memory is scarcest.
  for (llvm::StringRef name : getChipNames())
    EXPECT_LE(chip("compute_80").sharedLimit, chip(name).sharedLimit) << name.str();
}

TEST(CostModelTest, FewRowsOfWideWeightsAreBoundByBytesAndManyByArithmetic) {
  Work wide = productOf(1);
  wide.format = Format::Q8_0;
  wide.bytes *= 8.5 / 4.5;
  const Prediction few = predict(chip("sm_90a"), wide);
  const Prediction many = predict(chip("sm_90a"), productOf(8192));
  EXPECT_EQ(few.bound, Bound::Bytes);
  EXPECT_TRUE(many.bound == Bound::IssueSlots || many.bound == Bound::TensorCores);
  EXPECT_GT(many.seconds, 100 * few.seconds);
}

TEST(CostModelTest, NothingTakesAsLongAsALaunch) {
  const Prediction nothing = predict(chip("sm_80"), Work());
  EXPECT_EQ(nothing.bound, Bound::Launch);
  EXPECT_DOUBLE_EQ(nothing.seconds, 2e-6);
}

TEST(CostModelTest, OneLimbAndCheaperFormatsAreFaster) {
  Work int8 = productOf(8192);
  int8.limbs = 1;
  EXPECT_LT(predict(chip("sm_90a"), int8).seconds,
            predict(chip("sm_90a"), productOf(8192)).seconds);
  Work shortSubBlocks = productOf(8192);
  shortSubBlocks.format = Format::Q6_K;
  EXPECT_GT(predict(chip("sm_90a"), shortSubBlocks).seconds,
            1.2 * predict(chip("sm_90a"), productOf(8192)).seconds);
}

TEST(CostModelTest, Bf16HasHalfTheRateOfInt8) {
  Work bf16 = productOf(8192);
  bf16.unit = Work::Unit::TensorBf16;
  bf16.format = Format::BF16;
  bf16.limbs = 1;
  const Prediction prediction = predict(chip("sm_80"), bf16);
  EXPECT_EQ(prediction.bound, Bound::TensorCores);
  // 132 * 128 blocks on 108 multiprocessors.
  const double waves = std::ceil(bf16.blocks / 108);
  const double products = bf16.multiplyAdds / (bf16.blocks / waves * 1024 * 1.41e9);
  EXPECT_NEAR(prediction.seconds, 2e-6 + waves * 2.5e-6 + products, 1e-6 * prediction.seconds);
  Work fp32 = bf16;
  fp32.unit = Work::Unit::Fp32;
  EXPECT_GT(predict(chip("sm_80"), fp32).seconds, 8 * prediction.seconds);
}

TEST(CostModelTest, RowsCountInWholeMma) {
  // Eight tiles of one row cost what eight tiles do that fill an mma: four tokens of two limbs.
  for (const int limbs : {1, 2}) {
    Work one = productOf(8);
    Work whole = productOf(limbs == 2 ? 32 : 64);
    Work more = productOf(limbs == 2 ? 40 : 72);
    for (Work *work : {&one, &whole, &more}) {
      work->limbs = limbs;
      work->tiles = 8;
      work->bytes = work->blocks = 0;
    }
    const double seconds = predict(chip("sm_90a"), one).seconds;
    EXPECT_DOUBLE_EQ(predict(chip("sm_90a"), whole).seconds, seconds) << limbs;
    EXPECT_GT(predict(chip("sm_90a"), more).seconds, seconds) << limbs;
  }
}

TEST(CostModelTest, FoldedSubScalesCostNothing) {
  Work work = productOf(8192);
  work.format = Format::Q2_K;
  const double folded = predict(chip("sm_90a"), work).seconds;
  work.format = Format::Q3_K; // sub-blocks of 16, too, and no minimums
  EXPECT_GT(predict(chip("sm_90a"), work).seconds, 1.3 * folded);
}

TEST(CostModelTest, FewTilesLeaveHalfOfTheChipIdle) {
  EXPECT_EQ(fewTiles(chip("sm_90a"), 4096), 4);
  EXPECT_EQ(fewTiles(chip("sm_90a"), 256), 66);
  EXPECT_EQ(fewTiles(chip("sm_90a"), 1000000), 1);
}

TEST(CostModelTest, AGridThatFillsTheChipIsFaster) {
  Work few = productOf(8192);
  few.bytes = 0;
  few.blocks = 133; // the last wave has one block
  Work even = few;
  even.blocks = 132;
  EXPECT_GT(predict(chip("sm_90a"), few).seconds, 1.5 * predict(chip("sm_90a"), even).seconds);
}

TEST(CostModelTest, BytesTakeTheBandwidth) {
  Work copy;
  copy.bytes = 3.35e12 * 0.85;
  const Prediction prediction = predict(chip("sm_90a"), copy);
  EXPECT_EQ(prediction.bound, Bound::Bytes);
  EXPECT_NEAR(prediction.seconds, 1.0, 1e-3);
  EXPECT_EQ(toString(prediction.bound), "bytes");
}

} // namespace
