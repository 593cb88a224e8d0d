// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Attention over pages, as kernels do it, against numerics::attend, bit by bit.

#ifndef SORTIE_TEST_UNIT_KERNELS_ATTENDCHECK_H
#define SORTIE_TEST_UNIT_KERNELS_ATTENDCHECK_H

#include "test/unit/kernels/KernelTest.h"

#include "codegen/kernels/attention/Attend.h"

#include <algorithm>
#include <numeric>

namespace sortie::kernels {

constexpr auto kInt8 = ActivationWidth::Int8;
constexpr auto kInt16 = ActivationWidth::Int16;
constexpr float kKappa = 0x1.8p-4f;

/// What the model of a test has, but for what a test changes.
struct DefaultSpec {
  static constexpr ActivationWidth kOwn = kInt16, kCached = kInt16;
  static constexpr int kHeads = 4, kKvHeads = 2, kKey = 16, kValue = 16, kRotated = 0;
  static constexpr uint32_t kScale = 0x3dc00000u; // kKappa
  static constexpr int kWindow = 0, kPages = 6, kSplit = kSplitTokens;
  static constexpr bool kHasSinks = false;
  static constexpr int kSharedLimit = 101376;
};

/// The same model with every number of tokens taken by attendPrompt.
template <typename Spec> struct AsPrompt : Spec {
  static constexpr int kSplit = 0;
};

struct Token {
  int32_t sequence, position;
};

/// Rows of one head of one sequence, quantized.
struct QuantizedHead {
  std::vector<int16_t> integers; ///< [rows, width], each row ends in zeros
  Floats scales;

  template <ActivationWidth Width>
  static QuantizedHead make(const Floats &rows, int64_t stride, int64_t first, int elements,
                            int width) {
    QuantizedHead head;
    const auto count = static_cast<int64_t>(rows.size()) / stride;
    head.integers.resize(count * width);
    for (int64_t row = 0; row < count; ++row)
      head.scales.push_back(numerics::quantizeBlock<Width>(&rows[row * stride + first], elements,
                                                           &head.integers[row * width]));
    return head;
  }
};

/// What sequences have cached, pages that hold it, and queries.
template <typename Spec> class AttendProblem {
  using Shape = AttentionShape<Spec>;
  static constexpr int kWidth = static_cast<int>(greater(Spec::kKey, Spec::kValue));
  static constexpr int kLimbs = Shape::kCached;

public:
  AttendProblem(const std::vector<int> &lengths, const std::vector<Token> &tokens, uint64_t seed)
      : tokens(tokens), random(seed) {
    for (const int length : lengths) {
      keys.push_back(randomFloats(int64_t{length} * Spec::kKvHeads * Spec::kKey, random));
      values.push_back(randomFloats(int64_t{length} * Spec::kKvHeads * Spec::kValue, random));
      rotatedKeys.push_back(randomFloats(int64_t{length} * Spec::kRotated, random));
    }
    const auto count = static_cast<int64_t>(tokens.size());
    queries = randomFloats(count * Spec::kHeads * Spec::kKey, random);
    rotated = randomFloats(count * Spec::kHeads * Spec::kRotated, random);
    sinks = randomFloats(Spec::kHeads, random);
  }

  /// Runs the kernels and compares. `status` is what check_places found.
  void check(int32_t status = 0) {
    writePages();
    const std::vector<uint32_t> expected =
        status == 0 ? bitsOf(expectedOutputs())
                    : std::vector<uint32_t>(tokens.size() * Spec::kHeads * Spec::kValue,
                                            numerics::bitsOf(kUnwritten));
    for (const uint64_t seed : kSeeds) {
      Floats outputs(expected.size(), kUnwritten);
      attend(outputs, status, seed);
      const std::vector<uint32_t> actual = bitsOf(outputs);
      const auto differs = std::mismatch(actual.begin(), actual.end(), expected.begin());
      ASSERT_TRUE(differs.first == actual.end())
          << "seed " << seed << ", element " << differs.first - actual.begin() << " of "
          << actual.size() << ": " << std::hex << *differs.first << ", not " << *differs.second;
    }
  }

  std::vector<Token> tokens;
  std::vector<Floats> keys, values, rotatedKeys; ///< of each sequence
  Floats queries, rotated, sinks;

private:
  static void spansKernel(const AttendOperands *operands, float *results, int32_t count) {
    attendSpans<Spec>(*operands, results, count);
  }
  static void attendKernel(const AttendOperands *operands, const float *results, float *outputs,
                           const float *sinks, int32_t count) {
    kernels::attend<Spec>(*operands, results, outputs, sinks, count);
  }

  /// The launches of moert.attend.
  void attend(Floats &outputs, int32_t bad, uint64_t seed) {
    Ints positions, sequences;
    for (const Token &token : tokens) {
      positions.push_back(token.position);
      sequences.push_back(token.sequence);
    }
    const Ints status = {bad, 1, 2, 3};
    const AttendOperands operands = {queries.data(),   rotated.data(),   cache.data(),
                                     positions.data(), sequences.data(), table.data(),
                                     status.data()};
    const auto count = static_cast<int32_t>(tokens.size());
    const auto tiles = static_cast<int>(lesser(count, Spec::kSplit)) * Shape::kTilesOfToken;
    Floats results(int64_t{tiles} * Spec::kKvHeads * Shape::kSpans * spanFloats(Spec::kValue),
                   kUnwritten);
    run<spansKernel>({tiles, Spec::kKvHeads, Shape::kSpans}, kSpanThreads,
                     spansGeometry(Shape::kHeads, Spec::kSharedLimit).sharedBytes, seed, &operands,
                     results.data(), count);
    const AttendGeometry geometry = attendGeometry(Shape::kHeads, Spec::kSharedLimit);
    const auto blocks =
        static_cast<int>(ceilDiv(count * Shape::kGroup, geometry.warps * kTileQueries));
    const int splitTiles = Spec::kSplit * Shape::kTilesOfToken;
    const auto panels = static_cast<int>(ceilDiv(Shape::kValuePanels, geometry.warps));
    run<attendKernel>({blocks + splitTiles, Spec::kKvHeads, panels}, geometry.warps * kWarp,
                      geometry.sharedBytes, seed, &operands,
                      static_cast<const float *>(results.data()), outputs.data(),
                      static_cast<const float *>(sinks.data()), count);
  }

  //===- Pages ------------------------------------------------------------===//

  char *headAt(int sequence, int position, int kvHead) {
    const int page = table[sequence * Spec::kPages + position / kAttentionChunk];
    return reinterpret_cast<char *>(cache.data()) + page * Shape::kPageBytes +
           kvHead * Shape::kPage.headBytes;
  }

  void store(char *limbs, int64_t limbBytes, int64_t byte, int16_t integer) {
    const int32_t low = kLimbs == 2 ? numerics::lowLimb(integer) : integer;
    limbs[byte] = static_cast<char>(low + numerics::kCacheBias);
    if (kLimbs == 2)
      limbs[limbBytes + byte] =
          static_cast<char>(numerics::highLimb(integer) + numerics::kCacheBias);
  }
  void storeRow(char *head, const numerics::CacheRowsLayout &rows, int position, int count,
                const int16_t *integers, float scale) {
    reinterpret_cast<float *>(head + rows.scales)[position] = scale;
    for (int i = 0; i < count; ++i)
      store(head + rows.first, rows.limb, numerics::cacheByte(rows.panel, position, i),
            integers[i]);
  }

  /// Pages in any order; places that nobody appended to hold NaNs as scales, and any bytes.
  void writePages() {
    const auto sequences = static_cast<int>(keys.size());
    table.resize(int64_t{sequences} * Spec::kPages);
    std::iota(table.begin(), table.end(), 1);
    std::shuffle(table.begin(), table.end(), random);
    cache.resize((table.size() + 1) * Shape::kPageBytes / sizeof(hw::Words4));
    for (hw::Words4 &words : cache)
      for (uint32_t &word : words.word)
        word = 0xffc00000u | static_cast<uint32_t>(random());
    for (int sequence = 0; sequence < sequences; ++sequence)
      for (int kvHead = 0; kvHead < Spec::kKvHeads; ++kvHead)
        writeHead(sequence, kvHead);
  }
  void writeHead(int sequence, int kvHead) {
    const QuantizedHead key = keysOf(sequence, kvHead);
    const QuantizedHead value = valuesOf(sequence, kvHead);
    const QuantizedHead second = rotatedKeysOf(sequence);
    for (int position = 0; position < static_cast<int>(key.scales.size()); ++position) {
      char *head = headAt(sequence, position, kvHead);
      const int row = position % kAttentionChunk;
      storeRow(head, Shape::kPage.keys, row, Spec::kKey, &key.integers[position * kWidth],
               key.scales[position]);
      if constexpr (Shape::kHasTwoParts)
        storeRow(head, Shape::kPage.rotated, row, Spec::kRotated,
                 &second.integers[position * Spec::kRotated], second.scales[position]);
      reinterpret_cast<float *>(head + Shape::kPage.valueScales)[row] = value.scales[position];
      for (int i = 0; i < Spec::kValue; ++i)
        store(head + Shape::kPage.values, Shape::kPage.valueLimb,
              numerics::cacheByte(Shape::kPage.valuePanel, i, row),
              value.integers[position * kWidth + i]);
    }
  }

  //===- The reference ----------------------------------------------------===//

  QuantizedHead keysOf(int sequence, int kvHead) const {
    return QuantizedHead::make<Spec::kCached>(keys[sequence], Spec::kKvHeads * Spec::kKey,
                                              kvHead * Spec::kKey, Spec::kKey, kWidth);
  }
  /// The first of two parts of keys is the value, too.
  QuantizedHead valuesOf(int sequence, int kvHead) const {
    if (Shape::kHasTwoParts)
      return keysOf(sequence, kvHead);
    return QuantizedHead::make<Spec::kCached>(values[sequence], Spec::kKvHeads * Spec::kValue,
                                              kvHead * Spec::kValue, Spec::kValue, kWidth);
  }
  QuantizedHead rotatedKeysOf(int sequence) const {
    if (!Shape::kHasTwoParts)
      return {};
    return QuantizedHead::make<Spec::kCached>(rotatedKeys[sequence], Spec::kRotated, 0,
                                              Spec::kRotated, Spec::kRotated);
  }

  Floats expectedOutputs() const {
    Floats outputs;
    std::vector<std::vector<std::vector<QuantizedHead>>> caches; // [sequence][head][part]
    for (int sequence = 0; sequence < static_cast<int>(keys.size()); ++sequence) {
      caches.emplace_back();
      for (int head = 0; head < Spec::kKvHeads; ++head)
        caches.back().push_back(
            {keysOf(sequence, head), valuesOf(sequence, head), rotatedKeysOf(sequence)});
    }
    for (size_t token = 0; token < tokens.size(); ++token)
      for (int head = 0; head < Spec::kHeads; ++head) {
        const Floats row =
            expectedRow(caches[tokens[token].sequence][head / Shape::kGroup], token, head);
        outputs.insert(outputs.end(), row.begin(), row.begin() + Spec::kValue);
      }
    return outputs;
  }
  Floats expectedRow(const std::vector<QuantizedHead> &parts, size_t token, int head) const {
    std::vector<int16_t> own(kWidth), second(Spec::kRotated);
    const int64_t row = static_cast<int64_t>(token) * Spec::kHeads + head;
    const float scale =
        numerics::quantizeBlock<Spec::kOwn>(&queries[row * Spec::kKey], Spec::kKey, own.data());
    float rotatedScale = 0.0f;
    if (Shape::kHasTwoParts)
      rotatedScale = numerics::quantizeBlock<Spec::kOwn>(rotated.data() + row * Spec::kRotated,
                                                         Spec::kRotated, second.data());
    const numerics::HeadQuery query = {
        own.data(),    numerics::mul(scale, kKappa),       tokens[token].position, Spec::kWindow,
        second.data(), numerics::mul(rotatedScale, kKappa)};
    const numerics::HeadCache cached = {parts[0].integers.data(),
                                        parts[0].scales.data(),
                                        parts[1].integers.data(),
                                        parts[1].scales.data(),
                                        kWidth,
                                        parts[2].integers.data(),
                                        parts[2].scales.data(),
                                        Spec::kRotated};
    Floats output(kWidth), scratch(2 * kWidth);
    numerics::attend<Spec::kOwn, Spec::kCached>(
        query, cached, Spec::kHasSinks ? &sinks[head] : nullptr, output.data(), scratch.data());
    return output;
  }

  Random random;
  Ints table;
  std::vector<hw::Words4> cache;
};

/// Both ways to attend.
template <typename Spec>
void checkAttention(const std::vector<int> &lengths, const std::vector<Token> &tokens,
                    uint64_t seed = 1) {
  {
    SCOPED_TRACE("spans");
    AttendProblem<Spec>(lengths, tokens, seed).check();
  }
  SCOPED_TRACE("prompt");
  AttendProblem<AsPrompt<Spec>>(lengths, tokens, seed).check();
}

} // namespace sortie::kernels

#endif // SORTIE_TEST_UNIT_KERNELS_ATTENDCHECK_H
