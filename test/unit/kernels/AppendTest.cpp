// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Appends to caches: pages have the bytes that the CPU device gives them, and others stay.

#include "test/unit/kernels/KernelTest.h"

#include "codegen/kernels/cache/Append.h"

namespace sortie::kernels {
namespace {

constexpr int kPagesOfSequence = 2;
constexpr int kPages = 5;
constexpr auto kInt8 = ActivationWidth::Int8;
constexpr auto kInt16 = ActivationWidth::Int16;

template <ActivationWidth Width, int KvHeads, int Key, int Value>
void appendKernel(const float *keys, const float *values, const int32_t *positions,
                  const int32_t *sequences, const int32_t *pages, const IndexStatus *status,
                  void *cache, int32_t pagesOfSequence) {
  appendRows<Width, KvHeads, Key, Value>(
      keys, values, {positions, sequences, pages, pagesOfSequence}, status, cache);
}
template <ActivationWidth Width, int Latent, int Rotated>
void appendLatentKernel(const float *latents, const float *rotated, const int32_t *positions,
                        const int32_t *sequences, const int32_t *pages, const IndexStatus *status,
                        void *cache, int32_t pagesOfSequence) {
  appendLatentRows<Width, Latent, Rotated>(
      latents, rotated, {positions, sequences, pages, pagesOfSequence}, status, cache);
}

/// Two sequences, whose pages are not in order.
struct Places {
  Ints positions = {0, 127, 128, 3, 255, 17, 130};
  Ints sequences = {0, 1, 0, 1, 1, 1, 0};
  Ints pages = {3, 0, 4, 1};

  int64_t tokens() const { return static_cast<int64_t>(positions.size()); }
  cpu::Rows rowsOfPositions() const { return cpu::rowsOf(positions.data(), 1, tokens()); }
  cpu::Rows rowsOfSequences() const { return cpu::rowsOf(sequences.data(), 1, tokens()); }
  cpu::Rows rowsOfPages() const { return cpu::rowsOf(pages.data(), 2, kPagesOfSequence); }
};

/// Rows of any size: ordinary ones, tiny ones, and some with infinities and NaNs.
Floats rowsOf(int64_t tokens, int64_t columns, Random &random) {
  Floats rows = randomFloats(tokens * columns, random);
  for (int64_t token = 0; token < tokens; ++token)
    for (int64_t i = 0; i < columns; ++i)
      rows[token * columns + i] *= token == 1 ? 1e-36f : token == 2 ? 1e30f : 1.0f;
  Floats last(rows.end() - columns, rows.end());
  makeAwkward(last, 20, random);
  std::copy(last.begin(), last.end(), rows.end() - columns);
  return rows;
}

/// Appends rows of two kinds with `kernel`, and by the CPU's operation `name`.
template <auto kernel>
void expectPages(const char *name, int64_t words, int rowsOfToken, int64_t firstColumns,
                 int64_t secondColumns, llvm::ArrayRef<Parameter> parameters) {
  SCOPED_TRACE(testing::Message() << name << ", " << firstColumns << " and " << secondColumns);
  Random random(81);
  const Places places;
  const int64_t tokens = places.tokens();
  const Floats first = rowsOf(tokens, firstColumns, random);
  const Floats second = rowsOf(tokens, secondColumns, random);
  Ints before(static_cast<size_t>(kPages * words));
  for (int32_t &word : before)
    word = static_cast<int32_t>(random());
  Ints expected = before;
  cpu::Operands operands = {.reads = {cpu::rowsOf(first.data(), tokens, firstColumns),
                                      cpu::rowsOf(second.data(), tokens, secondColumns),
                                      places.rowsOfPositions(), places.rowsOfSequences(),
                                      places.rowsOfPages()},
                            .writes = {cpu::rowsOf(expected.data(), kPages, words)}};
  llvm::copy(parameters, operands.parameters);
  cpu::runOperation(name, operands, referenceDevice());
  const emulation::Index3 grid = {static_cast<int>(tokens),
                                  static_cast<int>(appendBlocks(rowsOfToken))};
  for (const uint64_t seed : kSeeds)
    for (const bool isBad : {false, true}) {
      const IndexStatus status{isBad ? 4 : 0, 0, 0, 0};
      Ints cache = before;
      run<kernel>(grid, appendThreads(rowsOfToken), 0, seed, first.data(), second.data(),
                  places.positions.data(), places.sequences.data(), places.pages.data(), &status,
                  static_cast<void *>(cache.data()), kPagesOfSequence);
      EXPECT_EQ(cache, isBad ? before : expected) << "bad: " << isBad;
    }
}

template <ActivationWidth Width, int KvHeads, int Key, int Value> void testAppend() {
  expectPages<appendKernel<Width, KvHeads, Key, Value>>(
      "append", numerics::cachePageWords(Width, KvHeads, Key, Value), 2 * KvHeads, KvHeads * Key,
      KvHeads * Value, {{.integer = KvHeads}, {.integer = Width == kInt16 ? 1 : 0}});
}

template <ActivationWidth Width, int Latent, int Rotated> void testAppendLatent() {
  expectPages<appendLatentKernel<Width, Latent, Rotated>>(
      "append_latent", numerics::cachePageWords(Width, 1, Latent, Latent, Rotated), 2, Latent,
      Rotated, {{.integer = Width == kInt16 ? 1 : 0}});
}

TEST(Append, HasTheBytesOfTheCpu) {
  testAppend<kInt16, 2, 64, 64>();
  testAppend<kInt8, 2, 64, 64>();
  testAppend<kInt16, 5, 128, 96>(); // more rows than the warps of a thread block
  testAppend<kInt8, 1, 192, 128>();
}

TEST(Append, HeadsOfAnySize) {
  testAppend<kInt16, 3, 1, 1>();
  testAppend<kInt16, 1, 21, 18>();
  testAppend<kInt8, 2, 18, 35>();
  testAppend<kInt16, 1, 1024, 1024>();
  testAppend<kInt8, 1, 1023, 130>();
}

TEST(Append, Latents) {
  testAppendLatent<kInt16, 512, 64>();
  testAppendLatent<kInt8, 512, 64>();
  testAppendLatent<kInt16, 18, 5>();
  testAppendLatent<kInt8, 40, 6>();
}

} // namespace
} // namespace sortie::kernels
