// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What only sm_90 and later have: mbarriers that count bytes, bulk and tensor copies. For kernels
// that are compiled for such chips alone; earlier ones find nothing here. As in sortie_hardware.h,
// which comes with it, a function is one instruction unless it says otherwise, and
// test/emulation/sortie_hardware_sm90.h has the same ones for the host.

#ifndef SORTIE_HARDWARE_SM90_H
#define SORTIE_HARDWARE_SM90_H

#include <sortie_hardware.h>

/// Stands before the type of a kernel's parameter that is read where the launch has put it; tensor
/// maps must be.
#define SORTIE_IN_PLACE const __grid_constant__

#if __CUDA_ARCH__ >= 900

namespace sortie::hw {

//===- mbarriers for copies ----------------------------------------------===//

/// Asynchronous copies that are ordered after this see the barriers that the thread has made.
SORTIE_DEVICE void publishMbarriers() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}
/// arriveMbarrier(), but the phase expects `bytes` more bytes of copies first, 2^20 - 1 at most in
/// all.
SORTIE_DEVICE void arriveExpecting(Mbarrier *barrier, int bytes) {
  asm volatile(
      "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(sharedAddress(barrier)),
      "r"(bytes)
      : "memory");
}

//===- Copies from global to shared memory -------------------------------===//

/// Orders what the thread has written to shared memory before copies below that begin after it (it
/// does what publishMbarriers() does, too).
SORTIE_DEVICE void fenceBeforeCopies() {
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}

/// Starts to copy `bytes` bytes, a multiple of 16, both addresses aligned to 16 (PTX ISA,
/// "cp.async.bulk"). One thread does it. They arrive as bytes at `barrier`; who has waited for the
/// phase sees them.
SORTIE_DEVICE void copyBulk(void *shared, const void *global, int bytes, Mbarrier *barrier) {
  asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes "
               "[%0], [%1], %2, [%3];" ::"r"(sharedAddress(shared)),
               "l"(global), "r"(bytes), "r"(sharedAddress(barrier))
               : "memory");
}

/// A CUtensorMap that the host has made by cuTensorMapEncodeTiled, without interleaving, with
/// element strides of 1 and zeros outside. It is in global memory, or a parameter SORTIE_IN_PLACE.
struct alignas(64) TensorMap {
  uint64_t opaque[16];
};

/// Starts to copy the box of the map that begins at element (x, y) or (x, y, z), x the innermost
/// (PTX ISA, "cp.async.bulk.tensor"), elements outside of the tensor as zeros. The bytes of the
/// whole box arrive at `barrier` as those of copyBulk do. Rows lie without gaps, aligned to 128
/// bytes. With CU_TENSOR_MAP_SWIZZLE_32B, _64B and _128B rows of the box have just so many bytes
/// and `shared` is aligned to 256, 512 or 1024: then the 16-byte chunks of a row have changed
/// places. Of the offset in the box,
///   32B:  bit 4 is XORed with bit 7:              chunk c of row r lies at c ^ (r / 4 % 2)
///   64B:  bits 4 and 5 with bits 7 and 8:         c ^ (r / 2 % 4)
///   128B: bits 4, 5 and 6 with bits 7, 8 and 9:   c ^ (r % 8)
SORTIE_DEVICE void copyBox(void *shared, const TensorMap &map, int x, int y, Mbarrier *barrier) {
  asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes "
               "[%0], [%1, {%2, %3}], [%4];" ::"r"(sharedAddress(shared)),
               "l"(&map), "r"(x), "r"(y), "r"(sharedAddress(barrier))
               : "memory");
}
SORTIE_DEVICE void copyBox(void *shared, const TensorMap &map, int x, int y, int z,
                           Mbarrier *barrier) {
  asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes "
               "[%0], [%1, {%2, %3, %4}], [%5];" ::"r"(sharedAddress(shared)),
               "l"(&map), "r"(x), "r"(y), "r"(z), "r"(sharedAddress(barrier))
               : "memory");
}

} // namespace sortie::hw

#endif // __CUDA_ARCH__ >= 900

#endif // SORTIE_HARDWARE_SM90_H
