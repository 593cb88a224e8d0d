// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rows of several heads, whose elements are computed by themselves. Grid (rows,
// rotateBlocks(...) or sliceBlocks(...)), kHeadThreads threads, no shared memory. Norms of heads:
// Norm.h.

#ifndef SORTIE_CODEGEN_KERNELS_ROWS_HEADS_H
#define SORTIE_CODEGEN_KERNELS_ROWS_HEADS_H

#include "codegen/kernels/common/FourFloats.h"
#include "codegen/kernels/rows/RowGeometry.h"
#include "runtime/numerics/rotate.h"
#include "runtime/numerics/table.h"

namespace sortie::kernels {

/// The thread's number among those of its row.
SORTIE_DEVICE int threadOfRow() {
  return hw::blockIndexY() * hw::threadCount() + hw::threadIndex();
}

/// Turns the first 2 * Pairs elements of each head by the position of the row; x and y are [rows,
/// Heads * Head]. `Frequencies::at(pair)` is the frequency of a pair, the factor is given by its
/// bits. A thread takes a pair, or an element that is not turned.
template <typename Frequencies, int Heads, int Head, int Pairs, numerics::PairOrder Order,
          uint32_t FactorBits>
SORTIE_DEVICE void rotateRows(const float *x, const int32_t *positions, float *y) {
  constexpr int kOfHead = Head - Pairs;
  const int thread = threadOfRow();
  if (thread >= Heads * kOfHead)
    return;
  const int number = thread % kOfHead;
  const int64_t head = gridRow() * (Heads * Head) + thread / kOfHead * Head;
  if (number >= Pairs) {
    const int64_t rest = head + Pairs + number;
    y[rest] = numerics::canonicalNan(x[rest]);
    return;
  }
  constexpr bool kIsHalves = Order == numerics::PairOrder::Halves;
  const int64_t first = head + (kIsHalves ? number : 2 * number);
  const int64_t second = first + (kIsHalves ? Pairs : 1);
  const auto position = static_cast<numerics::uint64_t>(int64_t{positions[gridRow()]});
  const numerics::Turn turn = numerics::scaleTurn(
      numerics::turnAt(position, Frequencies::at(number)), numerics::floatOf(FactorBits));
  float x0 = x[first];
  float x1 = x[second];
  numerics::rotatePair(turn, x0, x1);
  y[first] = numerics::canonicalNan(x0);
  y[second] = numerics::canonicalNan(x1);
}

/// y = the elements [First, First + Kept) of each of `Heads` heads of `Head` elements.
template <int Heads, int Head, int First, int Kept>
SORTIE_DEVICE void sliceHeads(const float *x, float *y) {
  const int column = threadOfRow();
  if (column < Heads * Kept)
    y[gridRow() * (Heads * Kept) + column] =
        x[gridRow() * (Heads * Head) + column / Kept * Head + First + column % Kept];
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_ROWS_HEADS_H
