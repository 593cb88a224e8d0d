// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "runtime/cpu/ThreadPool.h"

#include "gtest/gtest.h"

#include <atomic>
#include <set>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace sortie::cpu {
namespace {

class ThreadPools : public testing::TestWithParam<int> {};

TEST_P(ThreadPools, EveryIterationRunsOnce) {
  auto pool = llvm::cantFail(ThreadPool::create(GetParam()));
  EXPECT_EQ(pool->threads(), GetParam());
  for (int64_t count : {0, 1, 2, 3, 100, 10000}) {
    std::vector<std::atomic<int>> runs(static_cast<size_t>(count));
    pool->parallelFor(count, [&](int64_t index, int) { ++runs[static_cast<size_t>(index)]; });
    for (const std::atomic<int> &n : runs)
      ASSERT_EQ(n.load(), 1);
  }
}

TEST_P(ThreadPools, WorkersGetAscendingIndices) {
  auto pool = llvm::cantFail(ThreadPool::create(GetParam()));
  std::vector<std::vector<int64_t>> seen(static_cast<size_t>(GetParam()));
  pool->parallelFor(1000, [&](int64_t index, int worker) {
    ASSERT_GE(worker, 0);
    ASSERT_LT(worker, GetParam());
    seen[static_cast<size_t>(worker)].push_back(index);
  });
  for (const std::vector<int64_t> &indices : seen)
    EXPECT_TRUE(std::is_sorted(indices.begin(), indices.end()));
}

#if defined(__x86_64__)
TEST_P(ThreadPools, HelpersKeepSubnormalsWhateverTheirCreatorDoes) {
  constexpr unsigned kDefault = 0x1f80, kFlags = 0x3f, kFlushAndRoundUp = 0x1f80 | 0x8040 | 0x4000;
  const unsigned saved = _mm_getcsr();
  _mm_setcsr(kFlushAndRoundUp);
  auto pool = llvm::cantFail(ThreadPool::create(GetParam()));
  std::atomic<int> wrong = 0;
  pool->parallelFor(1000, [&](int64_t, int worker) {
    if (worker != 0 && (_mm_getcsr() & ~kFlags) != kDefault)
      ++wrong;
  });
  EXPECT_EQ(_mm_getcsr() & ~kFlags, kFlushAndRoundUp);
  _mm_setcsr(saved);
  EXPECT_EQ(wrong.load(), 0);
}
#endif

TEST_P(ThreadPools, ManyShortLoops) {
  auto pool = llvm::cantFail(ThreadPool::create(GetParam()));
  std::atomic<int64_t> sum = 0;
  for (int loop = 0; loop < 5000; ++loop) {
    pool->parallelFor(4, [&](int64_t index, int) { sum += index; });
    if (loop % 1000 == 0) // long enough for the helpers to go to sleep
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  EXPECT_EQ(sum.load(), 5000 * 6);
}

TEST_P(ThreadPools, ScratchIsAlignedAndSeparate) {
  auto pool = llvm::cantFail(ThreadPool::create(GetParam()));
  std::set<std::byte *> scratch;
  for (int worker = 0; worker < GetParam(); ++worker) {
    std::byte *memory = pool->scratch(worker);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(memory) % 64, 0u);
    memory[0] = memory[ThreadPool::kScratchBytes - 1] = std::byte{1};
    scratch.insert(memory);
  }
  EXPECT_EQ(scratch.size(), static_cast<size_t>(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(Threads, ThreadPools, testing::Values(1, 2, 3, 8));

TEST(ThreadPool, OneThreadRunsInline) {
  auto pool = llvm::cantFail(ThreadPool::create(1));
  const auto caller = std::this_thread::get_id();
  pool->parallelFor(10, [&](int64_t, int worker) {
    EXPECT_EQ(worker, 0);
    EXPECT_EQ(std::this_thread::get_id(), caller);
  });
}

} // namespace
} // namespace sortie::cpu
