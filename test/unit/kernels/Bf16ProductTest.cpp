// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products in `bf16` arithmetic against sums in the order that the emulated mma has, bit for bit;
// against the CPU device, which has another order, within a tolerance; and each row by itself.

#include "test/unit/kernels/FloatWeights.h"

#include "codegen/kernels/floats/Bf16Product.h"

#include <cmath>
#include <cstring>

namespace sortie::kernels {
namespace {

using numerics::BFloat16;
using numerics::GluKind;
using numerics::Half;
using numerics::RowKind;
using Bytes = std::vector<uint8_t>;

constexpr uint32_t kAlphaBits = 0x3fd9db23; // 1.702
constexpr uint32_t kLimitBits = 0x40e00000; // 7

template <typename Weight, int K, int N>
void matmulKernel(const float *x, float *y, const Weight *w, const float *bias, int32_t rows) {
  bf16Matmul<Weight, K, N>(x, y, w, bias, rows);
}
template <typename Weight, int K, int N, int Slots>
void gatheredKernel(const float *x, const int32_t *tiles, const int32_t *permutation,
                    const float *scale, float *y, const Weight *w, const float *bias,
                    const float *expertScale) {
  bf16GroupedMatmul<Weight, K, N, Slots, true>(x, tiles, permutation, scale, y, w, bias,
                                               expertScale);
}
template <typename Weight, int K, int N, int Heads>
void headKernel(const float *x, float *y, const Weight *w, const float *bias, int32_t rows) {
  bf16HeadMatmul<Weight, K, N, Heads>(x, y, w, bias, rows);
}
template <typename Weight, int K, int N>
void sortedKernel(const float *x, const int32_t *tiles, float *y, const Weight *w) {
  bf16GroupedMatmul<Weight, K, N, 1, false>(x, tiles, nullptr, nullptr, y, w, nullptr);
}
template <typename Weight, int K, int N, int Slots, GluKind Kind, RowKind Output>
void gluKernel(const float *x, const int32_t *tiles, const int32_t *permutation, void *y,
               const Weight *gate, const Weight *up, const float *gateBias, const float *upBias,
               const float *gateScale, const float *upScale) {
  bf16GroupedGlu<Weight, K, N, Slots, true, Kind, kAlphaBits, kLimitBits, Output>(
      x, tiles, permutation, y, gate, up, gateBias, upBias, gateScale, upScale);
}
template <typename Weight, int K, int N, RowKind Output>
void denseGluKernel(const float *x, void *y, const Weight *gate, const Weight *up, int32_t rows) {
  bf16Glu<Weight, K, N, GluKind::Swiglu, 0, 0, Output>(x, y, gate, up, nullptr, nullptr, rows);
}

template <typename Weight> constexpr int sharedBytes(bool isQuantized = false) {
  return bf16SharedBytes(static_cast<int>(sizeof(Weight)), isQuantized);
}

float rounded(float x) { return numerics::widen(numerics::toBFloat16(x)); }

/// As the kernels add it up where mma adds its products in ascending order.
template <typename Weight> float referenceDot(const float *x, const Weight *w, int64_t k) {
  float total = 0.0f;
  for (int64_t first = 0; first < k; first += numerics::kChunk) {
    float sum = 0.0f;
    for (int64_t i = first; i < k && i < first + numerics::kChunk; ++i)
      sum += rounded(x[i]) * rounded(numerics::widen(w[i]));
    total += sum;
  }
  return total;
}

/// The product of row `row` of x with row `n` of an expert's matrix.
template <typename Weight>
float referenceDot(const FloatWeights<Weight> &weights, int64_t expert, int64_t n, const Floats &x,
                   int64_t row) {
  const auto &[format, experts, rows, k] = weights.shape;
  return referenceDot(x.data() + row * k, weights.raw.data() + (expert * rows + n) * k, k);
}

//===- y = x . w ---------------------------------------------------------===//

template <typename Weight, int K, int N>
Floats runMatmul(const Floats &x, const FloatWeights<Weight> &weights, const float *bias,
                 uint64_t seed) {
  const auto rows = static_cast<int32_t>(x.size() / K);
  Floats y(static_cast<size_t>(rows) * N, kUnwritten);
  run<matmulKernel<Weight, K, N>>(
      {static_cast<int>(bf16Blocks(N)), static_cast<int>(ceilDiv(rows, kTileRows))}, kBf16Threads,
      sharedBytes<Weight>(), seed, x.data(), y.data(), weights.raw.data(), bias, rows);
  return y;
}

template <typename Weight, int K, int N> void testMatmul(std::initializer_list<int32_t> rowCounts) {
  Random random(41);
  const FloatWeights<Weight> weights(1, N, K, random);
  const Floats bias = randomFloats(N, random);
  for (const int32_t rows : rowCounts) {
    SCOPED_TRACE(testing::Message() << rows << " x " << N << " x " << K);
    Floats x = randomFloats(int64_t{rows} * K, random);
    makeAwkward(x, 2000, random);
    Floats expected;
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t n = 0; n < N; ++n)
        expected.push_back(
            numerics::canonicalNan(referenceDot(weights, 0, n, x, r) +
                                   (rows % 2 != 0 ? bias[static_cast<size_t>(n)] : 0)));
    for (const uint64_t seed : kSeeds)
      ASSERT_EQ(
          bitsOf(runMatmul<Weight, K, N>(x, weights, rows % 2 != 0 ? bias.data() : nullptr, seed)),
          bitsOf(expected));
  }
}

TEST(Bf16Matmul, WholeStages) {
  testMatmul<BFloat16, 192, 128>({1, 2, 33});
  testMatmul<float, 64, 130>({7, 70});
  testMatmul<Half, 2048, 40>({8, 9});
}

TEST(Bf16Matmul, AwkwardShapes) {
  testMatmul<BFloat16, 33, 1>({1, 40});
  testMatmul<BFloat16, 1058, 17>({5, 16});
  testMatmul<BFloat16, 2884, 3>({3});
  testMatmul<Half, 100, 257>({31});
  testMatmul<float, 1, 130>({17});
  testMatmul<float, 1026, 9>({2, 25});
}

/// A row alone has the bits that it has among others, wherever it stands.
template <typename Weight, int K, int N> void testBatches(int32_t rows) {
  Random random(42);
  const FloatWeights<Weight> weights(1, N, K, random);
  const Floats x = randomFloats(int64_t{rows} * K, random);
  const Floats all = runMatmul<Weight, K, N>(x, weights, nullptr, 1);
  const auto part = [](const Floats &values, int32_t first, int32_t count, int columns) {
    return Floats(values.begin() + first * columns, values.begin() + (first + count) * columns);
  };
  for (const int32_t count : {1, 2, 9, 33})
    for (int32_t first = 0; first + count <= rows; first += 19)
      ASSERT_EQ(bitsOf(runMatmul<Weight, K, N>(part(x, first, count, K), weights, nullptr,
                                               static_cast<uint64_t>(first))),
                bitsOf(part(all, first, count, N)))
          << count << " rows from " << first;
}

TEST(Bf16Matmul, ARowDoesNotSeeItsBatch) {
  testBatches<BFloat16, 1120, 130>(77);
  testBatches<float, 97, 20>(66);
}

template <typename Weight>
Floats multiplyOnCpu(const FloatWeights<Weight> &weights, const Floats &x, int rows, int outputs) {
  Floats y(static_cast<size_t>(rows) * static_cast<size_t>(outputs));
  cpu::matmul({.weights = weights.matrix(),
               .inputKind = RowKind::F32,
               .input = x.data(),
               .rows = rows,
               .map = {},
               .output = y.data(),
               .isBf16 = true},
              referenceDevice());
  return y;
}

TEST(Bf16Matmul, IsCloseToTheCpu) {
  constexpr int kK = 2176;
  constexpr int kN = 70;
  constexpr int kRows = 11;
  Random random(43);
  const FloatWeights<Half> weights(1, kN, kK, random);
  const Floats x = randomFloats(kRows * kK, random);
  const Floats expected = multiplyOnCpu(weights, x, kRows, kN);
  const Floats actual = runMatmul<Half, kK, kN>(x, weights, nullptr, 1);
  // Sums of 2176 products of up to 2, of either sign: the rounding of each is up to 2^-24 of a sum.
  for (size_t i = 0; i < actual.size(); ++i)
    ASSERT_NEAR(actual[i], expected[i], 2e-4) << i;
}

/// Small integers, whose sums are exact in any order: the bits of the CPU.
TEST(Bf16Matmul, ExactSumsHaveTheBitsOfTheCpu) {
  constexpr int kK = 1090;
  constexpr int kN = 140;
  constexpr int kRows = 37;
  Random random(44);
  FloatWeights<float> weights(1, kN, kK, random);
  const auto integer = [&] { return static_cast<float>(static_cast<int>(random() % 17) - 8); };
  for (float &weight : weights.raw)
    weight = integer();
  cpu::packRows(weights.shape, numerics::Encoding::F32, 0, 0, kN,
                reinterpret_cast<const uint8_t *>(weights.raw.data()), weights.packed.data());
  Floats x(kRows * kK);
  for (float &value : x)
    value = integer();
  const Floats expected = multiplyOnCpu(weights, x, kRows, kN);
  EXPECT_EQ(bitsOf(runMatmul<float, kK, kN>(x, weights, nullptr, 1)), bitsOf(expected));
}

/// Sorted rows, gathered and scaled, with experts that have no, one, few and many rows.
template <typename Weight, int K, int N> void testGathered(const Ints &counts) {
  SCOPED_TRACE(K);
  constexpr int kSlots = 3;
  Random random(45);
  const auto experts = static_cast<int64_t>(counts.size());
  const FloatWeights<Weight> weights(experts, N, K, random);
  const Floats bias = randomFloats(experts * N, random);
  const SortedRows sorted(counts, 2, random);
  Floats x = randomFloats((sorted.slots + kSlots - 1) / kSlots * K, random);
  makeAwkward(x, 2000, random);
  const Floats scale = randomFloats(sorted.slots, random);
  const Floats expertScale = randomFloats(experts, random);
  Floats expected;
  for (size_t e = 0; e < counts.size(); ++e)
    for (int32_t r = sorted.offsets[e]; r < sorted.offsets[e + 1]; ++r)
      for (size_t n = 0; n < N; ++n) {
        const int32_t slot = sorted.permutation[static_cast<size_t>(r)];
        const float dot = referenceDot(weights, static_cast<int64_t>(e), static_cast<int64_t>(n), x,
                                       slot / kSlots);
        const float sum = expertScale[e] * dot + bias[e * N + n];
        expected.push_back(numerics::canonicalNan(scale[static_cast<size_t>(slot)] * sum));
      }
  for (const uint64_t seed : kSeeds) {
    Floats actual(expected.size(), kUnwritten);
    run<gatheredKernel<Weight, K, N, kSlots>>(
        {static_cast<int>(bf16Blocks(N)), sorted.tileCount()}, kBf16Threads, sharedBytes<Weight>(),
        seed, x.data(), sorted.tiles.data(), sorted.permutation.data(), scale.data(), actual.data(),
        weights.raw.data(), bias.data(), expertScale.data());
    ASSERT_EQ(bitsOf(actual), bitsOf(expected));
  }
}

TEST(Bf16GroupedMatmul, GathersAddsBiasAndScales) {
  testGathered<BFloat16, 352, 70>({0, 1, 5, 0, 12, 27, 64, 65, 0});
  testGathered<Half, 1056, 33>({3, 0, 0, 9, 18, 33});
  testGathered<float, 50, 136>({75});
}

TEST(Bf16GroupedMatmul, SortedRowsWithoutEpilogue) {
  constexpr int kK = 1408;
  constexpr int kN = 40;
  Random random(46);
  const FloatWeights<BFloat16> weights(4, kN, kK, random);
  const SortedRows sorted({2, 0, 1, 17}, 1, random);
  const Floats x = randomFloats(sorted.slots * kK, random);
  Floats expected;
  for (int64_t e = 0; e < 4; ++e)
    for (int32_t r = sorted.offsets[static_cast<size_t>(e)];
         r < sorted.offsets[static_cast<size_t>(e) + 1]; ++r)
      for (int64_t n = 0; n < kN; ++n)
        expected.push_back(referenceDot(weights, e, n, x, r));
  for (const uint64_t seed : kSeeds) {
    Floats actual(expected.size(), kUnwritten);
    run<sortedKernel<BFloat16, kK, kN>>({static_cast<int>(bf16Blocks(kN)), sorted.tileCount()},
                                        kBf16Threads, sharedBytes<BFloat16>(), seed, x.data(),
                                        sorted.tiles.data(), actual.data(), weights.raw.data());
    ASSERT_EQ(bitsOf(actual), bitsOf(expected));
  }
}

/// Each head of a token by the matrix of its own, for each number of tokens.
template <typename Weight, int K, int N, int Heads>
void testHeads(std::initializer_list<int32_t> tokenCounts) {
  Random random(49);
  const FloatWeights<Weight> weights(Heads, N, K, random);
  const Floats bias = randomFloats(Heads * N, random);
  for (const int32_t tokens : tokenCounts) {
    SCOPED_TRACE(testing::Message() << tokens << " x " << Heads << " x " << N << " x " << K);
    const Floats x = randomFloats(int64_t{tokens} * Heads * K, random);
    const bool isBiased = tokens % 2 != 0;
    Floats expected;
    for (int64_t row = 0; row < tokens * Heads; ++row)
      for (int64_t n = 0; n < N; ++n)
        expected.push_back(referenceDot(weights, row % Heads, n, x, row) +
                           (isBiased ? bias[static_cast<size_t>(row % Heads * N + n)] : 0.0f));
    for (const uint64_t seed : kSeeds) {
      Floats actual(expected.size(), kUnwritten);
      run<headKernel<Weight, K, N, Heads>>(
          {static_cast<int>(bf16Blocks(N)), static_cast<int>(ceilDiv(tokens, kTileRows)), Heads},
          kBf16Threads, sharedBytes<Weight>(), seed, x.data(), actual.data(), weights.raw.data(),
          isBiased ? bias.data() : nullptr, tokens * Heads);
      ASSERT_EQ(bitsOf(actual), bitsOf(expected));
    }
  }
}

TEST(Bf16HeadMatmul, EachHeadHasAMatrix) {
  testHeads<BFloat16, 128, 70, 3>({1, 6, 65});
  testHeads<Half, 512, 136, 2>({1, 33});
  testHeads<float, 1058, 17, 4>({2, 9});
}

//===- y = glu(x . gate, x . up) -----------------------------------------===//

constexpr bool isQuantized(RowKind kind) { return kind != RowKind::F32; }

/// Rows [count, n] of fp32 as the output has them.
Bytes outputRows(const Floats &values, int64_t n, RowKind kind) {
  const int64_t rows = static_cast<int64_t>(values.size()) / n;
  Bytes bytes(static_cast<size_t>(rows * numerics::actRowBytes(kind, n)), 0xa5);
  if (isQuantized(kind))
    cpu::quantize(values.data(), rows, n, kind, bytes.data(), referenceDevice());
  else
    std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

template <typename Weight, int K, int N, GluKind Kind, RowKind Output>
void testGlu(const Ints &counts) {
  SCOPED_TRACE(K);
  constexpr int kSlots = 4;
  Random random(47);
  const auto experts = static_cast<int64_t>(counts.size());
  const FloatWeights<Weight> gate(experts, N, K, random);
  const FloatWeights<Weight> up(experts, N, K, random);
  const Floats gateBias = randomFloats(experts * N, random);
  const Floats upBias = randomFloats(experts * N, random);
  const Floats gateScale = randomFloats(experts, random);
  const Floats upScale = randomFloats(experts, random);
  const SortedRows sorted(counts, 1, random);
  Floats x = randomFloats((sorted.slots + kSlots - 1) / kSlots * K, random);
  makeAwkward(x, 3000, random);
  Floats values;
  for (size_t e = 0; e < counts.size(); ++e)
    for (int32_t r = sorted.offsets[e]; r < sorted.offsets[e + 1]; ++r)
      for (size_t n = 0; n < N; ++n) {
        const int64_t row = sorted.permutation[static_cast<size_t>(r)] / kSlots;
        const auto product = [&](const FloatWeights<Weight> &w, const Floats &expertScale,
                                 const Floats &bias) {
          const float dot =
              referenceDot(w, static_cast<int64_t>(e), static_cast<int64_t>(n), x, row);
          return expertScale[e] * dot + bias[e * N + n];
        };
        values.push_back(numerics::canonicalNan(applyGlu<Kind, kAlphaBits, kLimitBits>(
            product(gate, gateScale, gateBias), product(up, upScale, upBias))));
      }
  const Bytes expected = outputRows(values, N, Output);
  for (const uint64_t seed : kSeeds) {
    Bytes actual(expected.size(), 0xa5);
    run<gluKernel<Weight, K, N, kSlots, Kind, Output>>(
        {static_cast<int>(bf16GluBlocks(N, isQuantized(Output))), sorted.tileCount()}, kBf16Threads,
        sharedBytes<Weight>(isQuantized(Output)), seed, x.data(), sorted.tiles.data(),
        sorted.permutation.data(), static_cast<void *>(actual.data()), gate.raw.data(),
        up.raw.data(), gateBias.data(), upBias.data(), gateScale.data(), upScale.data());
    ASSERT_EQ(actual, expected);
  }
}

TEST(Bf16GroupedGlu, ToFloats) {
  testGlu<BFloat16, 352, 70, GluKind::Swiglu, RowKind::F32>({1, 0, 6, 13, 30, 70});
  testGlu<Half, 1040, 33, GluKind::SwigluClamped, RowKind::F32>({0, 2, 1, 20});
  testGlu<float, 75, 64, GluKind::SwigluClamped, RowKind::F32>({3, 40});
}

TEST(Bf16GroupedGlu, ToQuantizedRows) {
  testGlu<BFloat16, 160, 224, GluKind::SwigluClamped, RowKind::Int16>({1, 0, 6, 40});
  testGlu<float, 33, 130, GluKind::Swiglu, RowKind::Int8>({12, 65});
}

template <typename Weight, int K, int N, RowKind Output> void testDenseGlu(int32_t rows) {
  SCOPED_TRACE(rows);
  Random random(48);
  const FloatWeights<Weight> gate(1, N, K, random);
  const FloatWeights<Weight> up(1, N, K, random);
  const Floats x = randomFloats(int64_t{rows} * K, random);
  Floats values;
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t n = 0; n < N; ++n)
      values.push_back(
          numerics::swiglu(referenceDot(gate, 0, n, x, r), referenceDot(up, 0, n, x, r)));
  const Bytes expected = outputRows(values, N, Output);
  for (const uint64_t seed : kSeeds) {
    Bytes actual(expected.size(), 0xa5);
    run<denseGluKernel<Weight, K, N, Output>>(
        {static_cast<int>(bf16GluBlocks(N, isQuantized(Output))),
         static_cast<int>(ceilDiv(rows, kTileRows))},
        kBf16Threads, sharedBytes<Weight>(isQuantized(Output)), seed, x.data(),
        static_cast<void *>(actual.data()), gate.raw.data(), up.raw.data(), rows);
    ASSERT_EQ(actual, expected);
  }
}

TEST(Bf16Glu, RowsOfOneMatrix) {
  testDenseGlu<BFloat16, 64, 24, RowKind::F32>(1);
  testDenseGlu<BFloat16, 64, 90, RowKind::F32>(75);
  testDenseGlu<Half, 96, 96, RowKind::Int16>(9);
}

} // namespace
} // namespace sortie::kernels
