// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What exact products read before they have waited for the launch before theirs: weights and the
// tile map, and nothing that this launch may be writing still.

#include "test/unit/kernels/ExactKernels.h"

#include <cstring>

namespace sortie::kernels {
namespace {

/// What the launch before writes, just before it is complete.
struct LateInput {
  char *at = nullptr;
  Bytes bytes;
} late;

template <typename Spec> void earlyKernel(ExactOperands operands) {
  exactProduct<Spec>(operands, [] { std::memcpy(late.at, late.bytes.data(), late.bytes.size()); });
}

/// Of one thread block, since no other could wait for it.
template <typename Spec> void checkBegin(int32_t rows) {
  Random random(43);
  ExactProblem problem(specOf<Spec>(), {.rowsOfExpert = {rows}}, random);
  problem.tiles.resize(1); // others would have blocks that begin earlier
  const Bytes expected = problem.expected();
  late.at = reinterpret_cast<char *>(problem.input.data());
  late.bytes =
      Bytes(problem.input.data(),
            problem.input.data() + rows * numerics::actRowBytes(Spec::kInput, Spec::kColumns));
  for (const uint64_t seed : kSeeds) {
    std::memset(late.at, 0x55, late.bytes.size());
    EXPECT_EQ(firstDifference(multiplyOnDevice<Spec, earlyKernel<Spec>>(problem, seed), expected),
              -1)
        << rows << " rows, byte, seed " << seed;
  }
  std::memset(late.at, 0x55, late.bytes.size());
  EXPECT_NE(multiplyOnDevice<Spec>(problem, kSeeds[0]), expected) << "nobody wrote the input";
}

TEST(ExactBegin, WaitsBeforeItReadsItsInput) {
  using Plain = PlainSpec<Format::Q4_K, RowKind::Int16, 40, 1280>;
  checkBegin<Plain>(3);
  checkBegin<Plain>(25);
  checkBegin<Gated<PlainSpec<Format::Q4_0, RowKind::Int8, 40, 352>, RowKind::Int16>>(9);
  checkBegin<Sliced<PlainSpec<Format::Q4_K, RowKind::Int16, 40, 4096>, 4>>(3);
  checkBegin<For<PlainSpec<Format::Q4_K, RowKind::Int16, 40, 1280>, kSm86>>(40); // several passes
}

} // namespace
} // namespace sortie::kernels
