// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Gated products in `float` arithmetic against the CPU device.

#include "test/unit/kernels/FloatWeights.h"

#include "codegen/kernels/floats/FloatProduct.h"

namespace sortie::kernels {
namespace {

using numerics::BFloat16;
using numerics::GluKind;
using numerics::Half;
using numerics::RowKind;
using Bytes = std::vector<uint8_t>;

constexpr uint32_t kAlphaBits = 0x3fd9db23; // 1.702
constexpr uint32_t kLimitBits = 0x40e00000; // 7
constexpr int kSlots = 4;

template <typename Weight, int K, int N, GluKind Kind, RowKind Output>
void groupedKernel(const float *x, const int32_t *tiles, const int32_t *permutation, void *y,
                   const Weight *gate, const Weight *up, const float *gateBias, const float *upBias,
                   const float *gateScale, const float *upScale) {
  floatGroupedGlu<Weight, K, N, kSlots, true, Kind, kAlphaBits, kLimitBits, Output>(
      x, tiles, permutation, y, gate, up, gateBias, upBias, gateScale, upScale);
}
template <typename Weight, int K, int N, RowKind Output>
void denseKernel(const float *x, void *y, const Weight *gate, const Weight *up, int32_t rows) {
  floatGlu<Weight, K, N, GluKind::Swiglu, 0, 0, Output>(x, y, gate, up, nullptr, nullptr, rows);
}

constexpr bool isQuantized(RowKind kind) { return kind != RowKind::F32; }

template <typename Weight, int K, int N, GluKind Kind, RowKind Output>
void testGrouped(const Ints &counts) {
  SCOPED_TRACE(K);
  Random random(31);
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
  const Bytes unwritten(static_cast<size_t>(sorted.slots * numerics::actRowBytes(Output, N)), 0xa5);
  Bytes expected = unwritten;
  cpu::gluMatmul({.gate = gate.matrix(),
                  .up = up.matrix(),
                  .inputKind = RowKind::F32,
                  .input = x.data(),
                  .rows = sorted.slots,
                  .map = {sorted.offsets.data(), sorted.permutation.data(), kSlots, true},
                  .gateScale = gateScale.data(),
                  .upScale = upScale.data(),
                  .gateBias = gateBias.data(),
                  .upBias = upBias.data(),
                  .glu = {Kind, numerics::floatOf(kAlphaBits), numerics::floatOf(kLimitBits)},
                  .outputKind = Output,
                  .output = expected.data()},
                 referenceDevice());
  for (const uint64_t seed : kSeeds) {
    Bytes actual = unwritten;
    run<groupedKernel<Weight, K, N, Kind, Output>>(
        {static_cast<int>(floatGluBlocks(N, isQuantized(Output))), sorted.tileCount()},
        kFloatThreads, floatSharedBytes(isQuantized(Output)), seed, x.data(), sorted.tiles.data(),
        sorted.permutation.data(), static_cast<void *>(actual.data()), gate.raw.data(),
        up.raw.data(), gateBias.data(), upBias.data(), gateScale.data(), upScale.data());
    ASSERT_EQ(actual, expected);
  }
}

TEST(FloatGroupedGlu, ToFloats) {
  testGrouped<float, 352, 40, GluKind::Swiglu, RowKind::F32>({1, 0, 6, 13, 30, 70});
  testGrouped<Half, 1040, 33, GluKind::SwigluClamped, RowKind::F32>({0, 2, 1, 20});
}

TEST(FloatGroupedGlu, ToQuantizedRows) {
  testGrouped<BFloat16, 160, 224, GluKind::SwigluClamped, RowKind::Int16>({1, 0, 6, 40});
  testGrouped<float, 33, 130, GluKind::Swiglu, RowKind::Int8>({12, 65});
}

template <typename Weight, int K, int N, RowKind Output> void testDense(int32_t rows) {
  SCOPED_TRACE(rows);
  Random random(32);
  const FloatWeights<Weight> gate(1, N, K, random);
  const FloatWeights<Weight> up(1, N, K, random);
  const Floats x = randomFloats(int64_t{rows} * K, random);
  const Bytes unwritten(static_cast<size_t>(rows * numerics::actRowBytes(Output, N)), 0xa5);
  Bytes expected = unwritten;
  cpu::gluMatmul({.gate = gate.matrix(),
                  .up = up.matrix(),
                  .inputKind = RowKind::F32,
                  .input = x.data(),
                  .rows = rows,
                  .map = {},
                  .glu = {},
                  .outputKind = Output,
                  .output = expected.data()},
                 referenceDevice());
  for (const uint64_t seed : kSeeds) {
    Bytes actual = unwritten;
    run<denseKernel<Weight, K, N, Output>>(
        {static_cast<int>(floatGluBlocks(N, isQuantized(Output))),
         static_cast<int>(ceilDiv(rows, kTileRows))},
        kFloatThreads, floatSharedBytes(isQuantized(Output)), seed, x.data(),
        static_cast<void *>(actual.data()), gate.raw.data(), up.raw.data(), rows);
    ASSERT_EQ(actual, expected);
  }
}

TEST(FloatGlu, RowsOfOneMatrix) {
  testDense<float, 64, 24, RowKind::F32>(1);
  testDense<float, 64, 24, RowKind::F32>(75);
  testDense<Half, 96, 96, RowKind::Int16>(9);
}

} // namespace
} // namespace sortie::kernels
