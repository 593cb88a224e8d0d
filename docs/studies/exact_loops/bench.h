// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs one loop: compares every bit that it writes with the contract, then prints its rate.
#pragma once
#include "check.h"
#include "problem.h"

/// Number of loops whose bits were wrong, over all of the program.
inline int wrongLoops = 0;

template <Shape S> void bench(const Format &f, const char *how) {
  constexpr int block = S.blockSteps * 32, blocks = 524288 / block; // a multiple of every chunk
  constexpr bool int16 = S.activationLimbs() == 2;
  constexpr Layout layout = layoutOf(S);
  static_assert(layout.bytes <= 227 * 1024, "more shared memory than a block can have");
  const int ctas = multiprocessors();
  const Problem problem = makeProblem(f, S.columns, int16, block, 20261124);
  const DeviceBuffer<uint4> image(makeImage(S, f, problem));
  DeviceBuffer<float> out(size_t(ctas) * S.warpgroups * tileRows * S.columns);
  auto *kernel = exactLoop<S>;
  check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, layout.bytes),
        "shared memory");
  cudaFuncAttributes attributes;
  check(cudaFuncGetAttributes(&attributes, kernel), "cudaFuncGetAttributes");
  const Timing time = timeLaunches(
      7, [&] { kernel<<<ctas, S.threads(), layout.bytes>>>(image.get(), out.get(), blocks); });

  const std::vector<float> expected =
      reference(f, problem, int16, S.columns, blocks, S.chunkBlocks);
  const std::vector<float> actual = out.read();
  size_t wrong = 0;
  for (size_t at = 0; at < actual.size(); ++at) {
    const int thread = at % groupThreads, i = at / groupThreads % (S.columns / 2);
    const int row = thread / 32 * 16 + thread % 32 / 4 + (i & 2 ? 8 : 0);
    const int column = i / 4 * 8 + thread % 4 * 2 + (i & 1);
    wrong += std::memcmp(&actual[at], &expected[row * S.columns + column], 4) != 0;
  }
  wrongLoops += wrong != 0;
  const double operations =
      2.0 * tileRows * S.columns * block * blocks * S.warpgroups * double(ctas);
  char chunk[16];
  std::snprintf(chunk, sizeof chunk, "%d", S.chunkBlocks * block);
  std::printf(
      "%-8s %-6s %-34s %d x %-3d %-5s %-6s regs %3d spill %3zu  %7.1f TOP/s (%5.1f .. %5.1f) "
      "%s",
      f.name, int16 ? "int16" : "int8", how, S.warpgroups, S.columns,
      S.chunkBlocks ? chunk : "none",
      S.chunkBlocks == 0             ? "-"
      : S.total == TotalHome::Shared ? "shared"
                                     : "regs",
      attributes.numRegs, attributes.localSizeBytes, operations / time.median * 1e-9,
      operations / time.most * 1e-9, operations / time.least * 1e-9,
      wrong ? "WRONG BITS" : "bits equal\n");
  if (wrong)
    std::printf(" %zu of %zu\n", wrong, actual.size());
  std::fflush(stdout);
}

// The format classes, with the ranges of every bit pattern of a file.
constexpr Format q4_0{"Q4_0", -8, 7};
constexpr Format q4_1{.name = "Q4_1", .lowest = 0, .highest = 15, .floatMin = true};
constexpr Format q8_0{"Q8_0", -128, 127};
constexpr Format q4_K{"Q4_K", 0, 15, 32, 0, 63, 63};
constexpr Format q4_Kplain{"Q4_K-min", 0, 15, 32, 0, 63};
constexpr Format q5_K{"Q5_K", 0, 31, 32, 0, 63, 63};
constexpr Format iq4_XS{"IQ4_XS", -127, 113, 32, -32, 31};
constexpr Format q2_K{"Q2_K", 0, 3, 16, 0, 15, 15};
constexpr Format q3_K{.name = "Q3_K",
                      .lowest = -4,
                      .highest = 3,
                      .subBlock = 16,
                      .lowestSub = -32,
                      .highestSub = 31,
                      .negate = true};
constexpr Format q6_K{"Q6_K", -32, 31, 16, -128, 127};

void groupLoops();    ///< 32-element groups with a float scale.
void multiplyLoops(); ///< Integer sub-scales by multiply-add.
void foldedLoops();   ///< Integer sub-scales folded into the weights.
void chunkLoops();    ///< Chunk lengths and the total's home.
void blockLoops();    ///< Activation blocks of 256, which the contract does not have.
void rawLoops();      ///< The tensor cores alone.
