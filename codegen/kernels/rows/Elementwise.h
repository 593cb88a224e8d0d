// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernels that handle each row of floats by itself. Grid (rows of the output, any number of
// blocks), any number of threads, no shared memory. Buffers start at multiples of 16 bytes.

#ifndef SORTIE_CODEGEN_KERNELS_ROWS_ELEMENTWISE_H
#define SORTIE_CODEGEN_KERNELS_ROWS_ELEMENTWISE_H

#include "codegen/kernels/common/FourFloats.h"
#include "codegen/kernels/rows/RowGeometry.h"
#include "runtime/numerics/activation.h"

namespace sortie::kernels {

/// y = a + b, all [rows, Columns].
template <int Columns> SORTIE_DEVICE void addRows(const float *a, const float *b, float *y) {
  const int64_t first = gridRow() * Columns;
  forFourColumns<Columns>([&](int column) {
    FourFloats sum = loadFour<Columns>(a + first, column);
    const FourFloats other = loadFour<Columns>(b + first, column);
#pragma unroll
    for (int i = 0; i < 4; ++i)
      sum.value[i] = numerics::canonicalNan(numerics::add(sum.value[i], other.value[i]));
    storeFour<Columns>(y + first, column, sum);
  });
}

/// y = factor * x, both [rows, Columns]; the factor is given by its bits.
template <int Columns, uint32_t FactorBits> SORTIE_DEVICE void scaleRows(const float *x, float *y) {
  const int64_t first = gridRow() * Columns;
  forFourColumns<Columns>([&](int column) {
    FourFloats four = loadFour<Columns>(x + first, column);
#pragma unroll
    for (int i = 0; i < 4; ++i)
      four.value[i] =
          numerics::canonicalNan(numerics::mul(numerics::floatOf(FactorBits), four.value[i]));
    storeFour<Columns>(y + first, column, four);
  });
}

/// A gated activation whose numbers are given by their bits.
template <numerics::GluKind Kind, uint32_t AlphaBits, uint32_t LimitBits>
SORTIE_DEVICE float applyGlu(float gate, float up) {
  if constexpr (Kind == numerics::GluKind::Swiglu)
    return numerics::swiglu(gate, up);
  else
    return numerics::swigluClamped(gate, up, numerics::floatOf(AlphaBits),
                                   numerics::floatOf(LimitBits));
}

/// y = glu(gate, up), all [rows, Columns].
template <int Columns, numerics::GluKind Kind, uint32_t AlphaBits, uint32_t LimitBits>
SORTIE_DEVICE void gluRows(const float *gate, const float *up, float *y) {
  const int64_t first = gridRow() * Columns;
  forFourColumns<Columns>([&](int column) {
    FourFloats four = loadFour<Columns>(gate + first, column);
    const FourFloats other = loadFour<Columns>(up + first, column);
#pragma unroll
    for (int i = 0; i < 4; ++i)
      four.value[i] = numerics::canonicalNan(
          applyGlu<Kind, AlphaBits, LimitBits>(four.value[i], other.value[i]));
    storeFour<Columns>(y + first, column, four);
  });
}

/// y[r] = x[permutation[r] / Slots].
template <int Columns, int Slots>
SORTIE_DEVICE void gatherRows(const float *x, const int32_t *permutation, float *y) {
  const int64_t from = permutation[gridRow()] / Slots;
  forFourColumns<Columns>([&](int column) {
    storeFour<Columns>(y + gridRow() * Columns, column,
                       loadFour<Columns>(x + from * Columns, column));
  });
}

/// y[slot] = x[inverse[slot]]; zeros for a slot that is elsewhere (-1).
template <int Columns>
SORTIE_DEVICE void unsortRows(const float *x, const int32_t *inverse, float *y) {
  const int64_t from = inverse[gridRow()];
  forFourColumns<Columns>([&](int column) {
    FourFloats four{};
    if (from >= 0)
      four = loadFour<Columns>(x + from * Columns, column);
    storeFour<Columns>(y + gridRow() * Columns, column, four);
  });
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_ROWS_ELEMENTWISE_H
