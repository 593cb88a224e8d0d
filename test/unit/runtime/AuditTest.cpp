// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Hashes of values.

#include "runtime/audit/ValueHash.h"

#include "gtest/gtest.h"

#include <cstring>
#include <vector>

using namespace sortie;

namespace {
std::vector<std::byte> bytesOf(const char *text) {
  std::vector<std::byte> bytes(std::strlen(text));
  std::memcpy(bytes.data(), text, bytes.size());
  return bytes;
}
} // namespace

TEST(ValueHash, isBlake3) {
  // BLAKE3 of the empty input begins af1349b9f5f9a1a6, that of "abc" 6437b3ac38465133.
  EXPECT_EQ(hashRows(nullptr, 0, 4), 0xa6a1f9f5b94913afu);
  EXPECT_EQ(hashRows(bytesOf("abc").data(), 1, 3), 0x33514638acb33764u);
}

TEST(ValueHash, doesNotDependOnHowRowsLie) {
  const std::vector<std::byte> sorted = bytesOf("BBBBAAAACCCC");
  const std::vector<std::byte> canonical = bytesOf("AAAABBBBCCCC");
  const int32_t order[] = {1, 0, 2};
  EXPECT_EQ(hashRows(sorted.data(), 3, 4, order), hashRows(canonical.data(), 3, 4));
  EXPECT_NE(hashRows(sorted.data(), 3, 4), hashRows(canonical.data(), 3, 4));
}

TEST(ValueHash, absentRowsAreZeros) {
  const std::vector<std::byte> rows = bytesOf("AAAA");
  std::vector<std::byte> canonical = bytesOf("AAAA");
  canonical.resize(8);
  const int32_t order[] = {0, -1};
  EXPECT_EQ(hashRows(rows.data(), 2, 4, order), hashRows(canonical.data(), 2, 4));
}
