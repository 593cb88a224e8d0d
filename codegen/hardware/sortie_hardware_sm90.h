// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What only sm_90 and later have: mbarriers that count bytes, bulk and tensor copies; and what only
// sm_90a has: products of a warpgroup, and registers that warps give each other. For kernels that
// are compiled for such chips alone; earlier ones find nothing here. As in sortie_hardware.h, which
// comes with it, a function is one instruction unless it says otherwise, and
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

//===- Registers (sm_90a) ------------------------------------------------===//

/// The warps of a warpgroup have `Registers` registers a thread from here on, more or fewer than
/// before: a multiple of 8 from 24 to 256. Who takes waits until others have given, and what a
/// block is launched with is all there is (PTX ISA, "setmaxnreg").
template <int Registers> SORTIE_DEVICE void takeRegisters() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(Registers));
}
template <int Registers> SORTIE_DEVICE void giveRegisters() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(Registers));
}

//===- Products of a warpgroup (sm_90a) ----------------------------------===//

// PTX ISA, "wgmma". A warpgroup is four warps, the first a multiple of four; all of its lanes call
// what follows, in the same order and with the same B. Of the 64 rows of A, warp w of the four has
// 16 w to 16 w + 15. With g = lane / 4 and t = lane % 4, in bytes of K:
//   a[0]: row g, bytes 4t...4t+3;  a[1]: row g + 8;  a[2], a[3]: the same rows, bytes 16 + 4t...
//   sums[4 j], sums[4 j + 1]: row g, columns 8 j + 2t, 8 j + 2t + 1;
//   sums[4 j + 2], sums[4 j + 3]: row g + 8
// which are the registers of multiplyK32() for each eight columns.
//
// A product is read and written later than it is begun. From its beginning until it has been waited
// for nobody may touch its sums, change `a`, or write B.

/// How the columns of B lie in shared memory: the upper word of a descriptor.
enum class Columns : uint32_t {
  /// Lines of 128 bytes, a column each. Unit u of 16 bytes of column c is at u XOR c mod 8 of its
  /// line. Column 0 is aligned to 1024 bytes; a product may begin at any 32 bytes of the lines.
  Lines = 1024u >> 4 | 1u << 30,
  /// 16 bytes each, which are both halves of the 32 bytes of K.
  Short = 128u >> 4,
};
/// The lower word: where B begins. The compiler must see that it is the same for all lanes; this is
/// two instructions.
SORTIE_DEVICE uint32_t columnsAt(const void *shared) {
  return __reduce_or_sync(~0u, (sharedAddress(shared) & 0x3ffffu) >> 4);
}

/// Orders the warp's accesses to sums and to `a` before the next products.
SORTIE_DEVICE void fenceProducts() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
/// Ends a group of products; waits until at most `Groups` of them are unfinished.
SORTIE_DEVICE void commitProducts() {
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}
template <int Groups> SORTIE_DEVICE void waitForProducts() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(Groups) : "memory");
}

/// Follows waitForProducts() for the sums of each product that is finished now. It is no
/// instruction: it keeps the compiler, which knows nothing of later writes, from using what the
/// registers held before.
template <int Count> SORTIE_DEVICE void receive(int32_t (&sums)[Count]) {
#pragma unroll
  for (int i = 0; i < Count; ++i)
    asm volatile("" : "+r"(sums[i])::"memory");
}
template <int Count> SORTIE_DEVICE void receive(float (&sums)[Count]) {
#pragma unroll
  for (int i = 0; i < Count; ++i)
    asm volatile("" : "+f"(sums[i])::"memory");
}

// The instruction names each register, so its text depends on the number of columns. Operands: the
// sums, four words of A, both words of B's descriptor, whether sums are added to.
#define SORTIE_FOUR(constraint, i)                                                                 \
  constraint(sums[i]), constraint(sums[(i) + 1]), constraint(sums[(i) + 2]),                       \
      constraint(sums[(i) + 3])
#define SORTIE_8(constraint, i) SORTIE_FOUR(constraint, i), SORTIE_FOUR(constraint, (i) + 4)
#define SORTIE_16(constraint, i) SORTIE_8(constraint, i), SORTIE_8(constraint, (i) + 8)
#define SORTIE_24(constraint, i) SORTIE_16(constraint, i), SORTIE_8(constraint, (i) + 16)
#define SORTIE_32(constraint, i) SORTIE_16(constraint, i), SORTIE_16(constraint, (i) + 16)
#define SORTIE_PRODUCT(text, ...)                                                                  \
  asm volatile(text                                                                                \
               : __VA_ARGS__                                                                       \
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b),                               \
                 "n"(static_cast<uint32_t>(Layout)), "n"(static_cast<int>(Accumulate)))
#define SORTIE_TEXT_16(type, tail)                                                                 \
  "{.reg .pred p; .reg .b64 b; setp.ne.b32 p, %14, 0; mov.b64 b, {%12, %13};\n"                    \
  "wgmma.mma_async.sync.aligned.m64n16" type " {"                                                  \
  "%0, %1, %2, %3, %4, %5, %6, %7"                                                                 \
  "}, {%8, %9, %10, %11}, b, p" tail ";}"
#define SORTIE_TEXT_32(type, tail)                                                                 \
  "{.reg .pred p; .reg .b64 b; setp.ne.b32 p, %22, 0; mov.b64 b, {%20, %21};\n"                    \
  "wgmma.mma_async.sync.aligned.m64n32" type " {"                                                  \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15"                           \
  "}, {%16, %17, %18, %19}, b, p" tail ";}"
#define SORTIE_TEXT_48(type, tail)                                                                 \
  "{.reg .pred p; .reg .b64 b; setp.ne.b32 p, %30, 0; mov.b64 b, {%28, %29};\n"                    \
  "wgmma.mma_async.sync.aligned.m64n48" type " {"                                                  \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, "               \
  "%18, %19, %20, %21, %22, %23"                                                                   \
  "}, {%24, %25, %26, %27}, b, p" tail ";}"
#define SORTIE_TEXT_64(type, tail)                                                                 \
  "{.reg .pred p; .reg .b64 b; setp.ne.b32 p, %38, 0; mov.b64 b, {%36, %37};\n"                    \
  "wgmma.mma_async.sync.aligned.m64n64" type " {"                                                  \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, "               \
  "%18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"                           \
  "}, {%32, %33, %34, %35}, b, p" tail ";}"

/// A and B of signed bytes, K = 32.
template <int Width, bool Accumulate, Columns Layout = Columns::Lines>
SORTIE_DEVICE void multiplyWarpgroup(int32_t (&sums)[Width / 2], const uint32_t (&a)[4],
                                     uint32_t b) {
  static_assert(Width == 16 || Width == 32 || Width == 48 || Width == 64);
#define SORTIE_BYTES(text, ...) SORTIE_PRODUCT(text("k32.s32.s8.s8", ""), __VA_ARGS__)
  if constexpr (Width == 16) {
    SORTIE_BYTES(SORTIE_TEXT_16, SORTIE_8("+r", 0));
  } else if constexpr (Width == 32) {
    SORTIE_BYTES(SORTIE_TEXT_32, SORTIE_16("+r", 0));
  } else if constexpr (Width == 48) {
    SORTIE_BYTES(SORTIE_TEXT_48, SORTIE_24("+r", 0));
  } else {
    SORTIE_BYTES(SORTIE_TEXT_64, SORTIE_32("+r", 0));
  }
#undef SORTIE_BYTES
}

/// Two floats as a word of fp16, rounded to nearest, ties to even. Neither is a NaN.
SORTIE_DEVICE uint32_t packHalves(float low, float high) {
  uint32_t pair;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
}

/// A and B of fp16, K = 16. How products are added is the chip's; sums of integers below 2^24 are
/// exact.
template <int Width, bool Accumulate, Columns Layout>
SORTIE_DEVICE void multiplyHalves(float (&sums)[Width / 2], const uint32_t (&a)[4], uint32_t b) {
  static_assert(Width == 16 || Width == 32 || Width == 48 || Width == 64);
#define SORTIE_HALVES(text, ...) SORTIE_PRODUCT(text("k16.f32.f16.f16", ", 1, 1, 0"), __VA_ARGS__)
  if constexpr (Width == 16) {
    SORTIE_HALVES(SORTIE_TEXT_16, SORTIE_8("+f", 0));
  } else if constexpr (Width == 32) {
    SORTIE_HALVES(SORTIE_TEXT_32, SORTIE_16("+f", 0));
  } else if constexpr (Width == 48) {
    SORTIE_HALVES(SORTIE_TEXT_48, SORTIE_24("+f", 0));
  } else {
    SORTIE_HALVES(SORTIE_TEXT_64, SORTIE_32("+f", 0));
  }
#undef SORTIE_HALVES
}

#undef SORTIE_TEXT_16
#undef SORTIE_TEXT_32
#undef SORTIE_TEXT_48
#undef SORTIE_TEXT_64
#undef SORTIE_PRODUCT
#undef SORTIE_32
#undef SORTIE_24
#undef SORTIE_16
#undef SORTIE_8
#undef SORTIE_FOUR

} // namespace sortie::hw

#endif // __CUDA_ARCH__ >= 900

#endif // SORTIE_HARDWARE_SM90_H
