// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How thread blocks share out the heads of a row. All kernels of heads do it alike, so that in one
// launch a thread block can take up the heads where it has left them (docs/cuda.md).

#ifndef SORTIE_CODEGEN_KERNELS_ROWS_BLOCKHEADS_H
#define SORTIE_CODEGEN_KERNELS_ROWS_BLOCKHEADS_H

#include <sortie_hardware.h>

namespace sortie::kernels {

/// Neighbouring heads, perhaps none.
struct BlockHeads {
  int first;
  int end;
};

/// Those of `Heads` that belong to the thread block, in a grid (rows, any number of blocks).
template <int Heads> SORTIE_DEVICE BlockHeads headsOfBlock() {
  const int each = (Heads + hw::gridCountY() - 1) / hw::gridCountY();
  const int first = hw::blockIndexY() * each;
  return {first < Heads ? first : Heads, first + each < Heads ? first + each : Heads};
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_ROWS_BLOCKHEADS_H
