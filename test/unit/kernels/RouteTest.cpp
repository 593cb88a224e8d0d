// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Routing against the CPU device.

#include "test/unit/kernels/KernelTest.h"

#include "codegen/kernels/routing/Route.h"

namespace sortie::kernels {
namespace {

using numerics::GroupScore;
using numerics::RouteParams;
using numerics::Scoring;

template <int Experts, int Selected, int Groups, int GroupsUsed, Scoring Kind, bool Normalize,
          uint32_t ScaleBits, GroupScore Score>
void routeKernel(const float *logits, int32_t *ids, float *weights, const float *bias,
                 int32_t tokens) {
  routeRows<Experts, Selected, Groups, GroupsUsed, Kind, Normalize, ScaleBits, Score>(
      logits, ids, weights, bias, tokens);
}

/// Rows of ordinary logits with ties and zeros; every fourth one has a NaN, every fourth
/// infinities, one has equal logits only, one NaNs only.
Floats awkwardLogits(int64_t rows, int experts, Random &random) {
  Floats logits = randomFloats(rows * experts, random);
  for (size_t i = 0; i < logits.size(); ++i) {
    const size_t row = i / static_cast<size_t>(experts);
    const uint64_t die = random() % 32;
    logits[i] *= 8.0f;
    if (row == 5)
      logits[i] = 1.25f;
    else if (row == 6)
      logits[i] = numerics::floatOf(0x7fc00000u);
    else if (die == 0 && i > 0)
      logits[i] = logits[i - 1];
    else if (die == 1)
      logits[i] = random() % 2 == 0 ? 0.0f : -0.0f;
    else if (die == 2 && row % 4 == 1)
      logits[i] = numerics::floatOf(0xffc12345u);
    else if (die == 3 && row % 4 == 2)
      logits[i] = numerics::floatOf(random() % 2 == 0 ? 0x7f800000u : 0xff800000u);
  }
  return logits;
}

template <int Experts, int Selected, int Groups, int GroupsUsed, Scoring Kind, bool Normalize,
          uint32_t ScaleBits, GroupScore Score = GroupScore::BestTwo>
void testRoute(int32_t tokens, bool isBiased) {
  SCOPED_TRACE(Experts);
  Random random(26);
  const Floats logits = awkwardLogits(tokens, Experts, random);
  Floats bias = randomFloats(Experts, random);
  bias[Experts / 2] = -0.0f;
  const float *biasOrNull = isBiased ? bias.data() : nullptr;
  RouteParams params{};
  params.experts = Experts;
  params.selected = Selected;
  params.groups = Groups;
  params.groupsUsed = GroupsUsed;
  params.scoring = Kind;
  params.normalize = Normalize;
  params.scale = numerics::floatOf(ScaleBits);
  params.groupScore = Score;
  Ints expectedIds(static_cast<size_t>(tokens) * Selected);
  Floats expected(expectedIds.size());
  cpu::route(logits.data(), biasOrNull, tokens, params, expectedIds.data(), expected.data(),
             referenceDevice());
  for (const uint64_t seed : kSeeds) {
    Ints ids(expectedIds.size(), kUnwrittenInt);
    Floats weights(expected.size(), kUnwritten);
    run<routeKernel<Experts, Selected, Groups, GroupsUsed, Kind, Normalize, ScaleBits, Score>>(
        {static_cast<int>(ceilDiv(tokens, kRouteTokens))}, kRouteThreads,
        routeSharedBytes(Experts, Groups, GroupsUsed), seed, logits.data(), ids.data(),
        weights.data(), biasOrNull, tokens);
    ASSERT_EQ(ids, expectedIds);
    ASSERT_EQ(bitsOf(weights), bitsOf(expected));
  }
}

constexpr uint32_t kOne = 0x3f800000;
constexpr uint32_t kTwoAndAHalf = 0x40200000;

TEST(Route, ScoringsWithAndWithoutNormalization) {
  testRoute<128, 8, 1, 1, Scoring::Softmax, true, kOne>(13, false);
  testRoute<128, 8, 1, 1, Scoring::Softmax, false, kTwoAndAHalf>(13, true);
  testRoute<128, 4, 1, 1, Scoring::SoftmaxAfterTopK, false, kOne>(13, true);
  testRoute<60, 20, 1, 1, Scoring::SoftmaxAfterTopK, true, kTwoAndAHalf>(13, false);
  testRoute<60, 4, 1, 1, Scoring::Sigmoid, true, kOne>(13, true);
  testRoute<33, 5, 1, 1, Scoring::Raw, true, kTwoAndAHalf>(13, true);
  testRoute<33, 33 - 1, 1, 1, Scoring::Raw, false, kOne>(13, false);
}

TEST(Route, FewAndManyExperts) {
  testRoute<1, 1, 1, 1, Scoring::Softmax, true, kOne>(9, false);
  testRoute<8, 2, 1, 1, Scoring::Softmax, true, kOne>(9, false);
  testRoute<1024, 32, 1, 1, Scoring::Softmax, true, kOne>(9, true);
}

TEST(Route, Groups) {
  testRoute<256, 8, 8, 4, Scoring::Sigmoid, true, kTwoAndAHalf>(21, true);
  testRoute<160, 6, 8, 3, Scoring::Softmax, false, kOne>(21, false);
  testRoute<64, 6, 64, 8, Scoring::Sigmoid, true, kOne>(21, true);
  testRoute<60, 4, 30, 7, Scoring::Raw, true, kOne>(21, true);
  testRoute<1024, 32, 16, 3, Scoring::Sigmoid, true, kOne>(9, true);
  testRoute<96, 4, 48, 40, Scoring::Softmax, true, kOne>(21, false);
  testRoute<16, 4, 4, 4, Scoring::Softmax, true, kOne>(21, false);
}

TEST(Route, GroupsByTheirBestExpert) {
  testRoute<160, 6, 8, 3, Scoring::Softmax, false, kTwoAndAHalf, GroupScore::Best>(21, false);
  testRoute<64, 6, 64, 8, Scoring::Sigmoid, true, kOne, GroupScore::Best>(21, true);
  testRoute<60, 4, 30, 7, Scoring::Raw, true, kOne, GroupScore::Best>(21, true);
  testRoute<1024, 32, 16, 3, Scoring::Softmax, true, kOne, GroupScore::Best>(9, true);
  testRoute<16, 4, 4, 4, Scoring::Softmax, true, kOne, GroupScore::Best>(21, false);
}

} // namespace
} // namespace sortie::kernels
