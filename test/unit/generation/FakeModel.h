// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A model whose logits are a hash of all tokens up to their own, which it finds through the tables
// of pages as a program would: a wrong page, position or order shows in every logit.

#ifndef SORTIE_TEST_UNIT_GENERATION_FAKEMODEL_H
#define SORTIE_TEST_UNIT_GENERATION_FAKEMODEL_H

#include "runtime/generation/LanguageModel.h"
#include "runtime/support/CounterRandom.h"

#include <gtest/gtest.h>

namespace sortie::test {

using generation::ForwardInputs;
using generation::ForwardPass;
using generation::ForwardShape;
using generation::LanguageModel;

inline std::string messageOf(llvm::Error error) { return llvm::toString(std::move(error)); }

/// The logit of token `token` after a text, in [-4, 4).
inline float fakeLogit(llvm::ArrayRef<int32_t> text, size_t token) {
  uint64_t hash = 0;
  for (const int32_t id : text)
    hash = mix64(hash + static_cast<uint64_t>(id) + 1);
  return static_cast<float>(static_cast<int32_t>(mix64(hash + token) >> 40)) * 0x1p-21f - 4.0f;
}

class FakeModel : public ForwardPass {
public:
  explicit FakeModel(const ForwardShape &shape)
      : limits(shape), memory(static_cast<size_t>(shape.pages * cache::kPagePositions), -1) {
    described.numerics = 2;
    described.fingerprintRule = 2;
    described.fingerprint = 0xabcdef;
    described.caches = {{"first", 1, 4, 1, numerics::ActivationWidth::Int8},
                        {"second", 2, 3, 20, numerics::ActivationWidth::Int16}};
  }

  const ForwardShape &shape() const override { return limits; }

  llvm::Error run(const ForwardInputs &inputs, llvm::MutableArrayRef<float> logits) override {
    check(inputs, logits.size());
    if (runs.size() == failsAt)
      return makeError("the run failed");
    runs.push_back({inputs.tokens.size(), inputs.rows.size()});
    for (size_t i = 0; i < inputs.tokens.size(); ++i)
      at(inputs, inputs.sequences[i], inputs.positions[i]) = inputs.tokens[i];
    const auto width = static_cast<size_t>(limits.vocabulary);
    for (size_t row = 0; row < inputs.rows.size(); ++row) {
      const auto token = static_cast<size_t>(inputs.rows[row]);
      std::vector<int32_t> text;
      for (int32_t position = 0; position <= inputs.positions[token]; ++position)
        text.push_back(at(inputs, inputs.sequences[token], position));
      for (size_t v = 0; v < width; ++v)
        logits[row * width + v] = logitOf ? logitOf(text, v) : fakeLogit(text, v);
    }
    return llvm::Error::success();
  }

  llvm::Error copyPages(llvm::ArrayRef<int32_t> from, llvm::ArrayRef<int32_t> to) override {
    EXPECT_EQ(from.size(), to.size());
    EXPECT_FALSE(from.empty());
    EXPECT_LE(static_cast<int64_t>(from.size()), limits.copies);
    if (copyCalls++ == copyFailsAt)
      return makeError("the copy failed");
    const std::vector<int32_t> before = memory;
    for (const auto &[source, destination] : llvm::zip_equal(from, to))
      std::copy_n(before.begin() + source * cache::kPagePositions, cache::kPagePositions,
                  memory.begin() + destination * cache::kPagePositions);
    return llvm::Error::success();
  }

  const generation::CacheOrigin &origin() const override { return described; }

  /// The first cache has tokens in place of the scales of keys; nothing else is of use.
  llvm::Error readPages(llvm::ArrayRef<int32_t> index,
                        llvm::MutableArrayRef<int32_t> words) override {
    EXPECT_LE(static_cast<int64_t>(index.size()), limits.copies);
    EXPECT_EQ(words.size(), described.words(index.size()));
    std::fill(words.begin(), words.end(), 0x01020304);
    const auto own = static_cast<size_t>(described.caches[0].words());
    for (const auto &[place, page] : llvm::enumerate(index))
      std::copy_n(memory.begin() + page * cache::kPagePositions, cache::kPagePositions,
                  words.begin() + place * own);
    return llvm::Error::success();
  }

  llvm::Error writePages(llvm::ArrayRef<int32_t> index, llvm::ArrayRef<int32_t> words) override {
    EXPECT_LE(static_cast<int64_t>(index.size()), limits.copies);
    EXPECT_EQ(words.size(), described.words(index.size()));
    if (writeFails)
      return makeError("the write failed");
    const auto own = static_cast<size_t>(described.caches[0].words());
    for (const auto &[place, page] : llvm::enumerate(index))
      std::copy_n(words.begin() + place * own, cache::kPagePositions,
                  memory.begin() + page * cache::kPagePositions);
    return llvm::Error::success();
  }

  /// Tokens and rows of a run.
  struct Extent {
    size_t tokens, rows;
    bool operator==(const Extent &) const = default;
  };
  std::vector<Extent> runs;
  size_t failsAt = SIZE_MAX; ///< number of the run that fails
  generation::CacheOrigin described;
  bool writeFails = false;
  size_t copyCalls = 0;
  size_t copyFailsAt = SIZE_MAX; ///< number of the call that fails
  std::function<float(llvm::ArrayRef<int32_t> text, size_t token)> logitOf;

private:
  void check(const ForwardInputs &inputs, size_t logits) const {
    ASSERT_EQ(inputs.positions.size(), inputs.tokens.size());
    ASSERT_EQ(inputs.sequences.size(), inputs.tokens.size());
    ASSERT_LE(static_cast<int64_t>(inputs.tokens.size()), limits.tokens);
    ASSERT_LE(static_cast<int64_t>(inputs.rows.size()), limits.rows);
    ASSERT_EQ(logits, inputs.rows.size() * static_cast<size_t>(limits.vocabulary));
    ASSERT_EQ(inputs.pages.size() % static_cast<size_t>(limits.tablePages), 0u);
    for (size_t i = 1; i < inputs.tokens.size(); ++i) {
      const bool goesOn = inputs.sequences[i] == inputs.sequences[i - 1];
      ASSERT_TRUE(!goesOn || inputs.positions[i] == inputs.positions[i - 1] + 1);
    }
  }

  int32_t &at(const ForwardInputs &inputs, int32_t sequence, int32_t position) {
    const int64_t place = sequence * limits.tablePages + position / cache::kPagePositions;
    const int32_t page = inputs.pages[static_cast<size_t>(place)];
    EXPECT_GE(page, 0) << "position " << position << " of sequence " << sequence << " has no page";
    return memory[static_cast<size_t>(page * cache::kPagePositions +
                                      position % cache::kPagePositions)];
  }

  ForwardShape limits;
  std::vector<int32_t> memory; ///< the token at each position of each page
};

/// A language model over a fake one.
struct FakeLanguageModel {
  FakeLanguageModel(const ForwardShape &shape, int64_t sequences, int64_t context)
      : FakeLanguageModel(std::make_unique<FakeModel>(shape), sequences, context) {}
  FakeLanguageModel(std::unique_ptr<FakeModel> pass, int64_t sequences, int64_t context)
      : fake(*pass),
        model(llvm::cantFail(LanguageModel::create(std::move(pass), sequences, context))) {}

  FakeModel &fake;
  LanguageModel model;
};

} // namespace sortie::test

#endif // SORTIE_TEST_UNIT_GENERATION_FAKEMODEL_H
