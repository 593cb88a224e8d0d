// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The sum of each token's slots, in slot order.

#ifndef SORTIE_CODEGEN_KERNELS_ROWS_COMBINE_H
#define SORTIE_CODEGEN_KERNELS_ROWS_COMBINE_H

#include "codegen/kernels/common/FourFloats.h"
#include "codegen/kernels/rows/RowGeometry.h"
#include "runtime/numerics/combine.h"

namespace sortie::kernels {

/// Four columns of the sum of a token whose first slot is `firstSlot`; see combineRows().
template <int Columns, int Slots>
SORTIE_DEVICE FourFloats combineFour(const float *rows, const int32_t *inverse,
                                     const float *weights, int64_t firstSlot, int column) {
  constexpr int kInFlight = 8; // loads that a thread starts before it needs the first
  FourFloats sum{};
#pragma unroll
  for (int begin = 0; begin < Slots; begin += kInFlight) {
    FourFloats x[kInFlight] = {};
#pragma unroll
    for (int i = 0; i < kInFlight; ++i) {
      if (begin + i >= Slots)
        break;
      const int64_t slot = firstSlot + begin + i;
      const int64_t row = inverse != nullptr ? inverse[slot] : slot;
      if (row >= 0)
        x[i] = loadFour<Columns>(rows + row * Columns, column);
    }
#pragma unroll
    for (int i = 0; i < kInFlight; ++i) {
      if (begin + i >= Slots)
        break;
      const float weight = weights != nullptr ? weights[firstSlot + begin + i] : 1.0f;
#pragma unroll
      for (int c = 0; c < 4; ++c) {
        const float value =
            weights != nullptr ? numerics::weighted(weight, x[i].value[c]) : x[i].value[c];
        sum.value[c] = begin + i == 0 ? value : numerics::addSlot(sum.value[c], value);
      }
    }
  }
  return sum;
}

/// y[t] = sum over j of weights[t, j] * rows[inverse[t, j]]. Without `inverse` (a literal null)
/// slot j of token t is row t * Slots + j, without `weights` rows are added as they are. An absent
/// slot (-1) is a row of zeros. Grid (tokens, any number of blocks), any number of threads, no
/// shared memory.
template <int Columns, int Slots>
SORTIE_DEVICE void combineRows(const float *rows, const int32_t *inverse, const float *weights,
                               float *y) {
  forFourColumns<Columns>([&](int column) {
    FourFloats sum = combineFour<Columns, Slots>(rows, inverse, weights, gridRow() * Slots, column);
#pragma unroll
    for (int c = 0; c < 4; ++c)
      sum.value[c] = numerics::canonicalNan(sum.value[c]);
    storeFour<Columns>(y + gridRow() * Columns, column, sum);
  });
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_ROWS_COMBINE_H
