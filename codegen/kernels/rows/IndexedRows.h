// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rows of a table by their numbers, copied in units of 16, 4 or 2 bytes. Grid (rows that are copied
// + 1, indexedBlocks(Units)): the thread blocks of the last row look for numbers that are no row.
// indexedThreads(Units) threads, indexedSharedBytes(Units) bytes.

#ifndef SORTIE_CODEGEN_KERNELS_ROWS_INDEXEDROWS_H
#define SORTIE_CODEGEN_KERNELS_ROWS_INDEXEDROWS_H

#include "codegen/kernels/common/BlockMax.h"
#include "codegen/kernels/rows/RowGeometry.h"
#include "runtime/numerics/status.h"

namespace sortie::kernels {

using numerics::IndexFault;
using numerics::IndexStatus;

/// Writes the status of `count` numbers of rows, of which a table has `rows`. All threads of the
/// block take part, once in a kernel; of blocks in a column of the grid, the first one writes.
SORTIE_DEVICE void checkRows(const int32_t *index, int32_t count, int32_t rows,
                             IndexStatus *status) {
  uint32_t bad = 0;
  for (int32_t i = hw::threadIndex(); i < count; i += hw::threadCount())
    if (bad == 0 && !numerics::isBelow(index[i], rows))
      bad = earlier(i);
  bad = blockMax(bad, hw::sharedMemory<uint32_t>());
  if (hw::threadIndex() != 0 || hw::blockIndexY() != 0)
    return;
  const int32_t first = positionOf(bad);
  *status = bad == 0
                ? IndexStatus{}
                : IndexStatus{static_cast<int32_t>(IndexFault::Row), first, index[first], rows};
}

/// Whether a later position has the number of this one. All threads of the block take part.
SORTIE_DEVICE bool isReplaced(const int32_t *index, int32_t position, int32_t count) {
  uint32_t found = 0;
  for (int32_t i = position + 1 + hw::threadIndex(); i < count; i += hw::threadCount())
    if (index[i] == index[position])
      found = 1;
  return blockMax(found, hw::sharedMemory<uint32_t>()) != 0;
}

/// Copies the thread's unit of a row.
template <typename Unit, int Units> SORTIE_DEVICE void copyUnit(const Unit *from, Unit *to) {
  const int unit = hw::blockIndexY() * hw::threadCount() + hw::threadIndex();
  if (unit < Units)
    to[unit] = from[unit];
}

/// y[i] = table[index[i]] for i in [0, count); nothing for a number that is none of `rows`.
template <typename Unit, int Units>
SORTIE_DEVICE void readRows(const Unit *table, const int32_t *index, Unit *y, IndexStatus *status,
                            int32_t count, int32_t rows) {
  const int position = hw::blockIndexX();
  if (position == count)
    return checkRows(index, count, rows, status);
  if (numerics::isBelow(index[position], rows))
    copyUnit<Unit, Units>(table + int64_t{index[position]} * Units, y + int64_t{position} * Units);
}

/// table[index[i]] = x[i] for i in [0, count), the last of equal numbers; nothing for a number that
/// is none of `rows`.
template <typename Unit, int Units>
SORTIE_DEVICE void writeRows(const Unit *x, const int32_t *index, Unit *table, IndexStatus *status,
                             int32_t count, int32_t rows) {
  const int position = hw::blockIndexX();
  if (position == count)
    return checkRows(index, count, rows, status);
  if (numerics::isBelow(index[position], rows) && !isReplaced(index, position, count))
    copyUnit<Unit, Units>(x + int64_t{position} * Units, table + int64_t{index[position]} * Units);
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_ROWS_INDEXEDROWS_H
