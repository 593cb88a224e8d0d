// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sums, activations, moves of rows, combine and norm against the CPU device.

#include "test/unit/kernels/KernelTest.h"

#include "codegen/kernels/rows/Combine.h"
#include "codegen/kernels/rows/Convert.h"
#include "codegen/kernels/rows/Elementwise.h"
#include "codegen/kernels/rows/Norm.h"
#include "codegen/kernels/rows/RoundBf16.h"

namespace sortie::kernels {
namespace {

constexpr numerics::GluKind kSwiglu = numerics::GluKind::Swiglu;
constexpr numerics::GluKind kClamped = numerics::GluKind::SwigluClamped;
constexpr uint32_t kAlphaBits = 0x3fd9db23;   // 1.702
constexpr uint32_t kLimitBits = 0x40e00000;   // 7
constexpr uint32_t kEpsilonBits = 0x358637bd; // 1e-6

template <int Columns> void addKernel(const float *a, const float *b, float *y) {
  addRows<Columns>(a, b, y);
}
template <int Columns, numerics::GluKind Kind>
void gluKernel(const float *gate, const float *up, float *y) {
  gluRows<Columns, Kind, kAlphaBits, kLimitBits>(gate, up, y);
}
template <int Columns, int Slots>
void gatherKernel(const float *x, const int32_t *permutation, float *y) {
  gatherRows<Columns, Slots>(x, permutation, y);
}
template <int Columns> void unsortKernel(const float *x, const int32_t *inverse, float *y) {
  unsortRows<Columns>(x, inverse, y);
}
template <int Columns, int Slots>
void combineKernel(const float *rows, const int32_t *inverse, const float *weights, float *y) {
  combineRows<Columns, Slots>(rows, inverse, weights, y);
}
template <int Columns, int Slots> void combinePlainKernel(const float *rows, float *y) {
  combineRows<Columns, Slots>(rows, nullptr, nullptr, y);
}
template <typename Value, int Columns> void roundKernel(const Value *x, numerics::BFloat16 *y) {
  roundRows<Value, Columns>(x, y);
}
template <int Columns> void scaleKernel(const float *x, float *y) {
  scaleRows<Columns, kAlphaBits>(x, y);
}
template <int K> void normKernel(const float *x, float *y, const float *weight) {
  rmsNormRows<K, kEpsilonBits>(x, y, weight);
}

emulation::Index3 rowGrid(int64_t rows, int64_t columns) {
  return {static_cast<int>(rows), static_cast<int>(rowBlocks(columns))};
}

template <int Columns> void testAddAndGlu(int64_t rows) {
  SCOPED_TRACE(Columns);
  Random random(21);
  const int64_t count = rows * Columns;
  Floats a = randomFloats(count, random);
  makeAwkward(a, 9, random);
  const Floats b = anyFloats(count, random);
  Floats sum(a.size());
  Floats swiglu(a.size());
  Floats clamped(a.size());
  cpu::add(a.data(), b.data(), count, sum.data(), referenceDevice());
  cpu::glu(a.data(), b.data(), count, {}, swiglu.data(), referenceDevice());
  Floats scaled(a.size());
  cpu::scale(a.data(), numerics::floatOf(kAlphaBits), count, scaled.data(), referenceDevice());
  const numerics::Glu glu = {kClamped, numerics::floatOf(kAlphaBits),
                             numerics::floatOf(kLimitBits)};
  cpu::glu(a.data(), b.data(), count, glu, clamped.data(), referenceDevice());
  for (const uint64_t seed : kSeeds) {
    const auto expectBits = [&](auto launchKernel, const Floats &expected) {
      Floats actual(a.size(), kUnwritten);
      launchKernel(actual.data());
      ASSERT_EQ(bitsOf(actual), bitsOf(expected));
    };
    // The last time a row has one block, as where it shares a launch.
    const bool isShared = seed == std::end(kSeeds)[-1];
    const emulation::Index3 grid =
        isShared ? emulation::Index3{static_cast<int>(rows)} : rowGrid(rows, Columns);
    const int threads = isShared ? turnThreads(Columns) : rowThreads(Columns);
    expectBits(
        [&](float *y) { run<addKernel<Columns>>(grid, threads, 0, seed, a.data(), b.data(), y); },
        sum);
    expectBits([&](float *y) { run<scaleKernel<Columns>>(grid, threads, 0, seed, a.data(), y); },
               scaled);
    expectBits(
        [&](float *y) {
          run<gluKernel<Columns, kSwiglu>>(grid, threads, 0, seed, a.data(), b.data(), y);
        },
        swiglu);
    expectBits(
        [&](float *y) {
          run<gluKernel<Columns, kClamped>>(grid, threads, 0, seed, a.data(), b.data(), y);
        },
        clamped);
  }
}

TEST(Elementwise, AddAndGlu) {
  testAddAndGlu<1>(3);
  testAddAndGlu<33>(5);
  testAddAndGlu<352>(1);
  testAddAndGlu<2880>(2);
}

template <int Columns, int Slots> void testMoves() {
  SCOPED_TRACE(Columns);
  Random random(22);
  const Floats x = anyFloats(int64_t{6} * Columns, random);
  const Ints permutation = {5 * Slots, 0, Slots + Slots - 1, 3 * Slots};
  const Ints inverse = {2, -1, 0, 5, 5, -1, 1};
  const auto rows = [](const Ints &indices) { return static_cast<int64_t>(indices.size()); };
  Floats gathered(permutation.size() * Columns);
  cpu::gather(x.data(), permutation.data(), rows(permutation), Slots, Columns, gathered.data(),
              referenceDevice());
  Floats unsorted(inverse.size() * Columns);
  cpu::unsort(x.data(), inverse.data(), rows(inverse), Columns, unsorted.data(), referenceDevice());
  Floats actual(gathered.size(), kUnwritten);
  run<gatherKernel<Columns, Slots>>(rowGrid(rows(permutation), Columns), rowThreads(Columns), 0,
                                    uint64_t{1}, x.data(), permutation.data(), actual.data());
  EXPECT_EQ(bitsOf(actual), bitsOf(gathered));
  actual.assign(unsorted.size(), kUnwritten);
  run<unsortKernel<Columns>>(rowGrid(rows(inverse), Columns), rowThreads(Columns), 0, uint64_t{1},
                             x.data(), inverse.data(), actual.data());
  EXPECT_EQ(bitsOf(actual), bitsOf(unsorted));
}

TEST(Elementwise, GatherAndUnsort) {
  testMoves<33, 3>();
  testMoves<1408, 8>();
}

template <int Columns, int Slots> void testCombine(int64_t tokens) {
  SCOPED_TRACE(Slots);
  Random random(23);
  const int64_t slots = tokens * Slots;
  Floats rows = randomFloats(slots * Columns, random);
  makeAwkward(rows, 50, random);
  Floats weights = randomFloats(slots, random);
  makeAwkward(weights, 20, random);
  Ints inverse(static_cast<size_t>(slots));
  for (int32_t &row : inverse)
    row = static_cast<int32_t>(random() % static_cast<uint64_t>(slots + 1)) - 1;
  Floats expected(static_cast<size_t>(tokens * Columns));
  Floats plain(expected.size());
  cpu::combine(rows.data(), inverse.data(), weights.data(), tokens, Slots, Columns, expected.data(),
               referenceDevice());
  cpu::combine(rows.data(), nullptr, nullptr, tokens, Slots, Columns, plain.data(),
               referenceDevice());
  for (const uint64_t seed : kSeeds) {
    Floats actual(expected.size(), kUnwritten);
    run<combineKernel<Columns, Slots>>(rowGrid(tokens, Columns), rowThreads(Columns), 0, seed,
                                       rows.data(), inverse.data(), weights.data(), actual.data());
    ASSERT_EQ(bitsOf(actual), bitsOf(expected));
    actual.assign(expected.size(), kUnwritten);
    run<combinePlainKernel<Columns, Slots>>(rowGrid(tokens, Columns), rowThreads(Columns), 0, seed,
                                            rows.data(), actual.data());
    ASSERT_EQ(bitsOf(actual), bitsOf(plain));
  }
}

TEST(Combine, MatchesTheCpu) {
  testCombine<70, 1>(3);
  testCombine<1408, 4>(2);
  testCombine<33, 10>(4);
  testCombine<256, 32>(1);
}

template <int K> void testNorm(int64_t rows) {
  SCOPED_TRACE(K);
  Random random(24);
  Floats x = randomFloats(rows * K, random);
  // The last row is awkward.
  Floats last(x.end() - K, x.end());
  makeAwkward(last, 40, random);
  std::copy(last.begin(), last.end(), x.end() - K);
  const Floats weight = randomFloats(K, random);
  Floats expected(x.size());
  cpu::rmsNorm(x.data(), weight.data(), numerics::floatOf(kEpsilonBits), rows, K, expected.data(),
               referenceDevice());
  for (const uint64_t seed : kSeeds) {
    Floats actual(x.size(), kUnwritten);
    run<normKernel<K>>({static_cast<int>(rows)}, normThreads(K), normSharedBytes(K), seed, x.data(),
                       actual.data(), weight.data());
    ASSERT_EQ(bitsOf(actual), bitsOf(expected));
    // In place, with the threads of a launch that it shares.
    actual = x;
    run<normKernel<K>>({static_cast<int>(rows)}, turnThreads(K), normSharedBytes(K), seed,
                       static_cast<const float *>(actual.data()), actual.data(), weight.data());
    ASSERT_EQ(bitsOf(actual), bitsOf(expected));
  }
}

TEST(Norm, MatchesTheCpu) {
  testNorm<1>(2);
  testNorm<33>(3);
  testNorm<1024>(2);
  testNorm<1408>(2);
  testNorm<2880>(3);
  testNorm<40000>(1);
}

template <typename From, typename To, int Columns> void convertKernel(const From *x, To *y) {
  convertRows<From, To, Columns>(x, y);
}

/// Rows of `Columns` values, against the CPU.
template <typename From, typename To, int Columns> void testConvert(const std::vector<From> &x) {
  const auto rows = static_cast<int>(x.size() / Columns);
  std::vector<To> expected(x.size()), y(x.size());
  cpu::convert(x.data(), rows, Columns, expected.data(), referenceDevice());
  run<convertKernel<From, To, Columns>>({rows}, kRoundThreads, 0, uint64_t{1}, x.data(), y.data());
  ASSERT_EQ(std::memcmp(y.data(), expected.data(), y.size() * sizeof(To)), 0);
}

TEST(ElementwiseTest, Convert) {
  Random random(28);
  Floats wide = anyFloats(int64_t{33} * 40, random);
  for (size_t i = 0; i < wide.size(); i += 2)
    wide[i] = static_cast<float>(static_cast<int64_t>(random())) * 0x1p-50f;
  testConvert<float, numerics::Half, 33>(wide);
  testConvert<float, numerics::BFloat16, 330>(wide);
  std::vector<numerics::Half> halves;
  std::vector<numerics::BFloat16> bfloats;
  for (uint32_t bits = 0; bits < 1u << 16; ++bits) {
    halves.push_back({static_cast<uint16_t>(bits)});
    bfloats.push_back({static_cast<uint16_t>(bits)});
  }
  testConvert<numerics::Half, float, 1024>(halves);
  testConvert<numerics::BFloat16, float, 1024>(bfloats);
}

/// Rows of `Columns` values, against the rounding of each by itself.
template <typename Value, int Columns> void testRound(const std::vector<Value> &x) {
  const auto rows = static_cast<int>(x.size() / Columns);
  for (const uint64_t seed : kSeeds) {
    std::vector<numerics::BFloat16> y(x.size());
    run<roundKernel<Value, Columns>>({rows}, kRoundThreads, 0, seed, x.data(), y.data());
    for (size_t i = 0; i < x.size(); ++i)
      ASSERT_EQ(y[i].bits, numerics::toBFloat16(numerics::widen(x[i])).bits) << Columns << " " << i;
  }
}

TEST(ElementwiseTest, RoundToBf16) {
  Random random(27);
  testRound<float, 33>(anyFloats(int64_t{33} * 5, random));
  testRound<float, 520>(anyFloats(int64_t{520} * 2, random));
  std::vector<numerics::Half> halves;
  for (uint32_t bits = 0; bits < 1u << 16; ++bits)
    halves.push_back({static_cast<uint16_t>(bits)});
  testRound<numerics::Half, 1024>(halves);
}

} // namespace
} // namespace sortie::kernels
