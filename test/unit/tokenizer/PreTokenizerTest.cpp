// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Words of each pre-tokenizer, on texts that tell them apart, and that no text takes more steps
// than a multiple of its length.

#include "runtime/tokenizer/PreTokenizer.h"

#include "llvm/ADT/StringExtras.h"

#include "gtest/gtest.h"

using namespace llvm;
using namespace sortie::tokenizer;

namespace {

/// The words with '|' between them.
std::string wordsOf(StringRef name, StringRef text) {
  const PreTokenizer preTokenizer = cantFail(PreTokenizer::create(*findPreTokenizerRules(name)));
  Matcher matcher;
  const std::vector<StringRef> words = cantFail(preTokenizer.split(text, matcher));
  return join(words, "|");
}

constexpr StringLiteral kText = "I'LL pay  1234 to (Zoë) 我们 ok\r\n\n  x ";

uint64_t countSteps(const PreTokenizer &preTokenizer, StringRef text) {
  Matcher matcher;
  size_t bytes = 0;
  for (const StringRef word : cantFail(preTokenizer.split(text, matcher)))
    bytes += word.size();
  EXPECT_EQ(bytes, text.size());
  return matcher.steps();
}

std::string repeat(StringRef text, size_t count) {
  std::string all;
  for (size_t i = 0; i < count; ++i)
    all += text;
  return all;
}

} // namespace

TEST(PreTokenizer, gpt2) {
  EXPECT_EQ(wordsOf("gpt-2", kText), "I|'|LL| pay| | 1234| to| (|Zoë|)| 我们| ok|\r\n\n | x| ");
}

TEST(PreTokenizer, splitsAsTheirFilesSay) {
  constexpr StringLiteral kCl100k = "I|'LL| pay| | |123|4| to| (|Zoë|)| 我们| ok|\r\n\n| | x| ";
  for (const StringRef name : {"llama-bpe", "glm4", "dbrx", "smaug-bpe"})
    EXPECT_EQ(wordsOf(name, kText), kCl100k) << name.str();
  for (const StringRef name : {"qwen2", "hunyuan", "bailingmoe", "bailingmoe2"})
    EXPECT_EQ(wordsOf(name, kText), "I|'LL| pay| | |1|2|3|4| to| (|Zoë|)| 我们| ok|\r\n\n| | x| ")
        << name.str();
  EXPECT_EQ(wordsOf("refact", kText), "I|'|LL| pay|  |1|2|3|4| to| (|Zoë|)| 我们| ok|\r\n\n | x| ");
  EXPECT_EQ(wordsOf("minimax-m2", kText), wordsOf("gpt-4o", kText));
}

TEST(PreTokenizer, allTextBecomesWords) {
  for (const PreTokenizerRules &rules : allPreTokenizerRules()) {
    EXPECT_EQ(wordsOf(rules.name, ""), "");
    for (const StringRef text : {" ", "  ", "\n", " \n ", "'", "\x01\x02", "\xf0\x9f\x98\x80"}) {
      std::string words = wordsOf(rules.name, text);
      llvm::erase(words, '|');
      EXPECT_EQ(words, text) << rules.name.str();
    }
  }
}

TEST(PreTokenizer, spacesAreThoseOfUnicode) {
  // U+0085 and U+3000 are spaces, U+180E and U+200B are none.
  EXPECT_EQ(wordsOf("gpt-2", "a\u0085\u3000b"), "a|\u0085|\u3000|b");
  EXPECT_EQ(wordsOf("gpt-2", "a\u180e\u200b"), "a|\u180e\u200b");
}

TEST(PreTokenizer, kimiTakesTheScriptHanAlone) {
  EXPECT_EQ(wordsOf("kimi-k2", "ab的的cd"), "ab|的的|cd");
  // U+30FC is used with Han, too, but its script is Common.
  EXPECT_EQ(wordsOf("kimi-k2", "的\u30fc的"), "的|\u30fc|的");
}

TEST(PreTokenizer, namesAreExact) {
  EXPECT_EQ(findPreTokenizerRules("gpt2"), nullptr);
  EXPECT_EQ(findPreTokenizerRules(""), nullptr);
  EXPECT_EQ(allPreTokenizerRules().size(), 17u);
}

TEST(PreTokenizer, stepsGrowWithTheText) {
  for (const PreTokenizerRules &rules : allPreTokenizerRules()) {
    const PreTokenizer preTokenizer = cantFail(PreTokenizer::create(rules, Regex::Mode::Counted));
    for (const StringRef unit :
         {" ",  "\n", "\r\n", "\t ", "a",      "A",       "Aa",   "aA", "1",  "!",  "'",
          "'s", "的", "か",   "かA", "\u0301", "\u0301A", "\x01", "😀", " !", "\n "}) {
      for (const StringRef end : {"", "x", "\n", "1", "的"}) {
        const uint64_t steps = countSteps(preTokenizer, repeat(unit, 500) + end.str());
        const uint64_t twice = countSteps(preTokenizer, repeat(unit, 1000) + end.str());
        EXPECT_LE(twice, 2 * steps + 1000) << rules.name.str() << ": '" << unit.str() << "'";
        EXPECT_LE(steps, 80 * 500 * unit.size()) << rules.name.str() << ": '" << unit.str() << "'";
      }
    }
  }
}

TEST(Regex, saysWhatIsWrong) {
  EXPECT_EQ(toString(Regex::compile("a(b").takeError()),
            "the regular expression 'a(b' is wrong at character 3: missing closing parenthesis");
}

TEST(Regex, findsNothingOrTheFirst) {
  const Regex regex = cantFail(Regex::compile("b+"));
  Matcher matcher;
  EXPECT_FALSE(cantFail(matcher.find(regex, "acd", 0)).has_value());
  const std::optional<Match> match = cantFail(matcher.find(regex, "abbcb", 1));
  ASSERT_TRUE(match.has_value());
  EXPECT_EQ(match->begin, 1u);
  EXPECT_EQ(match->end, 3u);
  EXPECT_EQ(matcher.steps(), 0u) << "only counted expressions count";
}

TEST(Regex, longMatchesNeedNoMoreMemory) {
  const std::string text(size_t{1} << 20, ' ');
  for (const PreTokenizerRules &rules : allPreTokenizerRules())
    for (const Regex::Mode mode : {Regex::Mode::Fast, Regex::Mode::Counted})
      EXPECT_LE(countSteps(cantFail(PreTokenizer::create(rules, mode)), text), 100 * text.size());
}
