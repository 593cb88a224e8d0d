// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/interpreter/Routing.h"
#include "test/interpreter/Products.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/Sequence.h"

#include <algorithm>
#include <cmath>

using namespace llvm;
using namespace sortie;
using namespace sortie::interpreter;

using Numbers = SmallVector<double>;

static Numbers softmax(ArrayRef<double> logits) {
  const double highest = *std::max_element(logits.begin(), logits.end());
  Numbers result = map_to_vector(logits, [&](double logit) { return std::exp(logit - highest); });
  const double sum = sum_of(result);
  for (double &number : result)
    number /= sum;
  return result;
}

/// Step 1: scores of logits.
static Numbers scoresOf(Scoring scoring, ArrayRef<double> logits) {
  switch (scoring) {
  case Scoring::Softmax:
    return softmax(logits);
  case Scoring::Sigmoid:
    return map_to_vector(logits, sigmoid);
  case Scoring::SoftmaxAfterTopK:
  case Scoring::Raw:
    return to_vector(logits);
  }
  llvm_unreachable("unknown scoring");
}

/// Whether a score is selected before another: the higher one; NaN comes last.
static bool isBetter(double lhs, double rhs) {
  return !std::isnan(lhs) && (std::isnan(rhs) || lhs > rhs);
}

/// Different, but not by more than rounding may change. Equal scores are no matter: a rule decides.
static bool isNearTie(double lhs, double rhs) {
  return lhs != rhs && std::abs(lhs - rhs) <= 1e-9 * std::max(std::abs(lhs), std::abs(rhs));
}

/// The best `count` of `candidates` by their scores, best first, the lower one first among equals.
static SmallVector<int64_t> selectBest(ArrayRef<double> scores, ArrayRef<int64_t> candidates,
                                       int64_t count, bool &isNearlyTied) {
  SmallVector<int64_t> order(candidates);
  stable_sort(order, [&](int64_t lhs, int64_t rhs) { return isBetter(scores[lhs], scores[rhs]); });
  for (int64_t place = 0; place < count && place + 1 < std::ssize(order); ++place)
    isNearlyTied |= isNearTie(scores[order[place]], scores[order[place + 1]]);
  order.truncate(count);
  return order;
}

static SmallVector<int64_t> range(int64_t begin, int64_t end) { return to_vector(seq(begin, end)); }

/// Step 3: the experts of the groups that remain, in ascending order.
static SmallVector<int64_t> candidatesOf(moe::RouteOp op, ArrayRef<double> scores,
                                         bool &isNearlyTied) {
  const int64_t experts = scores.size();
  if (!op.getGroups())
    return range(0, experts);
  const int64_t groups = *op.getGroups(), size = experts / groups;
  const int64_t counted = op.getGroupScore() == GroupScore::Best ? 1 : std::min<int64_t>(2, size);
  Numbers groupScores;
  for (int64_t group = 0; group < groups; ++group) {
    bool ignored = false; // A group's score is the same whichever of two close ones comes first.
    double score = 0;
    for (int64_t expert :
         selectBest(scores, range(group * size, (group + 1) * size), counted, ignored))
      score += scores[expert];
    groupScores.push_back(score);
  }
  SmallVector<int64_t> used =
      selectBest(groupScores, range(0, groups), *op.getGroupsUsed(), isNearlyTied);
  sort(used);
  SmallVector<int64_t> candidates;
  for (int64_t group : used)
    append_range(candidates, range(group * size, (group + 1) * size));
  return candidates;
}

/// Step 5: the weights of the selected experts.
static Numbers weightsOf(moe::RouteOp op, ArrayRef<double> scores, ArrayRef<int64_t> ids) {
  Numbers weights = map_to_vector(ids, [&](int64_t id) { return scores[id]; });
  if (op.getScoring() == Scoring::SoftmaxAfterTopK)
    weights = softmax(weights);
  if (op.getNormalize()) {
    const double sum = sum_of(weights);
    for (double &weight : weights)
      weight = sum == 0 ? 0 : weight / sum;
  }
  for (double &weight : weights)
    weight *= op.getScale().convertToDouble();
  return weights;
}

Selection sortie::interpreter::route(moe::RouteOp op, ArrayRef<double> logits,
                                     ArrayRef<double> bias) {
  const Numbers scores = scoresOf(op.getScoring(), logits);
  Numbers selectionScores = scores; // Step 2
  for (auto [score, number] : zip(selectionScores, bias))
    score += number;
  Selection selection;
  const SmallVector<int64_t> candidates = candidatesOf(op, selectionScores, selection.isNearlyTied);
  selection.ids =
      selectBest(selectionScores, candidates, op.getTop(), selection.isNearlyTied); // Step 4
  selection.weights = weightsOf(op, scores, selection.ids);
  return selection;
}
