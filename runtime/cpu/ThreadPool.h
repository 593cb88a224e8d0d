// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A persistent pool of threads for loops whose iterations are independent. Iterations are handed
// out one by one; no result of the CPU device depends on which thread runs which.

#ifndef SORTIE_RUNTIME_CPU_THREADPOOL_H
#define SORTIE_RUNTIME_CPU_THREADPOOL_H

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/Error.h"

#include <cstddef>
#include <cstdint>
#include <memory>

namespace sortie::cpu {

/// A pool is not itself thread-safe: one thread starts one loop at a time. Sessions that run at the
/// same time have a pool each.
class ThreadPool {
public:
  /// Memory that kernels use while they run, for each thread, 64-byte aligned.
  static constexpr size_t kScratchBytes = size_t{1} << 20;

  /// A pool of `threads` >= 1 threads, the caller's among them. Fails when the operating system
  /// gives no thread or no memory.
  static llvm::Expected<std::unique_ptr<ThreadPool>> create(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool &) = delete;
  ThreadPool &operator=(const ThreadPool &) = delete;

  int threads() const;

  /// Runs body(index, worker) for each index in [0, count), worker in [0, threads()), and returns
  /// when all are done. Each worker gets ascending indices. With one thread, or one iteration,
  /// everything runs in the calling thread. `body` does not start loops itself.
  using Body = llvm::function_ref<void(int64_t index, int worker)>;
  void parallelFor(int64_t count, Body body);

  /// The scratch of a worker. Its contents do not outlive a loop.
  std::byte *scratch(int worker) const;

private:
  struct State;
  explicit ThreadPool(std::unique_ptr<State> state);
  std::unique_ptr<State> state;
};

} // namespace sortie::cpu

#endif // SORTIE_RUNTIME_CPU_THREADPOOL_H
