// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The functions of codegen/hardware/sortie_hardware_sm90.h on the host: bulk and tensor copies.
//
// What is modelled
// - Bytes that a phase of an mbarrier waits for: too many are an error with thread and line.
// - copyBulk and copyBox: the destination holds garbage until a thread has waited for the phase in
//   which the copy has landed; other threads see the bytes after that. When a copy lands, before or
//   after others, is the seed's choice. Bounds and alignment are checked.
// - The fence between initMbarrier and the first copy; a copy to where another one is on its way; a
//   copy that no thread has waited for when the block ends.
//
// What is not modelled
// - A copy reads its source when it starts, and lands in whole.
// - fenceBeforeCopies has no other effect than publishMbarriers: plain writes are always ordered
//   before copies, and reads of a buffer before the next copy to it.
// - Clusters, multicast, copies to global memory, rows of a swizzled box that are narrower than the
//   swizzle.

#ifndef SORTIE_HARDWARE_SM90_H
#define SORTIE_HARDWARE_SM90_H

#include "test/emulation/TensorMap.h"

#include <sortie_hardware.h>

#define SORTIE_IN_PLACE const

namespace sortie::hw {

//===- mbarriers for copies ----------------------------------------------===//

SORTIE_DEVICE void publishMbarriers() { emulation::currentBlock->publishMbarriers(); }
SORTIE_DEVICE void arriveExpecting(Mbarrier *barrier, int bytes, Site site = Site::current()) {
  emulation::currentBlock->arriveMbarrier("arriveExpecting", barrier, bytes, site);
}

//===- Copies from global to shared memory -------------------------------===//

SORTIE_DEVICE void fenceBeforeCopies() { emulation::currentBlock->publishMbarriers(); }

SORTIE_DEVICE void copyBulk(void *shared, const void *global, int bytes, Mbarrier *barrier,
                            Site site = Site::current()) {
  emulation::currentBlock->copyBulk(shared, global, bytes, barrier, site);
}

using emulation::TensorMap;

SORTIE_DEVICE void copyBox(void *shared, const TensorMap &map, int x, int y, Mbarrier *barrier,
                           Site site = Site::current()) {
  emulation::currentBlock->copyBox(shared, map, 2, {x, y, 0}, barrier, site);
}
SORTIE_DEVICE void copyBox(void *shared, const TensorMap &map, int x, int y, int z,
                           Mbarrier *barrier, Site site = Site::current()) {
  emulation::currentBlock->copyBox(shared, map, 3, {x, y, z}, barrier, site);
}

} // namespace sortie::hw

#endif // SORTIE_HARDWARE_SM90_H
