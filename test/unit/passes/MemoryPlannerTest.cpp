// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/MemoryPlanner.h"

#include <gtest/gtest.h>

#include <random>

using namespace sortie;

namespace {

struct Request {
  AffineBytes size;
  int64_t first;
  int64_t last;
};

MemoryPlan planAll(const std::vector<Request> &requests, int64_t maxTokens) {
  MemoryPlanner planner(maxTokens);
  for (const Request &request : requests)
    planner.addBuffer(request.size, request.first, request.last);
  return planner.plan();
}

/// What a plan promises, checked at one number of tokens, by brute force.
void expectSound(const std::vector<Request> &requests, const MemoryPlan &plan, int64_t tokens) {
  for (size_t i = 0; i < requests.size(); ++i) {
    const int64_t begin = plan.offsets[i].at(tokens);
    const int64_t end = begin + requests[i].size.at(tokens);
    EXPECT_GE(begin, 0);
    EXPECT_EQ(begin % kArenaAlignment, 0);
    EXPECT_LE(end, plan.arena.at(tokens)) << "buffer " << i << " at " << tokens << " tokens";
    for (size_t j = 0; j < i; ++j) {
      if (requests[i].first > requests[j].last || requests[j].first > requests[i].last)
        continue;
      const int64_t otherBegin = plan.offsets[j].at(tokens);
      const int64_t otherEnd = otherBegin + requests[j].size.at(tokens);
      EXPECT_TRUE(end <= otherBegin || otherEnd <= begin)
          << "buffers " << i << " and " << j << " overlap at " << tokens << " tokens";
    }
  }
}

std::vector<Request> randomProgram(std::mt19937 &random) {
  std::uniform_int_distribution<int64_t> count(0, 24), perToken(0, 5000), fixed(0, 100000),
      step(0, 30), kind(0, 3);
  std::vector<Request> requests(count(random));
  for (Request &request : requests) {
    const int64_t which = kind(random);
    request.size.perToken = which == 0 ? 0 : perToken(random);
    request.size.fixed = which == 1 ? 0 : fixed(random);
    request.first = step(random);
    request.last = request.first + step(random) / 3;
  }
  return requests;
}

TEST(MemoryPlanner, RandomProgramsNeverOverlap) {
  std::mt19937 random(1);
  for (int program = 0; program < 400; ++program) {
    const std::vector<Request> requests = randomProgram(random);
    const int64_t maxTokens = std::uniform_int_distribution<int64_t>(0, 40)(random);
    const MemoryPlan plan = planAll(requests, maxTokens);
    for (int64_t tokens = 0; tokens <= maxTokens; ++tokens)
      expectSound(requests, plan, tokens);
    AffineBytes naive;
    for (const Request &request : requests)
      naive = naive + alignUp(request.size);
    EXPECT_LE(plan.arena.perToken, naive.perToken);
    EXPECT_LE(plan.arena.fixed, naive.fixed);
    if (HasFailure())
      FAIL() << "in program " << program;
  }
}

TEST(MemoryPlanner, NothingNeedsNothing) {
  const MemoryPlan plan = planAll({}, 8192);
  EXPECT_TRUE(plan.offsets.empty());
  EXPECT_EQ(plan.arena, AffineBytes{});
}

TEST(MemoryPlanner, BuffersThatNeverMeetShareTheirBytes) {
  const MemoryPlan plan = planAll({{{64, 0}, 0, 1}, {{64, 0}, 2, 3}}, 512);
  EXPECT_EQ(plan.offsets[0], plan.offsets[1]);
  EXPECT_EQ(plan.arena, (AffineBytes{64, 0}));
}

TEST(MemoryPlanner, ReadAndWrittenByOneStepConflict) {
  const MemoryPlan plan = planAll({{{64, 0}, 0, 1}, {{64, 0}, 1, 2}}, 512);
  EXPECT_EQ(plan.arena, (AffineBytes{128, 0}));
}

TEST(MemoryPlanner, BothPartsOfASizeAreRoundedUp) {
  EXPECT_EQ(alignUp({1, 1}), (AffineBytes{64, 64}));
  EXPECT_EQ(alignUp({64, 128}), (AffineBytes{64, 128}));
  const MemoryPlan plan = planAll({{{4, 0}, 0, 0}, {{4, 4}, 0, 0}}, 10);
  EXPECT_EQ(plan.arena, (AffineBytes{128, 64}));
}

/// At 512 tokens the fixed buffer would fit below the growing one, at 0 tokens it would not: the
/// order of two conflicting buffers may not change with the number of tokens.
TEST(MemoryPlanner, TheOrderOfBuffersHoldsAtEveryTokenCount) {
  const std::vector<Request> requests = {
      {{640, 0}, 0, 1}, {{640, 0}, 1, 2}, {{0, 6400}, 2, 3}, {{64, 0}, 0, 3}};
  const MemoryPlan plan = planAll(requests, 512);
  for (int64_t tokens : {0, 1, 9, 10, 11, 511, 512})
    expectSound(requests, plan, tokens);
}

TEST(MemoryPlanner, TheSmallestGapThatFitsIsTaken) {
  // The first and the third die early and leave gaps of 1024 and 832 bytes below the others.
  const std::vector<Request> requests = {
      {{0, 1024}, 0, 1}, {{0, 896}, 0, 9}, {{0, 832}, 0, 1}, {{0, 704}, 0, 9}, {{0, 64}, 5, 6}};
  const MemoryPlan plan = planAll(requests, 1);
  expectSound(requests, plan, 1);
  EXPECT_EQ(plan.arena.fixed, 1024 + 896 + 832 + 704);
  EXPECT_EQ(plan.offsets[4].fixed, 1024 + 896);
}

} // namespace
