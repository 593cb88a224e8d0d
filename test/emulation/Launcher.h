// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Launches kernels that were compiled against test/emulation/sortie_hardware.h.

#ifndef SORTIE_TEST_EMULATION_LAUNCHER_H
#define SORTIE_TEST_EMULATION_LAUNCHER_H

#include "test/emulation/Block.h"

#include <string>

namespace sortie::emulation {

/// Largest dynamic shared memory of a block on sm_90; other chips have less.
constexpr int kMaxSharedBytes = 227 * 1024;

struct Options {
  uint64_t seed = 0; ///< decides the order of blocks, warps and lanes
  int maxSharedBytes = kMaxSharedBytes;
};

/// Runs all blocks of a grid, in an order of the seed. `parameters` has a pointer to each argument,
/// as for cuLaunchKernel. Returns an empty string, or what went wrong in which block and thread;
/// the blocks that had not begun then do not run. Threads of the host that launch at the same time
/// wait for each other.
std::string launch(const Kernel &kernel, Index3 grid, int threads, int sharedBytes,
                   void *const *parameters, const Options &options = {});

namespace detail {
template <typename> struct Call;
template <typename... Parameters> struct Call<void (*)(Parameters...)> {
  static std::string launch(const Kernel &kernel, Index3 grid, int threads, int sharedBytes,
                            const Options &options, std::remove_cv_t<Parameters>... arguments) {
    void *const parameters[] = {static_cast<void *>(&arguments)..., nullptr};
    return emulation::launch(kernel, grid, threads, sharedBytes, parameters, options);
  }
};
} // namespace detail

/// The same for a kernel that is known by its function, with the arguments themselves:
/// launch<name>(grid, threads, sharedBytes, options, arguments...).
template <auto kernel, typename... Arguments>
std::string launch(Index3 grid, int threads, int sharedBytes, const Options &options,
                   Arguments... arguments) {
  static constexpr Kernel kKernel = detail::Description<kernel>::describe("");
  return detail::Call<decltype(kernel)>::launch(kKernel, grid, threads, sharedBytes, options,
                                                arguments...);
}

} // namespace sortie::emulation

#endif // SORTIE_TEST_EMULATION_LAUNCHER_H
