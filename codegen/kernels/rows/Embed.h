// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rows of an embedding table, decoded from the bytes of the file. Grid (tokens + 1,
// embedBlocks(K)): the thread blocks of the last row look for ids that are no row. kEmbedThreads
// threads, embedSharedBytes(E) bytes.

#ifndef SORTIE_CODEGEN_KERNELS_ROWS_EMBED_H
#define SORTIE_CODEGEN_KERNELS_ROWS_EMBED_H

#include "codegen/kernels/common/FourFloats.h"
#include "codegen/kernels/rows/EmbedGeometry.h"
#include "codegen/kernels/rows/IndexedRows.h"
#include "runtime/numerics/convert.h"
#include "runtime/numerics/embed.h"

namespace sortie::kernels {

/// Element `i` of a block of format `F`.
template <numerics::Format F>
SORTIE_DEVICE float elementOf(const numerics::DecodedBlock &block, int i) {
  constexpr numerics::FormatInfo kInfo = numerics::formatInfo(F);
  const int level = block.levels[i];
  const int sub = i / kInfo.subBlock;
  if constexpr (kInfo.minimum == numerics::Minimum::SubtractedInteger)
    return numerics::subScaledElement(block.d, block.subScales[sub], level, block.m,
                                      block.minimums[sub]);
  else if constexpr (numerics::hasSubScales(kInfo))
    return numerics::subScaledElement(block.d, block.subScales[sub], level);
  else if constexpr (kInfo.minimum == numerics::Minimum::AddedFloat)
    return numerics::groupElement(block.d, level, block.m);
  else
    return numerics::groupElement(block.d, level);
}

/// A part of a row of `K` elements in blocks: a thread decodes a block, then each takes four
/// elements.
template <Encoding E, int K>
SORTIE_DEVICE void embedQuantized(const void *table, int64_t row, float *y) {
  constexpr EncodingInfo kInfo = encodingInfo(E);
  auto *blocks = hw::sharedMemory<numerics::DecodedBlock>();
  const numerics::EncodedRow from = rowOf(kInfo, static_cast<const uint8_t *>(table), row, K);
  const int first = hw::blockIndexY() * kEmbedElements;
  const int block = first / kInfo.elements + hw::threadIndex();
  if (hw::threadIndex() < kEmbedElements / kInfo.elements && block * kInfo.elements < K)
    numerics::decodeBlock<E>(from, block, blocks[hw::threadIndex()]);
  hw::syncBlock();
  const int own = hw::threadIndex() * 4;
  if (first + own >= K)
    return;
  FourFloats four;
#pragma unroll
  for (int i = 0; i < 4; ++i)
    four.value[i] = numerics::canonicalNan(
        elementOf<formatOf(E)>(blocks[own / kInfo.elements], own % kInfo.elements + i));
  storeFour<K>(y, first + own, four);
}

/// A part of a row of `K` floats of the file.
template <typename Float, int K>
SORTIE_DEVICE void embedFloats(const void *table, int64_t row, float *y) {
  const auto *from = static_cast<const Float *>(table) + row * K;
  for (int i = hw::threadIndex(); i < kEmbedElements; i += hw::threadCount())
    if (const int column = hw::blockIndexY() * kEmbedElements + i; column < K)
      y[column] = numerics::canonicalNan(numerics::widen(from[column]));
}

/// y[i] = table[tokens[i]] for i in [0, count), y [count, K]. An id that is none of `rows` counts
/// as 0.
template <Encoding E, int K>
SORTIE_DEVICE void embedRows(const int32_t *tokens, float *y, IndexStatus *status,
                             const void *table, int32_t count, int32_t rows) {
  const int position = hw::blockIndexX();
  if (position == count)
    return checkRows(tokens, count, rows, status);
  const int32_t id = tokens[position];
  const int64_t row = numerics::isBelow(id, rows) ? id : 0;
  float *to = y + int64_t{position} * K;
  if constexpr (E == Encoding::F32)
    embedFloats<float, K>(table, row, to);
  else if constexpr (E == Encoding::F16)
    embedFloats<numerics::Half, K>(table, row, to);
  else if constexpr (E == Encoding::BF16)
    embedFloats<numerics::BFloat16, K>(table, row, to);
  else
    embedQuantized<E, K>(table, row, to);
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_ROWS_EMBED_H
