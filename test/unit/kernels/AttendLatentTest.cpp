// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Attention over keys of two parts, the first of which is the value, too; and what kernels of
// attention take of the machine.

#include "test/unit/kernels/AttendCheck.h"

#include "codegen/CostModel.h"

namespace sortie::kernels {
namespace {

template <ActivationWidth Own, ActivationWidth Cached, int Heads = 6, int Latent = 32,
          int Rotated = 8>
struct OfLatents : DefaultSpec {
  static constexpr ActivationWidth kOwn = Own, kCached = Cached;
  static constexpr int kHeads = Heads, kKvHeads = 1;
  static constexpr int kKey = Latent, kValue = Latent, kRotated = Rotated;
};

template <typename Spec> void checkLatents() {
  checkAttention<Spec>({300, 5}, {{0, 299}, {1, 4}, {0, 0}, {0, 128}, {0, 127}});
}

TEST(AttendLatent, HasTheBitsOfTheNumericsInAllWidths) {
  checkLatents<OfLatents<kInt16, kInt16>>();
  checkLatents<OfLatents<kInt16, kInt8>>();
  checkLatents<OfLatents<kInt8, kInt16>>();
  checkLatents<OfLatents<kInt8, kInt8>>();
}

TEST(AttendLatent, TakesLatentsOfAnySize) {
  checkAttention<OfLatents<kInt16, kInt16, 9, 512, 64>>({140}, {{0, 139}, {0, 127}});
  checkAttention<OfLatents<kInt16, kInt8, 3, 40, 20>>({140}, {{0, 139}, {0, 5}});
  checkAttention<OfLatents<kInt8, kInt16, 3, 160, 1>>({140}, {{0, 139}, {0, 5}});
}

TEST(AttendLatent, WhatIsNotFiniteStaysWhereItIs) {
  using Spec = OfLatents<kInt16, kInt16>;
  std::vector<Token> tokens;
  for (int32_t i = 0; i < 12; ++i)
    tokens.push_back({i % 3, 130 + i});
  AttendProblem<Spec> problem({142, 142, 142}, tokens, 3);
  Random random(4);
  makeAwkward(problem.keys[1], 3000, random);
  makeAwkward(problem.rotatedKeys[2], 800, random);
  for (size_t i = 0; i < 3 * Spec::kHeads * Spec::kRotated; i += 17)
    problem.rotated[i] = std::numeric_limits<float>::quiet_NaN();
  problem.check();
}

/// Every chip has the memory for heads of any size.
TEST(AttentionGeometry, FitsEveryChip) {
  for (const llvm::StringRef name : codegen::getChipNames()) {
    const int limit = codegen::findChip(name)->sharedLimit;
    for (const ActivationWidth own : {kInt8, kInt16})
      for (const ActivationWidth cached : {kInt8, kInt16})
        for (const AttentionHeads heads : {AttentionHeads{own, cached, 1, 1, 0},
                                           {own, cached, 64, 64, 0},
                                           {own, cached, 128, 128, 0},
                                           {own, cached, 512, 512, 64},
                                           {own, cached, 1024, 1024, 0},
                                           {own, cached, 1024, 1024, 1024}}) {
          const SpansGeometry spans = spansGeometry(heads, limit);
          const AttendGeometry attend = attendGeometry(heads, limit);
          EXPECT_GE(spans.stages, 2) << name.str() << ' ' << heads.key;
          EXPECT_LE(spans.sharedBytes, limit);
          EXPECT_GE(attend.stages, 2) << name.str() << ' ' << heads.key;
          EXPECT_LE(attend.sharedBytes, limit);
        }
  }
}

/// The shapes that were looked at when the numbers were chosen.
TEST(AttentionGeometry, LeavesRoomForTwoBlocksOfUsualHeads) {
  const AttentionHeads usual = {kInt16, kInt16, 128, 128, 0};
  const int hopper = codegen::findChip("sm_90a")->sharedLimit;
  EXPECT_EQ(attendGeometry(usual, hopper).warps, 8);
  EXPECT_EQ(attendGeometry(usual, hopper).blocks, 2);
  EXPECT_LE(2 * (spansGeometry(usual, hopper).sharedBytes + 1024), hopper + 1024);
  EXPECT_EQ(spansGeometry(usual, hopper).stages, 4);
}

} // namespace
} // namespace sortie::kernels
