// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rows of embedding tables in every encoding, against the CPU device.

#include "test/unit/kernels/ExactProblem.h"
#include "test/unit/kernels/FloatWeights.h"

#include "codegen/kernels/rows/Embed.h"

namespace sortie::kernels {
namespace {

constexpr int kRows = 24;

template <Encoding E, int K>
void embedKernel(const int32_t *tokens, float *y, IndexStatus *status, const void *table,
                 int32_t count, int32_t rows) {
  embedRows<E, K>(tokens, y, status, table, count, rows);
}

/// What the CPU device gives for tokens that are all rows.
Floats expectedRows(const cpu::Matrix &table, const Ints &tokens) {
  const auto count = static_cast<int64_t>(tokens.size());
  Floats expected(static_cast<size_t>(count * table.shape.columns));
  cpu::runOperation("embed",
                    {.reads = {cpu::rowsOf(tokens.data(), 1, count)},
                     .writes = {cpu::rowsOf(expected.data(), count, table.shape.columns)},
                     .matrices = {table}},
                    referenceDevice());
  return expected;
}

/// Embeds `tokens`, which gives `expected` and the status.
template <Encoding E, int K>
void expectRows(const void *raw, const Ints &tokens, const Floats &expected, const Ints &status) {
  const auto count = static_cast<int32_t>(tokens.size());
  const emulation::Index3 grid = {count + 1, static_cast<int>(embedBlocks(K))};
  for (const uint64_t seed : kSeeds) {
    Floats actual(expected.size(), kUnwritten);
    Ints written(numerics::kStatusWords, kUnwrittenInt);
    run<embedKernel<E, K>>(grid, kEmbedThreads, embedSharedBytes(E), seed, tokens.data(),
                           actual.data(), reinterpret_cast<IndexStatus *>(written.data()), raw,
                           count, kRows);
    EXPECT_EQ(bitsOf(actual), bitsOf(expected));
    EXPECT_EQ(written, status);
  }
}

const Ints kTokens = {0, 1, 15, 16, kRows - 1, 17, 0, 2, 3};

template <Encoding E, int K> void testQuantized() {
  SCOPED_TRACE(numerics::encodingInfo(E).name);
  Random random(51);
  for (const Fill fill : {Fill::Ordinary, Fill::AnyBits}) {
    const ExactWeights table(E, 1, kRows, K, fill, random);
    expectRows<E, K>(table.raw.data(), kTokens, expectedRows(table.matrix(), kTokens),
                     {0, 0, 0, 0});
  }
}

template <typename Float, int K> void testFloats() {
  SCOPED_TRACE(K);
  Random random(52);
  const FloatWeights<Float> table(1, kRows, K, random);
  expectRows<EncodingOf<Float>::kEncoding, K>(table.raw.data(), kTokens,
                                              expectedRows(table.matrix(), kTokens), {0, 0, 0, 0});
}

TEST(Embed, GroupsOf32) {
  testQuantized<Encoding::Q8_0, 32>();
  testQuantized<Encoding::Q4_0, 1056>(); // ends behind a thread block's elements
  testQuantized<Encoding::Q4_1, 96>();
  testQuantized<Encoding::Q5_0, 352>();
  testQuantized<Encoding::Q5_1, 64>();
  testQuantized<Encoding::IQ4_NL, 320>();
  testQuantized<Encoding::MXFP4, 352>();
}

TEST(Embed, BlocksOf256) {
  testQuantized<Encoding::Q2_K, 512>();
  testQuantized<Encoding::Q3_K, 256>();
  testQuantized<Encoding::Q4_K, 1280>();
  testQuantized<Encoding::Q5_K, 512>();
  testQuantized<Encoding::Q6_K, 512>();
  testQuantized<Encoding::IQ4_XS, 256>();
}

TEST(Embed, LatticesHeadersAndStrips) {
  testQuantized<Encoding::IQ2_XXS, 512>();
  testQuantized<Encoding::IQ4_KS, 768>();
  testQuantized<Encoding::Q4_K_R4, 512>();
}

TEST(Embed, Floats) {
  testFloats<float, 3>();
  testFloats<float, 1500>();
  testFloats<numerics::Half, 33>();
  testFloats<numerics::BFloat16, 130>();
}

TEST(Embed, NansAreCanonical) {
  constexpr int kColumns = 2;
  Floats table(kRows * kColumns, 1.0f);
  table[2] = numerics::floatOf(0xffc12345u);
  expectRows<Encoding::F32, kColumns>(
      table.data(), {1, 0}, {numerics::floatOf(0x7fc00000u), 1.0f, 1.0f, 1.0f}, {0, 0, 0, 0});
}

TEST(Embed, BadIdsAreToldAndCountAsTheFirstRow) {
  Random random(53);
  const ExactWeights table(Encoding::Q8_0, 1, kRows, 64, Fill::Ordinary, random);
  expectRows<Encoding::Q8_0, 64>(table.raw.data(), {5, kRows, -1, 7},
                                 expectedRows(table.matrix(), {5, 0, 0, 7}),
                                 {static_cast<int32_t>(IndexFault::Row), 1, kRows, kRows});
  expectRows<Encoding::Q8_0, 64>(table.raw.data(), {INT32_MIN}, expectedRows(table.matrix(), {0}),
                                 {static_cast<int32_t>(IndexFault::Row), 0, INT32_MIN, kRows});
}

TEST(Embed, OfNoTokensNothingIsWritten) {
  expectRows<Encoding::Q8_0, 64>(nullptr, {}, {}, {0, 0, 0, 0});
}

} // namespace
} // namespace sortie::kernels
