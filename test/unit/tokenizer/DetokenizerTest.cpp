// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Decoding token by token: characters are never cut, and the parts are the whole.

#include "TestVocabulary.h"

#include "llvm/Support/JSON.h"

#include <random>

using namespace llvm;
using namespace sortie;
using namespace sortie::test;
using namespace sortie::tokenizer;
using model::TokenType;

static const std::string kReplacement = "\ufffd";

TEST(Detokenizer, givesTextWhenItsCharactersAreComplete) {
  const OpenTokenizer tokenizer(byteVocabulary());
  Detokenizer detokenizer(*tokenizer);
  for (const auto &[byte, text] : std::initializer_list<std::pair<int, const char *>>{
           {'a', "a"}, {0xf0, ""}, {0x9f, ""}, {0x98, ""}, {0x80, "😀"}, {0xc3, ""}, {0xa4, "ä"}})
    EXPECT_EQ(cantFail(detokenizer.push(byte)), text);
  EXPECT_EQ(detokenizer.finish(), "");
}

TEST(Detokenizer, whatIsNoCharacterIsReplaced) {
  const OpenTokenizer tokenizer(byteVocabulary());
  EXPECT_EQ(tokenizer.decode({'a', 0xff, 'b'}), "a" + kReplacement + "b");
  EXPECT_EQ(tokenizer.decode({0xe7, 0x9a}), kReplacement) << "one for what begins a character";
  EXPECT_EQ(tokenizer.decode({0xe7, 0x9a, 'a'}), kReplacement + "a");
  EXPECT_EQ(tokenizer.decode({0xe0, 0x80}), kReplacement + kReplacement);
}

TEST(Detokenizer, partsAreTheWhole) {
  const OpenTokenizer tokenizer(byteVocabulary());
  std::mt19937 random(1);
  constexpr StringLiteral kBytes = "a\x80\xbf\xc3\xe0\xe7\xed\xf0\xf4\xff\x9a\xa4";
  for (int i = 0; i < 5000; ++i) {
    std::string bytes;
    Ids ids;
    for (int count = 0; count < 8; ++count) {
      bytes += kBytes[std::uniform_int_distribution<size_t>(0, kBytes.size() - 1)(random)];
      ids.push_back(static_cast<uint8_t>(bytes.back()));
    }
    EXPECT_EQ(tokenizer.decode(ids), json::fixUTF8(bytes));
  }
}

TEST(Detokenizer, specialTokensAreTextOnRequest) {
  TestVocabulary vocabulary = byteVocabulary();
  const int32_t control = vocabulary.add("<s>", TokenType::Control);
  const int32_t unknown = vocabulary.add("<unk>", TokenType::Unknown);
  const int32_t unused = vocabulary.add("[PAD]", TokenType::Unused);
  const int32_t user = vocabulary.add("<ü ▁Ġ>", TokenType::UserDefined);
  const OpenTokenizer tokenizer(vocabulary);
  const Ids ids = {control, 'a', unknown, user, unused};
  EXPECT_EQ(tokenizer.decode(ids), "a<ü ▁Ġ>");
  EXPECT_EQ(tokenizer.decode(ids, {.showsSpecial = true}), "<s>a<unk><ü ▁Ġ>[PAD]");
}

TEST(Detokenizer, tokensOfOtherCharactersAreTheirText) {
  TestVocabulary vocabulary = byteVocabulary();
  const int32_t other = vocabulary.add("a\u2581");
  const int32_t cut = vocabulary.add("a\xc4");
  EXPECT_EQ(OpenTokenizer(vocabulary).decode({other}), "a\u2581");
  EXPECT_EQ(OpenTokenizer(vocabulary).decode({cut}), "a" + kReplacement);
}

TEST(Detokenizer, refusesIdsThatAreNoToken) {
  const OpenTokenizer tokenizer(byteVocabulary());
  Detokenizer detokenizer(*tokenizer);
  EXPECT_EQ(cantFail(detokenizer.push(0xc3)), "");
  for (const int32_t id : {-1, 256, INT32_MAX, INT32_MIN})
    EXPECT_EQ(toString(detokenizer.push(id).takeError()),
              "there is no token " + std::to_string(id) +
                  "; the tokens of this model are 0 to 255");
  EXPECT_EQ(cantFail(detokenizer.push(0xa4)), "ä") << "nothing has changed";
}
