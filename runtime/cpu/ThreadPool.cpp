// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Threads wait for the next loop by spinning briefly, because the operations of a one-token step
// follow each other within microseconds, and then in the kernel (std::atomic::wait is a futex).

#include "runtime/cpu/ThreadPool.h"

#include "runtime/cpu/FloatEnvironment.h"
#include "runtime/support/Error.h"

#include <atomic>
#include <cstdlib>
#include <pthread.h>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace sortie::cpu {

namespace {

/// Pauses before a waiting thread goes to sleep: some 20 to 100 microseconds.
constexpr int kSpins = 2000;

void pause() {
#if defined(__x86_64__)
  _mm_pause();
#endif
}

/// Waits until `value` is no longer `old`, and returns what it is then.
uint32_t waitForChange(const std::atomic<uint32_t> &value, uint32_t old) {
  for (int i = 0; i < kSpins; ++i) {
    const uint32_t now = value.load(std::memory_order_acquire);
    if (now != old)
      return now;
    pause();
  }
  uint32_t now = value.load(std::memory_order_acquire);
  while (now == old) {
    value.wait(old, std::memory_order_acquire);
    now = value.load(std::memory_order_acquire);
  }
  return now;
}

struct FreeDeleter {
  void operator()(std::byte *memory) const { std::free(memory); }
};

} // namespace

/// Each loop has a generation. The caller sets the loop up, opens it, raises `generation` and takes
/// part. When no iteration is left it closes the loop and waits for the helpers that are inside:
/// only then may `body` go away. Nobody waits for a helper that has not come in yet, perhaps
/// because another process has its core.
struct ThreadPool::State {
  /// The bit of `inside` that says that helpers may come in.
  static constexpr uint32_t kOpen = uint32_t{1} << 31;

  int threads = 1;
  std::unique_ptr<std::byte, FreeDeleter> scratch;
  std::vector<pthread_t> helpers;

  const Body *body = nullptr;
  int64_t count = 0;
  bool stopping = false;

  alignas(64) std::atomic<int64_t> next{0};
  alignas(64) std::atomic<uint32_t> generation{0};
  alignas(64) std::atomic<uint32_t> inside{0}; ///< how many helpers are, and kOpen

  void runIterations(int worker) {
    for (;;) {
      const int64_t index = next.fetch_add(1, std::memory_order_relaxed);
      if (index >= count)
        return;
      (*body)(index, worker);
    }
  }

  void helperLoop(int worker) {
    uint32_t seen = 0;
    for (;;) {
      seen = waitForChange(generation, seen);
      if (stopping)
        return;
      if (!enter())
        continue;
      runIterations(worker);
      // The last one out of a closed loop.
      if (inside.fetch_sub(1, std::memory_order_release) == 1)
        inside.notify_one();
    }
  }

  /// False if the loop is closed. It may be a later one than the helper has woken up for.
  bool enter() {
    uint32_t now = inside.load(std::memory_order_relaxed);
    while ((now & kOpen) != 0)
      if (inside.compare_exchange_weak(now, now + 1, std::memory_order_acquire,
                                       std::memory_order_relaxed))
        return true;
    return false;
  }

  /// Returns when all helpers are outside, and what they wrote can be seen.
  void close() {
    uint32_t left = inside.fetch_and(~kOpen, std::memory_order_acq_rel) & ~kOpen;
    while (left != 0)
      left = waitForChange(inside, left);
  }

  void startGeneration() {
    generation.fetch_add(1, std::memory_order_release);
    generation.notify_all();
  }
};

namespace {
struct HelperStart {
  void (*run)(void *state, int worker);
  void *state;
  int worker;
};

void *helperMain(void *argument) {
  const FloatEnvironment environment; // a thread inherits that of its creator
  const std::unique_ptr<HelperStart> start(static_cast<HelperStart *>(argument));
  start->run(start->state, start->worker);
  return nullptr;
}
} // namespace

ThreadPool::ThreadPool(std::unique_ptr<State> state) : state(std::move(state)) {}

llvm::Expected<std::unique_ptr<ThreadPool>> ThreadPool::create(int threads) {
  auto state = std::make_unique<State>();
  state->threads = threads;
  const size_t bytes = kScratchBytes * static_cast<size_t>(threads);
  state->scratch.reset(static_cast<std::byte *>(std::aligned_alloc(64, bytes)));
  if (!state->scratch)
    return makeError("CPU device: no memory for the scratch of " + llvm::Twine(threads) +
                         " threads; ask for fewer threads",
                     std::errc::not_enough_memory);
  std::unique_ptr<ThreadPool> pool(new ThreadPool(std::move(state)));
  State &shared = *pool->state;
  for (int worker = 1; worker < threads; ++worker) {
    auto start = std::make_unique<HelperStart>();
    *start = {[](void *state, int worker) { static_cast<State *>(state)->helperLoop(worker); },
              &shared, worker};
    pthread_t thread;
    const int error = pthread_create(&thread, nullptr, helperMain, start.get());
    if (error != 0)
      return makeError("CPU device: cannot start thread " + llvm::Twine(worker + 1) + " of " +
                           llvm::Twine(threads) + " (" + std::generic_category().message(error) +
                           "); ask for fewer threads",
                       std::errc::resource_unavailable_try_again);
    (void)start.release(); // helperMain owns it now
    shared.helpers.push_back(thread);
  }
  return pool;
}

ThreadPool::~ThreadPool() {
  if (state->helpers.empty())
    return;
  state->stopping = true;
  state->startGeneration();
  for (pthread_t helper : state->helpers)
    pthread_join(helper, nullptr);
}

int ThreadPool::threads() const { return state->threads; }

std::byte *ThreadPool::scratch(int worker) const {
  return state->scratch.get() + kScratchBytes * static_cast<size_t>(worker);
}

void ThreadPool::parallelFor(int64_t count, Body body) {
  if (state->helpers.empty() || count <= 1) {
    for (int64_t index = 0; index < count; ++index)
      body(index, 0);
    return;
  }
  state->body = &body;
  state->count = count;
  state->next.store(0, std::memory_order_relaxed);
  state->inside.store(State::kOpen, std::memory_order_release);
  state->startGeneration();
  state->runIterations(0);
  state->close();
}

} // namespace sortie::cpu
