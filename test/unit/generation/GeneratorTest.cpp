// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Generation by a model whose next token a test decides: where texts end, what is streamed, and
// that a text does not depend on the others.

#include "test/unit/generation/FakeModel.h"
#include "test/unit/tokenizer/TestVocabulary.h"

#include "runtime/generation/EndTokens.h"
#include "runtime/generation/Generator.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/JSON.h"

#include <cmath>
#include <gmock/gmock.h>

using namespace sortie;
using namespace sortie::generation;
using namespace sortie::test;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

namespace {

constexpr int32_t kEnd = 256;
constexpr int32_t kVocabulary = 258;
/// Tokens 64, rows 4, sequences 8, tables of 2 pages, 16 pages.
constexpr ForwardShape kShape = {64, 4, 8, 2, 16, kVocabulary};

/// The bytes, and an end token.
TestVocabulary vocabularyWithEnd() {
  TestVocabulary vocabulary = byteVocabulary();
  vocabulary.add("<|im_end|>", model::TokenType::Control);
  vocabulary.add("<|message|>", model::TokenType::Control);
  return vocabulary;
}

/// Continues any prompt of `promptLength` tokens with these, and then with the last again and
/// again.
struct Scripted {
  Scripted(size_t promptLength, const std::vector<int32_t> &script, int64_t context = 200)
      : holder(kShape, 8, context), tokenizer(vocabularyWithEnd()) {
    holder.fake.logitOf = [=](llvm::ArrayRef<int32_t> text, size_t token) {
      const size_t place = std::min(text.size() - promptLength, script.size() - 1);
      return static_cast<size_t>(script[place]) == token ? 5.0f : 0.0f;
    };
  }

  GeneratedText generate(const GenerationOptions &options, const std::string &prompt = "ab") {
    const auto keep = [&](size_t, llvm::StringRef text) {
      EXPECT_TRUE(llvm::json::isUTF8(text));
      pieces.push_back(text.str());
      return llvm::Error::success();
    };
    Generator generator(holder.model, *tokenizer, options);
    return llvm::cantFail(generator.generate({tokenizer.encode(prompt)}, keep)).front();
  }

  FakeLanguageModel holder;
  OpenTokenizer tokenizer;
  std::vector<std::string> pieces;
};

std::vector<int32_t> bytesOf(const std::string &text) {
  return {reinterpret_cast<const uint8_t *>(text.data()),
          reinterpret_cast<const uint8_t *>(text.data()) + text.size()};
}

std::vector<int32_t> idsOf(const GeneratedText &text) {
  std::vector<int32_t> ids;
  for (const GeneratedToken &token : text.tokens)
    ids.push_back(token.id);
  return ids;
}

llvm::Error noText(size_t, llvm::StringRef) { return llvm::Error::success(); }

} // namespace

TEST(Generator, EndsAfterTheTokens) {
  Scripted scripted(2, bytesOf("hello"));
  const GeneratedText text = scripted.generate({.tokens = 3});
  EXPECT_EQ(text.text, "hel");
  EXPECT_EQ(text.end, EndReason::Tokens);
  EXPECT_THAT(scripted.pieces, ElementsAre("h", "e", "l"));
  EXPECT_TRUE(std::isnan(text.tokens[0].logProbability));
}

TEST(Generator, EndsAtAnEndToken) {
  Scripted scripted(2, {'h', kEnd, 'x'});
  const GeneratedText text = scripted.generate({});
  EXPECT_EQ(text.text, "h");
  EXPECT_EQ(text.end, EndReason::EndToken);
  EXPECT_THAT(idsOf(text), ElementsAre('h', kEnd));
}

TEST(Generator, EndTokensCanBeRefused) {
  Scripted scripted(2, {'h', kEnd, 'x'});
  const GeneratedText text = scripted.generate({.tokens = 4, .ignoresEnd = true});
  EXPECT_THAT(idsOf(text), ElementsAre('h', 0, 'x', 'x'));
  EXPECT_EQ(text.end, EndReason::Tokens);
}

TEST(Generator, EndsAtFurtherTokens) {
  Scripted scripted(2, {'h', 'e', 'x'});
  const GeneratedText text = scripted.generate({.ends = {'e'}});
  EXPECT_EQ(text.text, "h");
  EXPECT_EQ(text.end, EndReason::EndToken);
}

TEST(Generator, ControlTokensMayBeShown) {
  Scripted scripted(2, {'h', 257, 'i', kEnd}, 200);
  EXPECT_EQ(scripted.generate({.showsSpecial = true}).text, "h<|message|>i");
  EXPECT_EQ(scripted.generate({}).text, "hi");
}

TEST(Generator, SequencesMayBeKept) {
  Scripted scripted(2, bytesOf("hello"));
  EXPECT_FALSE(scripted.generate({.tokens = 3}).sequence);
  const GeneratedText text = scripted.generate({.tokens = 3, .keepsSequences = true});
  ASSERT_TRUE(text.sequence);
  const auto tokens = llvm::cantFail(scripted.holder.model.tokens(*text.sequence));
  EXPECT_EQ(tokens, llvm::ArrayRef(bytesOf("abhe"))) << "the last token was not run";
  llvm::cantFail(scripted.holder.model.removeSequence(*text.sequence));

  Generator generator(scripted.holder.model, *scripted.tokenizer,
                      {.tokens = 1, .keepsSequences = true});
  const auto fail = [](size_t text, llvm::StringRef) {
    return text == 0 ? llvm::Error::success() : makeError("the second fails");
  };
  EXPECT_EQ(messageOf(generator.generate({bytesOf("ab"), bytesOf("cd")}, fail).takeError()),
            "the second fails");
  for (uint32_t i = 0; i < 8; ++i)
    llvm::cantFail(scripted.holder.model.createSequence());
}

TEST(Generator, EndsAtAStopString) {
  Scripted scripted(2, bytesOf("one, two, three"));
  const GeneratedText text = scripted.generate({.stops = {", tw", "three"}});
  EXPECT_EQ(text.text, "one");
  EXPECT_EQ(text.end, EndReason::StopString);
  EXPECT_EQ(llvm::join(scripted.pieces, ""), "one");
}

TEST(Generator, WhatMightHaveBeenAStopStringComesAtTheEnd) {
  Scripted scripted(2, bytesOf("one, two"));
  const GeneratedText text = scripted.generate({.tokens = 6, .stops = {", three"}});
  EXPECT_EQ(text.text, "one, t");
  EXPECT_EQ(llvm::join(scripted.pieces, ""), "one, t");
}

TEST(Generator, CharactersAreNotCut) {
  Scripted scripted(2, bytesOf("a\u00e9\u20ac"));
  EXPECT_EQ(scripted.generate({.tokens = 6}).text, "a\u00e9\u20ac");
  EXPECT_THAT(scripted.pieces, ElementsAre("a", "\u00e9", "\u20ac"));
  scripted.pieces.clear();
  EXPECT_EQ(scripted.generate({.tokens = 5}).text, "a\u00e9\ufffd");
}

TEST(Generator, EndsWhereTheContextIsFull) {
  Scripted scripted(2, bytesOf("x"), 10);
  const GeneratedText text = scripted.generate({});
  EXPECT_EQ(text.end, EndReason::Context);
  EXPECT_EQ(text.tokens.size(), 9u); // the last one is not run
  const GeneratedText full = scripted.generate({}, "0123456789");
  EXPECT_EQ(full.tokens.size(), 1u);
  EXPECT_EQ(full.end, EndReason::Context);
}

TEST(Generator, LogProbabilitiesAreThoseOfTheModel) {
  Scripted scripted(2, bytesOf("hi"));
  const GeneratedText text = scripted.generate({.tokens = 1, .wantsLogProbabilities = true});
  EXPECT_NEAR(text.tokens[0].logProbability, 5 - std::log(std::exp(5.0) + kVocabulary - 1), 1e-6);
}

// Samples of the hash model: each prompt alone, and in a batch in which others end earlier.
TEST(Generator, ATextDoesNotDependOnTheOthers) {
  const std::vector<std::vector<int32_t>> prompts = {
      bytesOf("a"), bytesOf("some text"), std::vector<int32_t>(100, 'x'), bytesOf("some text")};
  OpenTokenizer tokenizer(vocabularyWithEnd());
  const GenerationOptions options = {.tokens = 30,
                                     .sampling = {.topP = 0.9f, .temperature = 1, .seed = 4}};
  FakeLanguageModel holder(kShape, 4, 256);
  Generator generator(holder.model, *tokenizer, options);
  const auto together = llvm::cantFail(generator.generate(prompts, noText));
  EXPECT_EQ(generator.times().promptTokens, 119u);
  EXPECT_GT(generator.times().promptSeconds, 0);
  ASSERT_EQ(together.size(), 4u);
  EXPECT_NE(idsOf(together[1]), idsOf(together[3])) << "equal prompts draw other tokens";
  for (size_t count = 1; count < 4; ++count) {
    const auto some =
        llvm::cantFail(generator.generate(llvm::ArrayRef(prompts).take_front(count), noText));
    for (size_t i = 0; i < count; ++i) {
      EXPECT_EQ(idsOf(some[i]), idsOf(together[i])) << i << " of " << count;
      EXPECT_EQ(some[i].text, together[i].text);
    }
  }
}

TEST(Generator, SamplesAreTheTextsOfEqualPrompts) {
  OpenTokenizer tokenizer(vocabularyWithEnd());
  constexpr ForwardShape shape = {64, 4, 8, 2, 16, kVocabulary, 3};
  const std::vector<int32_t> prompt(70, 'a'), other(50, 'b');
  const auto generate = [&](llvm::ArrayRef<std::vector<int32_t>> prompts, int64_t samples,
                            uint64_t expectedTokens) {
    FakeLanguageModel holder(shape, 6, 200);
    Generator generator(
        holder.model, *tokenizer,
        {.tokens = 20, .samples = samples, .sampling = {.temperature = 1}, .ignoresEnd = true});
    auto texts = llvm::cantFail(generator.generate(prompts, noText));
    EXPECT_EQ(generator.times().promptTokens, expectedTokens);
    return texts;
  };
  const auto expected = generate({prompt, other, prompt, other, prompt, other}, 1, 360);
  const auto sampled = generate({prompt, other}, 3, 120);
  ASSERT_EQ(sampled.size(), 6u);
  for (const auto &[a, b] : llvm::zip_equal(expected, sampled)) {
    EXPECT_EQ(idsOf(a), idsOf(b));
    EXPECT_EQ(a.text, b.text);
  }
  EXPECT_NE(idsOf(sampled[0]), idsOf(sampled[2]));
}

TEST(Generator, BeginsWithWhatWasReadBefore) {
  OpenTokenizer tokenizer(vocabularyWithEnd());
  const std::vector<int32_t> prompt(70, 'a');
  FakeLanguageModel holder(kShape, 2, 200);
  LanguageModel &model = holder.model;
  Generator generator(model, *tokenizer, {.tokens = 20, .ignoresEnd = true});
  const auto expected = llvm::cantFail(generator.generate(prompt, noText));
  for (const size_t read : {0, 1, 69, 70}) {
    const uint32_t sequence = llvm::cantFail(model.createSequence());
    if (read != 0)
      llvm::cantFail(model.extend({{sequence, llvm::ArrayRef(prompt).take_front(read), read}},
                                  [](size_t, size_t, auto) { return llvm::Error::success(); }));
    generator.beginWith(sequence);
    size_t told = 0;
    generator.promptRead = [&](size_t index, uint32_t own) {
      EXPECT_EQ(index, 0u);
      EXPECT_EQ(own, sequence);
      EXPECT_EQ(llvm::cantFail(model.tokens(own)), llvm::ArrayRef(prompt));
      ++told;
      return llvm::Error::success();
    };
    const auto texts = llvm::cantFail(generator.generate(prompt, noText));
    EXPECT_EQ(told, 1u);
    EXPECT_EQ(idsOf(texts[0]), idsOf(expected[0]));
    EXPECT_EQ(generator.times().promptTokens, std::max<size_t>(70 - read, 1));
  }
  generator.promptRead = [](size_t, uint32_t) { return makeError("the disk is full"); };
  EXPECT_EQ(messageOf(generator.generate(prompt, noText).takeError()), "the disk is full");

  const uint32_t other = llvm::cantFail(model.createSequence());
  llvm::cantFail(model.extend({{other, {'b'}, 1}},
                              [](size_t, size_t, auto) { return llvm::Error::success(); }));
  generator.beginWith(other);
  EXPECT_EQ(messageOf(generator.generate(prompt, noText).takeError()),
            "sequence 0 does not have the first tokens of the prompt");
}

TEST(Generator, ErrorsLeaveNoSequence) {
  OpenTokenizer tokenizer(vocabularyWithEnd());
  FakeLanguageModel holder(kShape, 1, 10);
  Generator generator(holder.model, *tokenizer, {});
  const auto refusal = [&](const std::vector<std::vector<int32_t>> &prompts) {
    return messageOf(generator.generate(prompts, noText).takeError());
  };
  EXPECT_THAT(refusal({{}}), HasSubstr("prompt 0 has no tokens"));
  EXPECT_EQ(refusal({{1}, std::vector<int32_t>(11)}),
            "prompt 1 has 11 tokens, and the context is 10; give a shorter prompt or a larger "
            "context");
  EXPECT_THAT(refusal({{1}, {2}}), HasSubstr("all 1 sequences of the cache are in use"));
  EXPECT_THAT(refusal({{1000}}), HasSubstr("there is no token 1000"));
  holder.fake.failsAt = 2;
  EXPECT_EQ(refusal({{1}}), "the run failed");
  holder.fake.failsAt = SIZE_MAX;
  EXPECT_EQ(messageOf(generator
                          .generate({{1}},
                                    [](size_t, llvm::StringRef) -> llvm::Error {
                                      return makeError("the pipe is closed");
                                    })
                          .takeError()),
            "the pipe is closed");
  EXPECT_EQ(llvm::cantFail(generator.generate({{1}}, noText)).size(), 1u);
  Generator sampling(holder.model, *tokenizer, {.samples = 2});
  EXPECT_THAT(messageOf(sampling.generate({{1}}, noText).takeError()), HasSubstr("cannot fork"));
  EXPECT_EQ(llvm::cantFail(generator.generate({{1}}, noText)).size(), 1u);
}

TEST(Generator, OptionsThatCannotBeAreErrors) {
  OpenTokenizer tokenizer(vocabularyWithEnd());
  FakeLanguageModel holder(kShape, 1, 10);
  const auto refusal = [&](const GenerationOptions &options) {
    Generator generator(holder.model, *tokenizer, options);
    return messageOf(generator.generate({{1}}, noText).takeError());
  };
  EXPECT_THAT(refusal({.sampling = {.temperature = -1}}), HasSubstr("a temperature of"));
  EXPECT_THAT(refusal({.stops = {""}}), HasSubstr("a stop string is empty"));
}

TEST(EndTokens, AreThoseThatTheFileNamesAndWellKnownOnes) {
  TestVocabulary vocabulary = vocabularyWithEnd();
  vocabulary.add("<|eot_id|>"); // plain text, whatever its name is
  vocabulary.add("</s>", model::TokenType::Control);
  vocabulary.add("<|other|>", model::TokenType::Control);
  vocabulary.file.set(key("eos_token_id"), 258);
  const std::unique_ptr<gguf::Model> file = vocabulary.open();
  EXPECT_THAT(endTokens(llvm::cantFail(model::readTokenizerData(*file))), ElementsAre(256, 258));
}
