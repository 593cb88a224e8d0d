// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The launcher: checks a launch as the driver does, runs its blocks one after the other.

#include "test/emulation/Launcher.h"

#include "test/emulation/Scheduler.h"

#include <mutex>
#include <numeric>

namespace sortie::emulation {

static std::string checkLaunch(const EmulatedLaunch &what, const Options &options) {
  const Index3 grid = what.grid;
  if (grid.x < 1 || grid.y < 1 || grid.z < 1 || grid.y > 65535 || grid.z > 65535)
    return "the grid " + std::to_string(grid.x) + " x " + std::to_string(grid.y) + " x " +
           std::to_string(grid.z) + " is outside of 1 to 2^31 - 1, 65535, 65535";
  if (what.threads < 1 || what.threads > Scheduler::kMaxThreads)
    return "a block of " + std::to_string(what.threads) + " threads is outside of 1 to 1024";
  if (what.sharedBytes < 0 || what.sharedBytes > options.maxSharedBytes)
    return std::to_string(what.sharedBytes) + " bytes of shared memory are more than the " +
           std::to_string(options.maxSharedBytes) + " that a block may have";
  return {};
}

static std::string describe(Index3 index) {
  return "(" + std::to_string(index.x) + ", " + std::to_string(index.y) + ", " +
         std::to_string(index.z) + ")";
}

static std::string runBlocks(Scheduler &scheduler, const EmulatedLaunch &what, Random &random) {
  const auto x = static_cast<uint64_t>(what.grid.x);
  const auto y = static_cast<uint64_t>(what.grid.y);
  const uint64_t count = x * y * static_cast<uint64_t>(what.grid.z);
  // A step without a common divisor with the count visits every block once.
  uint64_t step = 1 + random.below(count);
  while (std::gcd(step, count) != 1)
    ++step;
  uint64_t block = random.below(count);
  for (uint64_t i = 0; i < count; ++i, block = (block + step) % count) {
    const Index3 index = {static_cast<int>(block % x), static_cast<int>(block / x % y),
                          static_cast<int>(block / (x * y))};
    const std::string error = scheduler.runBlock(what, index, random);
    if (!error.empty())
      return "block " + describe(index) + ": " + error;
  }
  return {};
}

std::string launch(const Kernel &kernel, Index3 grid, int threads, int sharedBytes,
                   void *const *parameters, const Options &options) {
  // A block and its threads reach each other through a variable of the kernel's library.
  static std::mutex mutex;
  static Scheduler scheduler;
  const std::lock_guard<std::mutex> lock(mutex);
  const EmulatedLaunch what = {&kernel, grid, threads, sharedBytes, parameters};
  Random random(options.seed);
  std::string error = checkLaunch(what, options);
  if (error.empty())
    error = runBlocks(scheduler, what, random);
  if (error.empty() || *kernel.name == '\0')
    return error;
  return "kernel " + std::string(kernel.name) + ": " + error;
}

} // namespace sortie::emulation
