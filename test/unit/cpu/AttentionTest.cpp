// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Embeddings, rotation, norms of heads, and attention over a cache of pages, bit for bit against
// the headers of runtime/numerics, for every instruction set and number of threads.

#include "test/unit/cpu/OperationCalls.h"
#include "test/unit/cpu/Reference.h"
#include "test/unit/cpu/TestDevices.h"

#include "runtime/numerics/cache.h"
#include "runtime/numerics/decode.h"
#include "runtime/numerics/embed.h"
#include "runtime/numerics/norm.h"
#include "runtime/numerics/rotate.h"

#include "gtest/gtest.h"

#include <algorithm>
#include <cstring>
#include <numeric>

namespace sortie::cpu {
namespace {

using namespace numerics;

constexpr auto kInt8 = ActivationWidth::Int8;
constexpr auto kInt16 = ActivationWidth::Int16;

std::vector<uint32_t> bitsOf(const std::vector<float> &values) {
  std::vector<uint32_t> bits(values.size());
  std::memcpy(bits.data(), values.data(), bits.size() * sizeof(uint32_t));
  return bits;
}

//===- Caches ------------------------------------------------------------===//

/// A model's heads, and how they are quantized.
struct Heads {
  int64_t heads, kvHeads, key, value;
  ActivationWidth own = kInt16, cached = kInt16;
  int64_t window = 0;
  bool hasSinks = false;
};

/// The rows of K and V of one sequence, as they were appended.
struct History {
  std::vector<float> keys, values; ///< [positions, kvHeads * key or value]
};

float quantizeHead(ActivationWidth width, const float *x, int64_t count, int16_t *integers) {
  const int n = static_cast<int>(count);
  return width == kInt16 ? quantizeBlock<kInt16>(x, n, integers)
                         : quantizeBlock<kInt8>(x, n, integers);
}

/// numerics::attend for one head of one query at the last position of a history.
std::vector<float> expectedHead(const Heads &model, const History &history, const float *query,
                                int64_t head, int64_t position, float kappa, const float *sinks) {
  const int64_t kvHead = head / (model.heads / model.kvHeads);
  const int64_t positions = position + 1;
  // attend() takes one width of head for keys and values: shorter rows end in zeros.
  const int64_t width = std::max(model.key, model.value);
  std::vector<int16_t> keys(positions * width), values(positions * width), own(width);
  std::vector<float> keyScales(positions), valueScales(positions);
  for (int64_t i = 0; i < positions; ++i) {
    keyScales[i] =
        quantizeHead(model.cached, &history.keys[(i * model.kvHeads + kvHead) * model.key],
                     model.key, &keys[i * width]);
    valueScales[i] =
        quantizeHead(model.cached, &history.values[(i * model.kvHeads + kvHead) * model.value],
                     model.value, &values[i * width]);
  }
  const float scale = mul(quantizeHead(model.own, query, model.key, own.data()), kappa);
  const HeadQuery headQuery = {own.data(), scale, position, model.window};
  const HeadCache cache = {keys.data(), keyScales.data(), values.data(), valueScales.data(),
                           static_cast<int>(width)};
  std::vector<float> output(width), scratch(2 * width);
  const float *sink = sinks ? sinks + head : nullptr;
  if (model.own == kInt16 && model.cached == kInt16)
    attend<kInt16, kInt16>(headQuery, cache, sink, output.data(), scratch.data());
  else if (model.own == kInt16)
    attend<kInt16, kInt8>(headQuery, cache, sink, output.data(), scratch.data());
  else if (model.cached == kInt16)
    attend<kInt8, kInt16>(headQuery, cache, sink, output.data(), scratch.data());
  else
    attend<kInt8, kInt8>(headQuery, cache, sink, output.data(), scratch.data());
  output.resize(model.value);
  return output;
}

/// A token of a run.
struct Token {
  int32_t sequence, position;
};

/// A cache whose memory was garbage, its page table, and runs over it.
class CacheOnDevice {
public:
  static constexpr int64_t kTablePages = 8;

  /// Pages are handed out in a random order.
  CacheOnDevice(const Heads &model, int64_t sequences, int64_t pages, Random &random)
      : model(model), sequences(sequences), pages(pages),
        words(cachePageWords(model.cached, model.kvHeads, model.key, model.value)),
        memory(pages * words), table(sequences * kTablePages, -1) {
    // NaNs, as floats and as bytes.
    std::fill(memory.begin(), memory.end(), -1);
    std::vector<int32_t> free(pages);
    std::iota(free.begin(), free.end(), 0);
    std::shuffle(free.begin(), free.end(), random);
    const int64_t each = pages / sequences;
    for (int64_t s = 0; s < sequences; ++s)
      for (int64_t i = 0; i < std::min(each, kTablePages); ++i)
        table[s * kTablePages + i] = free[s * each + i];
  }

  /// Appends rows [tokens, kvHeads * key or value].
  std::optional<BadIndex> append(const std::vector<Token> &tokens, const float *keys,
                                 const float *values, const Device &device) {
    const Places places(tokens);
    const auto count = static_cast<int64_t>(tokens.size());
    return cpu::runOperation(
        findOperation("append").value(),
        {.reads = {rowsOf(keys, count, model.kvHeads * model.key),
                   rowsOf(values, count, model.kvHeads * model.value),
                   rowsOf(places.positions.data(), 1, count),
                   rowsOf(places.sequences.data(), 1, count),
                   rowsOf(table.data(), sequences, kTablePages)},
         .writes = {rowsOf(memory.data(), pages, words)},
         .parameters = {{.integer = model.kvHeads}, {.integer = numberOf(model.cached)}}},
        device);
  }

  std::optional<BadIndex> attend(const std::vector<Token> &tokens, const float *queries,
                                 float kappa, const float *sinks, float *output,
                                 const Device &device) {
    const Places places(tokens);
    const auto count = static_cast<int64_t>(tokens.size());
    return cpu::runOperation(
        findOperation("attend").value(),
        {.reads = {rowsOf(queries, count, model.heads * model.key),
                   rowsOf(memory.data(), pages, words), rowsOf(places.positions.data(), 1, count),
                   rowsOf(places.sequences.data(), 1, count),
                   rowsOf(table.data(), sequences, kTablePages)},
         .writes = {rowsOf(output, count, model.heads * model.value)},
         .vectors = {sinks},
         .parameters = {{.integer = model.heads},
                        {.integer = model.kvHeads},
                        {.number = kappa},
                        {.integer = model.window},
                        {.integer = numberOf(model.own)},
                        {.integer = numberOf(model.cached)}}},
        device);
  }

private:
  struct Places {
    explicit Places(const std::vector<Token> &tokens) {
      for (const Token &token : tokens) {
        positions.push_back(token.position);
        sequences.push_back(token.sequence);
      }
    }
    std::vector<int32_t> positions, sequences;
  };
  static int64_t numberOf(ActivationWidth width) { return width == kInt16 ? 1 : 0; }

  Heads model;
  int64_t sequences, pages, words;
  std::vector<int32_t> memory;

public:
  std::vector<int32_t> table;
};

/// Sequences of these lengths are appended, the tokens of all of them mixed; then tokens of each at
/// the given positions attend.
void expectAttention(const Heads &model, const std::vector<int32_t> &lengths,
                     const std::vector<Token> &asked, uint64_t seed) {
  Random random(seed);
  const auto sequences = static_cast<int64_t>(lengths.size());
  std::vector<History> histories(lengths.size());
  std::vector<Token> tokens;
  for (int32_t s = 0; s < sequences; ++s) {
    histories[s].keys = randomFloats(lengths[s] * model.kvHeads * model.key, random);
    histories[s].values = randomFloats(lengths[s] * model.kvHeads * model.value, random);
    for (int32_t i = 0; i < lengths[s]; ++i)
      tokens.push_back({s, i});
  }
  std::shuffle(tokens.begin(), tokens.end(), random);
  std::vector<float> keys, values;
  const int64_t keyWidth = model.kvHeads * model.key, valueWidth = model.kvHeads * model.value;
  for (const Token &token : tokens) {
    const History &from = histories[token.sequence];
    keys.insert(keys.end(), &from.keys[token.position * keyWidth],
                &from.keys[token.position * keyWidth] + keyWidth);
    values.insert(values.end(), &from.values[token.position * valueWidth],
                  &from.values[token.position * valueWidth] + valueWidth);
  }
  const float kappa = exponentScale(0.7 / static_cast<double>(model.key));
  const std::vector<float> queries =
      randomFloats(static_cast<int64_t>(asked.size()) * model.heads * model.key, random);
  const std::vector<float> sinks = randomFloats(model.heads, random);
  const float *sinksOrNull = model.hasSinks ? sinks.data() : nullptr;

  std::vector<float> expected;
  for (size_t t = 0; t < asked.size(); ++t)
    for (int64_t head = 0; head < model.heads; ++head) {
      const std::vector<float> row = expectedHead(model, histories[asked[t].sequence],
                                                  &queries[(t * model.heads + head) * model.key],
                                                  head, asked[t].position, kappa, sinksOrNull);
      expected.insert(expected.end(), row.begin(), row.end());
    }
  for (const TestDevice &device : testDevices())
    for (const int threads : {1, 3}) {
      const Device on{*device.kernels, testPool(threads)};
      CacheOnDevice cache(model, sequences, sequences * CacheOnDevice::kTablePages, random);
      EXPECT_FALSE(cache.append(tokens, keys.data(), values.data(), on));
      std::vector<float> actual(expected.size(), -1.0f);
      EXPECT_FALSE(cache.attend(asked, queries.data(), kappa, sinksOrNull, actual.data(), on));
      ASSERT_EQ(bitsOf(actual), bitsOf(expected)) << device.name << ", " << threads << " threads";
    }
}

TEST(Attention, hasTheBitsOfTheNumericsInAllWidths) {
  for (const ActivationWidth own : {kInt16, kInt8})
    for (const ActivationWidth cached : {kInt16, kInt8})
      expectAttention(
          {.heads = 4, .kvHeads = 2, .key = 64, .value = 64, .own = own, .cached = cached},
          {300, 5}, {{0, 299}, {0, 298}, {1, 4}, {0, 0}, {0, 128}}, 1);
}

TEST(Attention, takesHeadsOfAnySize) {
  for (const auto &[key, value] :
       {std::pair<int64_t, int64_t>{8, 16}, {1, 1}, {20, 24}, {80, 80}, {128, 64}, {192, 128}})
    for (const ActivationWidth own : {kInt16, kInt8})
      expectAttention({.heads = 3, .kvHeads = 1, .key = key, .value = value, .own = own}, {140},
                      {{0, 139}, {0, 127}, {0, 3}}, 2 + key);
}

/// Sums that wrap around when limbs are multiplied as pairs.
TEST(Attention, takesTheLongestHead) {
  for (const ActivationWidth own : {kInt16, kInt8})
    expectAttention({.heads = 2, .kvHeads = 1, .key = 1024, .value = 1024, .own = own}, {130},
                    {{0, 129}, {0, 64}}, 3);
}

TEST(Attention, seesTheEdgesOfChunksSpansAndWindows) {
  for (const int64_t window : {0, 1, 2, 127, 128, 129, 300, 513})
    expectAttention({.heads = 2, .kvHeads = 2, .key = 16, .value = 16, .window = window}, {700},
                    {{0, 699}, {0, 512}, {0, 511}, {0, 513}, {0, 255}, {0, 256}, {0, 257}, {0, 1}},
                    4 + window);
}

TEST(Attention, mergesSinks) {
  expectAttention(
      {.heads = 4, .kvHeads = 2, .key = 32, .value = 32, .window = 100, .hasSinks = true}, {260, 3},
      {{0, 259}, {1, 0}, {1, 2}, {0, 130}}, 5);
}

/// More queries than a work unit takes, of sequences in turn and in one piece.
TEST(Attention, sharesWorkAsItComes) {
  std::vector<Token> asked;
  for (int32_t i = 0; i < 70; ++i)
    asked.push_back({0, 60 + i});
  for (int32_t i = 0; i < 40; ++i)
    asked.push_back({i % 2, 10 + i});
  expectAttention({.heads = 6, .kvHeads = 2, .key = 32, .value = 32}, {130, 50}, asked, 6);
}

/// A head of keys with more queries than fit a worker's memory together.
TEST(Attention, takesManyLongHeads) {
  expectAttention({.heads = 130, .kvHeads = 1, .key = 576, .value = 512}, {20}, {{0, 19}, {0, 7}},
                  7);
}

TEST(Attention, rowsThatAreNotFiniteStayAlone) {
  Random random(8);
  const Heads model = {.heads = 2, .kvHeads = 1, .key = 16, .value = 16};
  for (const TestDevice &device : testDevices()) {
    const Device on{*device.kernels, testPool(1)};
    CacheOnDevice cache(model, 2, 4, random);
    std::vector<float> keys = randomFloats(40 * 16, random), values = randomFloats(40 * 16, random);
    values[20 * 16 + 3] = INFINITY;
    std::vector<Token> tokens;
    for (int32_t i = 0; i < 40; ++i)
      tokens.push_back({0, i});
    ASSERT_FALSE(cache.append(tokens, keys.data(), values.data(), on));
    const std::vector<float> queries = randomFloats(2 * 2 * 16, random);
    std::vector<float> output(2 * 2 * 16);
    ASSERT_FALSE(
        cache.attend({{0, 19}, {0, 20}}, queries.data(), 0.1f, nullptr, output.data(), on));
    for (size_t i = 0; i < output.size(); ++i)
      EXPECT_EQ(std::isnan(output[i]), i >= output.size() / 2) << device.name << ' ' << i;
    EXPECT_EQ(floatOf(0x7fc00000u) != output.back(), true);
    uint32_t bits = 0;
    std::memcpy(&bits, &output.back(), sizeof bits);
    EXPECT_EQ(bits, 0x7fc00000u);
  }
}

TEST(Attention, refusesPlacesThatAreNotThere) {
  Random random(9);
  const Heads model = {.heads = 1, .kvHeads = 1, .key = 16, .value = 16};
  const Device on{*testDevices().front().kernels, testPool(1)};
  CacheOnDevice cache(model, 2, 4, random); // two pages a sequence
  const std::vector<float> row(2 * 16, 1.0f);
  std::vector<float> output(2 * 16, -1.0f);
  const auto expectBad = [&](Token token, BadIndex::Kind kind, int64_t index, int64_t bound) {
    const std::vector<Token> tokens = {{0, 0}, token};
    for (const std::optional<BadIndex> &bad :
         {cache.append(tokens, row.data(), row.data(), on),
          cache.attend(tokens, row.data(), 1.0f, nullptr, output.data(), on)}) {
      ASSERT_TRUE(bad);
      EXPECT_EQ(bad->kind, kind);
      EXPECT_EQ(bad->position, 1);
      EXPECT_EQ(bad->index, index);
      EXPECT_EQ(bad->bound, bound);
    }
  };
  expectBad({2, 0}, BadIndex::Kind::Sequence, 2, 2);
  expectBad({-1, 0}, BadIndex::Kind::Sequence, -1, 2);
  expectBad({0, -1}, BadIndex::Kind::Position, -1, 1024);
  expectBad({0, 1024}, BadIndex::Kind::Position, 1024, 1024);
  expectBad({1, 256}, BadIndex::Kind::Page, -1, 4);
  cache.table[0] = 4;
  EXPECT_EQ(cache.append({{0, 0}}, row.data(), row.data(), on)->kind, BadIndex::Kind::Page);
  const std::optional<BadIndex> twice = cache.append({{1, 5}, {1, 5}}, row.data(), row.data(), on);
  ASSERT_TRUE(twice);
  EXPECT_EQ(twice->kind, BadIndex::Kind::Place);
  EXPECT_EQ(twice->position, 0);
  EXPECT_EQ(twice->index, 1);
  // Attention sees all pages up to its own.
  EXPECT_EQ(cache.attend({{0, 130}}, row.data(), 1.0f, nullptr, output.data(), on)->index, 4);
  EXPECT_FALSE(cache.append({{0, 130}}, row.data(), row.data(), on));
  EXPECT_EQ(output, std::vector<float>(2 * 16, -1.0f)); // nothing was written
}

//===- Rows --------------------------------------------------------------===//

/// Element `k` of a row of a file, in the order of numerics/embed.h.
float expectedElement(const TestMatrix &table, int64_t row, int64_t k) {
  const EncodedRow from = table.row(0, row);
  return visitEncoding(table.shape.encoding, [&]<Encoding E>() -> float {
    constexpr FormatInfo kInfo = formatInfo(formatOf(E));
    DecodedBlock block;
    decodeBlock<E>(from, k / kInfo.elements, block);
    const int i = static_cast<int>(k % kInfo.elements), sub = i / kInfo.subBlock;
    const float d = scaleValue<kInfo.scaleType>(scaleBits<E>(from, k / kInfo.elements));
    if constexpr (kInfo.minimum == Minimum::None)
      return hasSubScales(kInfo) ? subScaledElement(d, block.subScales[sub], block.levels[i])
                                 : groupElement(d, block.levels[i]);
    else {
      const float m = scaleValue<kInfo.scaleType>(minimumBits<E>(from, k / kInfo.elements));
      return hasSubScales(kInfo) ? subScaledElement(d, block.subScales[sub], block.levels[i], m,
                                                    block.minimums[sub])
                                 : groupElement(d, block.levels[i], m);
    }
  });
}

TEST(Embed, givesTheRowsOfTheFile) {
  Random random(10);
  for (const EncodingInfo &info : kEncodings) {
    if (!isQuantized(info))
      continue;
    const TestMatrix table({info.encoding, 1, 40, 512}, Fill::Random, random);
    const std::vector<int32_t> tokens = {0, 1, 15, 16, 39, 17, 0};
    const auto count = static_cast<int64_t>(tokens.size());
    std::vector<float> expected;
    for (const int32_t token : tokens)
      for (int64_t k = 0; k < 512; ++k)
        expected.push_back(canonicalNan(expectedElement(table, token, k)));
    std::vector<float> actual(expected.size());
    EXPECT_FALSE(cpu::runOperation(findOperation("embed").value(),
                                   {.reads = {rowsOf(tokens.data(), 1, count)},
                                    .writes = {rowsOf(actual.data(), count, 512)},
                                    .matrices = {table.matrix()}},
                                   Device{*testDevices().front().kernels, testPool(2)}));
    EXPECT_EQ(bitsOf(actual), bitsOf(expected)) << info.name;
  }
}

TEST(Embed, widensFloats) {
  const float values[] = {1.5f, -0.0f, 3.25f};
  for (const Encoding encoding : {Encoding::F32, Encoding::F16, Encoding::BF16}) {
    Random random(11);
    TestMatrix table({encoding, 1, 17, 3}, Fill::Random, random);
    const std::vector<int32_t> tokens = {16};
    const auto *raw = table.raw.data() + 16 * rowBytes(table.shape.info(), 3);
    std::vector<float> expected(std::begin(values), std::end(values));
    for (int k = 0; k < 3; ++k)
      expected[k] = encoding == Encoding::F32   ? floatOf(loadUint32(raw + 4 * k))
                    : encoding == Encoding::F16 ? fromHalf(loadUint16(raw + 2 * k))
                                                : fromBFloat16(loadUint16(raw + 2 * k));
    std::vector<float> actual(3);
    EXPECT_FALSE(cpu::runOperation(findOperation("embed").value(),
                                   {.reads = {rowsOf(tokens.data(), 1, 1)},
                                    .writes = {rowsOf(actual.data(), 1, 3)},
                                    .matrices = {table.matrix()}},
                                   Device{*testDevices().front().kernels, testPool(1)}));
    EXPECT_EQ(bitsOf(actual), bitsOf(expected));
  }
}

/// Of any payload in the file.
TEST(Embed, storesCanonicalNans) {
  Random random(15);
  TestMatrix table({Encoding::F32, 1, 1, 2}, Fill::Random, random);
  const uint32_t values[] = {0xffc12345u, 0x3f800000u};
  std::memcpy(table.raw.data(), values, sizeof values);
  packRows(table.shape.packed(), Encoding::F32, 0, 0, 1, table.raw.data(), table.packed.data());
  const std::vector<int32_t> tokens = {0};
  std::vector<float> actual(2);
  EXPECT_FALSE(cpu::runOperation(findOperation("embed").value(),
                                 {.reads = {rowsOf(tokens.data(), 1, 1)},
                                  .writes = {rowsOf(actual.data(), 1, 2)},
                                  .matrices = {table.matrix()}},
                                 Device{*testDevices().front().kernels, testPool(1)}));
  EXPECT_EQ(bitsOf(actual), (std::vector<uint32_t>{0x7fc00000u, 0x3f800000u}));
}

TEST(Embed, refusesTokensThatAreNotInTheTable) {
  Random random(12);
  const TestMatrix table({Encoding::Q8_0, 1, 20, 32}, Fill::Random, random);
  for (const int32_t token : {-1, 20}) {
    const std::vector<int32_t> tokens = {0, token};
    std::vector<float> output(64, -1.0f);
    const std::optional<BadIndex> bad =
        cpu::runOperation(findOperation("embed").value(),
                          {.reads = {rowsOf(tokens.data(), 1, 2)},
                           .writes = {rowsOf(output.data(), 2, 32)},
                           .matrices = {table.matrix()}},
                          Device{*testDevices().front().kernels, testPool(1)});
    ASSERT_TRUE(bad);
    EXPECT_EQ(bad->kind, BadIndex::Kind::Row);
    EXPECT_EQ(bad->index, token);
    EXPECT_EQ(bad->bound, 20);
    EXPECT_EQ(output, std::vector<float>(64, -1.0f));
  }
}

TEST(Rotate, turnsPairsOfEachHead) {
  Random random(13);
  constexpr int64_t kHeads = 3, kElements = 20, kTokens = 5;
  const std::vector<int64_t> frequencies = {static_cast<int64_t>(random()),
                                            static_cast<int64_t>(random() >> 20), 12345, 0, -7};
  const std::vector<int32_t> positions = {0, 1, 2, 4095, 1 << 30};
  const std::vector<float> x = randomFloats(kTokens * kHeads * kElements, random);
  const auto pairs = static_cast<int64_t>(frequencies.size());
  for (const PairOrder order : {PairOrder::Halves, PairOrder::Neighbours})
    for (const float factor : {1.0f, 1.2079442f}) {
      std::vector<float> expected = x;
      for (int64_t t = 0; t < kTokens; ++t)
        for (int64_t h = 0; h < kHeads; ++h)
          for (int64_t j = 0; j < pairs; ++j) {
            float *head = &expected[(t * kHeads + h) * kElements];
            const Turn turn =
                scaleTurn(turnAt(positions[t], static_cast<uint64_t>(frequencies[j])), factor);
            if (order == PairOrder::Halves)
              rotatePair(turn, head[j], head[j + pairs]);
            else
              rotatePair(turn, head[2 * j], head[2 * j + 1]);
          }
      for (const TestDevice &device : testDevices()) {
        std::vector<float> actual(x.size());
        Operands operands = {.reads = {rowsOf(x.data(), kTokens, kHeads * kElements),
                                       rowsOf(positions.data(), 1, kTokens)},
                             .writes = {rowsOf(actual.data(), kTokens, kHeads * kElements)},
                             .parameters = {{.integer = kHeads},
                                            {.integer = static_cast<int64_t>(order)},
                                            {.number = factor}}};
        operands.numbers = frequencies.data();
        operands.numberCount = pairs;
        runOperation("rotate", operands, Device{*device.kernels, testPool(2)});
        EXPECT_EQ(bitsOf(actual), bitsOf(expected)) << device.name;
      }
    }
}

TEST(HeadNorm, isTheNormOfEachHead) {
  Random random(14);
  constexpr int64_t kHeads = 4, kElements = 72, kTokens = 3;
  const std::vector<float> x = randomFloats(kTokens * kHeads * kElements, random);
  const std::vector<float> weight = randomFloats(kElements, random);
  std::vector<float> expected(x.size());
  for (int64_t row = 0; row < kTokens * kHeads; ++row)
    numerics::rmsNorm(&x[row * kElements], weight.data(), kElements, 1e-5f,
                      &expected[row * kElements]);
  for (const TestDevice &device : testDevices()) {
    std::vector<float> actual(x.size());
    runOperation("head_norm",
                 {.reads = {rowsOf(x.data(), kTokens, kHeads * kElements)},
                  .writes = {rowsOf(actual.data(), kTokens, kHeads * kElements)},
                  .vectors = {weight.data()},
                  .parameters = {{.integer = kHeads}, {.number = 1e-5f}}},
                 Device{*device.kernels, testPool(2)});
    EXPECT_EQ(bitsOf(actual), bitsOf(expected)) << device.name;
  }
}

} // namespace
} // namespace sortie::cpu
