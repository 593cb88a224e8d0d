// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Shared memory of the kernels of Pack.h.

#ifndef SORTIE_CODEGEN_KERNELS_PACKING_PACKGEOMETRY_H
#define SORTIE_CODEGEN_KERNELS_PACKING_PACKGEOMETRY_H

#include "codegen/kernels/packing/PackedLayout.h"
#include "runtime/numerics/decode.h"

namespace sortie::kernels {

/// Blocks of the file that make a row of a packed block.
SORTIE_NUMERICS_CONSTEXPR int fileBlocks(Encoding encoding) {
  return packedSizes(formatOf(encoding)).blockElements / encodingInfo(encoding).elements;
}

/// Bytes of shared memory: the decoded blocks of a panel.
SORTIE_NUMERICS_CONSTEXPR int packSharedBytes(Encoding encoding) {
  return static_cast<int>(sizeof(DecodedBlock)) * kPanelRows * fileBlocks(encoding);
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_PACKING_PACKGEOMETRY_H
