// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rows of a table by their numbers, read and written.

#include "test/unit/cpu/OperationCalls.h"
#include "test/unit/cpu/TestDevices.h"

#include "gtest/gtest.h"

#include <random>
#include <vector>

namespace sortie::cpu {
namespace {

using Bytes = std::vector<uint8_t>;
using Ints = std::vector<int32_t>;

Bytes randomBytes(int64_t count, uint32_t seed) {
  std::mt19937 random(seed);
  Bytes bytes(static_cast<size_t>(count));
  for (uint8_t &byte : bytes)
    byte = static_cast<uint8_t>(random());
  return bytes;
}

Device testDevice() { return Device{*testDevices().front().kernels, testPool(2)}; }

/// Rows shorter and longer than what a thread takes at once.
class IndexedRows : public testing::TestWithParam<int64_t> {};

INSTANTIATE_TEST_SUITE_P(, IndexedRows, testing::Values(2, 66, 4096, 12304),
                         testing::PrintToStringParamName());

TEST_P(IndexedRows, AreRead) {
  const int64_t bytes = GetParam();
  const Bytes table = randomBytes(5 * bytes, 1);
  const Ints index = {4, 0, 4, 2};
  Bytes y(4 * bytes);
  EXPECT_FALSE(readRows(table.data(), 5, index.data(), 4, bytes, y.data(), testDevice()));
  for (int64_t i = 0; i < 4 * bytes; ++i)
    ASSERT_EQ(y[i], table[index[i / bytes] * bytes + i % bytes]) << i;
}

TEST_P(IndexedRows, AreWrittenOneAfterTheOther) {
  const int64_t bytes = GetParam();
  const Bytes before = randomBytes(5 * bytes, 1), x = randomBytes(4 * bytes, 2);
  const Ints index = {3, 1, 3, 0};
  Bytes table = before, expected = before;
  EXPECT_FALSE(writeRows(x.data(), index.data(), 4, bytes, table.data(), 5, testDevice()));
  for (int64_t i = 0; i < 4 * bytes; ++i)
    expected[index[i / bytes] * bytes + i % bytes] = x[i];
  EXPECT_EQ(table, expected);
}

TEST_P(IndexedRows, BadNumbersWriteNothing) {
  const int64_t bytes = GetParam();
  const Bytes before = randomBytes(5 * bytes, 1), x = randomBytes(3 * bytes, 2);
  for (const int32_t bad : {-1, 5, INT32_MIN, INT32_MAX}) {
    const Ints index = {0, bad, bad};
    Bytes table = before, y(3 * bytes, 7);
    for (const std::optional<BadIndex> &found :
         {readRows(table.data(), 5, index.data(), 3, bytes, y.data(), testDevice()),
          writeRows(x.data(), index.data(), 3, bytes, table.data(), 5, testDevice())}) {
      ASSERT_TRUE(found);
      EXPECT_EQ(found->kind, BadIndex::Kind::Row);
      EXPECT_EQ(found->position, 1);
      EXPECT_EQ(found->index, bad);
      EXPECT_EQ(found->bound, 5);
    }
    EXPECT_EQ(table, before);
    EXPECT_EQ(y, Bytes(3 * bytes, 7));
  }
}

} // namespace
} // namespace sortie::cpu
