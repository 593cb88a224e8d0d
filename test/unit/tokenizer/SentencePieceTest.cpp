// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// SentencePiece encoding with small vocabularies.

#include "TestVocabulary.h"

using namespace llvm;
using namespace sortie;
using namespace sortie::test;
using model::TokenType;

static const std::string kSpace = "\u2581";

namespace {

/// ▁, a, b, c and some of what they join to; the higher the score, the sooner.
struct Letters {
  explicit Letters(bool hasBytes = true) : vocabulary(sentencePieceVocabulary(hasBytes)) {
    space = vocabulary.add(kSpace, TokenType::Normal, -90);
    a = vocabulary.add("a", TokenType::Normal, -91);
    b = vocabulary.add("b", TokenType::Normal, -92);
    c = vocabulary.add("c", TokenType::Normal, -93);
    bc = vocabulary.add("bc", TokenType::Normal, -1);
    ab = vocabulary.add("ab", TokenType::Normal, -2);
    spaceA = vocabulary.add(kSpace + "a", TokenType::Normal, -3);
  }

  TestVocabulary vocabulary;
  int32_t space, a, b, c, bc, ab, spaceA;
};

} // namespace

TEST(SentencePiece, theHighestScoreGoesFirst) {
  const Letters letters;
  const OpenTokenizer tokenizer(letters.vocabulary);
  EXPECT_EQ(tokenizer.encode("abc"), (Ids{letters.spaceA, letters.bc}));
  EXPECT_EQ(tokenizer.encode("cab"), (Ids{letters.space, letters.c, letters.ab}));
  EXPECT_EQ(tokenizer.encode("a a"), (Ids{letters.spaceA, letters.spaceA}));
}

TEST(SentencePiece, spacePrefix) {
  Letters letters;
  const OpenTokenizer with(letters.vocabulary);
  EXPECT_EQ(with.encode(""), Ids{});
  EXPECT_EQ(with.encode(" a"), (Ids{letters.space, letters.spaceA}));
  EXPECT_EQ(with.decode({letters.space, letters.spaceA}), " a");
  EXPECT_EQ(with.decode({1, letters.spaceA, letters.spaceA}), "a a");
  EXPECT_EQ(with.decode({letters.spaceA}, {.continuesText = true}), " a");
  EXPECT_EQ(with.encode("a</s>a"), (Ids{letters.spaceA, 2, letters.spaceA}));
  EXPECT_EQ(with.decode({letters.spaceA, 2, letters.spaceA}), "aa");

  letters.vocabulary.file.set(key("add_space_prefix"), false);
  const OpenTokenizer without(letters.vocabulary);
  EXPECT_EQ(without.encode("a a"), (Ids{letters.a, letters.spaceA}));
  EXPECT_EQ(without.decode({letters.spaceA}), " a");
}

TEST(SentencePiece, extraSpaces) {
  Letters letters;
  letters.vocabulary.file.set(key("remove_extra_whitespaces"), true);
  const OpenTokenizer tokenizer(letters.vocabulary);
  EXPECT_EQ(tokenizer.encode("  a   a "), (Ids{letters.spaceA, letters.spaceA}));
  EXPECT_EQ(tokenizer.encode("   "), Ids{});
  EXPECT_EQ(tokenizer.encode("a  </s>  a  "),
            (Ids{letters.spaceA, letters.space, 2, letters.space, letters.spaceA}))
      << "at special tokens no text begins or ends";
}

TEST(SentencePiece, beginningAndEnd) {
  Letters letters;
  EXPECT_EQ(cantFail((*OpenTokenizer(letters.vocabulary)).encode("a")), (Ids{1, letters.spaceA}))
      << "by default";
  letters.vocabulary.file.set(key("add_bos_token"), false).set(key("add_eos_token"), true);
  EXPECT_EQ(cantFail((*OpenTokenizer(letters.vocabulary)).encode("a")), (Ids{letters.spaceA, 2}));
  letters.vocabulary.file.remove(key("add_bos_token")).remove(key("bos_token_id"));
  EXPECT_EQ(cantFail((*OpenTokenizer(letters.vocabulary)).encode("a")), (Ids{letters.spaceA, 2}))
      << "there is none";
}

TEST(SentencePiece, whatNoTokenHasBecomesBytes) {
  const Letters letters;
  const OpenTokenizer tokenizer(letters.vocabulary);
  const Ids ids = {letters.spaceA, 3 + 0xc3, 3 + 0xa4, 3 + '\n'};
  EXPECT_EQ(tokenizer.encode("aä\n"), ids);
  EXPECT_EQ(tokenizer.decode(ids), "aä\n");
}

TEST(SentencePiece, whatNoTokenHasIsUnknown) {
  Letters letters(/*hasBytes=*/false);
  EXPECT_EQ(OpenTokenizer(letters.vocabulary).encode("aäöaä"),
            (Ids{letters.spaceA, 0, letters.a, 0}));
  letters.vocabulary.file.remove(key("unknown_token_id"));
  EXPECT_EQ(OpenTokenizer(letters.vocabulary).errorOf("aä"),
            "the text has the character 'ä', which the vocabulary has no token for, nor tokens for "
            "its bytes or for what is unknown; leave it out, or convert the model again");
}

TEST(SentencePiece, textNeverBecomesAControlToken) {
  Letters letters;
  const int32_t open = letters.vocabulary.add("<", TokenType::Normal, -94);
  const int32_t close = letters.vocabulary.add("b>", TokenType::Normal, -4);
  const int32_t control = letters.vocabulary.add("<b>", TokenType::Control);
  const OpenTokenizer tokenizer(letters.vocabulary);
  EXPECT_EQ(tokenizer.encode("<b>"), Ids{control});
  EXPECT_EQ(tokenizer.encode("<b>", false), (Ids{letters.space, open, close}));
}

TEST(SentencePiece, unusedTokensAreTakenApart) {
  Letters letters;
  letters.vocabulary.add("abc", TokenType::Unused, 0);
  const int32_t cab = letters.vocabulary.add("abca", TokenType::Normal, 1);
  letters.vocabulary.file.set(key("add_space_prefix"), false);
  const OpenTokenizer tokenizer(letters.vocabulary);
  EXPECT_EQ(tokenizer.encode("abc"), (Ids{letters.a, letters.bc}));
  EXPECT_EQ(tokenizer.encode("abca"), Ids{cab}) << "it may be on the way to another";
}

TEST(SentencePiece, tokensThatAreNoUtf8AreNeverFound) {
  Letters letters;
  letters.vocabulary.add(std::string(8, '\xff'));
  letters.vocabulary.add("a\xc3");
  EXPECT_EQ(OpenTokenizer(letters.vocabulary).encode("aä"),
            (Ids{letters.spaceA, 3 + 0xc3, 3 + 0xa4}));
}

TEST(SentencePiece, refusesByteTokensThatNameNone) {
  for (const std::string text : {"<0x4>", "<0xZZ>", "A", "<0x041>", "[0x41]"}) {
    Letters letters;
    letters.vocabulary.tokens[3] = text;
    EXPECT_EQ(errorOf(letters.vocabulary),
              "test.gguf: metadata key 'tokenizer.ggml.tokens' is '" + text +
                  "' for token 3, which is of type 6 (byte), but names none like '<0x0A>' does; "
                  "the file is damaged or was converted wrongly, so convert the model again");
  }
}
