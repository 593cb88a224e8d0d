// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Byte pair encoding with small vocabularies, and which vocabularies are refused.

#include "TestVocabulary.h"

using namespace llvm;
using namespace sortie;
using namespace sortie::test;
using model::TokenType;

TEST(BytePair, firstMergeOfTheListGoesFirst) {
  TestVocabulary vocabulary = byteVocabulary();
  const int32_t bc = vocabulary.addMerge("b", "c");
  const int32_t ab = vocabulary.addMerge("a", "b");
  const int32_t abc = vocabulary.addMerge("ab", "c");
  const OpenTokenizer tokenizer(vocabulary);
  EXPECT_EQ(tokenizer.encode("abc"), (Ids{'a', bc})) << "the third merge is never reached";
  EXPECT_EQ(tokenizer.encode("ab"), Ids{ab});
  EXPECT_EQ(tokenizer.decode({abc}), "abc");
}

TEST(BytePair, leftmostOfEqualGoesFirst) {
  TestVocabulary vocabulary = byteVocabulary();
  const int32_t aa = vocabulary.addMerge("a", "a");
  EXPECT_EQ(OpenTokenizer(vocabulary).encode("aaaaa"), (Ids{aa, aa, 'a'}));
}

TEST(BytePair, mergesStayInWords) {
  TestVocabulary vocabulary = byteVocabulary();
  const int32_t space = vocabulary.addMerge("a", "Ġ");
  const int32_t word = vocabulary.addMerge("Ġ", "b");
  EXPECT_EQ(OpenTokenizer(vocabulary).encode("a b"), (Ids{'a', word}));
  EXPECT_EQ(OpenTokenizer(vocabulary).decode({space}), "a ");
}

TEST(BytePair, theFirstOfTwoEqualMergesCounts) {
  TestVocabulary vocabulary = byteVocabulary();
  const int32_t ab = vocabulary.addMerge("a", "b");
  const int32_t bc = vocabulary.addMerge("b", "c");
  vocabulary.merges.insert(vocabulary.merges.begin(), "b c");
  EXPECT_EQ(OpenTokenizer(vocabulary).encode("abcab"), (Ids{'a', bc, ab}));
}

TEST(BytePair, theFirstOfTwoEqualTokensCounts) {
  TestVocabulary vocabulary = byteVocabulary();
  const int32_t first = vocabulary.addMerge("a", "b");
  vocabulary.add("ab");
  vocabulary.add("");
  EXPECT_EQ(OpenTokenizer(vocabulary).encode("ab"), Ids{first});
}

TEST(BytePair, wholeWordsOfLlama) {
  for (const bool takesWholeWords : {false, true}) {
    TestVocabulary vocabulary = byteVocabulary(takesWholeWords ? "llama-bpe" : "glm4");
    const int32_t word = vocabulary.add("Ġabc");
    const int32_t control = vocabulary.add("xyz", TokenType::Control);
    const OpenTokenizer tokenizer(vocabulary);
    EXPECT_EQ(tokenizer.encode(" abc"), takesWholeWords ? Ids{word} : (Ids{' ', 'a', 'b', 'c'}));
    EXPECT_EQ(tokenizer.encode("xyz"), Ids{control});
    EXPECT_EQ(tokenizer.encode("xyz", false), (Ids{'x', 'y', 'z'})) << "never by its text";
  }
}

TEST(BytePair, textOfAllBytesComesBack) {
  const OpenTokenizer tokenizer(byteVocabulary());
  std::string text;
  for (uint32_t character = 0; character < 0x250; ++character)
    text += character < 0x80 ? std::string(1, static_cast<char>(character))
                             : std::string{static_cast<char>(0xc0 | character >> 6),
                                           static_cast<char>(0x80 | (character & 0x3f))};
  const Ids ids = tokenizer.encode(text);
  EXPECT_EQ(ids.size(), text.size());
  EXPECT_EQ(tokenizer.decode(ids), text);
}

TEST(BytePair, beginningAndEnd) {
  TestVocabulary vocabulary = byteVocabulary();
  const int32_t begin = vocabulary.add("<s>", TokenType::Control);
  const int32_t end = vocabulary.add("</s>", TokenType::Control);
  vocabulary.file.set(key("bos_token_id"), begin).set(key("eos_token_id"), end);
  vocabulary.file.set(key("add_bos_token"), true).set(key("add_eos_token"), true);
  const OpenTokenizer tokenizer(vocabulary);
  EXPECT_EQ(cantFail((*tokenizer).encode("a")), (Ids{begin, 'a', end}));
  EXPECT_EQ(cantFail((*tokenizer).encode("")), (Ids{begin, end}));
  EXPECT_EQ(cantFail((*tokenizer).encode("<s>a")), (Ids{begin, begin, 'a', end}))
      << "what the text says comes on top";
  EXPECT_EQ(tokenizer.encode(""), Ids{});
}

TEST(BytePair, refusesPreTokenizersThatAreMissingOrUnknown) {
  TestVocabulary vocabulary = byteVocabulary("mystery");
  EXPECT_EQ(errorOf(vocabulary),
            "test.gguf: metadata key 'tokenizer.ggml.pre' is 'mystery'; this version knows "
            "'gpt-2', 'llama-bpe', 'qwen2', 'deepseek-llm', 'deepseek-coder', 'deepseek-v3', "
            "'gpt-4o', 'glm4', 'olmo', 'kimi-k2', 'dbrx', 'smaug-bpe', 'hunyuan', 'minimax-m2', "
            "'bailingmoe', 'bailingmoe2', 'refact' (docs/tokenizers.md says how to add one)");
  vocabulary.file.remove(key("pre"));
  EXPECT_EQ(errorOf(vocabulary),
            "test.gguf: metadata key 'tokenizer.ggml.pre' is missing, so it is not known how text "
            "is split into words; convert the model again");
}

TEST(BytePair, refusesMergesOfWhatIsNoToken) {
  for (const auto &[merge, left, right, missing] :
       {std::tuple("zz a", "zz", "a", "zz"), std::tuple("a zz", "a", "zz", "zz"),
        std::tuple("a b", "a", "b", "ab")}) {
    TestVocabulary vocabulary = byteVocabulary();
    vocabulary.addMerge("x", "y");
    vocabulary.merges.emplace_back(merge);
    EXPECT_EQ(errorOf(vocabulary),
              ("test.gguf: metadata key 'tokenizer.ggml.merges' has in merge 1 ('" + Twine(left) +
               "' and '" + right + "') '" + missing +
               "', which is no token; the file is damaged or was converted wrongly, so convert the "
               "model again")
                  .str());
  }
}

TEST(BytePair, refusesFlagsWithoutTheirToken) {
  for (const std::string name : {"bos", "eos"}) {
    TestVocabulary vocabulary = byteVocabulary();
    vocabulary.file.set(key("add_" + name + "_token"), true);
    EXPECT_EQ(errorOf(vocabulary), ("test.gguf: metadata key 'tokenizer.ggml.add_" + Twine(name) +
                                    "_token' is true, but 'tokenizer.ggml." + name +
                                    "_token_id' is missing; convert the model again")
                                       .str());
  }
}

TEST(BytePair, refusesTextThatIsNoUtf8) {
  EXPECT_EQ(OpenTokenizer(byteVocabulary()).errorOf("ab\xc3(d"),
            "byte 2 of the text (0xc3) is not UTF-8; convert the text to UTF-8");
}

TEST(BytePair, refusesBytesWithoutAToken) {
  TestVocabulary vocabulary = byteVocabulary();
  vocabulary.tokens['b'] = "other";
  vocabulary.add("<x>", TokenType::Control);
  const OpenTokenizer tokenizer(vocabulary);
  EXPECT_EQ(tokenizer.encode("a<x>a").size(), 3u);
  EXPECT_EQ(tokenizer.errorOf("a<x>a ab"),
            "byte 7 of the text is 0x62, which the vocabulary has no token for; leave that "
            "character out, or use a model whose vocabulary has all bytes");
}
