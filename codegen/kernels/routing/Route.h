// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Routing (runtime/numerics/route.h), a warp for each token. Lane i has the experts i, i + 32, ...;
// candidates are ordered by a 32-bit rank and, among equals, by their id.

#ifndef SORTIE_CODEGEN_KERNELS_ROUTING_ROUTE_H
#define SORTIE_CODEGEN_KERNELS_ROUTING_ROUTE_H

#include "codegen/kernels/common/HalfWarp.h"
#include "codegen/kernels/routing/RoutingGeometry.h"
#include "runtime/numerics/route.h"

namespace sortie::kernels {

/// The upper half of a selection key: larger is better. NaN, which comes last, is 1, so that 0 is
/// no candidate at all.
SORTIE_DEVICE uint32_t rankOf(float score) {
  const auto rank = static_cast<uint32_t>(numerics::selectionKey(score, 0) >> 32);
  return rank == 0 ? 1 : rank;
}

/// A score with this rank (+0.0 for both zeros).
SORTIE_DEVICE float scoreOfRank(uint32_t rank) {
  if (rank == 1)
    return numerics::nan();
  return numerics::floatOf((rank >> 31) != 0 ? rank & 0x7fffffffu : ~rank);
}

/// softmax over the `Count` values value[i] of lane l with i * 32 + l < Count.
template <int Count, int PerLane> SORTIE_DEVICE void softmaxWarp(float (&value)[PerLane]) {
  // A NaN is no maximum, but it makes the sum and so every result NaN, as the contract has it.
  float largest = numerics::floatOf(0xff800000u);
#pragma unroll
  for (int i = 0; i < PerLane; ++i)
    if (i * kWarp + hw::laneIndex() < Count)
      largest = value[i] > largest ? value[i] : largest;
#pragma unroll
  for (int mask = kWarp / 2; mask > 0; mask /= 2) {
    const float other = hw::shuffleXor(largest, mask);
    largest = other > largest ? other : largest;
  }
  // Partial j has the values j, j + 16, ...: of lanes j and j + 16 in turn. Those past the end add
  // +0.0, which changes no sum of exponentials.
  const int partial = hw::laneIndex() % numerics::kPartials;
  float sum = 0.0f;
#pragma unroll
  for (int i = 0; i < PerLane; ++i) {
    const bool exists = i * kWarp + hw::laneIndex() < Count;
    value[i] = exists ? numerics::exp(numerics::sub(value[i], largest)) : 0.0f;
    sum = numerics::add(sum, hw::shuffle(value[i], partial));
    sum = numerics::add(sum, hw::shuffle(value[i], partial + numerics::kPartials));
  }
  sum = sumHalfWarp(sum);
#pragma unroll
  for (int i = 0; i < PerLane; ++i)
    value[i] = numerics::canonicalNan(numerics::div(value[i], sum));
}

/// Groups of experts, kSize each; kLanes lanes share the scoring of one.
template <int Experts, int Groups, int GroupsUsed, numerics::GroupScore Score> struct ExpertGroups {
  static constexpr int kSize = Experts / Groups;
  static constexpr int kLanes = routeGroupLanes(Experts, Groups);

  /// Where the rank of an expert is. Groups start in different banks.
  SORTIE_DEVICE int place(int id) { return id + id / kSize * kLanes; }

  /// The rank of the score of group `group`, in all of its lanes.
  SORTIE_DEVICE uint32_t groupRank(const uint32_t *ranks, int group) {
    uint32_t best = 0;
    uint32_t second = 0;
    if (group < Groups) {
#pragma unroll 8
      for (int i = hw::laneIndex() % kLanes; i < kSize; i += kLanes) {
        const uint32_t rank = ranks[place(group * kSize + i)];
        second = rank > best ? best : rank > second ? rank : second;
        best = rank > best ? rank : best;
      }
    }
#pragma unroll
    for (int mask = kLanes / 2; mask > 0; mask /= 2) {
      const uint32_t otherBest = hw::shuffleXor(best, mask);
      const uint32_t otherSecond = hw::shuffleXor(second, mask);
      const uint32_t runnerUp = best < otherBest ? best : otherBest;
      second = second > otherSecond ? second : otherSecond;
      second = second > runnerUp ? second : runnerUp;
      best = best > otherBest ? best : otherBest;
    }
    if constexpr (kSize == 1 || Score == numerics::GroupScore::Best)
      return best;
    else
      return rankOf(numerics::add(scoreOfRank(best), scoreOfRank(second)));
  }

  /// A bit for each group, set if fewer than GroupsUsed groups come before it. `ranks` are those of
  /// the experts, `groupRanks` is scratch.
  SORTIE_DEVICE numerics::uint64_t select(const uint32_t *ranks, uint32_t *groupRanks) {
    for (int base = 0; base < Groups; base += kWarp / kLanes) {
      const int group = base + hw::laneIndex() / kLanes;
      const uint32_t rank = groupRank(ranks, group);
      if (group < Groups)
        groupRanks[group] = rank;
    }
    hw::syncWarp();
    numerics::uint64_t kept = 0;
#pragma unroll
    for (int base = 0; base < Groups; base += kWarp) {
      const int group = base + hw::laneIndex();
      const uint32_t rank = group < Groups ? groupRanks[group] : 0;
      int before = 0;
#pragma unroll 8
      for (int other = 0; other < Groups; ++other) {
        const uint32_t otherRank = groupRanks[other];
        before += otherRank > rank || (otherRank == rank && other < group) ? 1 : 0;
      }
      kept |= numerics::uint64_t{hw::ballot(group < Groups && before < GroupsUsed)} << base;
    }
    return kept;
  }
};

/// The largest value, in a tree, so that no value waits for all others.
template <int Count> SORTIE_DEVICE uint32_t largestOf(const uint32_t (&values)[Count]) {
  uint32_t largest[Count];
#pragma unroll
  for (int i = 0; i < Count; ++i)
    largest[i] = values[i];
#pragma unroll
  for (int step = 1; step < Count; step *= 2)
#pragma unroll
    for (int i = 0; i + step < Count; i += 2 * step)
      largest[i] = largest[i] > largest[i + step] ? largest[i] : largest[i + step];
  return largest[0];
}

/// The best of the lanes' candidates, which leaves them. `rank` 0 is none; there is at least one.
template <int PerLane> SORTIE_DEVICE int takeBest(uint32_t (&rank)[PerLane]) {
  const uint32_t best = hw::reduceMax(largestOf(rank));
  uint32_t complements[PerLane]; // of the ids with this rank: the largest is that of the lowest id
#pragma unroll
  for (int i = 0; i < PerLane; ++i)
    complements[i] = rank[i] == best ? ~static_cast<uint32_t>(i * kWarp + hw::laneIndex()) : 0u;
  const int id = static_cast<int>(~hw::reduceMax(largestOf(complements)));
#pragma unroll
  for (int i = 0; i < PerLane; ++i)
    rank[i] = i * kWarp + hw::laneIndex() == id ? 0 : rank[i];
  return id;
}

/// The weights of the selected experts, of which lane j < Selected has the `score` of the j-th.
template <int Selected, numerics::Scoring Scoring, bool Normalize, uint32_t ScaleBits>
SORTIE_DEVICE float routingWeight(float score) {
  float weight[1] = {score};
  if constexpr (Scoring == numerics::Scoring::SoftmaxAfterTopK)
    softmaxWarp<Selected>(weight);
  if constexpr (Normalize) {
    float sum = hw::shuffle(weight[0], 0);
#pragma unroll
    for (int j = 1; j < Selected; ++j)
      sum = numerics::add(sum, hw::shuffle(weight[0], j));
    weight[0] = sum == 0.0f ? 0.0f : numerics::div(weight[0], sum);
  }
  const float scale = numerics::floatOf(ScaleBits);
  return numerics::canonicalNan(scale != 1.0f ? numerics::mul(weight[0], scale) : weight[0]);
}

/// logits [tokens, Experts] to ids and weights [tokens, Selected], best expert first; `bias`
/// [Experts] counts for the selection alone, a literal null is none. Grid (tokens ceildiv
/// kRouteTokens), kRouteThreads threads, routeSharedBytes(Experts, Groups, GroupsUsed) bytes.
template <int Experts, int Selected, int Groups, int GroupsUsed, numerics::Scoring Scoring,
          bool Normalize, uint32_t ScaleBits,
          numerics::GroupScore Score = numerics::GroupScore::BestTwo>
SORTIE_DEVICE void routeRows(const float *logits, int32_t *ids, float *weights, const float *bias,
                             int32_t tokens) {
  using Grouping = ExpertGroups<Experts, Groups, GroupsUsed, Score>;
  constexpr int kPerLane = static_cast<int>(ceilDiv(Experts, kWarp));
  const int lane = hw::laneIndex();
  const int64_t token = int64_t{hw::blockIndexX()} * kRouteTokens + hw::warpIndex();
  if (token >= tokens)
    return;

  float score[kPerLane];
#pragma unroll
  for (int i = 0; i < kPerLane; ++i) {
    const int id = i * kWarp + lane;
    score[i] = id < Experts ? logits[token * Experts + id] : 0.0f;
    if constexpr (Scoring == numerics::Scoring::Sigmoid)
      score[i] = numerics::sigmoid(score[i]);
    if constexpr (Scoring != numerics::Scoring::Softmax)
      score[i] = numerics::canonicalNan(score[i]);
  }
  if constexpr (Scoring == numerics::Scoring::Softmax)
    softmaxWarp<Experts>(score);

  float *scores =
      hw::sharedMemory<float>() + hw::warpIndex() * routeWarpWords(Experts, Groups, GroupsUsed);
  uint32_t rank[kPerLane];
#pragma unroll
  for (int i = 0; i < kPerLane; ++i) {
    const int id = i * kWarp + lane;
    rank[i] = 0;
    if (id < Experts) {
      scores[id] = score[i];
      rank[i] = rankOf(bias != nullptr ? numerics::add(score[i], bias[id]) : score[i]);
    }
  }
  if constexpr (GroupsUsed < Groups) {
    auto *ranks = reinterpret_cast<uint32_t *>(scores + Experts);
#pragma unroll
    for (int i = 0; i < kPerLane; ++i)
      if (i * kWarp + lane < Experts)
        ranks[Grouping::place(i * kWarp + lane)] = rank[i];
    hw::syncWarp();
    const numerics::uint64_t kept =
        Grouping::select(ranks, ranks + Experts + Groups * Grouping::kLanes);
#pragma unroll
    for (int i = 0; i < kPerLane; ++i)
      rank[i] = (kept >> ((i * kWarp + lane) / Grouping::kSize) & 1) != 0 ? rank[i] : 0;
  }

  int selected = 0; // lane j: the j-th expert
  for (int j = 0; j < Selected; ++j) {
    const int id = takeBest(rank);
    selected = lane == j ? id : selected;
  }
  hw::syncWarp();
  const float weight = routingWeight<Selected, Scoring, Normalize, ScaleBits>(scores[selected]);
  if (lane < Selected) {
    ids[token * Selected + lane] = selected;
    weights[token * Selected + lane] = weight;
  }
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_ROUTING_ROUTE_H
