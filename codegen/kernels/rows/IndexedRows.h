// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rows of a table by their numbers, copied in units of 16, 4 or 2 bytes. Grid (rows that are copied
// + 1, indexedBlocks(Units)): the thread blocks of the last row look for numbers that are no row.
// indexedThreads(Units) threads, indexedSharedBytes(Units) bytes.

#ifndef SORTIE_CODEGEN_KERNELS_ROWS_INDEXEDROWS_H
#define SORTIE_CODEGEN_KERNELS_ROWS_INDEXEDROWS_H

#include "codegen/kernels/rows/RowGeometry.h"

#include <sortie_hardware.h>

namespace sortie::kernels {

/// A table of `Rows` rows of `Units` units.
template <typename Unit, int Rows, int Units> struct IndexedRows {
  SORTIE_DEVICE bool isRow(int32_t number) {
    return static_cast<uint32_t>(number) < static_cast<uint32_t>(Rows);
  }

  /// The largest value of the block's threads. All of them take part, once in a kernel.
  SORTIE_DEVICE uint32_t blockMax(uint32_t value) {
    auto *warps = hw::sharedMemory<uint32_t>();
    value = hw::reduceMax(value);
    if (hw::laneIndex() == 0)
      warps[hw::warpIndex()] = value;
    hw::syncBlock();
    uint32_t most = 0;
    for (int warp = 0; warp < hw::threadCount() / kWarp; ++warp)
      most = warps[warp] > most ? warps[warp] : most;
    return most;
  }

  /// status[0]: the first position whose number is no row, or -1; status[1]: that number.
  SORTIE_DEVICE void check(const int32_t *index, int32_t count, int32_t *status) {
    uint32_t bad = 0; // ~position, which is the larger the earlier it is
    for (int32_t i = hw::threadIndex(); i < count; i += hw::threadCount())
      if (bad == 0 && !isRow(index[i]))
        bad = ~static_cast<uint32_t>(i);
    bad = blockMax(bad);
    if (hw::threadIndex() == 0 && hw::blockIndexY() == 0) {
      status[0] = bad != 0 ? static_cast<int32_t>(~bad) : -1;
      status[1] = bad != 0 ? index[~bad] : -1;
    }
  }

  /// Whether a later position has the number of this one.
  SORTIE_DEVICE bool isReplaced(const int32_t *index, int32_t position, int32_t count) {
    uint32_t found = 0;
    for (int32_t i = position + 1 + hw::threadIndex(); i < count; i += hw::threadCount())
      if (index[i] == index[position])
        found = 1;
    return blockMax(found) != 0;
  }

  /// The thread's unit of a row.
  SORTIE_DEVICE void copyUnit(const Unit *from, Unit *to) {
    const int unit = hw::blockIndexY() * hw::threadCount() + hw::threadIndex();
    if (unit < Units)
      to[unit] = from[unit];
  }
};

/// y[i] = table[index[i]] for i in [0, count); nothing for a number that is no row.
template <typename Unit, int Rows, int Units>
SORTIE_DEVICE void readRows(const Unit *table, const int32_t *index, Unit *y, int32_t *status,
                            int32_t count) {
  using Table = IndexedRows<Unit, Rows, Units>;
  const int position = hw::blockIndexX();
  if (position == count)
    return Table::check(index, count, status);
  if (Table::isRow(index[position]))
    Table::copyUnit(table + int64_t{index[position]} * Units, y + int64_t{position} * Units);
}

/// table[index[i]] = x[i] for i in [0, count), the last of equal numbers; nothing for a number that
/// is no row.
template <typename Unit, int Rows, int Units>
SORTIE_DEVICE void writeRows(const Unit *x, const int32_t *index, Unit *table, int32_t *status,
                             int32_t count) {
  using Table = IndexedRows<Unit, Rows, Units>;
  const int position = hw::blockIndexX();
  if (position == count)
    return Table::check(index, count, status);
  if (Table::isRow(index[position]) && !Table::isReplaced(index, position, count))
    Table::copyUnit(x + int64_t{position} * Units, table + int64_t{index[position]} * Units);
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_ROWS_INDEXEDROWS_H
