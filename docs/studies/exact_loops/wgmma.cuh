// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The few words of Hopper's asynchronous matrix product that the study needs.
#pragma once
#include "wgmma_generated.cuh"

/// Orders this warpgroup's accesses to accumulators and A registers before the next products.
__device__ __forceinline__ void productFence() {
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}
__device__ __forceinline__ void productCommit() {
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}
/// Waits until at most `Pending` committed groups are in flight.
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

template <int R> __device__ __forceinline__ void pin(float (&d)[R]) {
#pragma unroll
  for (int i = 0; i < R; ++i)
    asm volatile("" : "+f"(d[i])::"memory");
}

/// Byte offset of byte k of a row in a tile of rows x 32 bytes without swizzle: core matrices of 8
/// rows x 16 bytes, the two along K side by side, then the next 8 rows.
__host__ __device__ constexpr int tileOffset(int row, int k) {
  return row / 8 * 256 + k / 16 * 128 + row % 8 * 16 + k % 16;
}

/// Shared-memory descriptor of such a tile.
__device__ __forceinline__ uint64_t tileDescriptor(const void *tile) {
  const uint64_t address = __cvta_generic_to_shared(tile);
  constexpr uint64_t leading = 128 >> 4, stride = 256 >> 4;
  return ((address & 0x3FFFF) >> 4) | (leading << 16) | (stride << 32);
}
