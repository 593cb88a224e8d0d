// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which tokens are counted, after what.

#include "test/unit/generation/FakeModel.h"

#include "runtime/generation/Distribution.h"
#include "runtime/generation/Perplexity.h"

#include <cmath>
#include <gmock/gmock.h>
#include <numeric>

using namespace sortie;
using namespace sortie::generation;
using namespace sortie::test;

namespace {

/// Tokens 16, rows 4, one sequence, a table of 1 page, 1 page, vocabulary 40.
constexpr ForwardShape kShape = {16, 4, 1, 1, 1, 40};

void nothing(const Likelihoods &) {}

/// What the definition says, token by token.
Likelihoods expected(std::vector<int32_t> tokens, size_t length, std::optional<int32_t> begin) {
  Likelihoods likelihoods;
  for (size_t first = 0; first + length <= tokens.size(); first += length) {
    std::vector<int32_t> chunk(tokens.begin() + first, tokens.begin() + first + length);
    if (begin)
      chunk[0] = *begin;
    for (size_t token = length / 2 + 1; token < length; ++token) {
      std::vector<float> logits(40);
      for (size_t v = 0; v < 40; ++v)
        logits[v] = fakeLogit(llvm::ArrayRef<int32_t>(chunk).take_front(token), v);
      likelihoods.add(llvm::cantFail(logProbability(logits, chunk[token])));
    }
  }
  return likelihoods;
}

} // namespace

TEST(Perplexity, CountsTheSecondHalfOfEachChunk) {
  std::vector<int32_t> tokens(150);
  for (size_t i = 0; i < tokens.size(); ++i)
    tokens[i] = static_cast<int32_t>(i * 7 % 40);
  for (const int64_t context : {4, 5, 50, 75, 128})
    for (const std::optional<int32_t> begin : {std::optional<int32_t>(), std::optional(3)}) {
      FakeLanguageModel holder(kShape, 1, context);
      std::vector<uint64_t> counts;
      const Likelihoods all = llvm::cantFail(
          measureLikelihoods(holder.model, tokens, begin, [&](const Likelihoods &likelihoods) {
            counts.push_back(likelihoods.count);
          }));
      const Likelihoods truth = expected(tokens, static_cast<size_t>(context), begin);
      EXPECT_EQ(all.count, truth.count);
      EXPECT_EQ(all.sum, truth.sum);
      EXPECT_EQ(all.squares, truth.squares);
      ASSERT_EQ(counts.size(), 150u / static_cast<size_t>(context));
      EXPECT_EQ(counts.front(), static_cast<uint64_t>(context - context / 2 - 1));
      EXPECT_EQ(counts.back(), all.count);
    }
}

TEST(Perplexity, MeanAndError) {
  Likelihoods likelihoods;
  for (const float loss : {1.0f, 2.0f, 3.0f, 6.0f})
    likelihoods.add(-loss);
  EXPECT_DOUBLE_EQ(likelihoods.perplexity(), std::exp(3.0));
  // The variance is 3.5, of four numbers.
  EXPECT_DOUBLE_EQ(likelihoods.error(), std::exp(3.0) * std::sqrt(3.5 / 3));
  Likelihoods one;
  one.add(-1);
  EXPECT_EQ(one.error(), 0);
}

TEST(Perplexity, Errors) {
  FakeLanguageModel holder(kShape, 1, 20);
  const std::vector<int32_t> tokens(20, 39);
  EXPECT_EQ(
      messageOf(measureLikelihoods(holder.model, llvm::ArrayRef(tokens).drop_back(), {}, nothing)
                    .takeError()),
      "the text has 19 tokens, and a chunk is 20; give a longer text or a smaller context");
  std::vector<int32_t> last = tokens;
  last.back() = 40; // which is not run
  EXPECT_EQ(messageOf(measureLikelihoods(holder.model, last, {}, nothing).takeError()),
            "token 40 is not in the model's vocabulary: its tokens are 0 to 39");
  EXPECT_EQ(llvm::cantFail(measureLikelihoods(holder.model, tokens, {}, nothing)).count, 9u);
}
