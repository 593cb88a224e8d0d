// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Quantization of rows against the CPU device, byte by byte.

#include "test/unit/kernels/KernelTest.h"

#include "codegen/kernels/rows/Quantize.h"

namespace sortie::kernels {
namespace {

using numerics::RowKind;
using Bytes = std::vector<uint8_t>;

template <RowKind Kind, int K> void quantizeKernel(const float *x, void *y) {
  quantizeRows<Kind, K>(x, y);
}

/// Rows of ordinary numbers and, in later blocks, of what has rules of its own.
Floats rowsToQuantize(int64_t rows, int64_t k, Random &random) {
  Floats x = randomFloats(rows * k, random);
  for (int64_t block = 1; block * 128 < rows * k; block += 2) {
    const auto first = x.begin() + block * 128;
    const auto last = x.begin() + std::min(rows * k, block * 128 + 128);
    Floats values(first, last);
    switch (block / 2 % 4) {
    case 0:
      makeAwkward(values, 100, random);
      break;
    case 1: // all below the smallest scale
      for (float &value : values)
        value *= 0x1p-97f;
      break;
    case 2:
      for (float &value : values)
        value *= 3e38f;
      break;
    case 3: // ties: halves of the unit of the block
      for (float &value : values)
        value = static_cast<float>(static_cast<int>(value * 16000)) + 0.5f;
      values[0] = 16319.0f;
      break;
    }
    std::copy(values.begin(), values.end(), first);
  }
  return x;
}

template <RowKind Kind, int K> void testQuantize(int64_t rows) {
  SCOPED_TRACE(K);
  Random random(25);
  const Floats x = rowsToQuantize(rows, K, random);
  // Both leave the padding at the end of a row as it is.
  const Bytes unwritten(static_cast<size_t>(rows * numerics::actRowBytes(Kind, K)), 0xa5);
  Bytes expected = unwritten;
  cpu::quantize(x.data(), rows, K, Kind, expected.data(), referenceDevice());
  for (const uint64_t seed : kSeeds) {
    Bytes actual = unwritten;
    run<quantizeKernel<Kind, K>>({static_cast<int>(rows), static_cast<int>(quantizeBlocks(K))},
                                 quantizeThreads(K), 0, seed, x.data(),
                                 static_cast<void *>(actual.data()));
    ASSERT_EQ(actual, expected);
    // With the block that it has in a launch that it shares.
    actual = unwritten;
    run<quantizeKernel<Kind, K>>({static_cast<int>(rows)}, turnThreads(K), 0, seed, x.data(),
                                 static_cast<void *>(actual.data()));
    ASSERT_EQ(actual, expected);
  }
}

TEST(Quantize, Int16MatchesTheCpu) {
  testQuantize<RowKind::Int16, 32>(3);
  testQuantize<RowKind::Int16, 128>(17);
  testQuantize<RowKind::Int16, 352>(5);
  testQuantize<RowKind::Int16, 2880>(2);
}

TEST(Quantize, Int8MatchesTheCpu) {
  testQuantize<RowKind::Int8, 33>(3);
  testQuantize<RowKind::Int8, 1408>(3);
}

} // namespace
} // namespace sortie::kernels
