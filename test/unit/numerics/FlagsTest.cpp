// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The same bits whatever the compiler was allowed to use: with and without the processor's fused
// multiply-add, unoptimized, and vectorized for wider and wider registers.

#include "test/unit/numerics/Probe.h"

#include <gtest/gtest.h>
#include <set>
#include <vector>

namespace probe = sortie::test::probe;

extern "C" {
void probeUnoptimized(uint32_t *words);
void probeNoFma(uint32_t *words);
void probeAvx2(uint32_t *words);
void probeAvx512(uint32_t *words);
}

namespace {

using Probe = void (*)(uint32_t *);

std::vector<uint32_t> run(Probe function) {
  std::vector<uint32_t> words(probe::kItems);
  function(words.data());
  return words;
}

void expectSameBitsAsUnoptimized(Probe function) {
  const std::vector<uint32_t> expected = run(probeUnoptimized);
  const std::vector<uint32_t> words = run(function);
  for (int item = 0; item < probe::kItems; ++item) {
    const int section = item / probe::kItemsPerSection;
    const auto i = static_cast<size_t>(item);
    EXPECT_EQ(words[i], expected[i])
        << "item " << item << ", section " << section << " ("
        << (section < probe::kFirstDotSection ? probe::kSectionNames[section] : "exact dot") << ')';
  }
}

} // namespace

TEST(Flags, SectionsHaveManyResults) {
  const std::vector<uint32_t> words = run(probeUnoptimized);
  for (int section = 0; section < probe::kSections; ++section) {
    const auto first = words.begin() + section * probe::kItemsPerSection;
    const std::set<uint32_t> distinct(first, first + probe::kItemsPerSection);
    EXPECT_GT(distinct.size(), 100u) << "section " << section << " tests next to nothing";
  }
}

TEST(Flags, WithoutFma) { expectSameBitsAsUnoptimized(probeNoFma); }

TEST(Flags, WithAvx2AndFma) {
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
    GTEST_SKIP() << "this processor has no AVX2";
  expectSameBitsAsUnoptimized(probeAvx2);
}

TEST(Flags, WithAvx512) {
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl"))
    GTEST_SKIP() << "this processor has no AVX-512";
  expectSameBitsAsUnoptimized(probeAvx512);
}
