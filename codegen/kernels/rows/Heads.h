// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rows of several heads, whose elements are computed by themselves. Grid (rows, any number of
// blocks), any number of threads, no shared memory. Norms of heads: Norm.h.

#ifndef SORTIE_CODEGEN_KERNELS_ROWS_HEADS_H
#define SORTIE_CODEGEN_KERNELS_ROWS_HEADS_H

#include "codegen/kernels/common/FourFloats.h"
#include "codegen/kernels/rows/BlockHeads.h"
#include "codegen/kernels/rows/RowGeometry.h"
#include "runtime/numerics/rotate.h"
#include "runtime/numerics/table.h"

namespace sortie::kernels {

/// Turns pair `number` of the first 2 * Pairs elements of a head by the position of the row.
/// `Frequencies::at(pair)` is the frequency of a pair, the factor is given by its bits.
template <typename Frequencies, int Pairs, numerics::PairOrder Order, uint32_t FactorBits>
SORTIE_DEVICE void rotateOnePair(const float *x, int32_t position, int number, float *y) {
  constexpr bool kIsHalves = Order == numerics::PairOrder::Halves;
  const int first = kIsHalves ? number : 2 * number;
  const int second = first + (kIsHalves ? Pairs : 1);
  const numerics::Turn turn = numerics::scaleTurn(
      numerics::turnAt(static_cast<numerics::uint64_t>(int64_t{position}), Frequencies::at(number)),
      numerics::floatOf(FactorBits));
  float x0 = x[first];
  float x1 = x[second];
  numerics::rotatePair(turn, x0, x1);
  y[first] = numerics::canonicalNan(x0);
  y[second] = numerics::canonicalNan(x1);
}

/// Turns the first 2 * Pairs elements of each head; x and y are [rows, Heads * Head]. A thread
/// takes a pair, or an element that is not turned.
template <typename Frequencies, int Heads, int Head, int Pairs, numerics::PairOrder Order,
          uint32_t FactorBits>
SORTIE_DEVICE void rotateRows(const float *x, const int32_t *positions, float *y) {
  constexpr int kOfHead = Head - Pairs;
  const BlockHeads heads = headsOfBlock<Heads>();
  for (int at = heads.first * kOfHead + hw::threadIndex(); at < heads.end * kOfHead;
       at += hw::threadCount()) {
    const int number = at % kOfHead;
    const int64_t head = gridRow() * (Heads * Head) + at / kOfHead * Head;
    if (number < Pairs)
      rotateOnePair<Frequencies, Pairs, Order, FactorBits>(x + head, positions[gridRow()], number,
                                                           y + head);
    else
      y[head + Pairs + number] = numerics::canonicalNan(x[head + Pairs + number]);
  }
}

/// y = the elements [First, First + Kept) of each of `Heads` heads of `Head` elements.
template <int Heads, int Head, int First, int Kept>
SORTIE_DEVICE void sliceHeads(const float *x, float *y) {
  const BlockHeads heads = headsOfBlock<Heads>();
  for (int column = heads.first * Kept + hw::threadIndex(); column < heads.end * Kept;
       column += hw::threadCount())
    y[gridRow() * (Heads * Kept) + column] =
        x[gridRow() * (Heads * Head) + column / Kept * Head + First + column % Kept];
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_ROWS_HEADS_H
