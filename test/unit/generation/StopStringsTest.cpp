// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Stop strings, in every way that a text can be cut.

#include "runtime/generation/StopStrings.h"

#include <gtest/gtest.h>

using namespace sortie::generation;

namespace {

StopStrings makeStops(std::vector<std::string> strings) {
  return llvm::cantFail(StopStrings::create(std::move(strings)));
}

/// What comes out of pieces of `size` bytes.
std::string filter(const std::vector<std::string> &strings, const std::string &text, size_t size,
                   bool &found) {
  StopStrings stops = makeStops(strings);
  std::string result;
  for (size_t first = 0; first < text.size(); first += size)
    result += stops.push(llvm::StringRef(text).substr(first, size));
  found = stops.isFound();
  return result + stops.finish();
}

void expect(const std::vector<std::string> &strings, const std::string &text,
            const std::string &result, bool isFound) {
  for (size_t size = 1; size <= text.size(); ++size) {
    bool found = false;
    EXPECT_EQ(filter(strings, text, size, found), result) << "pieces of " << size;
    EXPECT_EQ(found, isFound) << "pieces of " << size;
  }
}

} // namespace

TEST(StopStrings, TextEndsBeforeTheFirst) {
  expect({"END"}, "a text. END and more END", "a text. ", true);
  expect({"END", "ex"}, "a text. END", "a t", true);
  expect({"a"}, "a", "", true);
}

TEST(StopStrings, WithoutOneAllTextComes) {
  expect({"END"}, "an EN is no EEN", "an EN is no EEN", false);
  expect({}, "text", "text", false);
}

TEST(StopStrings, RepeatedBeginningsAreNoTrap) {
  expect({"aab"}, "aaaab", "aa", true);
  expect({"abab c"}, "ababab c", "ab", true);
}

// However the text is cut, the string that is complete first counts.
TEST(StopStrings, OfOverlappingOnesTheFirstCompleteCounts) {
  expect({"abcd", "bc"}, "xabcd", "xa", true);
  expect({"abc", "bc", "c"}, "xabc", "x", true);
}

TEST(StopStrings, OnlyWhatMayBeginOneIsHeldBack) {
  StopStrings stops = makeStops({"\n\nQ:", "###"});
  EXPECT_EQ(stops.push("line\n"), "line");
  EXPECT_EQ(stops.push("\n"), "");
  EXPECT_EQ(stops.push("next #"), "\n\nnext ");
  EXPECT_EQ(stops.push("#"), "");
  EXPECT_EQ(stops.push("!"), "##!");
  EXPECT_EQ(stops.push("\n\nQ"), "");
  EXPECT_EQ(stops.push(": text"), "");
  EXPECT_TRUE(stops.isFound());
  EXPECT_EQ(stops.push("text"), "");
  EXPECT_EQ(stops.finish(), "");
}

TEST(StopStrings, AnEmptyOneIsAnError) {
  EXPECT_EQ(llvm::toString(StopStrings::create({"a", ""}).takeError()),
            "a stop string is empty, so that no text could begin; leave it out");
}
