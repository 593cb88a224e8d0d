// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rows of a table by their numbers, against the CPU device.

#include "test/unit/kernels/KernelTest.h"

#include "codegen/kernels/rows/IndexedRows.h"

namespace sortie::kernels {
namespace {

template <typename Unit, int Units>
void readKernel(const Unit *table, const int32_t *index, Unit *y, IndexStatus *status,
                int32_t count, int32_t rows) {
  readRows<Unit, Units>(table, index, y, status, count, rows);
}
template <typename Unit, int Units>
void writeKernel(const Unit *x, const int32_t *index, Unit *table, IndexStatus *status,
                 int32_t count, int32_t rows) {
  writeRows<Unit, Units>(x, index, table, status, count, rows);
}

struct alignas(16) Aligned {
  uint8_t bytes[16];
};

/// Memory of rows, aligned as arenas and states are.
template <typename Unit> struct Table {
  std::vector<Aligned> memory;

  Table(int64_t units, Random &random) : memory(ceilDiv(units * sizeof(Unit), 16)) {
    for (Aligned &aligned : memory)
      for (uint8_t &byte : aligned.bytes)
        byte = static_cast<uint8_t>(random());
  }
  Unit *units() { return reinterpret_cast<Unit *>(memory.data()); }
  bool operator==(const Table &other) const {
    return std::memcmp(memory.data(), other.memory.data(), memory.size() * 16) == 0;
  }
};

/// Reads and writes the rows of `index`; the first bad number is at `bad`, or there is none (-1).
template <typename Unit, int Rows, int Units> void test(const Ints &index, int32_t bad = -1) {
  SCOPED_TRACE(Units);
  Random random(31);
  const auto count = static_cast<int32_t>(index.size());
  const int64_t rowBytes = Units * sizeof(Unit);
  ASSERT_EQ(indexedUnitBytes(rowBytes), static_cast<int>(sizeof(Unit)));
  const Table<Unit> before(Rows * Units, random), unread(int64_t{count} * Units, random);
  Table<Unit> x(int64_t{count} * Units, random), written = before, read = unread;
  // The CPU refuses all of it where a number is bad; here the others are done.
  for (int32_t i = 0; i < count; ++i)
    if (static_cast<uint32_t>(index[i]) < static_cast<uint32_t>(Rows)) {
      Table<Unit> table = before;
      cpu::readRows(table.units(), Rows, &index[i], 1, rowBytes, read.units() + int64_t{i} * Units,
                    referenceDevice());
      cpu::writeRows(x.units() + int64_t{i} * Units, &index[i], 1, rowBytes, written.units(), Rows,
                     referenceDevice());
    }
  const Ints expectedStatus =
      bad < 0 ? Ints{0, 0, 0, 0}
              : Ints{static_cast<int32_t>(IndexFault::Row), bad, index[bad], Rows};
  const emulation::Index3 grid = {count + 1, static_cast<int>(indexedBlocks(Units))};
  for (const uint64_t seed : kSeeds) {
    Table<Unit> table = before, y = unread;
    Ints status(numerics::kStatusWords, kUnwrittenInt);
    auto *statusWords = reinterpret_cast<IndexStatus *>(status.data());
    run<readKernel<Unit, Units>>(grid, indexedThreads(Units), indexedSharedBytes(Units), seed,
                                 static_cast<const Unit *>(table.units()), index.data(), y.units(),
                                 statusWords, count, Rows);
    EXPECT_TRUE(y == read);
    EXPECT_EQ(status, expectedStatus);
    status.assign(numerics::kStatusWords, kUnwrittenInt);
    run<writeKernel<Unit, Units>>(grid, indexedThreads(Units), indexedSharedBytes(Units), seed,
                                  static_cast<const Unit *>(x.units()), index.data(), table.units(),
                                  statusWords, count, Rows);
    EXPECT_TRUE(table == written);
    EXPECT_EQ(status, expectedStatus);
  }
}

TEST(IndexedRows, MatchTheCpu) {
  test<uint16_t, 9, 3>({8, 0, 8, 1, 8});
  test<uint32_t, 9, 33>({0, 5});
  test<hw::Words4, 4, 300>({3, 1, 3, 2});
  test<uint32_t, 2, 1>({});
}

TEST(IndexedRows, TheLastOfManyEqualNumbersStays) {
  Ints index(300);
  for (size_t i = 0; i < index.size(); ++i)
    index[i] = static_cast<int32_t>(i % 3);
  test<hw::Words4, 3, 2>(index);
  test<hw::Words4, 3, 70>(index);
}

TEST(IndexedRows, BadNumbersAreToldAndTouchNothing) {
  test<uint32_t, 7, 5>({6, 7, -1, 2}, 1);
  test<hw::Words4, 7, 65>({0, 6, INT32_MIN, INT32_MAX}, 2);
  Ints index(200, 3);
  index[150] = index[199] = -5;
  test<hw::Words4, 7, 65>(index, 150);
}

} // namespace
} // namespace sortie::kernels
