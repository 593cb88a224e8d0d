// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products in `float` arithmetic against the CPU device.

#include "test/unit/kernels/FloatWeights.h"

#include "codegen/kernels/floats/FloatProduct.h"

namespace sortie::kernels {
namespace {

using numerics::BFloat16;
using numerics::Half;
using numerics::RowKind;

template <typename Weight, int K, int N>
void matmulKernel(const float *x, float *y, const Weight *w, const float *bias, int32_t rows) {
  floatMatmul<Weight, K, N>(x, y, w, bias, rows);
}
template <typename Weight, int K, int N, int Slots>
void gatheredKernel(const float *x, const int32_t *tiles, const int32_t *permutation,
                    const float *scale, float *y, const Weight *w, const float *bias,
                    const float *expertScale) {
  floatGroupedMatmul<Weight, K, N, Slots, true>(x, tiles, permutation, scale, y, w, bias,
                                                expertScale);
}
template <typename Weight, int K, int N, int Heads>
void headKernel(const float *x, float *y, const Weight *w, const float *bias, int32_t rows) {
  floatHeadMatmul<Weight, K, N, Heads>(x, y, w, bias, rows);
}
template <typename Weight, int K, int N>
void sortedKernel(const float *x, const int32_t *tiles, float *y, const Weight *w) {
  floatGroupedMatmul<Weight, K, N, 1, false>(x, tiles, nullptr, nullptr, y, w, nullptr);
}

Floats activations(int64_t count, Random &random) {
  Floats x = randomFloats(count, random);
  makeAwkward(x, 2000, random);
  return x;
}

/// The grid of a dense product of `rows` rows.
emulation::Index3 gridOf(const FloatDense &dense, int64_t columns, int64_t rows) {
  const int64_t blocks = ceilDiv(rows, dense.rows);
  return {static_cast<int>(ceilDiv(columns, dense.columns)),
          static_cast<int>(dense.maxBlocks == 0 ? blocks : lesser(blocks, dense.maxBlocks))};
}

/// Dense products of each number of rows in `rowCounts`.
template <typename Weight, int K, int N> void testMatmul(std::initializer_list<int32_t> rowCounts) {
  constexpr FloatDense kDense = floatDense(K, N);
  Random random(28);
  const FloatWeights<Weight> weights(1, N, K, random);
  const Floats bias = randomFloats(N, random);
  for (const int32_t rows : rowCounts) {
    SCOPED_TRACE(testing::Message() << rows << " x " << N << " x " << K);
    const Floats x = activations(int64_t{rows} * K, random);
    for (const float *biasOrNull : {bias.data(), static_cast<const float *>(nullptr)}) {
      Floats expected(static_cast<size_t>(rows) * N);
      cpu::MatmulOp op{weights.matrix(), RowKind::F32, x.data(), rows,   {},
                       nullptr,          nullptr,      nullptr,  nullptr};
      op.bias = biasOrNull;
      op.output = expected.data();
      cpu::matmul(op, referenceDevice());
      Floats actual(expected.size(), kUnwritten);
      run<matmulKernel<Weight, K, N>>(gridOf(kDense, N, rows), kFloatThreads,
                                      floatSharedBytes(false),
                                      kSeeds[biasOrNull != nullptr ? 0 : 1], x.data(),
                                      actual.data(), weights.raw.data(), biasOrNull, rows);
      ASSERT_EQ(bitsOf(actual), bitsOf(expected));
    }
  }
}

TEST(FloatMatmul, FewRowsOfANarrowProduct) {
  testMatmul<float, 2048, 40>({1, 2, 7});
  testMatmul<float, 1024, 256>({1, 9, 32});
  testMatmul<BFloat16, 2880, 33>({1, 6});
  testMatmul<Half, 33, 130>({1, 5});
  testMatmul<float, 5152, 64>({4, 5, 20});
}

TEST(FloatMatmul, VeryNarrowProducts) {
  testMatmul<float, 1408, 1>({1, 40});
  testMatmul<float, 352, 8>({3, 150});
}

TEST(FloatMatmul, ManyRowsOfANarrowProduct) {
  testMatmul<float, 48, 160>({52, 300, 500, 1000});
  testMatmul<float, 1040, 1000>({20});
  testMatmul<Half, 352, 1000>({100});
  testMatmul<BFloat16, 33, 1000>({260});
}

TEST(FloatMatmul, WideProduct) {
  testMatmul<float, 352, 1030>({1, 70});
  testMatmul<BFloat16, 80, 1056>({5, 30});
}

/// Products too small for a float: every partial is -0.0, and what pads a row must leave it so.
template <int K, int N> void testNegativeZeros(int32_t rows) {
  constexpr FloatDense kDense = floatDense(K, N);
  const Floats x(static_cast<size_t>(rows) * K, 1e-30f);
  const std::vector<float> w(static_cast<size_t>(N) * K, -1e-30f);
  Floats actual(static_cast<size_t>(rows) * N, kUnwritten);
  run<matmulKernel<float, K, N>>(gridOf(kDense, N, rows), kFloatThreads, floatSharedBytes(false),
                                 kSeeds[0], x.data(), actual.data(), w.data(),
                                 static_cast<const float *>(nullptr), rows);
  EXPECT_EQ(bitsOf(actual), bitsOf(Floats(actual.size(), -0.0f)));
}

TEST(FloatMatmul, KeepsNegativeZeros) {
  testNegativeZeros<33, 40>(3);
  testNegativeZeros<1060, 1030>(9);
}

/// Sorted rows, gathered and scaled, with experts that have no, one, few and many rows.
template <typename Weight, int K, int N> void testGathered(const Ints &counts) {
  SCOPED_TRACE(K);
  constexpr int kSlots = 3;
  Random random(29);
  const auto experts = static_cast<int64_t>(counts.size());
  const FloatWeights<Weight> weights(experts, N, K, random);
  const Floats bias = randomFloats(experts * N, random);
  const SortedRows sorted(counts, 2, random);
  const Floats x = activations((sorted.slots + kSlots - 1) / kSlots * K, random);
  const Floats scale = randomFloats(sorted.slots, random);
  const Floats expertScale = randomFloats(experts, random);
  Floats expected(static_cast<size_t>(sorted.slots) * N);
  cpu::MatmulOp op{weights.matrix(), RowKind::F32, x.data(), sorted.slots, {},
                   nullptr,          nullptr,      nullptr,  nullptr};
  op.map = {sorted.offsets.data(), sorted.permutation.data(), kSlots, true};
  op.expertScale = expertScale.data();
  op.bias = bias.data();
  op.scale = scale.data();
  op.output = expected.data();
  cpu::matmul(op, referenceDevice());
  for (const uint64_t seed : kSeeds) {
    Floats actual(expected.size(), kUnwritten);
    run<gatheredKernel<Weight, K, N, kSlots>>(
        {static_cast<int>(ceilDiv(N, kFloatColumns)), sorted.tileCount()}, kFloatThreads,
        floatSharedBytes(false), seed, x.data(), sorted.tiles.data(), sorted.permutation.data(),
        scale.data(), actual.data(), weights.raw.data(), bias.data(), expertScale.data());
    ASSERT_EQ(bitsOf(actual), bitsOf(expected));
  }
}

TEST(FloatGroupedMatmul, GathersAddsBiasAndScales) {
  testGathered<float, 352, 70>({0, 1, 5, 0, 12, 27, 64, 65, 0});
  testGathered<Half, 1056, 33>({3, 0, 0, 9, 18, 33});
  testGathered<BFloat16, 50, 96>({150});
}

TEST(FloatGroupedMatmul, SortedRowsWithoutEpilogue) {
  constexpr int kK = 1408;
  constexpr int kN = 40;
  Random random(30);
  const FloatWeights<float> weights(4, kN, kK, random);
  const SortedRows sorted({2, 0, 1, 17}, 1, random);
  const Floats x = activations(sorted.slots * kK, random);
  Floats expected(static_cast<size_t>(sorted.slots) * kN);
  cpu::MatmulOp op{weights.matrix(), RowKind::F32, x.data(), sorted.slots, {},
                   nullptr,          nullptr,      nullptr,  nullptr};
  op.map.offsets = sorted.offsets.data();
  op.output = expected.data();
  cpu::matmul(op, referenceDevice());
  for (const uint64_t seed : kSeeds) {
    Floats actual(expected.size(), kUnwritten);
    run<sortedKernel<float, kK, kN>>(
        {static_cast<int>(ceilDiv(kN, kFloatColumns)), sorted.tileCount()}, kFloatThreads,
        floatSharedBytes(false), seed, x.data(), sorted.tiles.data(), actual.data(),
        weights.raw.data());
    ASSERT_EQ(bitsOf(actual), bitsOf(expected));
  }
}

/// Each head of a token by the matrix of its own, for each number of tokens, without and with a
/// bias.
template <typename Weight, int K, int N, int Heads>
void testHeads(std::initializer_list<int32_t> tokenCounts) {
  Random random(31);
  const FloatWeights<Weight> weights(Heads, N, K, random);
  const Floats bias = randomFloats(Heads * N, random);
  for (const int32_t tokens : tokenCounts) {
    SCOPED_TRACE(testing::Message() << tokens << " x " << Heads << " x " << N << " x " << K);
    const Floats x = activations(int64_t{tokens} * Heads * K, random);
    for (const float *biasOrNull : {bias.data(), static_cast<const float *>(nullptr)}) {
      Floats expected(static_cast<size_t>(tokens) * Heads * N);
      cpu::matmul({.weights = weights.matrix(),
                   .inputKind = RowKind::F32,
                   .input = x.data(),
                   .rows = tokens,
                   .map = {.heads = Heads},
                   .bias = biasOrNull,
                   .output = expected.data()},
                  referenceDevice());
      Floats actual(expected.size(), kUnwritten);
      run<headKernel<Weight, K, N, Heads>>(
          {static_cast<int>(ceilDiv(N, kFloatColumns)),
           static_cast<int>(ceilDiv(tokens, kTileRows)), Heads},
          kFloatThreads, floatSharedBytes(false), kSeeds[biasOrNull != nullptr ? 0 : 1], x.data(),
          actual.data(), weights.raw.data(), biasOrNull, tokens * Heads);
      ASSERT_EQ(bitsOf(actual), bitsOf(expected));
    }
  }
}

TEST(FloatHeadMatmul, EachHeadHasAMatrix) {
  testHeads<float, 128, 70, 3>({1, 5, 12, 64, 65});
  testHeads<Half, 512, 32, 2>({1, 9, 33});
  testHeads<BFloat16, 1056, 40, 4>({2, 27, 130});
  testHeads<float, 33, 130, 5>({1, 8});
}

} // namespace
} // namespace sortie::kernels
