// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Special tokens in texts, against a search for one token after the other.

#include "runtime/tokenizer/SpecialTokens.h"

#include "llvm/ADT/STLExtras.h"

#include "gtest/gtest.h"

#include <map>
#include <random>

using namespace llvm;
using namespace sortie;
using namespace sortie::tokenizer;
using model::TokenizerData;
using model::TokenType;

namespace {

using Found = std::vector<std::pair<size_t, int32_t>>;

TokenizerData dataOf(const std::vector<StringRef> &tokens) {
  TokenizerData data;
  data.tokens = tokens;
  data.types.assign(tokens.size(), TokenType::Control);
  return data;
}

Found tokensIn(const TokenizerData &data, StringRef text) {
  Found found;
  for (const SpecialToken &token : SpecialTokens(data, {TokenType::Control}).find(text)) {
    EXPECT_EQ(text.substr(token.begin, token.length), data.tokens[token.id]);
    found.emplace_back(token.begin, token.id);
  }
  return found;
}

/// Takes the longest token wherever it is, then the next in what is left, and so on.
Found findOneAfterTheOther(const TokenizerData &data, StringRef text) {
  std::vector<int32_t> order(data.tokens.size());
  for (const auto &[id, place] : enumerate(order))
    place = static_cast<int32_t>(id);
  llvm::sort(order, [&](int32_t a, int32_t b) {
    return std::pair(data.tokens[b].size(), a) < std::pair(data.tokens[a].size(), b);
  });
  // What is taken is made unlike any token.
  std::string rest = text.str();
  std::map<size_t, int32_t> found;
  for (const int32_t id : order) {
    const StringRef token = data.tokens[id];
    for (size_t at = 0; !token.empty() && (at = rest.find(token.str(), at)) != std::string::npos;) {
      found[at] = id;
      rest.replace(at, token.size(), std::string(token.size(), '\0'));
    }
  }
  return {found.begin(), found.end()};
}

} // namespace

TEST(SpecialTokens, findsWhatIsThere) {
  const TokenizerData data = dataOf({"<a>", "<b>", "", "<ab"});
  EXPECT_EQ(tokensIn(data, ""), Found{});
  EXPECT_EQ(tokensIn(data, "none < a>"), Found{});
  EXPECT_EQ(tokensIn(data, "<a><b>"), (Found{{0, 0}, {3, 1}}));
  EXPECT_EQ(tokensIn(data, "x<a>y<ab>z<b>"), (Found{{1, 0}, {5, 3}, {10, 1}}));
}

TEST(SpecialTokens, takesTheLongestWhereverItIs) {
  EXPECT_EQ(tokensIn(dataOf({"aab", "abcd"}), "aabcd"), (Found{{1, 1}}));
  EXPECT_EQ(tokensIn(dataOf({"ab", "abab"}), "ababab"), (Found{{0, 1}, {4, 0}}));
  EXPECT_EQ(tokensIn(dataOf({"ab", "ba"}), "bab"), (Found{{1, 0}})) << "of equal ones the first id";
  EXPECT_EQ(tokensIn(dataOf({"x", "ab", "ab"}), "ab"), (Found{{0, 1}})) << "the same text";
}

TEST(SpecialTokens, onlyOfTheTypes) {
  TokenizerData data = dataOf({"<a>", "<b>"});
  data.types[0] = TokenType::Normal;
  EXPECT_EQ(tokensIn(data, "<a><b>"), (Found{{3, 1}}));
}

TEST(SpecialTokens, agreesWithASearchForEach) {
  std::mt19937 random(1);
  const auto draw = [&](size_t least, size_t most) {
    std::string text(std::uniform_int_distribution<size_t>(least, most)(random), '\0');
    for (char &character : text)
      character = static_cast<char>('a' + std::uniform_int_distribution<int>(0, 2)(random));
    return text;
  };
  for (int i = 0; i < 2000; ++i) {
    std::vector<std::string> tokens;
    for (size_t count = 0; count < 6; ++count)
      tokens.push_back(draw(0, 6));
    const TokenizerData data = dataOf({tokens.begin(), tokens.end()});
    const std::string text = draw(0, 40);
    EXPECT_EQ(tokensIn(data, text), findOneAfterTheOther(data, text)) << text;
  }
}

TEST(SpecialTokens, rowsOfSpaces) {
  std::vector<std::string> tokens;
  for (size_t count = 2; count <= 24; ++count)
    tokens.emplace_back(count, ' ');
  const TokenizerData data = dataOf({tokens.begin(), tokens.end()});
  const Found found = tokensIn(data, std::string((size_t{1} << 16) + 7, ' '));
  ASSERT_EQ(found.size(), (size_t{1} << 16) / 24 + 1);
  EXPECT_EQ(found[1], (std::pair<size_t, int32_t>(24, 22)));
  EXPECT_EQ(found.back().second, 21) << "23 are left";
}
