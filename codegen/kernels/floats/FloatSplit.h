// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Narrow products of few rows in `float` arithmetic: every chunk of every column is the work of a
// half warp, each lane of which has one partial, so that one token already occupies the whole GPU.

#ifndef SORTIE_CODEGEN_KERNELS_FLOATS_FLOATSPLIT_H
#define SORTIE_CODEGEN_KERNELS_FLOATS_FLOATSPLIT_H

#include "codegen/kernels/common/HalfWarp.h"
#include "codegen/kernels/floats/FloatGeometry.h"

namespace sortie::kernels {

/// The sums of one chunk of a column for Rows rows of activations, in all lanes of the half warp.
/// `x` and `w` are the rows. Elements past the end of a row are +0.0 and -0.0, which change no
/// partial.
template <typename Weight, int K, int Rows>
SORTIE_DEVICE void chunkOfColumn(const float *const (&x)[Rows], const Weight *w, int chunk,
                                 float (&sums)[Rows]) {
  // Steps whose loads are under way together. Fewer where the length of the loop is known: ptxas
  // unrolls that one in spite of the pragma and would spill.
  constexpr int kBatch = (Rows == 1 ? 32 : 16) / (K > numerics::kChunk ? 1 : 2);
  const auto end = static_cast<int>(lesser((chunk + 1) * numerics::kChunk, K));
#pragma unroll
  for (int r = 0; r < Rows; ++r)
    sums[r] = 0.0f;
#pragma unroll 1
  for (int first = chunk * numerics::kChunk + hw::threadIndex() % numerics::kPartials; first < end;
       first += kBatch * numerics::kPartials) {
    float weights[kBatch];
    float values[Rows][kBatch];
#pragma unroll
    for (int i = 0; i < kBatch; ++i) {
      const int at = first + i * numerics::kPartials;
      const bool exists = K % numerics::kChunk == 0 || at < K;
      weights[i] = exists ? numerics::widen(w[at]) : -0.0f;
#pragma unroll
      for (int r = 0; r < Rows; ++r)
        values[r][i] = exists ? x[r][at] : 0.0f;
    }
#pragma unroll
    for (int i = 0; i < kBatch; ++i)
#pragma unroll
      for (int r = 0; r < Rows; ++r)
        sums[r] = numerics::fma(values[r][i], weights[i], sums[r]);
  }
#pragma unroll
  for (int r = 0; r < Rows; ++r)
    sums[r] = sumHalfWarp(sums[r]);
}

/// The columns of this thread block times up to kDense.rows rows from `base` on. chunkSums is
/// [columns][chunks][kDense.rows].
template <typename Weight, int K, int N, int Rows>
SORTIE_DEVICE void splitChunks(const float *x, const Weight *w, int column, int base, int rows,
                               float *chunkSums) {
  constexpr FloatDense kDense = floatDense(K, N);
  constexpr int kChunks = static_cast<int>(ceilDiv(K, numerics::kChunk));
  constexpr int kHalfWarps = kFloatThreads / numerics::kPartials;
  const int groups = static_cast<int>(ceilDiv(rows, Rows));
  const int tasks = kDense.columns * kChunks * groups;
  // Half warps without a task take the last once more, because warps sum together.
#pragma unroll 1
  for (int round = 0; round < tasks; round += kHalfWarps) {
    const auto task =
        static_cast<int>(lesser(round + hw::threadIndex() / numerics::kPartials, tasks - 1));
    const int c = task / groups / kChunks;
    const int chunk = task / groups % kChunks;
    const int firstRow = task % groups * Rows;
    const float *rowsOfX[Rows];
#pragma unroll
    for (int r = 0; r < Rows; ++r)
      rowsOfX[r] = x + (base + lesser(firstRow + r, rows - 1)) * K;
    float sums[Rows];
    chunkOfColumn<Weight, K>(rowsOfX, w + lesser(column + c, N - 1) * K, chunk, sums);
    float *to = chunkSums + (c * kChunks + chunk) * kDense.rows + firstRow;
    if (hw::threadIndex() % numerics::kPartials == 0)
#pragma unroll
      for (int r = 0; r < Rows; ++r)
        to[r] = sums[r];
  }
}

/// A narrow product, of which this thread block computes floatDense(K, N).columns columns for each
/// blocksY-th group of rows.
template <typename Weight, int K, int N>
SORTIE_DEVICE void splitMatmul(const float *x, float *y, const Weight *w, const float *bias,
                               int32_t rows, int blocksY) {
  constexpr FloatDense kDense = floatDense(K, N);
  constexpr int kChunks = static_cast<int>(ceilDiv(K, numerics::kChunk));
  static_assert(kDense.columns * kChunks * kDense.rows * 4 <= kFloatRingBytes);
  float *chunkSums = hw::sharedMemory<float>();
  const int column = hw::blockIndexX() * kDense.columns;
  for (int base = hw::blockIndexY() * kDense.rows; base < rows; base += blocksY * kDense.rows) {
    const auto count = static_cast<int>(lesser(kDense.rows, rows - base));
    if (count == 1)
      splitChunks<Weight, K, N, 1>(x, w, column, base, count, chunkSums);
    else
      splitChunks<Weight, K, N, 4>(x, w, column, base, count, chunkSums);
    hw::syncBlock();
    for (int i = hw::threadIndex(); i < kDense.columns * count; i += kFloatThreads) {
      const int c = i / count;
      const int r = i % count;
      if (column + c >= N)
        break;
      const float *sums = chunkSums + c * kChunks * kDense.rows + r;
      float total = sums[0];
      for (int chunk = 1; chunk < kChunks; ++chunk)
        total = numerics::add(total, sums[chunk * kDense.rows]);
      if (bias != nullptr)
        total = numerics::add(total, bias[column + c]);
      y[int64_t{base + r} * N + column + c] = numerics::canonicalNan(total);
    }
    hw::syncBlock();
  }
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_FLOATS_FLOATSPLIT_H
