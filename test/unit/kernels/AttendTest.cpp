// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Attention over keys of one part: widths, sizes of heads, groups, windows, sinks, edges of chunks
// and spans, sequences in any order, what is not finite.

#include "test/unit/kernels/AttendCheck.h"

namespace sortie::kernels {
namespace {

template <ActivationWidth Own, ActivationWidth Cached> struct OfWidths : DefaultSpec {
  static constexpr ActivationWidth kOwn = Own, kCached = Cached;
  static constexpr int kHeads = 8, kKey = 64, kValue = 64;
};

template <typename Spec> void checkWidths() {
  checkAttention<Spec>({300, 5}, {{0, 299}, {1, 4}, {0, 298}, {0, 0}, {0, 128}});
}

TEST(Attend, HasTheBitsOfTheNumericsInAllWidths) {
  checkWidths<OfWidths<kInt16, kInt16>>();
  checkWidths<OfWidths<kInt16, kInt8>>();
  checkWidths<OfWidths<kInt8, kInt16>>();
  checkWidths<OfWidths<kInt8, kInt8>>();
}

template <int Key, int Value, ActivationWidth Own = kInt16> struct OfSize : DefaultSpec {
  static constexpr ActivationWidth kOwn = Own;
  static constexpr int kHeads = 3, kKvHeads = 1, kKey = Key, kValue = Value;
};

template <typename Spec> void checkSize() {
  checkAttention<Spec>({140}, {{0, 139}, {0, 127}, {0, 3}});
}

TEST(Attend, TakesHeadsOfAnySize) {
  checkSize<OfSize<128, 128>>();
  checkSize<OfSize<80, 80>>();
  checkSize<OfSize<128, 64>>();
  checkSize<OfSize<192, 128, kInt8>>();
  checkSize<OfSize<256, 256>>();
  checkSize<OfSize<20, 33, kInt8>>();
  checkSize<OfSize<1, 1>>();
}

/// Sums that would wrap around if limbs were added up in another way.
TEST(Attend, TakesTheLongestHead) { checkSize<OfSize<1024, 1024>>(); }

template <int Heads, int KvHeads> struct OfHeads : DefaultSpec {
  static constexpr int kHeads = Heads, kKvHeads = KvHeads;
};

template <typename Spec> void checkGroups() {
  std::vector<Token> tokens;
  for (int32_t i = 0; i < 9; ++i)
    tokens.push_back({i % 2, 120 + 2 * i});
  checkAttention<Spec>({140, 137}, tokens);
}

TEST(Attend, TakesGroupsOfAnySize) {
  checkGroups<OfHeads<3, 3>>();
  checkGroups<OfHeads<4, 1>>();
  checkGroups<OfHeads<10, 2>>();
  checkGroups<OfHeads<8, 1>>();
  checkGroups<OfHeads<16, 1>>();
}

template <int Window, bool HasSinks = false> struct OfWindow : DefaultSpec {
  static constexpr int kWindow = Window;
  static constexpr bool kHasSinks = HasSinks;
};

template <typename Spec> void checkEdges() {
  checkAttention<Spec>({700}, {{0, 699},
                               {0, 512},
                               {0, 511},
                               {0, 513},
                               {0, 127},
                               {0, 128},
                               {0, 129},
                               {0, 255},
                               {0, 256},
                               {0, 1},
                               {0, 0}});
}

TEST(Attend, SeesTheEdgesOfChunksSpansAndWindows) {
  checkEdges<OfWindow<0>>();
  checkEdges<OfWindow<1>>();
  checkEdges<OfWindow<2>>();
  checkEdges<OfWindow<127>>();
  checkEdges<OfWindow<128>>();
  checkEdges<OfWindow<129>>();
  checkEdges<OfWindow<513>>();
}

TEST(Attend, MergesSinks) {
  checkEdges<OfWindow<0, true>>();
  checkEdges<OfWindow<300, true>>();
}

/// More spans than AttendMerge.h takes at a time.
struct OfManySpans : DefaultSpec {
  static constexpr int kHeads = 1, kKvHeads = 1, kKey = 4, kValue = 4, kPages = 4 * 67;
};
TEST(Attend, TakesLongSequences) {
  checkAttention<OfManySpans>({66 * 512 + 7}, {{0, 66 * 512 + 6}, {0, 64 * 512 - 1}});
}

/// Tokens of several sequences in any order, on both sides of the number of tokens from which on
/// they are a prompt.
TEST(Attend, TakesSequencesInAnyOrder) {
  Random random(7);
  for (const int count : {kSplitTokens, kSplitTokens + 1, kSplitTokens + 30}) {
    std::vector<Token> tokens;
    for (int32_t i = 0; i < count; ++i)
      tokens.push_back({static_cast<int32_t>(random() % 4), 80 + i});
    std::shuffle(tokens.begin(), tokens.end(), random);
    AttendProblem<OfHeads<5, 1>>({180, 175, 200, 180}, tokens, 8).check();
  }
}

/// A prompt is longer than the tokens of a thread block, and begins in the middle of its sequence.
TEST(Attend, TakesPrompts) {
  std::vector<Token> tokens;
  for (int32_t i = 0; i < 90; ++i)
    tokens.push_back({0, 100 + i});
  AttendProblem<OfHeads<4, 2>>({190}, tokens, 9).check();
}

template <typename Spec> void checkSharedLimit() {
  checkAttention<Spec>({150}, {{0, 149}, {0, 100}, {0, 20}});
}
struct OfMuchMemory : OfSize<64, 64> {
  static constexpr int kSharedLimit = 232448;
};
TEST(Attend, TakesTheMemoryOfItsChip) { checkSharedLimit<OfMuchMemory>(); }

template <typename Spec> void checkAwkward() {
  std::vector<Token> tokens;
  for (int32_t i = 0; i < 12; ++i)
    tokens.push_back({i % 3, 130 + i});
  for (const uint64_t rarity : {40, 3000}) {
    AttendProblem<Spec> problem({142, 142, 142}, tokens, rarity);
    Random random(rarity);
    // The first sequence has awkward queries, the second keys, the third values.
    for (size_t token = 0; token < tokens.size(); token += 3) {
      Floats row(problem.queries.begin() + token * Spec::kHeads * Spec::kKey,
                 problem.queries.begin() + (token + 1) * Spec::kHeads * Spec::kKey);
      makeAwkward(row, rarity, random);
      std::copy(row.begin(), row.end(),
                problem.queries.begin() + token * Spec::kHeads * Spec::kKey);
    }
    makeAwkward(problem.keys[1], rarity, random);
    makeAwkward(problem.values[2], rarity, random);
    problem.check();
  }
}

TEST(Attend, WhatIsNotFiniteStaysWhereItIs) {
  checkAwkward<DefaultSpec>();
  checkAwkward<AsPrompt<DefaultSpec>>();
  checkAwkward<OfWidths<kInt8, kInt8>>();
}

/// Queries and values of zeros, huge and tiny ones.
TEST(Attend, TakesAnyMagnitude) {
  for (const float factor : {0.0f, 1e-38f, 1e-30f, 1e30f}) {
    AttendProblem<DefaultSpec> problem({200}, {{0, 199}, {0, 3}}, 10);
    for (Floats *values : {&problem.queries, &problem.values[0], &problem.keys[0]})
      for (float &value : *values)
        value *= factor;
    problem.check();
  }
}

TEST(Attend, DoesNothingWhereAPlaceIsBad) {
  AttendProblem<DefaultSpec>({20}, {{0, 19}}, 11).check(/*status=*/3);
  AttendProblem<AsPrompt<DefaultSpec>>({20}, {{0, 19}}, 11).check(/*status=*/1);
}

} // namespace
} // namespace sortie::kernels
