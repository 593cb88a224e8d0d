// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Prints the rate of every prefill loop; exit status 1 if one gave other bits than the contract.
#include "bench.h"

int main() {
  rawLoops();
  groupLoops();
  multiplyLoops();
  foldedLoops();
  chunkLoops();
  blockLoops();
  rawLoops();
  std::printf("%d loops with wrong bits\n", wrongLoops);
  return wrongLoops != 0;
}
