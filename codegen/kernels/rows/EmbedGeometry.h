// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Threads, thread blocks and shared memory of Embed.h. Bits do not depend on any of it.

#ifndef SORTIE_CODEGEN_KERNELS_ROWS_EMBEDGEOMETRY_H
#define SORTIE_CODEGEN_KERNELS_ROWS_EMBEDGEOMETRY_H

#include "codegen/kernels/common/Geometry.h"
#include "runtime/numerics/decode.h"

namespace sortie::kernels {

using numerics::Encoding;
using numerics::encodingInfo;
using numerics::EncodingInfo;

constexpr int kEmbedThreads = 256;
/// Elements of a row that a thread block takes: four for each thread, and whole blocks.
constexpr int kEmbedElements = 4 * kEmbedThreads;

/// Thread blocks for each row: the second dimension of the grid.
SORTIE_NUMERICS_CONSTEXPR int64_t embedBlocks(int64_t columns) {
  return ceilDiv(columns, kEmbedElements);
}
/// The blocks that a thread block decodes; at least what looking for bad ids takes.
SORTIE_NUMERICS_CONSTEXPR int embedSharedBytes(Encoding encoding) {
  const EncodingInfo info = encodingInfo(encoding);
  return numerics::isQuantized(info)
             ? kEmbedElements / info.elements * static_cast<int>(sizeof(numerics::DecodedBlock))
             : kEmbedThreads / kWarp * 4;
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_ROWS_EMBEDGEOMETRY_H
