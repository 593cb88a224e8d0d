// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where UTF-8 is wrong, and where it only ends too early.

#include "runtime/tokenizer/Utf8.h"

#include "llvm/Support/JSON.h"

#include "gtest/gtest.h"

using namespace llvm;
using namespace sortie::tokenizer;

TEST(Utf8, findsTheFirstByteThatIsWrong) {
  EXPECT_EQ(findInvalidUtf8(""), std::nullopt);
  EXPECT_EQ(findInvalidUtf8(StringRef("a\0ä的😀", 12)), std::nullopt);
  EXPECT_EQ(findInvalidUtf8("ab\xff"), 2u);
  EXPECT_EQ(findInvalidUtf8("a\xc3"), 1u);
  EXPECT_EQ(findInvalidUtf8("\x80"), 0u);
  EXPECT_EQ(findInvalidUtf8("\xc0\x80"), 0u) << "longer than needed";
  EXPECT_EQ(findInvalidUtf8("\xed\xa0\x80"), 0u) << "a surrogate";
  EXPECT_EQ(findInvalidUtf8("\xf4\x90\x80\x80"), 0u) << "beyond U+10FFFF";
}

TEST(Utf8, findsCharactersThatAreNotComplete) {
  for (const StringRef complete : {"", "a", "ä", "的", "😀"})
    EXPECT_EQ(incompleteBytes(complete), 0u);
  EXPECT_EQ(incompleteBytes("a\xc3"), 1u);
  EXPECT_EQ(incompleteBytes("a\xe7\x9a"), 2u);
  EXPECT_EQ(incompleteBytes("\xf0\x9f\x98"), 3u);
  for (const StringRef wrong : {"\x80", "\x80\x80\x80\x80", "\xc0", "\xf5", "\xff", "\xe0\x80",
                                "\xed\xa0", "\xf0\x80", "\xf4\x90", "\xf0\x9f\x28"})
    EXPECT_EQ(incompleteBytes(wrong), 0u);
}

/// Any two bytes: whether they are the beginning of a character, by trying all that could follow.
TEST(Utf8, agreesWithAllContinuations) {
  const auto isUtf8 = [](const std::string &bytes) { return !findInvalidUtf8(bytes); };
  for (int first = 0x80; first < 0x100; ++first)
    for (int second = 0x80; second < 0xc0; ++second) {
      const std::string bytes = {static_cast<char>(first), static_cast<char>(second)};
      const bool isBeginning = isUtf8(bytes + "\x80") || isUtf8(bytes + "\x80\x80");
      EXPECT_EQ(incompleteBytes(bytes), isBeginning ? 2u : 0u) << first << ' ' << second;
    }
}
