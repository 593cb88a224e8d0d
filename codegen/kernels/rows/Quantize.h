// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Quantization of activation rows (runtime/numerics/layout.h), a warp for each block of 128
// elements. Like the CPU's, it does not write the padding at the end of a row.

#ifndef SORTIE_CODEGEN_KERNELS_ROWS_QUANTIZE_H
#define SORTIE_CODEGEN_KERNELS_ROWS_QUANTIZE_H

#include "codegen/kernels/common/FourFloats.h"
#include "codegen/kernels/rows/RowGeometry.h"
#include "runtime/numerics/layout.h"
#include "runtime/numerics/quantize.h"

namespace sortie::kernels {

/// The lane's four limbs as bytes, and the sums of 16 limbs: `sums` is where the block's eight are.
SORTIE_DEVICE void storeLimbs(const int32_t (&limb)[4], void *limbs, void *sums) {
  uint32_t bytes = 0;
  int32_t sum = 0;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    bytes |= (static_cast<uint32_t>(limb[i]) & 0xffu) << (8 * i);
    sum += limb[i];
  }
  static_cast<uint32_t *>(limbs)[hw::laneIndex()] = bytes;
  sum += hw::shuffleXor(sum, 1);
  sum += hw::shuffleXor(sum, 2);
  // A word has two sums: lane 8 * i has sum 2 * i, and 2 * i + 1 from the lane 4 above.
  const int32_t next = hw::shuffleXor(sum, 4);
  if (hw::laneIndex() % 8 == 0)
    static_cast<uint32_t *>(sums)[hw::laneIndex() / 8] =
        (static_cast<uint32_t>(sum) & 0xffffu) | static_cast<uint32_t>(next) << 16;
}

/// Quantizes 128 floats, of which lane i has those of columns 4 * i to 4 * i + 3 in `values`, to
/// block `block` of the quantized row at `row`: limbs, sums and scale. Columns from `validColumns`
/// on lie past the end of the row and become zeros. All 32 lanes take part.
template <numerics::RowKind Kind>
SORTIE_DEVICE void quantizeBlock128(const float (&values)[4], int validColumns, void *row,
                                    const numerics::ActRowLayout &layout, int block) {
  constexpr numerics::ActivationWidth kWidth = numerics::activationWidth(Kind);
  const int column = hw::laneIndex() * 4;
  float x[4];
  uint32_t magnitude = 0;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    x[i] = column + i < validColumns ? values[i] : 0.0f;
    const uint32_t bits = numerics::bitsOf(x[i]) & 0x7fffffffu;
    magnitude = bits > magnitude ? bits : magnitude;
  }
#pragma unroll
  for (int mask = kWarp / 2; mask > 0; mask /= 2) {
    const uint32_t other = hw::shuffleXor(magnitude, mask);
    magnitude = other > magnitude ? other : magnitude;
  }
  const numerics::ActivationScale scale = numerics::activationScale<kWidth>(magnitude);

  int32_t low[4];
  int32_t high[4];
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const int32_t q = scale.isRegular ? numerics::quantizeElement(x[i], scale.reciprocal) : 0;
    low[i] = Kind == numerics::RowKind::Int16 ? numerics::lowLimb(q) : q;
    high[i] = numerics::highLimb(q);
  }
  char *limbs = static_cast<char *>(row) + layout.limbs + block * numerics::kActivationBlock;
  constexpr int kSumBytes = numerics::kActivationBlock / numerics::kSumElements * 2;
  char *sums = static_cast<char *>(row) + layout.sums + block * kSumBytes;
  storeLimbs(low, limbs, sums);
  if constexpr (Kind == numerics::RowKind::Int16)
    storeLimbs(high, limbs + layout.limbStride, sums + layout.sumStride);
  if (hw::laneIndex() == 0)
    reinterpret_cast<float *>(static_cast<char *>(row) + layout.scales)[block] = scale.scale;
}

/// x [rows, K] to quantized rows. Grid (rows, any number of blocks), whole warps, no shared memory.
template <numerics::RowKind Kind, int K> SORTIE_DEVICE void quantizeRows(const float *x, void *y) {
  constexpr numerics::ActRowLayout kLayout = numerics::actRowLayout(Kind, K);
  const int warps = hw::threadCount() / kWarp;
  char *row = static_cast<char *>(y) + gridRow() * kLayout.bytes;
  for (int block = hw::blockIndexY() * warps + hw::warpIndex();
       block < numerics::activationBlocks(K); block += hw::gridCountY() * warps) {
    const int first = block * numerics::kActivationBlock;
    const FourFloats four = loadFour<K>(x + gridRow() * K, first + hw::laneIndex() * 4);
    quantizeBlock128<Kind>(four.value, K - first, row, kLayout, block);
  }
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_ROWS_QUANTIZE_H
