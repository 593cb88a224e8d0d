// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The stable sort of slots by expert.

#include "runtime/cpu/ops.h"

#include "gtest/gtest.h"

#include <algorithm>
#include <random>
#include <vector>

namespace sortie::cpu {
namespace {

using Ids = std::vector<int32_t>;

struct Dispatched {
  int64_t bad;
  Ids permutation;
  Ids inverse;
  Ids offsets;
};

Dispatched run(const Ids &ids, int64_t total, int64_t first, int64_t experts) {
  Dispatched result{0, Ids(ids.size(), -5), Ids(ids.size(), -5),
                    Ids(static_cast<size_t>(experts) + 1, -5)};
  result.bad = dispatch(ids.data(), static_cast<int64_t>(ids.size()), total, first, experts,
                        result.permutation.data(), result.inverse.data(), result.offsets.data());
  return result;
}

TEST(Dispatch, SortsStably) {
  const Dispatched result = run({2, 0, 2, 1, 0, 2}, 4, 0, 4);
  EXPECT_EQ(result.bad, -1);
  EXPECT_EQ(result.offsets, (Ids{0, 2, 3, 6, 6}));
  EXPECT_EQ(result.permutation, (Ids{1, 4, 3, 0, 2, 5}));
  EXPECT_EQ(result.inverse, (Ids{3, 0, 4, 2, 1, 5}));
}

TEST(Dispatch, RangeOfExperts) {
  const Dispatched result = run({2, 0, 3, 1, 0, 2}, 4, 2, 2);
  EXPECT_EQ(result.bad, -1);
  EXPECT_EQ(result.offsets, (Ids{0, 2, 3}));
  EXPECT_EQ(Ids(result.permutation.begin(), result.permutation.begin() + 3), (Ids{0, 5, 2}));
  EXPECT_EQ(result.inverse, (Ids{0, -1, 2, -1, -1, 1}));
}

TEST(Dispatch, NoSlots) {
  const Dispatched result = run({}, 3, 0, 3);
  EXPECT_EQ(result.bad, -1);
  EXPECT_EQ(result.offsets, (Ids{0, 0, 0, 0}));
}

TEST(Dispatch, NamesTheFirstBadIdAndWritesNothing) {
  for (int32_t bad : {-1, 4, 1000}) {
    const Dispatched result = run({0, 3, bad, bad}, 4, 0, 4);
    EXPECT_EQ(result.bad, 2);
    EXPECT_EQ(result.offsets, Ids(5, -5));
    EXPECT_EQ(result.permutation, Ids(4, -5));
    EXPECT_EQ(result.inverse, Ids(4, -5));
  }
}

TEST(Dispatch, AgreesWithStableSort) {
  std::mt19937 random(5);
  for (int trial = 0; trial < 50; ++trial) {
    Ids ids(random() % 300);
    for (int32_t &id : ids)
      id = static_cast<int32_t>(random() % 17);
    Ids expected(ids.size());
    for (size_t i = 0; i < ids.size(); ++i)
      expected[i] = static_cast<int32_t>(i);
    std::stable_sort(expected.begin(), expected.end(), [&](int32_t a, int32_t b) {
      return ids[static_cast<size_t>(a)] < ids[static_cast<size_t>(b)];
    });
    EXPECT_EQ(run(ids, 17, 0, 17).permutation, expected);
  }
}

} // namespace
} // namespace sortie::cpu
