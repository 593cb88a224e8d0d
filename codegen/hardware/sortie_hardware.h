// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// All that kernels know of the hardware, sm_80 and later: thin wrappers, one instruction each
// unless they say otherwise. test/emulation/sortie_hardware.h implements the same functions on the
// host; the two must be changed together. Names and register layouts are those of the PTX manual.

#ifndef SORTIE_HARDWARE_H
#define SORTIE_HARDWARE_H

#include "runtime/numerics/contract.h"

#define SORTIE_DEVICE static __device__ __forceinline__
/// A member function of an object.
#define SORTIE_MEMBER __device__ __forceinline__

/// Begins the definition of a kernel: SORTIE_KERNEL(256, 1) name(parameters) { ... }
#define SORTIE_KERNEL(threads, blocksPerMultiprocessor)                                            \
  extern "C" __global__ void __launch_bounds__(threads, blocksPerMultiprocessor)
/// Follows the definition of each kernel; the emulation learns its parameters from it.
#define SORTIE_EXPORT(name)

namespace sortie::hw {

using namespace sortie::numerics; // the fixed-width integer types

//===- Where a thread is -------------------------------------------------===//

constexpr int kWarpSize = 32;

SORTIE_DEVICE int threadIndex() {
  const unsigned index = threadIdx.x;
  __builtin_assume(index < 1024); // so that divisions are shifts
  return static_cast<int>(index);
}
SORTIE_DEVICE int threadCount() { return static_cast<int>(blockDim.x); }
SORTIE_DEVICE int laneIndex() { return threadIndex() % kWarpSize; }
SORTIE_DEVICE int warpIndex() { return threadIndex() / kWarpSize; }
SORTIE_DEVICE int blockIndexX() { return static_cast<int>(blockIdx.x); }
SORTIE_DEVICE int blockIndexY() { return static_cast<int>(blockIdx.y); }
SORTIE_DEVICE int blockIndexZ() { return static_cast<int>(blockIdx.z); }
SORTIE_DEVICE int gridCountX() { return static_cast<int>(gridDim.x); }
SORTIE_DEVICE int gridCountY() { return static_cast<int>(gridDim.y); }

/// `value`, of which the compiler may not know that it has seen it before: what follows from it is
/// computed again rather than kept in a register.
template <typename T> SORTIE_DEVICE T recomputed(T value) {
  asm volatile("" : "+r"(value));
  return value;
}
/// threadIndex(), recomputed: what follows from it is not kept in registers.
SORTIE_DEVICE int threadIndexAnew() {
  const unsigned index = recomputed(threadIdx.x);
  __builtin_assume(index < 1024);
  return static_cast<int>(index);
}

//===- Overlap of launches -----------------------------------------------===//

/// Lets thread blocks of the next launch on the stream start when all of this one have come here or
/// ended. Called after waitForLaunchBefore(), it says that the launch before this one is complete:
/// see loadSettled(). Nothing before sm_90.
SORTIE_DEVICE void allowNextLaunch() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;");
#endif
}
/// Waits until the launch before this one is complete and what it wrote can be seen. Nothing before
/// sm_90, where a launch begins after that anyway.
SORTIE_DEVICE void waitForLaunchBefore() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

//===- Progress ----------------------------------------------------------===//

/// Writes the number of the launch's step to `progress`, host memory, if it is not null: one thread
/// of the grid does. Nothing waits for the store. Called after waitForLaunchBefore(), it says that
/// all steps before are complete.
SORTIE_DEVICE void beginStep(uint32_t *progress, uint32_t step) {
  const bool isFirst = (threadIdx.x | blockIdx.x | blockIdx.y | blockIdx.z) == 0;
  if (progress && isFirst)
    *const_cast<volatile uint32_t *>(progress) = step;
}

//===- Synchronization and exchange --------------------------------------===//

/// Waits for all threads of the block; none may have ended.
SORTIE_DEVICE void syncBlock() { __syncthreads(); }
/// Waits for all threads of the warp; also orders their accesses to shared memory.
SORTIE_DEVICE void syncWarp() { __syncwarp(); }

/// Named barriers (PTX ISA, "bar"): some warps of the block meet, `threads` threads in all, a
/// multiple of 32. `barrier` is 1 to 15; 0 is syncBlock's. All 32 lanes of a warp take part, and
/// until a barrier is complete all warps name the same number. syncThreads waits for the others.
SORTIE_DEVICE void syncThreads(int barrier, int threads) {
  asm volatile("bar.sync %0, %1;" ::"r"(barrier), "r"(threads) : "memory");
}
/// Counts the warp as having come, without waiting: what it wrote before can be seen by those that
/// wait.
SORTIE_DEVICE void arriveThreads(int barrier, int threads) {
  asm volatile("bar.arrive %0, %1;" ::"r"(barrier), "r"(threads) : "memory");
}

/// The value of lane `lane`, of lane `laneIndex() ^ mask`, of the lane `delta` below (the own value
/// where there is none). All 32 lanes take part. T has 4 bytes.
template <typename T> SORTIE_DEVICE T shuffle(T value, int lane) {
  return __shfl_sync(0xffffffffu, value, lane);
}
template <typename T> SORTIE_DEVICE T shuffleXor(T value, int mask) {
  return __shfl_xor_sync(0xffffffffu, value, mask);
}
template <typename T> SORTIE_DEVICE T shuffleUp(T value, int delta) {
  return __shfl_up_sync(0xffffffffu, value, static_cast<unsigned>(delta));
}
/// A bit for each lane whose `predicate` holds. All 32 lanes take part.
SORTIE_DEVICE uint32_t ballot(bool predicate) { return __ballot_sync(0xffffffffu, predicate); }
/// A bit for each lane that has the same value. All 32 lanes take part.
SORTIE_DEVICE uint32_t matchAny(uint32_t value) { return __match_any_sync(0xffffffffu, value); }
/// The largest value of the warp. All 32 lanes take part.
SORTIE_DEVICE uint32_t reduceMax(uint32_t value) { return __reduce_max_sync(0xffffffffu, value); }

//===- Memory ------------------------------------------------------------===//

struct alignas(8) Words2 {
  uint32_t word[2];
};
struct alignas(16) Words4 {
  uint32_t word[4];
};

/// The block's dynamic shared memory from byte `offset` on, aligned to 1024 bytes at offset 0.
template <typename T> SORTIE_DEVICE T *sharedMemory(int offset = 0) {
  extern __shared__ __align__(1024) char sharedBytes[];
  return reinterpret_cast<T *>(sharedBytes + offset);
}

/// Global memory that no thread of the launch writes. T has 1, 2, 4, 8 or 16 bytes. A plain load:
/// memory that __ldg reads counts as constant, so compilers may load it before
/// waitForLaunchBefore(), when the launch before has not written it yet.
template <typename T> SORTIE_DEVICE T loadReadOnly(const T *address) { return *address; }

/// Loads 16 bytes that the launch before the launch before this one has written, or an earlier one:
/// may be called before waitForLaunchBefore(). Past the L1, of which nothing is known then. (Unlike
/// __ldg, __ldcg stays behind the wait where it stands there: it is volatile.)
template <typename T> SORTIE_DEVICE T loadSettled(const T *address) {
  static_assert(sizeof(T) == 16);
  union {
    int4 words;
    T value;
  } loaded = {__ldcg(reinterpret_cast<const int4 *>(address))};
  return loaded.value;
}

SORTIE_DEVICE uint32_t sharedAddress(const void *shared) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(shared));
}

/// Starts to copy `Bytes` (4, 8 or 16) bytes from global to shared memory, both so aligned. The
/// first `valid` bytes are read, the others of the destination become zeros.
template <int Bytes> SORTIE_DEVICE void copyAsync(void *shared, const void *global, int valid) {
  static_assert(Bytes == 4 || Bytes == 8 || Bytes == 16);
  if constexpr (Bytes == 16)
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(sharedAddress(shared)),
                 "l"(global), "r"(valid)
                 : "memory");
  else
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(sharedAddress(shared)),
                 "l"(global), "n"(Bytes), "r"(valid)
                 : "memory");
}
template <int Bytes> SORTIE_DEVICE void copyAsync(void *shared, const void *global) {
  copyAsync<Bytes>(shared, global, Bytes);
}
/// The same where `condition` holds; without a branch, so that copies can follow each other.
template <int Bytes>
SORTIE_DEVICE void copyAsyncIf(bool condition, void *shared, const void *global) {
  static_assert(Bytes == 4 || Bytes == 16);
  if constexpr (Bytes == 16)
    asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %2, 0;\n"
                 "@p cp.async.cg.shared.global [%0], [%1], 16;\n}" ::"r"(sharedAddress(shared)),
                 "l"(global), "r"(static_cast<int>(condition))
                 : "memory");
  else
    asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %2, 0;\n"
                 "@p cp.async.ca.shared.global [%0], [%1], 4;\n}" ::"r"(sharedAddress(shared)),
                 "l"(global), "r"(static_cast<int>(condition))
                 : "memory");
}
/// Ends a group of the thread's copies; waits until at most `Groups` of its groups are unfinished.
SORTIE_DEVICE void commitCopies() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int Groups> SORTIE_DEVICE void waitForCopies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(Groups) : "memory");
}

//===- Barriers in shared memory -----------------------------------------===//

/// PTX ISA, "mbarrier". Phases follow each other, the first has parity 0. A phase is complete when
/// all arrivals have come (and all bytes, if copies arrive at it: sortie_hardware_sm90.h); the next
/// one then expects as many.
struct alignas(8) Mbarrier {
  uint64_t opaque;
};

/// One thread makes the barrier before any use. `arrivals` (1 to 2^20 - 1) are those of each phase.
/// Other threads may use it after a barrier of the block; copies, after publishMbarriers() of this
/// thread, too.
SORTIE_DEVICE void initMbarrier(Mbarrier *barrier, int arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(sharedAddress(barrier)),
               "r"(arrivals)
               : "memory");
}
/// Gives the memory of the barrier back; no thread and no copy may use it.
SORTIE_DEVICE void invalidateMbarrier(Mbarrier *barrier) {
  asm volatile("mbarrier.inval.shared::cta.b64 [%0];" ::"r"(sharedAddress(barrier)) : "memory");
}
/// Arrives at the barrier. What the thread wrote before can be seen by those that have waited for
/// the phase.
SORTIE_DEVICE void arriveMbarrier(Mbarrier *barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(sharedAddress(barrier)) : "memory");
}
/// Waits, in a loop, until the phase of this parity is complete, which must be the current phase or
/// the one before. So parity 1 of a new barrier is complete.
SORTIE_DEVICE void waitForPhase(Mbarrier *barrier, int parity) {
  uint32_t isComplete;
  do
    asm volatile("{\n.reg .pred p;\n"
#if __CUDA_ARCH__ >= 900
                 "mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\n" // sleeps for a while
#else
                 "mbarrier.test_wait.parity.shared::cta.b64 p, [%1], %2;\n"
#endif
                 "selp.u32 %0, 1, 0, p;\n}"
                 : "=r"(isComplete)
                 : "r"(sharedAddress(barrier)), "r"(parity)
                 : "memory");
  while (isComplete == 0);
}

//===- Matrix products ---------------------------------------------------===//

/// ldmatrix.x4: four 8x8 matrices of 16-bit elements. Lane i gives the address of row i % 8 of
/// matrix i / 8 (16 bytes, so aligned) and gets, of row `lane / 4` of matrix j, the bytes 4 * (lane
/// % 4) to 4 * (lane % 4) + 3 in `rows[j]`.
SORTIE_DEVICE void loadMatrices(uint32_t (&rows)[4], const void *sharedRow) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(rows[0]), "=r"(rows[1]), "=r"(rows[2]), "=r"(rows[3])
               : "r"(sharedAddress(sharedRow))
               : "memory");
}

/// mma.m16n8k32, s8 x s8 -> s32: sum += A * B. With g = lane / 4, t = lane % 4 and four int8 in
/// a word:
///   a[0]: row g, k 4t...4t+3;  a[1]: row g + 8;  a[2], a[3]: the same rows, k 16 + 4t...
///   b0: column g, k 4t...4t+3;  b1: k 16 + 4t...
///   sum[0], sum[1]: row g, columns 2t, 2t + 1;  sum[2], sum[3]: row g + 8.
/// The sums are written anew, so that sums of zeros need no registers.
SORTIE_DEVICE void multiplyK32(int32_t (&sum)[4], const uint32_t (&a)[4], uint32_t b0,
                               uint32_t b1) {
  int32_t out[4];
  asm("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%10, %11, %12, %13};"
      : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1), "r"(sum[0]), "r"(sum[1]),
        "r"(sum[2]), "r"(sum[3]));
#pragma unroll
  for (int i = 0; i < 4; ++i)
    sum[i] = out[i];
}

/// The same for u8 x s8: the elements of A are bytes without a sign.
SORTIE_DEVICE void multiplyUnsignedK32(int32_t (&sum)[4], const uint32_t (&a)[4], uint32_t b0,
                                       uint32_t b1) {
  int32_t out[4];
  asm("mma.sync.aligned.m16n8k32.row.col.s32.u8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%10, %11, %12, %13};"
      : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1), "r"(sum[0]), "r"(sum[1]),
        "r"(sum[2]), "r"(sum[3]));
#pragma unroll
  for (int i = 0; i < 4; ++i)
    sum[i] = out[i];
}

/// mma.m16n8k16, s8 x s8 -> s32: `a0`: row g, k 4t...4t+3; `a1`: row g + 8; `b` and `sum` as above.
SORTIE_DEVICE void multiplyK16(int32_t (&sum)[4], uint32_t a0, uint32_t a1, uint32_t b) {
  int32_t out[4];
  asm("mma.sync.aligned.m16n8k16.row.col.s32.s8.s8.s32 {%0, %1, %2, %3}, {%4, %5}, {%6}, "
      "{%7, %8, %9, %10};"
      : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
      : "r"(a0), "r"(a1), "r"(b), "r"(sum[0]), "r"(sum[1]), "r"(sum[2]), "r"(sum[3]));
#pragma unroll
  for (int i = 0; i < 4; ++i)
    sum[i] = out[i];
}

/// Two floats as a word of bfloat16, rounded to nearest, ties to even; a NaN stays a NaN.
SORTIE_DEVICE uint32_t packBFloat16(float low, float high) {
  uint32_t pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
}

/// mma.m16n8k16, bf16 x bf16 -> f32: sum += A * B. With two bfloat16 in a word, the lower k in
/// the lower half:
///   a[0]: row g, k 2t, 2t + 1;  a[1]: row g + 8;  a[2], a[3]: the same rows, k 8 + 2t...
///   b0: column g, k 2t, 2t + 1;  b1: k 8 + 2t...
///   sum as above.
/// How the 16 products and the sum are added is the chip's: the same for the same operands, for
/// each element of the sum by itself, and otherwise unknown.
SORTIE_DEVICE void multiplyBf16(float (&sum)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};"
      : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

//===- Integers ----------------------------------------------------------===//

/// sum + a.int16[0] * b.uint8[0] + a.int16[1] * b.uint8[1] (dp2a.lo).
SORTIE_DEVICE int32_t dot2Low(int32_t a, uint32_t b, int32_t sum) {
  int32_t result;
  asm("dp2a.lo.s32.u32 %0, %1, %2, %3;" : "=r"(result) : "r"(a), "r"(b), "r"(sum));
  return result;
}
/// The same with the bytes 2 and 3 of b (dp2a.hi).
SORTIE_DEVICE int32_t dot2High(int32_t a, uint32_t b, int32_t sum) {
  int32_t result;
  asm("dp2a.hi.s32.u32 %0, %1, %2, %3;" : "=r"(result) : "r"(a), "r"(b), "r"(sum));
  return result;
}
/// prmt: byte i of the result is byte n of the eight bytes {low, high}, n the i-th half byte of
/// `selector` (0 to 7, which __byte_perm would make sure of, at the cost of an instruction).
SORTIE_DEVICE uint32_t selectBytes(uint32_t low, uint32_t high, uint32_t selector) {
  uint32_t result;
  asm("prmt.b32 %0, %1, %2, %3;" : "=r"(result) : "r"(low), "r"(high), "r"(selector));
  return result;
}
/// Byte `i` of `word`, signed, extracted anew at each use rather than kept in a register.
SORTIE_DEVICE int32_t signedByteAnew(uint32_t word, int i) {
  int32_t result;
  asm volatile("prmt.b32 %0, %1, 0, %2;" : "=r"(result) : "r"(word), "r"(0x8880 + 0x1111 * i));
  return result;
}
SORTIE_DEVICE int countBits(uint32_t bits) { return __popc(bits); }

//===- Floats ------------------------------------------------------------===//

/// The larger of two floats, one of them if both are zeros, the other one if one is a NaN.
SORTIE_DEVICE float larger(float a, float b) { return fmaxf(a, b); }

} // namespace sortie::hw

#endif // SORTIE_HARDWARE_H
