// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What exact products read before they have waited for the launch before theirs: weights and the
// tile map, and nothing that this launch may be writing still.

#include "test/unit/kernels/ExactKernels.h"

#include <algorithm>
#include <cstring>

namespace sortie::kernels {
namespace {

/// A buffer that the launch before writes, just before it is complete.
struct LateBuffer {
  void *at;
  Bytes bytes;

  LateBuffer(void *at, size_t size)
      : at(at), bytes(static_cast<uint8_t *>(at), static_cast<uint8_t *>(at) + size) {}
  void spoil() const { std::memset(at, 0x55, bytes.size()); }
  void write() const { std::memcpy(at, bytes.data(), bytes.size()); }
};
std::vector<LateBuffer> late;
int begun; ///< threads that called `begin`

template <typename Spec> void earlyKernel(ExactOperands operands) {
  exactProduct<Spec>(operands, [] {
    ++begun;
    for (const LateBuffer &buffer : late)
      buffer.write();
  });
}

/// Tokens that the problem's rows come from.
template <typename Spec> size_t inputRows(const ExactProblem &problem) {
  if (Spec::kSlots == 0)
    return problem.permutation.size();
  const int32_t last = *std::max_element(problem.permutation.begin(), problem.permutation.end());
  return static_cast<size_t>(last / Spec::kSlots + 1);
}

/// Of one thread block, since no other could wait for it.
template <typename Spec> void checkBegin(int32_t rows) {
  Random random(43);
  ExactProblem problem(specOf<Spec>(), {.rowsOfExpert = {rows}}, random);
  problem.tiles.resize(1); // others would have blocks that begin earlier
  const Bytes expected = problem.expected();
  const int64_t rowBytes = numerics::actRowBytes(Spec::kInput, Spec::kK);
  late = {{problem.input.data(), inputRows<Spec>(problem) * static_cast<size_t>(rowBytes)}};
  if (Spec::kSlots != 0 || Spec::kHasScale)
    late.push_back({problem.permutation.data(), problem.permutation.size() * sizeof(int32_t)});
  if (Spec::kHasScale)
    late.push_back({problem.scale.data(), problem.scale.size() * sizeof(float)});
  for (const uint64_t seed : kSeeds) {
    for (const LateBuffer &buffer : late)
      buffer.spoil();
    begun = 0;
    EXPECT_EQ(firstDifference(multiplyOnDevice<Spec, earlyKernel<Spec>>(problem, seed), expected),
              -1)
        << rows << " rows, byte, seed " << seed;
    EXPECT_EQ(begun, kExactThreads);
  }
  late.front().spoil();
  EXPECT_NE(multiplyOnDevice<Spec>(problem, kSeeds[0]), expected) << "nobody wrote the input";
}

TEST(ExactBegin, WaitsBeforeItReadsItsInput) {
  using Plain = PlainSpec<Encoding::Q4_K, RowKind::Int16, 40, 1280>;
  checkBegin<Plain>(3);
  checkBegin<Plain>(25);
  checkBegin<Gated<PlainSpec<Encoding::Q4_0, RowKind::Int8, 40, 352>, RowKind::Int16>>(9);
  checkBegin<Sliced<PlainSpec<Encoding::Q4_K, RowKind::Int16, 40, 4096>, 4>>(3);
  checkBegin<OfHeads<Plain, 1>>(3);
  checkBegin<Scaled<Gathered<Plain, 2>>>(4);
  checkBegin<Scaled<Gathered<Plain, 2>>>(20);
  checkBegin<For<PlainSpec<Encoding::Q4_K, RowKind::Int16, 40, 1280>, kSm86>>(40); // several passes
}

/// Blocks without a tile begin, too, or this launch might end before the one before it does. Those
/// beside the first of a tile that is not cut have nothing to do, and need not.
TEST(ExactBegin, BlocksWithoutWork) {
  using Spec = Sliced<PlainSpec<Encoding::Q4_0, RowKind::Int16, 8, 4096>, 4>;
  Random random(44);
  ExactProblem problem(specOf<Spec>(), {.rowsOfExpert = {9}}, random);
  late.clear();
  begun = 0;
  multiplyOnDevice<Spec, earlyKernel<Spec>>(problem, kSeeds[0]);
  EXPECT_EQ(begun, static_cast<int>(problem.tiles.size()) * kExactThreads);
}

} // namespace
} // namespace sortie::kernels
