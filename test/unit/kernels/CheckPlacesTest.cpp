// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Checks of places in caches: the first fault is the one that the CPU device finds.

#include "test/unit/kernels/KernelTest.h"

#include "codegen/kernels/cache/CheckPlaces.h"

namespace sortie::kernels {
namespace {

constexpr int kPagesOfSequence = 3;
constexpr int32_t kPositions = kPagesOfSequence * numerics::kAttentionChunk;

/// Tokens and the page table of a run.
struct TokenRun {
  Ints positions;
  Ints sequences;
  Ints pages; ///< [sequences, kPagesOfSequence]
  int32_t pageCount;

  int32_t tokens() const { return static_cast<int32_t>(positions.size()); }
  int32_t sequenceCount() const { return static_cast<int32_t>(pages.size()) / kPagesOfSequence; }
};

/// What the CPU device finds when it appends the tokens, or lets them attend.
Ints expectedStatus(const TokenRun &run, int window, bool appends) {
  const int64_t tokens = run.tokens();
  const int64_t words = numerics::cachePageWords(numerics::ActivationWidth::Int8, 1, 1, 1);
  Ints cache(static_cast<size_t>(run.pageCount * words));
  const Floats rows(static_cast<size_t>(tokens), 1.0f);
  Floats output(static_cast<size_t>(tokens));
  const cpu::Rows x = cpu::rowsOf(rows.data(), tokens, 1);
  const cpu::Rows table = cpu::rowsOf(cache.data(), run.pageCount, words);
  const cpu::Rows positions = cpu::rowsOf(run.positions.data(), 1, tokens);
  const cpu::Rows sequences = cpu::rowsOf(run.sequences.data(), 1, tokens);
  const cpu::Rows pages = cpu::rowsOf(run.pages.data(), run.sequenceCount(), kPagesOfSequence);
  if (appends)
    return statusOf(cpu::runOperation(cpu::findOperation("append").value(),
                                      {.reads = {x, x, positions, sequences, pages},
                                       .writes = {table},
                                       .parameters = {{.integer = 1}, {.integer = 0}}},
                                      referenceDevice()));
  return statusOf(cpu::runOperation(cpu::findOperation("attend").value(),
                                    {.reads = {x, table, positions, sequences, pages},
                                     .writes = {cpu::rowsOf(output.data(), tokens, 1)},
                                     .vectors = {nullptr},
                                     .parameters = {{.integer = 1},
                                                    {.integer = 1},
                                                    {.number = 1.0f},
                                                    {.integer = window},
                                                    {.integer = 0},
                                                    {.integer = 0}}},
                                    referenceDevice()));
}

template <int Window, bool Appends>
void segmentsKernel(const int32_t *positions, const int32_t *sequences, const int32_t *pages,
                    IndexStatus *segments, int32_t tokens, int32_t sequenceCount,
                    int32_t positionCount, int32_t pageCount) {
  checkSegments<Window, Appends>(
      {positions, sequences, pages, tokens, sequenceCount, positionCount, pageCount}, segments);
}
template <int Window, bool Appends>
void placesKernel(const int32_t *positions, const int32_t *sequences, const int32_t *pages,
                  const IndexStatus *segments, IndexStatus *status, int32_t tokens,
                  int32_t sequenceCount, int32_t positionCount, int32_t pageCount) {
  checkPlaces<Window, Appends>(
      {positions, sequences, pages, tokens, sequenceCount, positionCount, pageCount}, segments,
      status);
}

template <int Window, bool Appends> void expectStatus(const TokenRun &tokens) {
  const Ints expected = expectedStatus(tokens, Window, Appends);
  for (const uint64_t seed : kSeeds) {
    const int whole = tokens.tokens() / kPlaceTokens;
    std::vector<IndexStatus> segments(static_cast<size_t>(whole));
    Ints status(numerics::kStatusWords, kUnwrittenInt);
    run<segmentsKernel<Window, Appends>>({whole, 1}, kPlaceThreads, kPlaceSharedBytes, seed,
                                         tokens.positions.data(), tokens.sequences.data(),
                                         tokens.pages.data(), segments.data(), tokens.tokens(),
                                         tokens.sequenceCount(), kPositions, tokens.pageCount);
    run<placesKernel<Window, Appends>>(
        {1, 1}, kPlaceThreads, kPlaceSharedBytes, seed, tokens.positions.data(),
        tokens.sequences.data(), tokens.pages.data(),
        static_cast<const IndexStatus *>(segments.data()),
        reinterpret_cast<IndexStatus *>(status.data()), tokens.tokens(), tokens.sequenceCount(),
        kPositions, tokens.pageCount);
    EXPECT_EQ(status, expected) << tokens.tokens() << " tokens, window " << Window
                                << (Appends ? ", appended" : "");
  }
}

void expectStatuses(const TokenRun &run) {
  expectStatus<1, true>(run);
  expectStatus<0, false>(run);
  expectStatus<129, false>(run);
}

/// So many tokens of two sequences, all in places of their own.
TokenRun goodRun(int32_t tokens) {
  TokenRun run{{}, {}, {5, 0, 3, 1, 4, 2}, 6};
  for (int32_t i = 0; i < tokens; ++i) {
    run.sequences.push_back(i % 2);
    run.positions.push_back(kPositions - 1 - i / 2);
  }
  return run;
}

TEST(CheckPlaces, GoodPlaces) {
  for (const int32_t tokens : {0, 1, 31, 32, 33, 100, 300}) {
    const TokenRun run = goodRun(tokens);
    ASSERT_EQ(expectedStatus(run, 1, true), Ints(4, 0));
    expectStatuses(run);
  }
}

/// One fault, of a token of a whole segment, or behind the last one.
TEST(CheckPlaces, EachFault) {
  for (const size_t at : {0, 40, 70}) {
    const auto expectFault = [&](auto change) {
      TokenRun run = goodRun(71);
      change(run);
      ASSERT_NE(expectedStatus(run, 1, true), Ints(4, 0));
      expectStatuses(run);
    };
    for (const int32_t bad : {-1, 2, INT32_MAX, INT32_MIN})
      expectFault([&](TokenRun &run) { run.sequences[at] = bad; });
    for (const int32_t bad : {-1, kPositions, INT32_MAX})
      expectFault([&](TokenRun &run) { run.positions[at] = bad; });
    for (const int32_t bad : {-1, 6})
      expectFault([&](TokenRun &run) { run.pages[run.sequences[at] * 3 + 2] = bad; });
    for (const size_t with : {1, 39, 69})
      expectFault([&](TokenRun &run) {
        run.positions[at] = run.positions[with];
        run.sequences[at] = run.sequences[with];
      });
  }
}

/// Pages that an append does not see, and a window sees some of.
TEST(CheckPlaces, PagesBeforeTheToken) {
  for (const int32_t bad : {0, 1}) {
    TokenRun run = goodRun(40);
    run.pages[bad] = -1;
    EXPECT_EQ(expectedStatus(run, 1, true), Ints(4, 0));
    expectStatuses(run);
  }
}

TEST(CheckPlaces, NoSequences) {
  TokenRun run = goodRun(3);
  run.pages.clear();
  expectStatuses(run);
}

/// The first fault of many, and places in common beside other faults.
TEST(CheckPlaces, RandomRuns) {
  Random random(71);
  for (int round = 0; round < 60; ++round) {
    TokenRun run{{}, {}, {}, 8};
    for (int i = 0; i < 4 * kPagesOfSequence; ++i)
      run.pages.push_back(static_cast<int32_t>(random() % 8) - (random() % 40 == 0 ? 8 : 0));
    const auto tokens = static_cast<int32_t>(random() % 110);
    const uint64_t rarity = 1 + random() % 300;
    for (int32_t i = 0; i < tokens; ++i) {
      const bool isBad = random() % rarity == 0;
      run.sequences.push_back(static_cast<int32_t>(random() % (isBad ? 5 : 4)));
      run.positions.push_back(static_cast<int32_t>(random() % (kPositions + (isBad ? 9 : 0))));
    }
    expectStatuses(run);
  }
}

} // namespace
} // namespace sortie::kernels
