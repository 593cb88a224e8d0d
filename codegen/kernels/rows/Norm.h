// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Root-mean-square normalisation.

#ifndef SORTIE_CODEGEN_KERNELS_ROWS_NORM_H
#define SORTIE_CODEGEN_KERNELS_ROWS_NORM_H

#include "codegen/kernels/common/FourFloats.h"
#include "codegen/kernels/common/HalfWarp.h"
#include "codegen/kernels/rows/RowGeometry.h"
#include "runtime/numerics/norm.h"

namespace sortie::kernels {

/// y = (x * factor) * weight, rows of K floats. Grid (rows), normThreads(K) threads,
/// normSharedBytes(K) bytes.
template <int K, uint32_t EpsilonBits>
SORTIE_DEVICE void rmsNormRows(const float *x, float *y, const float *weight) {
  constexpr int kChunks = static_cast<int>(ceilDiv(K, numerics::kChunk));
  constexpr int kHalfWarps = normThreads(K) / numerics::kPartials;
  constexpr int kSteps = numerics::kChunk / numerics::kPartials;
  float *chunkSums = hw::sharedMemory<float>();
  const float *row = x + int64_t{hw::blockIndexX()} * K;
  const int partial = hw::threadIndex() % numerics::kPartials;

  // A half warp takes a chunk, each of its lanes a partial. Elements past the end count as +0.0,
  // whose square does not change a sum of squares.
  for (int round = 0; round < kChunks; round += kHalfWarps) {
    const int chunk = round + hw::threadIndex() / numerics::kPartials;
    const int first = chunk * numerics::kChunk + partial;
    float sum = 0.0f;
#pragma unroll 32
    for (int step = 0; step < kSteps; ++step) {
      const int at = first + step * numerics::kPartials;
      const float value = at < K ? row[at] : 0.0f;
      sum = numerics::fma(value, value, sum);
    }
    sum = sumHalfWarp(sum);
    if (partial == 0 && chunk < kChunks)
      chunkSums[chunk] = sum;
  }
  hw::syncBlock();

  float total = chunkSums[0];
  for (int chunk = 1; chunk < kChunks; ++chunk)
    total = numerics::add(total, chunkSums[chunk]);
  const float factor = numerics::rmsNormFactor(total, K, numerics::floatOf(EpsilonBits));
  for (int column = hw::threadIndex() * 4; column < K; column += normThreads(K) * 4) {
    FourFloats four = loadFour<K>(row, column);
    const FourFloats scale = loadFour<K>(weight, column);
#pragma unroll
    for (int i = 0; i < 4; ++i)
      four.value[i] = numerics::canonicalNan(
          numerics::mul(numerics::mul(four.value[i], factor), scale.value[i]));
    storeFour<K>(y + int64_t{hw::blockIndexX()} * K, column, four);
  }
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_ROWS_NORM_H
