// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What tests of kernels share: emulated launches, awkward inputs, comparison by bits. The kernels
// under test are plain function templates that call those of codegen/kernels.

#ifndef SORTIE_TEST_UNIT_KERNELS_KERNELTEST_H
#define SORTIE_TEST_UNIT_KERNELS_KERNELTEST_H

#include "test/emulation/Launcher.h"
#include "test/unit/cpu/OperationCalls.h"

#include "runtime/numerics/status.h"

#include "gtest/gtest.h"

#include <cstdint>
#include <random>
#include <vector>

namespace sortie::kernels {

using Random = std::mt19937_64;
using Floats = std::vector<float>;
using Ints = std::vector<int32_t>;

/// The schedules that each kernel runs under: a race would show as a difference.
inline constexpr uint64_t kSeeds[] = {1, 2};

/// What buffers hold before a kernel writes them.
inline constexpr float kUnwritten = 12345.5f;
inline constexpr int32_t kUnwrittenInt = -77;

/// Values from -1 to 1.
Floats randomFloats(int64_t count, Random &random);

/// Random bits: every magnitude, subnormals, infinities, NaNs of any payload.
Floats anyFloats(int64_t count, Random &random);

/// A few of `values` become zeros, infinities, NaNs, huge and tiny numbers: one of each `rarity`.
void makeAwkward(Floats &values, uint64_t rarity, Random &random);

/// Bits tell -0.0 from 0.0 and NaNs from each other.
std::vector<uint32_t> bitsOf(const Floats &values);

/// What kernels write where nothing is wrong, and what the CPU device found.
Ints statusOf(const std::optional<cpu::BadIndex> &bad);

/// The CPU device's portable kernels on the calling thread.
cpu::Device referenceDevice();

/// Runs a kernel. A grid without blocks is not launched, as in the runtime.
template <auto kernel, typename... Arguments>
void run(emulation::Index3 grid, int threads, int sharedBytes, uint64_t seed,
         Arguments... arguments) {
  if (grid.x == 0 || grid.y == 0)
    return;
  emulation::Options options;
  options.seed = seed;
  ASSERT_EQ(emulation::launch<kernel>(grid, threads, sharedBytes, options, arguments...), "");
}

} // namespace sortie::kernels

#endif // SORTIE_TEST_UNIT_KERNELS_KERNELTEST_H
