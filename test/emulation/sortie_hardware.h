// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The functions of codegen/hardware/sortie_hardware.h on the host, for kernels whose thread blocks
// run as fibers (Launcher.h). Include this folder before the device's one; the two headers must be
// changed together, and what the functions mean is written there.
//
// What is modelled
// - The order of threads is that of a seed. A thread runs until it waits (for its warp, its block,
//   or others at a barrier); then any other thread of the warp, or another warp, may run. Blocks
//   run one after the other, in an order of the seed. So a race shows as results that differ
//   between seeds.
// - Named barriers. Numbers and counts that do not exist, lanes of a warp at different barriers,
//   and two counts at one barrier are errors.
// - copyAsync: the destination holds garbage until the thread itself has waited for the group of
//   the copy; other threads see the bytes after that.
// - Shared memory holds garbage when a block starts, other garbage for another seed. Writes right
//   before and behind it are found when the block ends; what goes through the functions of this
//   header is checked for bounds and alignment at once.
// - Misaligned plain accesses, shifts by 32 and more, indices outside of an array and conversions
//   that overflow are errors with thread and line, where SORTIE_KERNEL_CHECKS is on
//   (KernelChecks.h).
// - A wait that cannot end, and lanes of a warp in different collectives, are errors that say which
//   thread waits at which line.
// - mbarriers. More arrivals than expected (while the phase waits for bytes; otherwise they are the
//   next phase's, as on the device), a barrier that is not initialized, is initialized twice or was
//   written over are errors with thread and line. Arrivals let other threads run, so that what
//   comes too late after one shows between seeds.
// - Bulk and tensor copies: sortie_hardware_sm90.h has a list of its own.
//
// What is not modelled
// - Threads interleave only where they wait, in whole: memory is sequentially consistent, and what
//   a thread writes between two waits nobody sees half. Blocks never run at the same time.
// - Registers, occupancy, launch bounds, caches, bank conflicts, any timing.
// - A copyAsync reads its source when it starts.
// - A thread that polls memory for another one waits forever.
// - Lanes that meet in one kind of collective at different lines are taken to be converged.
// - Bounds of plain loads and stores: access where the process has no memory is an error with the
//   thread, other access outside of a buffer is not noticed.

#ifndef SORTIE_HARDWARE_H
#define SORTIE_HARDWARE_H

#include "runtime/numerics/float.h"
#include "test/emulation/Block.h"
#if defined(SORTIE_KERNEL_CHECKS)
#include "test/emulation/KernelChecks.h"
#endif

#include <bit>

#define SORTIE_DEVICE static inline
#define SORTIE_MEMBER inline

#define SORTIE_KERNEL(threads, blocksPerMultiprocessor) extern "C" void
#define SORTIE_EXPORT(name) SORTIE_EMULATED_KERNEL(name)

namespace sortie::hw {

using namespace sortie::numerics; // the fixed-width integer types
using emulation::Collective;
using emulation::Site;

//===- Where a thread is -------------------------------------------------===//

constexpr int kWarpSize = emulation::kLanes;

SORTIE_DEVICE int threadIndex() { return emulation::currentBlock->threadIndex; }
SORTIE_DEVICE int threadCount() { return emulation::currentBlock->threadCount; }
SORTIE_DEVICE int laneIndex() { return threadIndex() % kWarpSize; }
SORTIE_DEVICE int warpIndex() { return threadIndex() / kWarpSize; }
SORTIE_DEVICE int blockIndexX() { return emulation::currentBlock->blockIndex.x; }
SORTIE_DEVICE int blockIndexY() { return emulation::currentBlock->blockIndex.y; }
SORTIE_DEVICE int blockIndexZ() { return emulation::currentBlock->blockIndex.z; }
SORTIE_DEVICE int gridCountX() { return emulation::currentBlock->gridCount.x; }
SORTIE_DEVICE int gridCountY() { return emulation::currentBlock->gridCount.y; }

template <typename T> SORTIE_DEVICE T recomputed(T value) { return value; }
SORTIE_DEVICE int threadIndexAnew() { return threadIndex(); }

//===- Overlap of launches -----------------------------------------------===//

// Launches run one after the other.
SORTIE_DEVICE void allowNextLaunch() {}
SORTIE_DEVICE void waitForLaunchBefore() {}

//===- Progress ----------------------------------------------------------===//

SORTIE_DEVICE void beginStep(uint32_t *progress, uint32_t step) {
  const bool isFirst = (threadIndex() | blockIndexX() | blockIndexY() | blockIndexZ()) == 0;
  if (progress && isFirst)
    *const_cast<volatile uint32_t *>(progress) = step;
}

//===- Synchronization and exchange --------------------------------------===//

SORTIE_DEVICE void syncBlock(Site site = Site::current()) {
  emulation::currentBlock->syncBlock(site);
}
SORTIE_DEVICE void syncWarp(Site site = Site::current()) {
  emulation::currentBlock->collective(Collective::SyncWarp, nullptr, site);
}

SORTIE_DEVICE void syncThreads(int barrier, int threads, Site site = Site::current()) {
  emulation::currentBlock->meet(Collective::SyncThreads, barrier, threads, site);
}
SORTIE_DEVICE void arriveThreads(int barrier, int threads, Site site = Site::current()) {
  emulation::currentBlock->meet(Collective::ArriveThreads, barrier, threads, site);
}

namespace detail {
template <typename T> SORTIE_DEVICE T exchange(Collective what, T value, int operand, Site site) {
  static_assert(sizeof(T) == sizeof(uint32_t), "lanes exchange values of 4 bytes");
  emulation::ExchangeOperands operands = {std::bit_cast<uint32_t>(value), operand};
  emulation::currentBlock->collective(what, &operands, site);
  return std::bit_cast<T>(operands.value);
}
} // namespace detail

template <typename T> SORTIE_DEVICE T shuffle(T value, int lane, Site site = Site::current()) {
  return detail::exchange(Collective::Shuffle, value, lane, site);
}
template <typename T> SORTIE_DEVICE T shuffleXor(T value, int mask, Site site = Site::current()) {
  return detail::exchange(Collective::ShuffleXor, value, mask, site);
}
template <typename T> SORTIE_DEVICE T shuffleUp(T value, int delta, Site site = Site::current()) {
  return detail::exchange(Collective::ShuffleUp, value, delta, site);
}
SORTIE_DEVICE uint32_t ballot(bool predicate, Site site = Site::current()) {
  return detail::exchange(Collective::Ballot, uint32_t{predicate}, 0, site);
}
SORTIE_DEVICE uint32_t matchAny(uint32_t value, Site site = Site::current()) {
  return detail::exchange(Collective::MatchAny, value, 0, site);
}
SORTIE_DEVICE uint32_t reduceMax(uint32_t value, Site site = Site::current()) {
  return detail::exchange(Collective::ReduceMax, value, 0, site);
}

//===- Memory ------------------------------------------------------------===//

struct alignas(8) Words2 {
  uint32_t word[2];
};
struct alignas(16) Words4 {
  uint32_t word[4];
};

template <typename T> SORTIE_DEVICE T *sharedMemory(int offset = 0, Site site = Site::current()) {
  if (offset < 0 || offset > emulation::currentBlock->sharedBytes)
    emulation::currentBlock->fail("sharedMemory: the offset is outside of shared memory", site);
  return reinterpret_cast<T *>(emulation::currentBlock->shared + offset);
}

template <typename T> SORTIE_DEVICE T loadReadOnly(const T *address, Site site = Site::current()) {
  static_assert(sizeof(T) <= 16 && std::has_single_bit(sizeof(T)));
  if (reinterpret_cast<uintptr_t>(address) % sizeof(T) != 0)
    emulation::currentBlock->fail("loadReadOnly: the address is not aligned to the type", site);
  return *address;
}

template <typename T> SORTIE_DEVICE T loadSettled(const T *address, Site site = Site::current()) {
  static_assert(sizeof(T) == 16);
  return loadReadOnly(address, site);
}

/// Offset in shared memory.
SORTIE_DEVICE uint32_t sharedAddress(const void *shared) {
  return static_cast<uint32_t>(static_cast<const char *>(shared) - emulation::currentBlock->shared);
}

template <int Bytes>
SORTIE_DEVICE void copyAsync(void *shared, const void *global, int valid,
                             Site site = Site::current()) {
  static_assert(Bytes == 4 || Bytes == 8 || Bytes == 16);
  emulation::currentBlock->copyAsync(shared, global, Bytes, valid, site);
}
template <int Bytes>
SORTIE_DEVICE void copyAsync(void *shared, const void *global, Site site = Site::current()) {
  copyAsync<Bytes>(shared, global, Bytes, site);
}
template <int Bytes>
SORTIE_DEVICE void copyAsyncIf(bool condition, void *shared, const void *global,
                               Site site = Site::current()) {
  if (condition)
    copyAsync<Bytes>(shared, global, Bytes, site);
}
SORTIE_DEVICE void commitCopies() { emulation::currentBlock->commitCopies(); }
template <int Groups> SORTIE_DEVICE void waitForCopies() {
  static_assert(Groups >= 0);
  emulation::currentBlock->waitForCopies(Groups);
}

//===- Barriers in shared memory -----------------------------------------===//

struct alignas(8) Mbarrier {
  uint64_t opaque;
};

SORTIE_DEVICE void initMbarrier(Mbarrier *barrier, int arrivals, Site site = Site::current()) {
  emulation::currentBlock->initMbarrier(barrier, arrivals, site);
}
SORTIE_DEVICE void invalidateMbarrier(Mbarrier *barrier, Site site = Site::current()) {
  emulation::currentBlock->invalidateMbarrier(barrier, site);
}
SORTIE_DEVICE void arriveMbarrier(Mbarrier *barrier, Site site = Site::current()) {
  emulation::currentBlock->arriveMbarrier("arriveMbarrier", barrier, 0, site);
}
SORTIE_DEVICE void waitForPhase(Mbarrier *barrier, int parity, Site site = Site::current()) {
  emulation::currentBlock->waitForPhase(barrier, parity, site);
}

//===- Matrix products ---------------------------------------------------===//

SORTIE_DEVICE void loadMatrices(uint32_t (&rows)[4], const void *sharedRow,
                                Site site = Site::current()) {
  emulation::currentBlock->checkShared("loadMatrices", sharedRow, 16, 16, site);
  emulation::LoadMatricesOperands operands = {rows, sharedRow};
  emulation::currentBlock->collective(Collective::LoadMatrices, &operands, site);
}

SORTIE_DEVICE void multiplyK32(int32_t (&sum)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1,
                               Site site = Site::current()) {
  emulation::MultiplyOperands operands = {sum, a, {b0, b1}};
  emulation::currentBlock->collective(Collective::MultiplyK32, &operands, site);
}

SORTIE_DEVICE void multiplyUnsignedK32(int32_t (&sum)[4], const uint32_t (&a)[4], uint32_t b0,
                                       uint32_t b1, Site site = Site::current()) {
  emulation::MultiplyOperands operands = {sum, a, {b0, b1}};
  emulation::currentBlock->collective(Collective::MultiplyUnsignedK32, &operands, site);
}

SORTIE_DEVICE void multiplyK16(int32_t (&sum)[4], uint32_t a0, uint32_t a1, uint32_t b,
                               Site site = Site::current()) {
  const uint32_t a[2] = {a0, a1};
  emulation::MultiplyOperands operands = {sum, a, {b, 0}};
  emulation::currentBlock->collective(Collective::MultiplyK16, &operands, site);
}

SORTIE_DEVICE uint32_t packBFloat16(float low, float high) {
  return toBFloat16(low).bits | uint32_t{toBFloat16(high).bits} << 16;
}

/// Adds the products one after the other in ascending k, each sum rounded to nearest. No chip is
/// said to do that.
SORTIE_DEVICE void multiplyBf16(float (&sum)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1,
                                Site site = Site::current()) {
  emulation::MultiplyBf16Operands operands = {sum, a, {b0, b1}};
  emulation::currentBlock->collective(Collective::MultiplyBf16, &operands, site);
}

//===- Integers ----------------------------------------------------------===//

namespace detail {
/// Sums wrap around, as the device's do.
SORTIE_DEVICE int32_t dot2(int32_t a, uint32_t b, int32_t sum) {
  const int32_t low = static_cast<int16_t>(a) * static_cast<uint8_t>(b);
  const int32_t high = (a >> 16) * static_cast<uint8_t>(b >> 8);
  return static_cast<int32_t>(static_cast<uint32_t>(sum) + static_cast<uint32_t>(low) +
                              static_cast<uint32_t>(high));
}
} // namespace detail

SORTIE_DEVICE int32_t dot2Low(int32_t a, uint32_t b, int32_t sum) {
  return detail::dot2(a, b, sum);
}
SORTIE_DEVICE int32_t dot2High(int32_t a, uint32_t b, int32_t sum) {
  return detail::dot2(a, b >> 16, sum);
}
SORTIE_DEVICE uint32_t selectBytes(uint32_t low, uint32_t high, uint32_t selector,
                                   Site site = Site::current()) {
  if ((selector & 0x8888u) != 0)
    emulation::currentBlock->fail("selectBytes: the selector has a half byte above 7", site);
  const uint64_t bytes = uint64_t{high} << 32 | low;
  uint32_t result = 0;
  for (int i = 0; i < 4; ++i)
    result |= static_cast<uint32_t>(bytes >> (selector >> 4 * i & 7) * 8 & 0xff) << 8 * i;
  return result;
}
SORTIE_DEVICE int32_t signedByteAnew(uint32_t word, int i) {
  return static_cast<int8_t>(word >> (8 * i) & 0xff);
}
SORTIE_DEVICE int countBits(uint32_t bits) { return std::popcount(bits); }

//===- Floats ------------------------------------------------------------===//

SORTIE_DEVICE float larger(float a, float b) { return b > a || isNan(a) ? b : a; }

} // namespace sortie::hw

#endif // SORTIE_HARDWARE_H
