// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How rows of activations lie in memory. Compiled programs plan their buffers with these sizes, and
// devices read and write the rows, so both sides take them from here.

#ifndef SORTIE_RUNTIME_NUMERICS_LAYOUT_H
#define SORTIE_RUNTIME_NUMERICS_LAYOUT_H

#include "runtime/numerics/contract.h"

namespace sortie::numerics {

/// What a row of activations is made of.
enum class RowKind : uint8_t {
  F32,   ///< K floats
  Int8,  ///< quantized: one limb
  Int16, ///< quantized: two limbs, q = 128 * high + low
};

/// Elements of K whose limbs are summed in a quantized row: the shortest sub-block of any format.
constexpr int kSumElements = 16;

/// Rows of quantized activations start at multiples of this many bytes.
constexpr int kActRowAlignment = 64;

/// `k` rounded up to whole activation blocks. The elements in between are zeros.
SORTIE_NUMERICS_CONSTEXPR int64_t paddedK(int64_t k) {
  return activationBlocks(k) * kActivationBlock;
}

/// Number of int8 limbs of a quantized element.
SORTIE_NUMERICS_CONSTEXPR int limbCount(RowKind kind) { return kind == RowKind::Int16 ? 2 : 1; }

/// The width of a quantized row.
SORTIE_NUMERICS_CONSTEXPR ActivationWidth activationWidth(RowKind kind) {
  return kind == RowKind::Int16 ? ActivationWidth::Int16 : ActivationWidth::Int8;
}

/// Byte offsets inside a quantized row, which holds one after another:
///   int8 limbs [limbCount][paddedK], the low limb first;
///   int16 sums [limbCount][paddedK / 16]: sums of 16 limbs, at most 16 * 127 in magnitude;
///   float scales [activationBlocks];
///   padding to kActRowAlignment.
struct ActRowLayout {
  int64_t limbs;
  int64_t sums;
  int64_t scales;
  int64_t bytes; ///< of the whole row

  /// Distance from the low limbs to the high limbs, and from the low sums to the high ones.
  int64_t limbStride;
  int64_t sumStride;
};

SORTIE_NUMERICS_CONSTEXPR ActRowLayout actRowLayout(RowKind kind, int64_t k) {
  const int64_t padded = paddedK(k);
  const int64_t limbs = limbCount(kind);
  const int64_t sumStride = padded / kSumElements * 2;
  const int64_t sums = limbs * padded;
  const int64_t scales = sums + limbs * sumStride;
  const int64_t end = scales + activationBlocks(k) * 4;
  const int64_t bytes = (end + kActRowAlignment - 1) / kActRowAlignment * kActRowAlignment;
  return {0, sums, scales, bytes, padded, sumStride};
}

/// Bytes of a row of `k` elements.
SORTIE_NUMERICS_CONSTEXPR int64_t actRowBytes(RowKind kind, int64_t k) {
  return kind == RowKind::F32 ? k * 4 : actRowLayout(kind, k).bytes;
}

} // namespace sortie::numerics

#endif // SORTIE_RUNTIME_NUMERICS_LAYOUT_H
