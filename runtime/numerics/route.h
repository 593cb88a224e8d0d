// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Routing of one token: scores of the experts, selection of the best, their weights. Selection is
// a total order, so that the result does not depend on how a device searches.

#ifndef SORTIE_RUNTIME_NUMERICS_ROUTE_H
#define SORTIE_RUNTIME_NUMERICS_ROUTE_H

#include "runtime/numerics/activation.h"
#include "runtime/numerics/reduce.h"

namespace sortie::numerics {

/// How the router's logits become scores.
enum class Scoring : uint8_t {
  Softmax,          ///< softmax over all experts, before the selection
  Sigmoid,          ///< sigmoid of each logit
  SoftmaxAfterTopK, ///< selection by logits, then softmax over the selected
  Raw,              ///< the logits themselves
};

/// What the groups of experts are chosen by.
enum class GroupScore : uint8_t {
  BestTwo, ///< the sum of a group's two best selection scores (DeepSeek-V3)
  Best,    ///< a group's best selection score (DeepSeek-V2)
};

struct RouteParams {
  int experts;        ///< 1 to kMaxExperts
  int selected;       ///< experts per token, 1 to kMaxSelected
  int groups = 1;     ///< 1 to kMaxExpertGroups, divides `experts`; 1 means no groups
  int groupsUsed = 1; ///< groups kept, 1 to `groups`; they hold at least `selected` experts
  Scoring scoring = Scoring::Softmax;
  bool normalize = false; ///< divide the weights by their sum
  float scale = 1.0f;     ///< factor of the weights, after normalisation
  GroupScore groupScore = GroupScore::BestTwo;
};

/// A key that orders candidates: the larger key is selected first. Higher scores first, -0.0 equal
/// to +0.0, NaN after everything else, lower ids first among equals. Keys of different ids differ,
/// and none is 0.
SORTIE_NUMERICS_INLINE uint64_t selectionKey(float score, int32_t id) {
  const uint32_t bits = bitsOf(add(score, 0.0f)); // turns -0.0 into +0.0
  const uint32_t ordered = (bits >> 31) != 0 ? ~bits : bits | 0x80000000u;
  const uint32_t rank = isNan(score) ? 0u : ordered;
  return static_cast<uint64_t>(rank) << 32 | static_cast<uint32_t>(~id);
}

/// The id in a key of `selectionKey`.
SORTIE_NUMERICS_INLINE int32_t selectedId(uint64_t key) {
  return static_cast<int32_t>(~static_cast<uint32_t>(key));
}

/// What experts are ordered by: the score, plus a bias that counts for the selection alone. `bias`
/// may be null.
SORTIE_NUMERICS_INLINE float selectionScore(const float *scores, const float *bias, int32_t id) {
  return bias != nullptr ? add(scores[id], bias[id]) : scores[id];
}

/// The largest key below `previous` among the experts [first, first + count), or 0.
SORTIE_NUMERICS_INLINE uint64_t nextKey(const float *scores, const float *bias, int first,
                                        int count, uint64_t previous) {
  uint64_t best = 0;
  for (int id = first; id < first + count; ++id) {
    const uint64_t key = selectionKey(selectionScore(scores, bias, id), id);
    if (key < previous && key > best)
      best = key;
  }
  return best;
}

/// The score of a group of experts. BestTwo takes the only one of a group of one.
SORTIE_NUMERICS_INLINE float groupScore(GroupScore rule, const float *scores, const float *bias,
                                        int first, int count) {
  const uint64_t best = nextKey(scores, bias, first, count, ~uint64_t{0});
  const float bestScore = selectionScore(scores, bias, selectedId(best));
  if (count == 1 || rule == GroupScore::Best)
    return bestScore;
  const uint64_t second = nextKey(scores, bias, first, count, best);
  return add(bestScore, selectionScore(scores, bias, selectedId(second)));
}

/// The `groupsUsed` best groups of experts, as a bit each; groups are ordered as experts are.
SORTIE_NUMERICS_INLINE uint64_t selectGroups(const RouteParams &params, const float *scores,
                                             const float *bias) {
  const int size = params.experts / params.groups;
  uint64_t keys[kMaxExpertGroups];
  for (int g = 0; g < params.groups; ++g)
    keys[g] = selectionKey(groupScore(params.groupScore, scores, bias, g * size, size), g);
  uint64_t kept = 0;
  uint64_t previous = ~uint64_t{0};
  for (int i = 0; i < params.groupsUsed; ++i) {
    uint64_t best = 0;
    for (int g = 0; g < params.groups; ++g)
      if (keys[g] < previous && keys[g] > best)
        best = keys[g];
    kept |= uint64_t{1} << selectedId(best);
    previous = best;
  }
  return kept;
}

/// The ids of the `selected` best experts, best first.
SORTIE_NUMERICS_INLINE void selectExperts(const RouteParams &params, const float *scores,
                                          const float *bias, int32_t *ids) {
  const int size = params.experts / params.groups;
  const uint64_t kept =
      params.groupsUsed == params.groups ? ~uint64_t{0} : selectGroups(params, scores, bias);
  uint64_t previous = ~uint64_t{0};
  for (int slot = 0; slot < params.selected; ++slot) {
    uint64_t best = 0;
    for (int g = 0; g < params.groups; ++g) {
      if ((kept >> g & 1) == 0)
        continue;
      const uint64_t key = nextKey(scores, bias, g * size, size, previous);
      best = key > best ? key : best;
    }
    ids[slot] = selectedId(best);
    previous = best;
  }
}

/// Divides `n` weights by their sum, added in slot order. A sum of zero makes all of them zero.
SORTIE_NUMERICS_INLINE void normalizeWeights(float *weights, int n) {
  float sum = weights[0];
  for (int j = 1; j < n; ++j)
    sum = add(sum, weights[j]);
  for (int j = 0; j < n; ++j)
    weights[j] = sum == 0.0f ? 0.0f : div(weights[j], sum);
}

/// The scores of all experts, from the router's logits.
SORTIE_NUMERICS_INLINE void scoreExperts(const RouteParams &params, const float *logits,
                                         float *scores) {
  if (params.scoring == Scoring::Softmax) {
    softmax(logits, params.experts, scores);
    return;
  }
  for (int id = 0; id < params.experts; ++id)
    scores[id] =
        canonicalNan(params.scoring == Scoring::Sigmoid ? sigmoid(logits[id]) : logits[id]);
}

/// Routes one token: `logits` [experts] to `ids` and `weights` [selected], best expert first.
/// `bias` [experts] may be null. `scores` [experts] is scratch and holds the scores afterwards; it
/// may be `logits`.
SORTIE_NUMERICS_INLINE void routeToken(const RouteParams &params, const float *logits,
                                       const float *bias, float *scores, int32_t *ids,
                                       float *weights) {
  scoreExperts(params, logits, scores);
  selectExperts(params, scores, bias, ids);
  for (int j = 0; j < params.selected; ++j)
    weights[j] = scores[ids[j]];
  if (params.scoring == Scoring::SoftmaxAfterTopK)
    softmax(weights, params.selected, weights);
  if (params.normalize)
    normalizeWeights(weights, params.selected);
  for (int j = 0; j < params.selected; ++j)
    weights[j] = canonicalNan(params.scale != 1.0f ? mul(weights[j], params.scale) : weights[j]);
}

} // namespace sortie::numerics

#endif // SORTIE_RUNTIME_NUMERICS_ROUTE_H
