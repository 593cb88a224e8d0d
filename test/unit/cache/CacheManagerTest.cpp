// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Pages of sequences. The judge is a cache without pages: each sequence's positions in a list of
// its own. Pages hold what a run would have written, so that a page which two sequences write
// shows.

#include "runtime/cache/CacheManager.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <random>

using namespace sortie;
using namespace sortie::cache;
using ::testing::HasSubstr;

namespace {

std::string messageOf(llvm::Error error) { return llvm::toString(std::move(error)); }

CacheManager makeManager(CacheLimits limits, llvm::ArrayRef<CacheGroup> groups) {
  return llvm::cantFail(CacheManager::create(limits, groups));
}

/// A manager, the memory of its pages, and what each sequence should have in it.
class Simulation {
public:
  Simulation(CacheLimits limits, std::vector<CacheGroup> groups)
      : manager(makeManager(limits, groups)), groups(std::move(groups)) {
    for (const CacheGroup &group : this->groups)
      memory.emplace_back(static_cast<size_t>(group.pages * kPagePositions));
  }

  /// Grows sequences as a run does: copies, then writes a new number at each new position.
  bool extend(llvm::ArrayRef<Growth> growths) {
    if (llvm::Error error = manager.extend(growths)) {
      EXPECT_THAT(messageOf(std::move(error)), HasSubstr("the cache has no room"));
      return false;
    }
    for (const PageCopy &copy : manager.takeCopies())
      std::copy_n(&memory[copy.group][static_cast<size_t>(copy.from * kPagePositions)],
                  kPagePositions,
                  &memory[copy.group][static_cast<size_t>(copy.to * kPagePositions)]);
    for (const Growth &growth : growths)
      for (int64_t token = 0; token < growth.tokens; ++token) {
        const auto position = static_cast<int64_t>(expected[growth.sequence].size());
        expected[growth.sequence].push_back(++written);
        for (uint32_t group = 0; group < groups.size(); ++group)
          *at(group, growth.sequence, position) = written;
      }
    return true;
  }

  /// Compares what the next position of each sequence sees.
  void check() {
    for (const auto &[sequence, values] : expected) {
      ASSERT_EQ(llvm::cantFail(manager.length(sequence)), static_cast<int64_t>(values.size()));
      for (uint32_t group = 0; group < groups.size(); ++group) {
        const auto length = static_cast<int64_t>(values.size());
        const int64_t window = groups[group].window;
        const int64_t first = window == 0 ? 0 : std::max<int64_t>(0, length - window + 1);
        for (int64_t position = first; position < length; ++position)
          ASSERT_EQ(*at(group, sequence, position), values[static_cast<size_t>(position)])
              << "sequence " << sequence << ", position " << position << ", group " << group;
      }
    }
  }

  void checkNothingIsLost() {
    for (const auto &[sequence, values] : expected)
      llvm::cantFail(manager.remove(sequence));
    expected.clear();
    for (uint32_t group = 0; group < groups.size(); ++group)
      EXPECT_EQ(manager.availablePages(group), groups[group].pages);
  }

  CacheManager manager;
  std::vector<CacheGroup> groups;
  std::map<uint32_t, std::vector<int64_t>> expected;

private:
  int64_t *at(uint32_t group, uint32_t sequence, int64_t position) {
    const auto place =
        static_cast<size_t>(sequence * manager.tablePages() + position / kPagePositions);
    const Page page = manager.table(group)[place];
    EXPECT_NE(page, kNoPage) << "position " << position << " has no page";
    return &memory[group][static_cast<size_t>(page * kPagePositions + position % kPagePositions)];
  }

  std::vector<std::vector<int64_t>> memory; ///< of each group
  int64_t written = 0;
};

} // namespace

TEST(CacheManager, RandomUseGivesEachSequenceItsOwnPositions) {
  std::mt19937 random(17);
  const auto below = [&](int n) { return static_cast<int>(random() % static_cast<uint32_t>(n)); };
  Simulation simulation({6, 1000}, {{30}, {20, 200}});
  int full = 0;
  int forks = 0;
  for (int step = 0; step < 4000; ++step) {
    std::vector<uint32_t> live;
    for (const auto &[sequence, values] : simulation.expected)
      live.push_back(sequence);
    const int choice = below(20);
    if (live.empty() || choice == 0) {
      if (live.size() < 6)
        simulation.expected[llvm::cantFail(simulation.manager.createSequence())] = {};
    } else if (choice == 1) {
      const uint32_t sequence = live[static_cast<size_t>(below(static_cast<int>(live.size())))];
      llvm::cantFail(simulation.manager.remove(sequence));
      simulation.expected.erase(sequence);
    } else if (choice <= 4 && live.size() < 6) {
      const uint32_t sequence = live[static_cast<size_t>(below(static_cast<int>(live.size())))];
      const uint32_t copy = llvm::cantFail(simulation.manager.fork(sequence));
      simulation.expected[copy] = simulation.expected[sequence];
      ++forks;
    } else if (choice == 5) {
      const uint32_t sequence = live[static_cast<size_t>(below(static_cast<int>(live.size())))];
      std::vector<int64_t> &values = simulation.expected[sequence];
      const auto length = static_cast<int64_t>(values.size());
      const int64_t kept = std::max<int64_t>(0, length - below(40));
      if (llvm::Error error = simulation.manager.truncate(sequence, kept))
        EXPECT_THAT(messageOf(std::move(error)), HasSubstr("layers with a window of 200"));
      else
        values.resize(static_cast<size_t>(kept));
    } else {
      std::vector<Growth> growths;
      for (const uint32_t sequence : live)
        if (const int64_t room = 1000 - static_cast<int64_t>(simulation.expected[sequence].size());
            below(2) != 0)
          growths.push_back({sequence, std::min<int64_t>(room, below(4) == 0 ? below(300) : 1)});
      full += simulation.extend(growths) ? 0 : 1;
    }
    simulation.check();
    if (HasFatalFailure())
      return;
  }
  EXPECT_GT(full, 10) << "the cache was never full";
  EXPECT_GT(forks, 50);
  simulation.checkNothingIsLost();
}

TEST(CacheManager, ForksShareUntilOneGrows) {
  Simulation simulation({3, 512}, {{8}});
  CacheManager &manager = simulation.manager;
  const uint32_t first = llvm::cantFail(manager.createSequence());
  ASSERT_TRUE(simulation.extend({{first, 200}}));
  EXPECT_EQ(manager.availablePages(0), 6);
  const uint32_t second = llvm::cantFail(manager.fork(first));
  simulation.expected[second] = simulation.expected[first];
  EXPECT_EQ(manager.availablePages(0), 6);
  ASSERT_TRUE(simulation.extend({{second, 1}}));
  EXPECT_EQ(manager.availablePages(0), 5); // one page was copied, the full one is shared
  ASSERT_TRUE(simulation.extend({{first, 1}}));
  EXPECT_EQ(manager.availablePages(0), 5); // nobody else has its page any more
  simulation.check();
}

// Both may write the page that they share, and one of them may keep it: no page too many is asked
// for.
TEST(CacheManager, OfTwoThatGrowTogetherOneKeepsThePage) {
  Simulation simulation({2, 256}, {{3}});
  const uint32_t first = llvm::cantFail(simulation.manager.createSequence());
  ASSERT_TRUE(simulation.extend({{first, 130}}));
  const uint32_t second = llvm::cantFail(simulation.manager.fork(first));
  simulation.expected[second] = simulation.expected[first];
  EXPECT_TRUE(simulation.extend({{first, 1}, {second, 1}}));
  EXPECT_EQ(simulation.manager.availablePages(0), 0);
  simulation.check();
}

TEST(CacheManager, NothingChangesWhereThereIsNoRoom) {
  CacheManager manager = makeManager({2, 1024}, {{100}, {4}});
  const uint32_t first = llvm::cantFail(manager.createSequence());
  const uint32_t second = llvm::cantFail(manager.createSequence());
  llvm::cantFail(manager.extend({{first, 300}}));
  const std::vector<Page> before = manager.table(0).vec();
  EXPECT_EQ(messageOf(manager.extend({{second, 100}, {first, 100}})),
            "the cache has no room: 2 pages of 128 positions are needed, 1 are free; end or cut a "
            "sequence, or make the session with 1 more pages");
  EXPECT_EQ(manager.table(0).vec(), before);
  EXPECT_EQ(llvm::cantFail(manager.length(first)), 300);
  EXPECT_EQ(llvm::cantFail(manager.length(second)), 0);
  EXPECT_EQ(manager.availablePages(1), 1);
  EXPECT_TRUE(manager.takeCopies().empty());
}

TEST(CacheManager, PagesBehindAWindowAreFree) {
  CacheManager manager = makeManager({1, 2000}, {{20}, {3, 128}});
  const uint32_t sequence = llvm::cantFail(manager.createSequence());
  for (int i = 0; i < 2000; ++i)
    llvm::cantFail(manager.extend({{sequence, 1}}));
  EXPECT_EQ(manager.availablePages(0), 4);
  EXPECT_EQ(manager.table(1)[0], kNoPage);
  EXPECT_THAT(messageOf(manager.truncate(sequence, 500)),
              HasSubstr("cannot be cut to 500 positions: those before are gone"));
  llvm::cantFail(manager.truncate(sequence, 1990));
  EXPECT_EQ(llvm::cantFail(manager.length(sequence)), 1990);
}

TEST(CacheManager, MisuseIsAnError) {
  const auto refusal = [](CacheLimits limits, llvm::ArrayRef<CacheGroup> groups) {
    return messageOf(CacheManager::create(limits, groups).takeError());
  };
  EXPECT_THAT(refusal({0, 1}, {{1}}), HasSubstr("a cache for 0 sequences"));
  EXPECT_THAT(refusal({1, 0}, {{1}}), HasSubstr("sequences of 0 positions"));
  EXPECT_THAT(refusal({1, 1}, {{0}}), HasSubstr("a cache of 0 pages"));
  EXPECT_THAT(refusal({1, 1}, {{1, -1}}), HasSubstr("a window of -1 positions"));
  EXPECT_THAT(refusal({2147483647, 2147483647}, {{1}}), HasSubstr("at most 268435456"));

  CacheManager manager = makeManager({1, 100}, {{1}});
  EXPECT_EQ(messageOf(manager.extend({{0, 1}})), "there is no sequence 0");
  EXPECT_EQ(messageOf(manager.remove(7)), "there is no sequence 7");
  EXPECT_EQ(messageOf(manager.fork(0).takeError()), "there is no sequence 0");
  EXPECT_EQ(messageOf(manager.length(0).takeError()), "there is no sequence 0");
  EXPECT_EQ(messageOf(manager.truncate(0, 0)), "there is no sequence 0");
  const uint32_t sequence = llvm::cantFail(manager.createSequence());
  EXPECT_THAT(messageOf(manager.createSequence().takeError()),
              HasSubstr("all 1 sequences of the cache are in use"));
  EXPECT_THAT(messageOf(manager.fork(sequence).takeError()), HasSubstr("are in use"));
  EXPECT_EQ(messageOf(manager.extend({{sequence, 101}})),
            "sequence 0 has 0 positions and cannot grow by 101: the context is 100");
  EXPECT_EQ(messageOf(manager.extend({{sequence, -1}})), "sequence 0 cannot grow by -1 tokens");
  EXPECT_EQ(messageOf(manager.extend({{sequence, 1}, {sequence, 1}})),
            "sequence 0 is named twice in one run");
  EXPECT_EQ(messageOf(manager.truncate(sequence, 1)),
            "sequence 0 has 0 positions and cannot be cut to 1");
}
