// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The functions of codegen/hardware/sortie_hardware_sm90.h on the host: bulk and tensor copies,
// products of a warpgroup.
//
// What is modelled
// - Bytes that a phase of an mbarrier waits for: too many are an error with thread and line.
// - copyBulk and copyBox: the destination holds garbage until a thread has waited for the phase in
//   which the copy has landed; other threads see the bytes after that. When a copy lands, before or
//   after others, is the seed's choice. Bounds and alignment are checked.
// - The fence between initMbarrier and the first copy; a copy to where another one is on its way; a
//   copy that no thread has waited for when the block ends.
// - Products of a warpgroup: from its beginning until it is waited for, the sums of a product are
//   garbage, and it reads A and B when it begins or when it is waited for, as the seed has it: so a
//   missing wait, and an operand that changes too early, show. Layouts of B with their alignment
//   and bounds, one fence at least since the last wait, warps of a warpgroup that begin different
//   products, and products that nobody has waited for are checked.
// - Registers that warps give and take: numbers, directions, and a wait for registers that nobody
//   gives. A block begins with 65536 registers in all, the same number for each thread.
//
// What is not modelled
// - A copy reads its source when it starts, and lands in whole.
// - fenceBeforeCopies has no other effect than publishMbarriers: plain writes are always ordered
//   before copies, and reads of a buffer before the next copy to it.
// - A warp begins a product without the other three; changes of A between a fence and the product
//   are not noticed; fenceBeforeCopies, which products that read what threads have written need,
//   too, is not missed.
// - Clusters, multicast, copies to global memory, rows of a swizzled box that are narrower than the
//   swizzle.

#ifndef SORTIE_HARDWARE_SM90_H
#define SORTIE_HARDWARE_SM90_H

#include "runtime/numerics/convert.h"
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

//===- Registers (sm_90a) ------------------------------------------------===//

namespace detail {
SORTIE_DEVICE void collective(Collective what, int count, Site site) {
  emulation::CountOperands operands = {count};
  emulation::currentBlock->collective(what, &operands, site);
}
} // namespace detail

template <int Registers> SORTIE_DEVICE void takeRegisters(Site site = Site::current()) {
  detail::collective(Collective::TakeRegisters, Registers, site);
}
template <int Registers> SORTIE_DEVICE void giveRegisters(Site site = Site::current()) {
  detail::collective(Collective::GiveRegisters, Registers, site);
}

//===- Products of a warpgroup (sm_90a) ----------------------------------===//

enum class Columns : uint32_t {
  Lines = 1024u >> 4 | 1u << 30,
  Short = 128u >> 4,
};
SORTIE_DEVICE uint32_t columnsAt(const void *shared) {
  return (sharedAddress(shared) & 0x3ffffu) >> 4;
}

SORTIE_DEVICE void fenceProducts(Site site = Site::current()) {
  emulation::currentBlock->collective(Collective::FenceProducts, nullptr, site);
}
SORTIE_DEVICE void commitProducts(Site site = Site::current()) {
  emulation::currentBlock->collective(Collective::CommitProducts, nullptr, site);
}
template <int Groups> SORTIE_DEVICE void waitForProducts(Site site = Site::current()) {
  detail::collective(Collective::WaitForProducts, Groups, site);
}

template <int Count>
SORTIE_DEVICE void receive(int32_t (&sums)[Count], Site site = Site::current()) {
  emulation::currentBlock->receiveSums(sums, site);
}
template <int Count> SORTIE_DEVICE void receive(float (&sums)[Count], Site site = Site::current()) {
  emulation::currentBlock->receiveSums(sums, site);
}

template <int Width, bool Accumulate, Columns Layout = Columns::Lines>
SORTIE_DEVICE void multiplyWarpgroup(int32_t (&sums)[Width / 2], const uint32_t (&a)[4], uint32_t b,
                                     Site site = Site::current()) {
  emulation::ProductOperands operands = {emulation::ProductOperands::Kind::Bytes,
                                         Accumulate,
                                         Width,
                                         static_cast<uint32_t>(Layout),
                                         b,
                                         a,
                                         sums};
  emulation::currentBlock->collective(Collective::BeginProduct, &operands, site);
}

SORTIE_DEVICE uint32_t packHalves(float low, float high) {
  return toHalf(low).bits | uint32_t{toHalf(high).bits} << 16;
}

/// Adds the products one after the other in ascending k, each sum rounded to nearest. No chip is
/// said to do that.
template <int Width, bool Accumulate, Columns Layout>
SORTIE_DEVICE void multiplyHalves(float (&sums)[Width / 2], const uint32_t (&a)[4], uint32_t b,
                                  Site site = Site::current()) {
  emulation::ProductOperands operands = {emulation::ProductOperands::Kind::Halves,
                                         Accumulate,
                                         Width,
                                         static_cast<uint32_t>(Layout),
                                         b,
                                         a,
                                         sums};
  emulation::currentBlock->collective(Collective::BeginProduct, &operands, site);
}

} // namespace sortie::hw

#endif // SORTIE_HARDWARE_SM90_H
