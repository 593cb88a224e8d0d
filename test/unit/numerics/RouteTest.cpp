// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Routing against a naive second implementation: sort everything, take the first.

#include "runtime/numerics/route.h"

#include "test/unit/numerics/Reference.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <numeric>
#include <vector>

using namespace sortie::test;
namespace num = sortie::numerics;
using num::RouteParams;
using num::Scoring;

namespace {

struct Routed {
  std::vector<int32_t> ids;
  std::vector<float> weights;
};

Routed route(const RouteParams &params, const std::vector<float> &logits,
             const std::vector<float> &bias = {}) {
  Routed routed{std::vector<int32_t>(static_cast<size_t>(params.selected)),
                std::vector<float>(static_cast<size_t>(params.selected))};
  std::vector<float> scores(logits.size());
  num::routeToken(params, logits.data(), bias.empty() ? nullptr : bias.data(), scores.data(),
                  routed.ids.data(), routed.weights.data());
  return routed;
}

/// Descending, NaN last, lower id first among equals.
bool ranksBefore(float a, int32_t idA, float b, int32_t idB) {
  const bool aIsNan = a != a;
  const bool bIsNan = b != b;
  if (aIsNan != bIsNan)
    return bIsNan;
  if (!aIsNan && a != b)
    return a > b;
  return idA < idB;
}

std::vector<int32_t> sortedIds(const std::vector<float> &scores, std::vector<int32_t> ids) {
  std::sort(ids.begin(), ids.end(), [&](int32_t a, int32_t b) {
    return ranksBefore(scores[static_cast<size_t>(a)], a, scores[static_cast<size_t>(b)], b);
  });
  return ids;
}

std::vector<int32_t> range(int first, int count) {
  std::vector<int32_t> ids(static_cast<size_t>(count));
  std::iota(ids.begin(), ids.end(), first);
  return ids;
}

/// The contract's routing by sorting.
Routed referenceRoute(const RouteParams &params, const std::vector<float> &logits,
                      const std::vector<float> &bias) {
  std::vector<float> scores = logits;
  if (params.scoring == Scoring::Softmax)
    num::softmax(scores.data(), params.experts, scores.data());
  if (params.scoring == Scoring::Sigmoid)
    std::transform(scores.begin(), scores.end(), scores.begin(),
                   [](float x) { return num::sigmoid(x); });
  std::vector<float> selection = scores;
  for (size_t i = 0; i < bias.size(); ++i)
    selection[i] = referenceAdd(scores[i], bias[i]);

  const int size = params.experts / params.groups;
  std::vector<float> groupScores;
  for (int g = 0; g < params.groups; ++g) {
    const std::vector<int32_t> best = sortedIds(selection, range(g * size, size));
    const float first = selection[static_cast<size_t>(best[0])];
    groupScores.push_back(size == 1 || params.groupScore == num::GroupScore::Best
                              ? first
                              : referenceAdd(first, selection[static_cast<size_t>(best[1])]));
  }
  std::vector<int32_t> candidates;
  const std::vector<int32_t> groups = sortedIds(groupScores, range(0, params.groups));
  for (int i = 0; i < params.groupsUsed; ++i)
    for (const int32_t id : range(groups[static_cast<size_t>(i)] * size, size))
      candidates.push_back(id);

  Routed routed;
  routed.ids = sortedIds(selection, candidates);
  routed.ids.resize(static_cast<size_t>(params.selected));
  for (const int32_t id : routed.ids)
    routed.weights.push_back(scores[static_cast<size_t>(id)]);
  if (params.scoring == Scoring::SoftmaxAfterTopK)
    num::softmax(routed.weights.data(), params.selected, routed.weights.data());
  if (params.normalize) {
    float sum = routed.weights[0];
    for (size_t j = 1; j < routed.weights.size(); ++j)
      sum = referenceAdd(sum, routed.weights[j]);
    for (float &weight : routed.weights)
      weight = sum == 0.0f ? 0.0f : weight / sum;
  }
  if (params.scale != 1.0f)
    for (float &weight : routed.weights)
      weight = referenceMul(weight, params.scale);
  return routed;
}

void expectSame(const Routed &got, const Routed &expected) {
  ASSERT_EQ(got.ids, expected.ids);
  for (size_t j = 0; j < got.weights.size(); ++j)
    ASSERT_EQ(bits(got.weights[j]), canonicalBits(expected.weights[j])) << j;
}

const float kNan = fromBits(kCanonicalNan);
const float kInf = fromBits(0x7f800000u);

} // namespace

TEST(Route, KeysOrderAsStated) {
  Random random(1);
  for (int i = 0; i < 1'000'000; ++i) {
    const float a = random.anyFloat();
    const float b = random.below(4) == 0 ? a : random.anyFloat();
    const int32_t idA = random.below(1024);
    const int32_t idB = random.below(1024);
    if (idA == idB)
      continue;
    ASSERT_EQ(num::selectionKey(a, idA) > num::selectionKey(b, idB), ranksBefore(a, idA, b, idB))
        << a << ' ' << idA << ' ' << b << ' ' << idB;
  }
  EXPECT_EQ(num::selectedId(num::selectionKey(-3.0f, 777)), 777);
  EXPECT_GT(num::selectionKey(kNan, num::kMaxExperts - 1), 0u);
}

TEST(Route, EqualsSortingForEveryKindOfRouter) {
  Random random(2);
  struct Shape {
    int experts, selected, groups, groupsUsed;
  };
  constexpr Shape kShapes[] = {{8, 2, 1, 1},   {32, 4, 1, 1},    {128, 8, 1, 1}, {64, 6, 1, 1},
                               {256, 8, 8, 4}, {16, 2, 16, 5},   {12, 3, 4, 2},  {1, 1, 1, 1},
                               {32, 32, 1, 1}, {1024, 32, 64, 3}};
  for (const Shape &shape : kShapes) {
    for (const Scoring scoring :
         {Scoring::Softmax, Scoring::Sigmoid, Scoring::SoftmaxAfterTopK, Scoring::Raw}) {
      for (int trial = 0; trial < 40; ++trial) {
        RouteParams params{shape.experts, shape.selected};
        params.groups = shape.groups;
        params.groupsUsed = shape.groupsUsed;
        params.scoring = scoring;
        params.normalize = trial % 2 != 0;
        params.scale = trial % 3 == 0 ? 1.0f : 2.5f;
        params.groupScore = trial % 8 < 3 ? num::GroupScore::Best : num::GroupScore::BestTwo;
        std::vector<float> logits(static_cast<size_t>(shape.experts));
        for (float &logit : logits) {
          logit = random.uniform(6.0f);
          if (trial % 5 == 0) // many ties
            logit = static_cast<float>(random.below(4));
          if (trial % 7 == 0 && random.below(6) == 0)
            logit = random.anyFloat();
        }
        std::vector<float> bias;
        if (trial % 4 == 0) {
          bias.resize(logits.size());
          for (float &value : bias)
            value = random.uniform(1.0f);
        }
        const Routed expected = referenceRoute(params, logits, bias);
        ASSERT_NO_FATAL_FAILURE(expectSame(route(params, logits, bias), expected))
            << shape.experts << ' ' << static_cast<int>(scoring) << ' ' << trial;
      }
    }
  }
}

TEST(Route, TiesTakeTheLowerId) {
  RouteParams params{8, 3};
  params.scoring = Scoring::Raw;
  EXPECT_EQ(route(params, {1, 2, 2, 1, 2, 0, 2, 2}).ids, (std::vector<int32_t>{1, 2, 4}));
  EXPECT_EQ(route(params, {-0.0f, 0, -0.0f, 0, 0, 0, 0, 0}).ids, (std::vector<int32_t>{0, 1, 2}));
}

// The best expert is in the group whose two best are the worse.
TEST(Route, AGroupIsAsGoodAsItsBestExpertOrAsItsTwoBest) {
  RouteParams params{6, 2};
  params.groups = 3;
  params.scoring = Scoring::Raw;
  const std::vector<float> logits = {0, 9, 6, 5, 1, 1};
  EXPECT_EQ(route(params, logits).ids, (std::vector<int32_t>{2, 3}));
  params.groupScore = num::GroupScore::Best;
  EXPECT_EQ(route(params, logits).ids, (std::vector<int32_t>{1, 0}));
  // Ties take the lower group, whatever the second best; NaN alone comes last.
  EXPECT_EQ(route(params, {1, 5, 5, 5, 0, 5}).ids, (std::vector<int32_t>{1, 0}));
  EXPECT_EQ(route(params, {kNan, kNan, kNan, -3, -4, -4}).ids, (std::vector<int32_t>{3, 2}));
}

TEST(Route, NansComeLast) {
  RouteParams params{4, 4};
  params.scoring = Scoring::Raw;
  EXPECT_EQ(route(params, {kNan, -kInf, fromBits(0xffc00001u), 3}).ids,
            (std::vector<int32_t>{3, 1, 0, 2}));
}

// Softmax spreads a NaN over all scores; the selection is then by id.
TEST(Route, SoftmaxWithANanGivesNanWeights) {
  const RouteParams params{4, 2};
  const Routed routed = route(params, {1, kNan, 3, 2});
  EXPECT_EQ(routed.ids, (std::vector<int32_t>{0, 1}));
  for (const float weight : routed.weights)
    EXPECT_EQ(bits(weight), kCanonicalNan);
}

TEST(Route, BiasCountsForTheSelectionAlone) {
  RouteParams params{4, 2};
  params.scoring = Scoring::Raw;
  const Routed routed = route(params, {1, 2, 3, 4}, {9, 0, 0, 0});
  EXPECT_EQ(routed.ids, (std::vector<int32_t>{0, 3}));
  EXPECT_EQ(routed.weights, (std::vector<float>{1, 4}));
}

TEST(Route, GroupsAreRankedByTheirTwoBest) {
  RouteParams params{6, 2};
  params.scoring = Scoring::Raw;
  params.groups = 3;
  params.groupsUsed = 1;
  // The best expert of all, 9, is in a group whose second is poor.
  EXPECT_EQ(route(params, {9, -9, 4, 5, 3, 5}).ids, (std::vector<int32_t>{3, 2}));
  // A tie between groups goes to the lower one.
  EXPECT_EQ(route(params, {1, 0, 2, 3, 3, 2}).ids, (std::vector<int32_t>{3, 2}));
  // A group with a NaN among its two best comes last.
  EXPECT_EQ(route(params, {kNan, 99, -5, -6, -7, -8}).ids, (std::vector<int32_t>{2, 3}));
}

TEST(Route, NormalizingASumOfZeroGivesZeros) {
  RouteParams params{4, 2};
  params.scoring = Scoring::Raw;
  params.normalize = true;
  EXPECT_EQ(route(params, {1, -1, -5, -6}).weights, (std::vector<float>{0, 0}));
  EXPECT_EQ(route(params, {3, 1, -5, -6}).weights, (std::vector<float>{0.75f, 0.25f}));
}

TEST(Route, ScoresMayOverwriteTheLogits) {
  const RouteParams params{8, 2};
  std::vector<float> logits = {0.5f, 2, -1, 4, 0, 1, 3, -2};
  const Routed expected = route(params, logits);
  Routed routed = expected;
  num::routeToken(params, logits.data(), nullptr, logits.data(), routed.ids.data(),
                  routed.weights.data());
  expectSame(routed, expected);
}
