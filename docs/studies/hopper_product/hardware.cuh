// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The few words of Hopper that the study needs: mbarriers, copies, wgmma.
#pragma once
#include "wgmma_generated.cuh"

namespace hopper {

__device__ __forceinline__ uint32_t sharedAddress(const void *p) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(p));
}

//===- mbarriers ---------------------------------------------------------===//

__device__ __forceinline__ void initBarrier(uint64_t *barrier, int arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(sharedAddress(barrier)),
               "r"(arrivals)
               : "memory");
}
/// Asynchronous copies that are ordered after this see the barriers that the thread has made.
__device__ __forceinline__ void publishBarriers() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}
__device__ __forceinline__ void arrive(uint64_t *barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(sharedAddress(barrier)) : "memory");
}
__device__ __forceinline__ void arriveExpecting(uint64_t *barrier, int bytes) {
  asm volatile(
      "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(sharedAddress(barrier)),
      "r"(bytes)
      : "memory");
}
__device__ __forceinline__ bool isPhaseOver(uint64_t *barrier, uint32_t parity) {
  uint32_t over;
  asm volatile("{.reg .pred p;\n"
               "mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\n"
               "selp.b32 %0, 1, 0, p;}"
               : "=r"(over)
               : "r"(sharedAddress(barrier)), "r"(parity)
               : "memory");
  return over;
}
__device__ __forceinline__ void wait(uint64_t *barrier, uint32_t parity) {
  while (!isPhaseOver(barrier, parity)) {
  }
}
//===- Copies ------------------------------------------------------------===//

__device__ __forceinline__ void copyBulk(void *shared, const void *global, int bytes,
                                         uint64_t *barrier) {
  asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes "
               "[%0], [%1], %2, [%3];" ::"r"(sharedAddress(shared)),
               "l"(global), "r"(bytes), "r"(sharedAddress(barrier))
               : "memory");
}
/// 16 bytes, past the L1; zeros if `there` is false.
__device__ __forceinline__ void copy16(uint32_t shared, const void *global, bool there) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared), "l"(global),
               "r"(there ? 16 : 0)
               : "memory");
}
/// Waits for this thread's copies of 16 bytes.
__device__ __forceinline__ void waitForCopies() { asm volatile("cp.async.wait_all;" ::: "memory"); }

//===- wgmma -------------------------------------------------------------===//

/// Orders this warpgroup's accesses to accumulators and A registers before the next products.
__device__ __forceinline__ void productFence() {
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}
__device__ __forceinline__ void productCommit() {
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}
template <int Pending> __device__ __forceinline__ void productWait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(Pending) : "memory");
}
/// Keeps the compiler from moving uses of `d` across this point: it cannot know that a product
/// writes the registers later than its instruction.
template <int R> __device__ __forceinline__ void pin(int (&d)[R]) {
#pragma unroll
  for (int i = 0; i < R; ++i)
    asm volatile("" : "+r"(d[i])::"memory");
}

/// Descriptors of B. The high words say how it lies: lines of 128 bytes a column, 16-byte units
/// exchanged as with a swizzle of 128 bytes; or 16 bytes a column, eight columns together, of which
/// wgmma reads 32: the same 16 again, which meet zeros of A.
constexpr uint32_t swizzledLines = 1024 >> 4 | 1u << 30, narrowLines = 128 >> 4;
/// The low word: the address, and no way from one half of a narrow line to the other.
__device__ __forceinline__ uint32_t operandAt(uint32_t address) { return (address & 0x3FFFF) >> 4; }

template <int Registers> __device__ __forceinline__ void takeRegisters() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(Registers));
}
template <int Registers> __device__ __forceinline__ void giveRegisters() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(Registers));
}

} // namespace hopper
