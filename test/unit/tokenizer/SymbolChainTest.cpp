// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Joining of symbols: how often it asks what two become.

#include "runtime/tokenizer/SymbolChain.h"

#include "gtest/gtest.h"

#include <bit>

using namespace sortie::tokenizer;

TEST(SymbolChain, asksInProportionToTheSymbols) {
  SymbolChain chain;
  for (const uint32_t count : {1U, 2U, 3U, 1000U, 100000U}) {
    chain.clear();
    for (uint32_t i = 0; i < count; ++i)
      chain.add({i, 1, 0});
    size_t asked = 0;
    chain.join([&](const Symbol &left, const Symbol &right) -> std::optional<Join> {
      ++asked;
      if (left.length != right.length)
        return std::nullopt;
      return Join{left.length, left.token + 1};
    });
    EXPECT_LE(asked, 3 * count);
    uint32_t end = 0;
    int symbols = 0;
    chain.forEach([&](const Symbol &symbol) {
      EXPECT_EQ(symbol.begin, end);
      EXPECT_EQ(symbol.length, 1U << symbol.token);
      end += symbol.length;
      ++symbols;
    });
    EXPECT_EQ(end, count);
    EXPECT_EQ(symbols, std::popcount(count));
  }
}

TEST(SymbolChain, mayBeEmpty) {
  SymbolChain chain;
  chain.join([](const Symbol &, const Symbol &) -> std::optional<Join> { return Join{0, 0}; });
  chain.forEach([](const Symbol &) { FAIL(); });
}
