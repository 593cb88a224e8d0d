// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "runtime/cpu/Isa.h"

#include "gtest/gtest.h"

namespace sortie::cpu {
namespace {

TEST(Isa, NamesRoundTrip) {
  for (Isa isa : kAllIsas) {
    EXPECT_FALSE(isaName(isa).empty());
    EXPECT_EQ(parseIsa(isaName(isa)), isa);
  }
  EXPECT_EQ(parseIsa("avx"), std::nullopt);
  EXPECT_EQ(parseIsa(""), std::nullopt);
  EXPECT_EQ(parseIsa("AVX2"), std::nullopt);
}

TEST(Isa, BestIsAvailableAndNothingBetterIs) {
  EXPECT_TRUE(isAvailable(Isa::Portable));
  const Isa best = bestIsa();
  EXPECT_TRUE(isAvailable(best));
  for (Isa isa : kAllIsas)
    if (isa > best)
      EXPECT_FALSE(isAvailable(isa));
}

} // namespace
} // namespace sortie::cpu
