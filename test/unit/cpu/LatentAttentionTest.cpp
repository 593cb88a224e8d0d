// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Attention over a cache of latents, and what surrounds it (slices of heads, products of heads),
// for every instruction set bit for bit against runtime/numerics.

#include "test/unit/cpu/OperationCalls.h"
#include "test/unit/cpu/Reference.h"
#include "test/unit/cpu/TestDevices.h"

#include "runtime/numerics/cache.h"
#include "runtime/support/AlignedBytes.h"

#include "gtest/gtest.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace sortie::cpu {
namespace {

using numerics::ActivationWidth;
using numerics::kAttentionChunk;

struct Widths {
  ActivationWidth query, cache;
};
constexpr Widths kWidths[] = {{ActivationWidth::Int16, ActivationWidth::Int16},
                              {ActivationWidth::Int16, ActivationWidth::Int8},
                              {ActivationWidth::Int8, ActivationWidth::Int16},
                              {ActivationWidth::Int8, ActivationWidth::Int8}};

int64_t numberOf(ActivationWidth width) { return width == ActivationWidth::Int16 ? 1 : 0; }

/// Memory of a cache, aligned as that of a session.
class Pages {
public:
  Pages(int64_t pages, int64_t words)
      : pages(pages), words(words), memory(llvm::cantFail(AlignedBytes::allocate(
                                        static_cast<uint64_t>(pages * words) * 4, "pages"))) {
    // What an earlier owner left: NaNs as scales.
    std::fill_n(reinterpret_cast<float *>(memory.data()), pages * words,
                std::numeric_limits<float>::quiet_NaN());
  }
  Rows rows() { return rowsOf(reinterpret_cast<int32_t *>(memory.data()), pages, words); }

private:
  int64_t pages, words;
  AlignedBytes memory;
};

/// Tokens of some sequences with latents of `latent` elements and `rotated` ones beside them.
struct Problem {
  int64_t heads, latent, rotated;
  std::vector<int64_t> lengths; ///< of the sequences: their positions so far
  int64_t news;                 ///< how many of them, the last ones, are queries
  Widths widths;
  float kappa = 0.1f;
};

/// The rows of all sequences, and how a run would pass them.
struct Case {
  explicit Case(const Problem &problem) : problem(problem) {
    Random random(static_cast<uint64_t>(problem.latent * 100 + problem.lengths.back()));
    pagesOfSequence = *std::max_element(problem.lengths.begin(), problem.lengths.end());
    pagesOfSequence = (pagesOfSequence + kAttentionChunk - 1) / kAttentionChunk;
    // Pages in an order of their own, one that nobody has in between.
    pageCount = static_cast<int64_t>(problem.lengths.size()) * pagesOfSequence + 1;
    pages.resize(static_cast<size_t>(pageCount - 1));
    std::iota(pages.begin(), pages.end(), 1);
    std::shuffle(pages.begin(), pages.end(), random);
    for (size_t sequence = 0; sequence < problem.lengths.size(); ++sequence)
      for (int64_t position = 0; position < problem.lengths[sequence]; ++position) {
        const bool isQuery = position >= problem.lengths[sequence] - problem.news;
        (isQuery ? queryPlaces : oldPlaces)
            .push_back({static_cast<int32_t>(sequence), static_cast<int32_t>(position)});
      }
    for (const int64_t length : problem.lengths) {
      latents.push_back(randomFloats(length * problem.latent, random));
      rotated.push_back(randomFloats(length * problem.rotated, random));
    }
    const auto queries = static_cast<int64_t>(queryPlaces.size());
    latentQueries = randomFloats(queries * problem.heads * problem.latent, random);
    rotatedQueries = randomFloats(queries * problem.heads * problem.rotated, random);
  }

  struct Place {
    int32_t sequence, position;
  };

  Problem problem;
  int64_t pagesOfSequence, pageCount;
  std::vector<int32_t> pages;
  std::vector<Place> oldPlaces, queryPlaces;
  std::vector<std::vector<float>> latents, rotated; ///< of each sequence
  std::vector<float> latentQueries, rotatedQueries;

  Pages makePages() const {
    return {pageCount, numerics::cachePageWords(problem.widths.cache, 1, problem.latent,
                                                problem.latent, problem.rotated)};
  }

  /// The positions and sequences of tokens as operands.
  struct Tokens {
    explicit Tokens(const std::vector<Place> &places) {
      for (const Place &place : places) {
        positions.push_back(place.position);
        sequences.push_back(place.sequence);
      }
    }
    std::vector<int32_t> positions, sequences;
    int64_t count() const { return static_cast<int64_t>(positions.size()); }
  };

  Rows table() const {
    return rowsOf(pages.data(), static_cast<int64_t>(problem.lengths.size()), pagesOfSequence);
  }

  std::optional<BadIndex> append(const std::vector<Place> &places, Pages &cache,
                                 const Device &device) const {
    const Tokens tokens(places);
    std::vector<float> latentRows, rotatedRows;
    for (const Place &place : places) {
      // Of a sequence that there is not, anything.
      const auto from = std::min(static_cast<size_t>(place.sequence), latents.size() - 1);
      appendRow(latents[from], place.position, problem.latent, latentRows);
      appendRow(rotated[from], place.position, problem.rotated, rotatedRows);
    }
    return runOperation(findOperation("append_latent").value(),
                        {.reads = {rowsOf(latentRows.data(), tokens.count(), problem.latent),
                                   rowsOf(rotatedRows.data(), tokens.count(), problem.rotated),
                                   rowsOf(tokens.positions.data(), 1, tokens.count()),
                                   rowsOf(tokens.sequences.data(), 1, tokens.count()), table()},
                         .writes = {cache.rows()},
                         .parameters = {{.integer = numberOf(problem.widths.cache)}}},
                        device);
  }

  std::optional<BadIndex> attend(const std::vector<Place> &places, Pages &cache,
                                 std::vector<float> &output, const Device &device) const {
    const Tokens tokens(places);
    output.resize(static_cast<size_t>(tokens.count() * problem.heads * problem.latent));
    const int64_t columns = problem.heads * problem.latent;
    return runOperation(
        findOperation("attend_latent").value(),
        {.reads = {rowsOf(latentQueries.data(), tokens.count(), columns),
                   rowsOf(rotatedQueries.data(), tokens.count(), problem.heads * problem.rotated),
                   cache.rows(), rowsOf(tokens.positions.data(), 1, tokens.count()),
                   rowsOf(tokens.sequences.data(), 1, tokens.count()), table()},
         .writes = {rowsOf(output.data(), tokens.count(), columns)},
         .parameters = {{.integer = problem.heads},
                        {.number = problem.kappa},
                        {.integer = numberOf(problem.widths.query)},
                        {.integer = numberOf(problem.widths.cache)}}},
        device);
  }

private:
  static void appendRow(const std::vector<float> &rows, int64_t row, int64_t columns,
                        std::vector<float> &to) {
    to.insert(to.end(), rows.begin() + row * columns, rows.begin() + (row + 1) * columns);
  }
};

/// Rows of one block each.
struct QuantizedRows {
  QuantizedRows(ActivationWidth width, const float *rows, int64_t count, int64_t columns)
      : integers(static_cast<size_t>(count * columns)), scales(static_cast<size_t>(count)) {
    for (int64_t row = 0; row < count; ++row) {
      const float *from = rows + row * columns;
      int16_t *to = integers.data() + row * columns;
      const auto n = static_cast<int>(columns);
      scales[static_cast<size_t>(row)] =
          width == ActivationWidth::Int16
              ? numerics::quantizeBlock<ActivationWidth::Int16>(from, n, to)
              : numerics::quantizeBlock<ActivationWidth::Int8>(from, n, to);
    }
  }
  std::vector<int16_t> integers;
  std::vector<float> scales;
};

template <ActivationWidth Query, ActivationWidth Cached>
std::vector<float> referenceAs(const Case &it) {
  const Problem &problem = it.problem;
  const auto latent = static_cast<int>(problem.latent), rotated = static_cast<int>(problem.rotated);
  std::vector<QuantizedRows> keys, rotatedKeys;
  for (size_t sequence = 0; sequence < problem.lengths.size(); ++sequence) {
    const int64_t length = problem.lengths[sequence];
    keys.emplace_back(Cached, it.latents[sequence].data(), length, latent);
    rotatedKeys.emplace_back(Cached, it.rotated[sequence].data(), length, rotated);
  }
  const auto rows = static_cast<int64_t>(it.queryPlaces.size()) * problem.heads;
  const QuantizedRows queries(Query, it.latentQueries.data(), rows, latent);
  const QuantizedRows turned(Query, it.rotatedQueries.data(), rows, rotated);
  std::vector<float> output(static_cast<size_t>(rows * latent)), scratch(output.size() + 2048);
  for (int64_t row = 0; row < rows; ++row) {
    const Case::Place &place = it.queryPlaces[static_cast<size_t>(row / problem.heads)];
    const auto sequence = static_cast<size_t>(place.sequence), at = static_cast<size_t>(row);
    const QuantizedRows &key = keys[sequence], &rotatedKey = rotatedKeys[sequence];
    const numerics::HeadCache cache = {key.integers.data(),
                                       key.scales.data(),
                                       key.integers.data(),
                                       key.scales.data(),
                                       latent,
                                       rotatedKey.integers.data(),
                                       rotatedKey.scales.data(),
                                       rotated};
    const numerics::HeadQuery query = {queries.integers.data() + row * latent,
                                       numerics::mul(queries.scales[at], problem.kappa),
                                       place.position,
                                       /*window=*/0,
                                       turned.integers.data() + row * rotated,
                                       numerics::mul(turned.scales[at], problem.kappa)};
    numerics::attend<Query, Cached>(query, cache, /*sink=*/nullptr, output.data() + row * latent,
                                    scratch.data());
  }
  return output;
}

std::vector<float> reference(const Case &it) {
  using enum ActivationWidth;
  const Widths widths = it.problem.widths;
  if (widths.query == Int16)
    return widths.cache == Int16 ? referenceAs<Int16, Int16>(it) : referenceAs<Int16, Int8>(it);
  return widths.cache == Int16 ? referenceAs<Int8, Int16>(it) : referenceAs<Int8, Int8>(it);
}

void expectReference(const Problem &problem) {
  const Case it(problem);
  const std::vector<uint32_t> expected = bitsOf(reference(it));
  for (const TestDevice &device : testDevices())
    for (const int threads : {1, 3}) {
      const Device on = {*device.kernels, testPool(threads)};
      Pages cache = it.makePages();
      ASSERT_FALSE(it.append(it.oldPlaces, cache, on));
      ASSERT_FALSE(it.append(it.queryPlaces, cache, on));
      std::vector<float> output;
      ASSERT_FALSE(it.attend(it.queryPlaces, cache, output, on));
      EXPECT_EQ(bitsOf(output), expected) << device.name << ", " << threads << " threads";
    }
}

TEST(LatentAttention, hasTheBitsOfTheReference) {
  for (const Widths widths : kWidths) {
    // Edges of chunks and spans, sizes that are no whole quads or panels.
    expectReference({3, 40, 6, {1, 130, 600}, 1, widths});
    expectReference({5, 18, 5, {40, 129}, 7, widths});
  }
}

TEST(LatentAttention, hasTheBitsOfTheReferenceInTheSizesOfModels) {
  expectReference({16, 512, 64, {300}, 2, kWidths[0]});
  expectReference({128, 512, 64, {130}, 1, kWidths[0]}); // more heads than the scratch holds
}

TEST(LatentAttention, wrongPlacesAreErrors) {
  const Case it({2, 16, 4, {20}, 1, kWidths[0]});
  const Device device = {*testDevices().front().kernels, testPool(1)};
  Pages cache = it.makePages();
  std::vector<float> output;
  const auto kindOf = [](const std::optional<BadIndex> &bad) { return bad.value().kind; };
  EXPECT_EQ(kindOf(it.append({{1, 0}}, cache, device)), BadIndex::Kind::Sequence);
  EXPECT_EQ(kindOf(it.attend({{1, 0}}, cache, output, device)), BadIndex::Kind::Sequence);
  EXPECT_EQ(kindOf(it.attend({{0, 128}}, cache, output, device)), BadIndex::Kind::Position);
  EXPECT_EQ(kindOf(it.append({{0, 7}, {0, 7}}, cache, device)), BadIndex::Kind::Place);
  Case withoutPage = it;
  withoutPage.pages[0] = -1;
  EXPECT_EQ(kindOf(withoutPage.append(it.queryPlaces, cache, device)), BadIndex::Kind::Page);
  EXPECT_EQ(kindOf(withoutPage.attend(it.queryPlaces, cache, output, device)),
            BadIndex::Kind::Page);
}

//===- Heads --------------------------------------------------------------===//

TEST(Heads, slicesAreElementsOfEachHead) {
  Random random(3);
  constexpr int64_t kRows = 5, kHeads = 3, kElements = 20, kFirst = 7, kKept = 11;
  const std::vector<float> x = randomFloats(kRows * kHeads * kElements, random);
  std::vector<float> expected;
  for (int64_t head = 0; head < kRows * kHeads; ++head)
    for (int64_t i = 0; i < kKept; ++i)
      expected.push_back(x[static_cast<size_t>(head * kElements + kFirst + i)]);
  for (const TestDevice &device : testDevices()) {
    std::vector<float> y(expected.size());
    runOperation("slice_heads",
                 {.reads = {rowsOf(x.data(), kRows, kHeads * kElements)},
                  .writes = {rowsOf(y.data(), kRows, kHeads * kKept)},
                  .parameters = {{.integer = kHeads}, {.integer = kFirst}}},
                 {*device.kernels, testPool(2)});
    EXPECT_EQ(y, expected) << device.name;
  }
}

TEST(Heads, areQuantizedByThemselves) {
  Random random(4);
  constexpr int64_t kRows = 3, kHeads = 2, kElements = 200;
  const std::vector<float> x = randomFloats(kRows * kHeads * kElements, random);
  for (const numerics::RowKind kind : {numerics::RowKind::Int8, numerics::RowKind::Int16}) {
    TestRows expected(x, kElements, kind);
    const auto bytes = static_cast<size_t>(kRows * kHeads * numerics::actRowBytes(kind, kElements));
    for (const TestDevice &device : testDevices()) {
      const AlignedBytes memory = llvm::cantFail(AlignedBytes::allocate(bytes, "rows"));
      std::byte *y = memory.data();
      std::fill_n(y, bytes, std::byte{});
      runOperation("quantize_heads",
                   {.reads = {rowsOf(x.data(), kRows, kHeads * kElements)},
                    .writes = {{y, kRows * kHeads, kElements, kind}}},
                   {*device.kernels, testPool(2)});
      EXPECT_TRUE(std::equal(y, y + bytes, expected.aligned())) << device.name;
    }
  }
}

/// The product of each of `heads` heads of rows with a matrix of its own.
void expectHeadProducts(numerics::Encoding encoding, numerics::RowKind kind, int64_t tokens,
                        bool isBf16 = false) {
  Random random(5);
  constexpr int64_t kHeads = 3;
  const EncodedShape shape(encoding, kHeads, /*rows=*/150, /*columns=*/64);
  const TestMatrix matrix(shape, Fill::Random, random);
  // Head h of token t is row t * heads + h.
  TestRows input(randomFloats(tokens * kHeads * shape.columns, random), shape.columns, kind);
  std::vector<float> expected;
  for (int64_t row = 0; row < tokens * kHeads; ++row)
    for (int64_t n = 0; n < shape.rows; ++n)
      expected.push_back(
          (isBf16 ? referenceBf16Dot : referenceDot)(matrix, row % kHeads, n, input, row));
  const bool isQuantized = kind != numerics::RowKind::F32;
  for (const TestDevice &device : testDevices()) {
    std::vector<float> y(expected.size());
    const Rows x = isQuantized ? Rows{input.aligned(), tokens * kHeads, shape.columns, kind}
                               : rowsOf(input.floats.data(), tokens, kHeads * shape.columns);
    runOperation("head_matmul",
                 {.reads = {x},
                  .writes = {rowsOf(y.data(), tokens, kHeads * shape.rows)},
                  .matrices = {matrix.matrix()},
                  .parameters = {{.integer = kHeads}, {.integer = isBf16}}},
                 {*device.kernels, testPool(3)});
    EXPECT_EQ(bitsOf(y), bitsOf(expected)) << device.name << ", " << tokens << " tokens";
  }
}

TEST(Heads, areMultipliedWithMatricesOfTheirOwn) {
  for (const int64_t tokens : {1, 7, 130}) {
    for (const numerics::RowKind kind : {numerics::RowKind::Int8, numerics::RowKind::Int16})
      expectHeadProducts(numerics::Encoding::Q8_0, kind, tokens);
    expectHeadProducts(numerics::Encoding::F16, numerics::RowKind::F32, tokens);
    expectHeadProducts(numerics::Encoding::F32, numerics::RowKind::F32, tokens, /*isBf16=*/true);
  }
}

} // namespace
} // namespace sortie::cpu
