// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Norms, rotation and slices of heads, against the CPU device.

#include "test/unit/kernels/KernelTest.h"

#include "codegen/kernels/rows/Heads.h"
#include "codegen/kernels/rows/Norm.h"

namespace sortie::kernels {
namespace {

using numerics::PairOrder;

constexpr uint32_t kEpsilonBits = 0x358637bd; // 1e-6

/// Thread blocks of a row: as it has them by itself, where others share its launch, and more than
/// there are heads.
std::vector<int> blocksOf(int64_t heads, int64_t head) {
  return {static_cast<int>(headBlocks(heads, head)), 1, static_cast<int>(heads) + 2};
}

template <int Heads, int Head> void normKernel(const float *x, float *y, const float *weight) {
  headNormRows<Heads, Head, kEpsilonBits>(x, y, weight);
}

template <int Heads, int Head> void testNorm(int64_t rows) {
  SCOPED_TRACE(testing::Message() << Heads << " x " << Head);
  Random random(61);
  const int64_t count = rows * Heads * Head;
  Floats x = randomFloats(count, random);
  makeAwkward(x, 300, random);
  const Floats weight = randomFloats(Head, random);
  Floats expected(x.size());
  cpu::runOperation(
      "head_norm",
      {.reads = {cpu::rowsOf(x.data(), rows, Heads * Head)},
       .writes = {cpu::rowsOf(expected.data(), rows, Heads * Head)},
       .vectors = {weight.data()},
       .parameters = {{.integer = Heads}, {.number = numerics::floatOf(kEpsilonBits)}}},
      referenceDevice());
  for (const int blocks : blocksOf(Heads, Head))
    for (const uint64_t seed : kSeeds) {
      Floats actual(x.size(), kUnwritten);
      run<normKernel<Heads, Head>>({static_cast<int>(rows), blocks}, kHeadThreads, 0, seed,
                                   x.data(), actual.data(), weight.data());
      EXPECT_EQ(bitsOf(actual), bitsOf(expected));
    }
}

TEST(Heads, Norm) {
  testNorm<1, 1>(3);
  testNorm<3, 72>(5);
  testNorm<33, 128>(2); // the last half warp has no head
  testNorm<2, 1024>(2);
  testNorm<4, 50>(0);
}

/// Frequencies of five pairs.
constexpr numerics::uint64_t kFrequencies[] = {0x9e3779b97f4a7c15u, 0x123456789abu, 12345, 0,
                                               0xfffffffffffffff9u};
struct Frequencies {
  SORTIE_DEVICE numerics::uint64_t at(int pair) { return kFrequencies[pair]; }
};

template <int Heads, int Head, PairOrder Order, uint32_t FactorBits>
void rotateKernel(const float *x, const int32_t *positions, float *y) {
  rotateRows<Frequencies, Heads, Head, 5, Order, FactorBits>(x, positions, y);
}

template <int Heads, int Head, PairOrder Order, uint32_t FactorBits> void testRotate() {
  SCOPED_TRACE(testing::Message() << Heads << " x " << Head);
  Random random(62);
  const Ints positions = {0, 1, 2, 4095, 1 << 30, -3};
  const auto rows = static_cast<int64_t>(positions.size());
  Floats x = randomFloats(rows * Heads * Head, random);
  makeAwkward(x, 40, random);
  std::vector<int64_t> frequencies;
  for (const numerics::uint64_t frequency : kFrequencies)
    frequencies.push_back(static_cast<int64_t>(frequency));
  Floats expected(x.size());
  cpu::Operands operands = {
      .reads = {cpu::rowsOf(x.data(), rows, Heads * Head), cpu::rowsOf(positions.data(), 1, rows)},
      .writes = {cpu::rowsOf(expected.data(), rows, Heads * Head)},
      .parameters = {{.integer = Heads},
                     {.integer = static_cast<int64_t>(Order)},
                     {.number = numerics::floatOf(FactorBits)}}};
  operands.numbers = frequencies.data();
  operands.numberCount = static_cast<int64_t>(frequencies.size());
  cpu::runOperation("rotate", operands, referenceDevice());
  for (const int blocks : blocksOf(Heads, Head))
    for (const uint64_t seed : kSeeds) {
      Floats actual(x.size(), kUnwritten);
      run<rotateKernel<Heads, Head, Order, FactorBits>>({static_cast<int>(rows), blocks},
                                                        kHeadThreads, 0, seed, x.data(),
                                                        positions.data(), actual.data());
      EXPECT_EQ(bitsOf(actual), bitsOf(expected));
    }
}

TEST(Heads, Rotate) {
  constexpr uint32_t kOne = 0x3f800000, kFactor = 0x3f9a9dec;
  testRotate<3, 20, PairOrder::Halves, kOne>();
  testRotate<3, 20, PairOrder::Neighbours, kFactor>();
  testRotate<60, 10, PairOrder::Neighbours, kOne>();
  testRotate<1, 10, PairOrder::Halves, kFactor>();
}

template <int Heads, int Head, int First, int Kept> void sliceKernel(const float *x, float *y) {
  sliceHeads<Heads, Head, First, Kept>(x, y);
}

template <int Heads, int Head, int First, int Kept> void testSlice() {
  SCOPED_TRACE(testing::Message() << Heads << " x " << Head);
  Random random(63);
  constexpr int64_t kRows = 3;
  const Floats x = anyFloats(kRows * Heads * Head, random);
  Floats expected(kRows * Heads * Kept);
  cpu::runOperation("slice_heads",
                    {.reads = {cpu::rowsOf(x.data(), kRows, Heads * Head)},
                     .writes = {cpu::rowsOf(expected.data(), kRows, Heads * Kept)},
                     .parameters = {{.integer = Heads}, {.integer = First}}},
                    referenceDevice());
  for (const int blocks : blocksOf(Heads, Kept))
    for (const uint64_t seed : kSeeds) {
      Floats actual(expected.size(), kUnwritten);
      run<sliceKernel<Heads, Head, First, Kept>>({kRows, blocks}, kHeadThreads, 0, seed, x.data(),
                                                 actual.data());
      EXPECT_EQ(bitsOf(actual), bitsOf(expected));
    }
}

TEST(Heads, Slice) {
  testSlice<1, 1, 0, 1>();
  testSlice<3, 24, 16, 8>();
  testSlice<20, 192, 0, 128>();
}

} // namespace
} // namespace sortie::kernels
