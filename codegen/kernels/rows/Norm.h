// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Root-mean-square normalisation.

#ifndef SORTIE_CODEGEN_KERNELS_ROWS_NORM_H
#define SORTIE_CODEGEN_KERNELS_ROWS_NORM_H

#include "codegen/kernels/common/FourFloats.h"
#include "codegen/kernels/common/HalfWarp.h"
#include "codegen/kernels/rows/BlockHeads.h"
#include "codegen/kernels/rows/RowGeometry.h"
#include "runtime/numerics/norm.h"

namespace sortie::kernels {

/// The sum of the squares of a chunk of a row of K floats, in each lane of the half warp that takes
/// it: a lane has a partial. Elements past the end count as +0.0, whose square does not change a
/// sum of squares.
template <int K> SORTIE_DEVICE float squaresOfChunk(const float *row, int chunk) {
  constexpr int kLongest = static_cast<int>(lesser(K, numerics::kChunk));
  constexpr int kSteps = static_cast<int>(ceilDiv(kLongest, numerics::kPartials));
  const int first = chunk * numerics::kChunk + hw::threadIndex() % numerics::kPartials;
  float sum = 0.0f;
#pragma unroll 32
  for (int step = 0; step < kSteps; ++step) {
    const int at = first + step * numerics::kPartials;
    const float value = at < K ? row[at] : 0.0f;
    sum = numerics::fma(value, value, sum);
  }
  return sumHalfWarp(sum);
}

/// y = (row * factor) * weight for four columns.
template <int K>
SORTIE_DEVICE void scaleFour(const float *row, float factor, const float *weight, int column,
                             float *y) {
  FourFloats four = loadFour<K>(row, column);
  const FourFloats scale = loadFour<K>(weight, column);
#pragma unroll
  for (int i = 0; i < 4; ++i)
    four.value[i] =
        numerics::canonicalNan(numerics::mul(numerics::mul(four.value[i], factor), scale.value[i]));
  storeFour<K>(y, column, four);
}

/// y = (x * factor) * weight, rows of K floats. Grid (rows), whole warps, normSharedBytes(K) bytes.
template <int K, uint32_t EpsilonBits>
SORTIE_DEVICE void rmsNormRows(const float *x, float *y, const float *weight) {
  constexpr int kChunks = static_cast<int>(ceilDiv(K, numerics::kChunk));
  const int halfWarps = hw::threadCount() / numerics::kPartials;
  float *chunkSums = hw::sharedMemory<float>();
  const float *row = x + gridRow() * K;
  const int partial = hw::threadIndex() % numerics::kPartials;

  for (int round = 0; round < kChunks; round += halfWarps) {
    const int chunk = round + hw::threadIndex() / numerics::kPartials;
    const float sum = squaresOfChunk<K>(row, chunk);
    if (partial == 0 && chunk < kChunks)
      chunkSums[chunk] = sum;
  }
  hw::syncBlock();

  float total = chunkSums[0];
  for (int chunk = 1; chunk < kChunks; ++chunk)
    total = numerics::add(total, chunkSums[chunk]);
  const float factor = numerics::rmsNormFactor(total, K, numerics::floatOf(EpsilonBits));
  for (int column = hw::threadIndex() * 4; column < K; column += hw::threadCount() * 4)
    scaleFour<K>(row, factor, weight, column, y + gridRow() * K);
}

/// The same for each of `Heads` heads of `Head` floats, at most a chunk, of rows; the weight is
/// that of a head. Grid (rows, any number of blocks), whole warps, no shared memory.
template <int Heads, int Head, uint32_t EpsilonBits>
SORTIE_DEVICE void headNormRows(const float *x, float *y, const float *weight) {
  static_assert(Head <= numerics::kChunk);
  const BlockHeads heads = headsOfBlock<Heads>();
  const int halfWarps = hw::threadCount() / numerics::kPartials;
  const int lane = hw::threadIndex() % numerics::kPartials;
  for (int begin = heads.first; begin < heads.end; begin += halfWarps) {
    const int number = begin + hw::threadIndex() / numerics::kPartials;
    // All lanes take part in the sum, those behind the last head with it.
    const int head = number < heads.end ? number : heads.end - 1;
    const int64_t first = (gridRow() * Heads + head) * Head;
    const float sum = squaresOfChunk<Head>(x + first, /*chunk=*/0);
    if (number >= heads.end)
      continue;
    const float factor = numerics::rmsNormFactor(sum, Head, numerics::floatOf(EpsilonBits));
    for (int column = lane * 4; column < Head; column += numerics::kPartials * 4)
      scaleFour<Head>(x + first, factor, weight, column, y + first);
  }
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_ROWS_NORM_H
