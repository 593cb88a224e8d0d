// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Pieces of sequences against a model that computes each row from the whole text.

#include "test/unit/generation/FakeModel.h"

#include <gmock/gmock.h>
#include <random>

using namespace sortie;
using namespace sortie::generation;
using namespace sortie::test;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

namespace {

/// Tokens 32, rows 8, sequences 4, table of 4 pages, 10 pages, vocabulary 50.
constexpr ForwardShape kShape = {32, 8, 4, 4, 10, 50};

/// Takes no row.
llvm::Error noRow(size_t, size_t, llvm::ArrayRef<float>) {
  ADD_FAILURE() << "no logits were asked for";
  return llvm::Error::success();
}

llvm::Error anyRow(size_t, size_t, llvm::ArrayRef<float>) { return llvm::Error::success(); }

std::vector<int32_t> someTokens(size_t count, uint32_t seed = 1) {
  std::mt19937 random(seed);
  std::vector<int32_t> tokens(count);
  for (int32_t &token : tokens)
    token = static_cast<int32_t>(random() % 50);
  return tokens;
}

void expectLogitsOf(llvm::ArrayRef<int32_t> text, llvm::ArrayRef<float> logits) {
  ASSERT_EQ(logits.size(), 50u);
  for (size_t v = 0; v < logits.size(); ++v)
    ASSERT_EQ(logits[v], fakeLogit(text, v));
}

} // namespace

TEST(LanguageModel, RandomPiecesGiveTheLogitsOfTheirTexts) {
  FakeLanguageModel holder(kShape, 4, 400);
  LanguageModel &model = holder.model;
  std::mt19937 random(3);
  std::map<uint32_t, std::vector<int32_t>> texts;
  size_t rows = 0;
  for (int step = 0; step < 300; ++step) {
    if (texts.size() < 4)
      texts[llvm::cantFail(model.createSequence())] = {};
    std::vector<std::vector<int32_t>> tokens;
    std::vector<Piece> pieces;
    for (size_t i = 0; i < texts.size(); ++i)
      if (random() % 3 != 0)
        tokens.push_back(someTokens(1 + random() % (random() % 4 == 0 ? 60 : 2), random()));
      else
        tokens.emplace_back();
    size_t index = 0;
    for (auto &[sequence, text] : texts) {
      if (const std::vector<int32_t> &piece = tokens[index++]; !piece.empty())
        pieces.push_back({sequence, piece, random() % (piece.size() + 1)});
    }
    if (pieces.empty())
      continue;
    std::vector<size_t> next;
    for (const Piece &piece : pieces)
      next.push_back(piece.firstWanted);
    llvm::Error error = model.extend(pieces, [&](size_t piece, size_t token, auto logits) {
      EXPECT_EQ(token, next[piece]++);
      std::vector<int32_t> text = texts[pieces[piece].sequence];
      const llvm::ArrayRef<int32_t> added = pieces[piece].tokens.take_front(token + 1);
      text.insert(text.end(), added.begin(), added.end());
      expectLogitsOf(text, logits);
      ++rows;
      return llvm::Error::success();
    });
    if (error) {
      const std::string message = messageOf(std::move(error));
      EXPECT_TRUE(llvm::StringRef(message).contains("the cache has no room") ||
                  llvm::StringRef(message).contains("the context is 400"))
          << message;
      const uint32_t ended = texts.begin()->first;
      llvm::cantFail(model.removeSequence(ended));
      texts.erase(ended);
      continue;
    }
    for (const auto &[piece, end] : llvm::zip_equal(pieces, next)) {
      EXPECT_EQ(end, piece.tokens.size()) << "rows are missing";
      std::vector<int32_t> &text = texts[piece.sequence];
      text.insert(text.end(), piece.tokens.begin(), piece.tokens.end());
      ASSERT_EQ(llvm::cantFail(model.length(piece.sequence)), static_cast<int64_t>(text.size()));
    }
  }
  EXPECT_GT(rows, 500u);
}

TEST(LanguageModel, RunsAreAsLargeAsTheProgramAllows) {
  FakeLanguageModel holder(kShape, 2, 512);
  const uint32_t first = llvm::cantFail(holder.model.createSequence());
  const uint32_t second = llvm::cantFail(holder.model.createSequence());
  const std::vector<int32_t> tokens = someTokens(50);
  llvm::cantFail(holder.model.extend({{first, tokens, 50}, {second, {1}, 0}}, anyRow));
  using Extent = FakeModel::Extent;
  EXPECT_THAT(holder.fake.runs, ElementsAre(Extent{32, 0}, Extent{19, 1}));
  holder.fake.runs.clear();
  llvm::cantFail(holder.model.extend({{first, someTokens(20), 5}}, anyRow));
  EXPECT_THAT(holder.fake.runs, ElementsAre(Extent{13, 8}, Extent{7, 7}));
}

TEST(LanguageModel, ProgressIsTold) {
  FakeLanguageModel holder(kShape, 1, 512);
  std::vector<std::pair<uint64_t, uint64_t>> told;
  holder.model.progress = [&](uint64_t done, uint64_t total) { told.push_back({done, total}); };
  const uint32_t sequence = llvm::cantFail(holder.model.createSequence());
  llvm::cantFail(holder.model.extend({{sequence, someTokens(70), 70}}, noRow));
  EXPECT_THAT(told, ElementsAre(std::pair(32, 70), std::pair(64, 70), std::pair(70, 70)));
}

TEST(LanguageModel, NothingIsLostAfterAnError) {
  FakeLanguageModel holder(kShape, 2, 512);
  LanguageModel &model = holder.model;
  const uint32_t sequence = llvm::cantFail(model.createSequence());
  const std::vector<int32_t> text = someTokens(100);
  llvm::cantFail(model.extend({{sequence, text, 100}}, noRow));
  const auto check = [&] {
    ASSERT_EQ(llvm::cantFail(model.length(sequence)), 100);
    std::vector<int32_t> longer = text;
    longer.push_back(7);
    llvm::cantFail(model.extend({{sequence, {7}, 0}}, [&](size_t, size_t, auto logits) {
      expectLogitsOf(longer, logits);
      return llvm::Error::success();
    }));
    llvm::cantFail(model.truncate(sequence, 100));
  };
  check();
  holder.fake.failsAt = holder.fake.runs.size() + 1; // the second run of the next call
  EXPECT_EQ(messageOf(model.extend({{sequence, someTokens(50), 50}}, noRow)), "the run failed");
  holder.fake.failsAt = SIZE_MAX;
  check();
  EXPECT_EQ(messageOf(model.extend({{sequence, {1, 2}, 0}},
                                   [](size_t, size_t token, auto) -> llvm::Error {
                                     return token == 1 ? makeError("no more")
                                                       : llvm::Error::success();
                                   })),
            "no more");
  check();
}

TEST(LanguageModel, FullCachesAreErrors) {
  FakeLanguageModel holder(kShape, 4, 300);
  LanguageModel &model = holder.model;
  std::vector<uint32_t> sequences;
  for (int i = 0; i < 4; ++i)
    sequences.push_back(llvm::cantFail(model.createSequence()));
  EXPECT_THAT(messageOf(model.createSequence().takeError()), HasSubstr("are in use"));
  const std::vector<int32_t> tokens = someTokens(301);
  EXPECT_EQ(messageOf(model.extend({{sequences[0], tokens, 301}}, noRow)),
            "sequence 0 has 0 positions and cannot grow by 301: the context is 300");
  const llvm::ArrayRef<int32_t> all = llvm::ArrayRef<int32_t>(tokens).drop_back();
  llvm::cantFail(model.extend(
      {{sequences[0], all, 300}, {sequences[1], all, 300}, {sequences[2], all, 300}}, noRow));
  EXPECT_EQ(messageOf(model.extend({{sequences[3], all, 300}}, noRow)),
            "the cache has no room: 3 pages of 128 positions are needed, 1 are free; end or cut a "
            "sequence, or make the session with 2 more pages");
  llvm::cantFail(model.removeSequence(sequences[0]));
  llvm::cantFail(model.extend({{sequences[3], all, 300}}, noRow));
}

TEST(LanguageModel, MisuseIsAnError) {
  const auto refusal = [](int64_t sequences, int64_t context) {
    return messageOf(
        LanguageModel::create(std::make_unique<FakeModel>(kShape), sequences, context).takeError());
  };
  EXPECT_EQ(refusal(1, 513), "a context of 513 positions: the program has room for 512; import the "
                             "model with a larger --context");
  EXPECT_EQ(refusal(5, 512), "5 sequences at once: the program has room for 4; take fewer, or "
                             "compile it for more");
  EXPECT_THAT(refusal(1, 0), HasSubstr("sequences of 0 positions"));

  FakeLanguageModel holder(kShape, 1, 512);
  LanguageModel &model = holder.model;
  EXPECT_EQ(messageOf(model.extend({}, noRow)), "a run without tokens; give at least one");
  EXPECT_EQ(messageOf(model.extend({{0, {1}, 1}}, noRow)), "there is no sequence 0");
  const uint32_t sequence = llvm::cantFail(model.createSequence());
  EXPECT_EQ(messageOf(model.extend({{sequence, {}, 0}}, noRow)),
            "sequence 0 is to grow by no tokens; give at least one");
  for (const int32_t token : {-1, 50})
    EXPECT_EQ(messageOf(model.extend({{sequence, {3, token}, 2}}, noRow)),
              "token " + std::to_string(token) +
                  " is not in the model's vocabulary: its tokens are 0 to 49");
  EXPECT_TRUE(holder.fake.runs.empty());
}

namespace {

/// Tokens 32, rows 8, sequences 8, table of 4 pages, 16 pages, vocabulary 50, copies of 2 pages.
constexpr ForwardShape kForking = {32, 8, 8, 4, 16, 50, 2};

/// Continues the sequences of texts, and compares the logits of each with those of its text.
void expectGoesOn(LanguageModel &model, std::map<uint32_t, std::vector<int32_t>> &texts,
                  llvm::ArrayRef<uint32_t> sequences, size_t count, uint32_t seed) {
  std::vector<std::vector<int32_t>> tokens;
  std::vector<Piece> pieces;
  for (const uint32_t sequence : sequences)
    tokens.push_back(someTokens(count, seed + sequence));
  for (const auto &[sequence, added] : llvm::zip_equal(sequences, tokens)) {
    llvm::append_range(texts[sequence], added);
    pieces.push_back({sequence, added, count - 1});
  }
  size_t rows = 0;
  llvm::cantFail(model.extend(pieces, [&](size_t piece, size_t, auto logits) {
    ++rows;
    expectLogitsOf(texts[pieces[piece].sequence], logits);
    return llvm::Error::success();
  }));
  EXPECT_EQ(rows, pieces.size());
}

} // namespace

TEST(LanguageModel, ForksGoOnByThemselves) {
  for (const size_t length : {1, 100, 128, 130, 256}) {
    FakeLanguageModel holder(kForking, 8, 400);
    LanguageModel &model = holder.model;
    std::map<uint32_t, std::vector<int32_t>> texts;
    const uint32_t first = llvm::cantFail(model.createSequence());
    expectGoesOn(model, texts, first, length, 1);
    std::vector<uint32_t> all = {first};
    for (int i = 0; i < 4; ++i) {
      all.push_back(llvm::cantFail(model.fork(first)));
      texts[all.back()] = texts[first];
    }
    EXPECT_EQ(llvm::cantFail(model.length(all[4])), static_cast<int64_t>(length));
    // One first, then the rest together: the last owner of a page keeps it.
    expectGoesOn(model, texts, all[2], 5, 7);
    expectGoesOn(model, texts, all, 9, 11);
    expectGoesOn(model, texts, all, 30, 13);
    // 4 copies, in one call for the first sequence, and two for three others.
    EXPECT_EQ(holder.fake.copyCalls, length % 128 == 0 ? 0u : 3u);
    // A fork of a fork, after its origin is gone and another has been cut back into a shared page.
    const uint32_t again = llvm::cantFail(model.fork(all[4]));
    texts[again] = texts[all[4]];
    llvm::cantFail(model.removeSequence(all[4]));
    expectGoesOn(model, texts, again, 3, 17);
    const uint32_t cut = llvm::cantFail(model.fork(all[1]));
    llvm::cantFail(model.truncate(cut, static_cast<int64_t>(length)));
    texts[cut] = texts[all[1]];
    texts[cut].resize(length);
    expectGoesOn(model, texts, {cut, all[1]}, 20, 19);
  }
}

TEST(LanguageModel, CopiesThatFailAreMadeLater) {
  FakeLanguageModel holder(kForking, 8, 400);
  LanguageModel &model = holder.model;
  std::map<uint32_t, std::vector<int32_t>> texts;
  const uint32_t first = llvm::cantFail(model.createSequence());
  expectGoesOn(model, texts, first, 100, 1);
  const uint32_t second = llvm::cantFail(model.fork(first));
  texts[second] = texts[first];
  holder.fake.copyFailsAt = 0;
  EXPECT_EQ(messageOf(model.extend({{second, {1}, 1}}, noRow)), "the copy failed");
  EXPECT_EQ(llvm::cantFail(model.length(second)), 100);
  // The copy of the fork's fork has to wait for that of the fork.
  const uint32_t third = llvm::cantFail(model.fork(second));
  texts[third] = texts[second];
  expectGoesOn(model, texts, {second, third, first}, 10, 3);
  EXPECT_EQ(holder.fake.copyCalls, 3u);
}

TEST(LanguageModel, ForksThatCannotBeAreErrors) {
  FakeLanguageModel old(kShape, 4, 400);
  const uint32_t sequence = llvm::cantFail(old.model.createSequence());
  EXPECT_EQ(messageOf(old.model.fork(sequence).takeError()),
            "cannot fork sequence 0: the program has no functions that copy, read and write pages "
            "of its caches; compile it again");
  FakeLanguageModel holder(kForking, 1, 400);
  EXPECT_EQ(messageOf(holder.model.fork(3).takeError()), "there is no sequence 3");
  llvm::cantFail(holder.model.createSequence());
  EXPECT_THAT(messageOf(holder.model.fork(0).takeError()), HasSubstr("are in use"));
}
