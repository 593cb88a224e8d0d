// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A kernel that uses products of warpgroups as kernels will: a warpgroup gives registers, another
// one takes them and has two products under way. The emulation runs it (WarpgroupProductTest.cpp),
// and NVRTC compiles the same text (HardwareTest.cpp).

#ifndef SORTIE_TEST_UNIT_EMULATION_WARPGROUPPRODUCTS_H
#define SORTIE_TEST_UNIT_EMULATION_WARPGROUPPRODUCTS_H

#include <sortie_hardware_sm90.h>

enum ProductMistake : int {
  NoProductMistake,
  NoWaitForProducts,
  NoFence,
  NoCommit,
  LevelsChange,
  ColumnsChange,
};

/// Bytes of a column, and groups of 32 of them.
constexpr int kDepth = 128;
constexpr int kDepthGroups = 4;

namespace products {
using namespace sortie;

/// Columns [Width][128] to swizzled lines, by one warpgroup.
template <int Width> SORTIE_DEVICE void storeLines(const hw::uint32_t *columns, int thread) {
  for (int i = thread; i < Width * kDepth / 4; i += 128) {
    const int column = i / 32;
    const int unit = i % 32 / 4;
    hw::sharedMemory<hw::uint32_t>(column * kDepth)[(unit ^ column % 8) * 4 + i % 4] = columns[i];
  }
}

/// A of group `group` of rows [64][128].
SORTIE_DEVICE void loadLevels(const hw::uint32_t *rows, int group, int thread,
                              hw::uint32_t (&a)[4]) {
  const int row = thread / 32 * 16 + thread % 32 / 4;
  for (int i = 0; i < 4; ++i)
    a[i] = rows[(row + i % 2 * 8) * 32 + group * 8 + i / 2 * 4 + thread % 4];
}

/// out[row][column] of the lane's sums.
template <int Width, typename T>
SORTIE_DEVICE void storeSums(const T (&sums)[Width / 2], int thread, T *out) {
  const int row = thread / 32 * 16 + thread % 32 / 4;
  for (int i = 0; i < Width / 2; ++i)
    out[(row + i % 4 / 2 * 8) * Width + i / 4 * 8 + thread % 4 * 2 + i % 2] = sums[i];
}

/// Group g's product to out[g]: groups 0 and 1 apart, 2 and 3 in one.
template <int Width>
SORTIE_DEVICE void multiply(const hw::uint32_t *rows, int mistake, int thread, hw::int32_t *out) {
  hw::uint32_t a[kDepthGroups][4];
  for (int group = 0; group < kDepthGroups; ++group)
    loadLevels(rows, group, thread, a[group]);
  const hw::uint32_t columns = hw::columnsAt(hw::sharedMemory<char>());
  hw::int32_t sums[2][Width / 2];
  if (mistake != NoFence)
    hw::fenceProducts();
  hw::multiplyWarpgroup<Width, false>(sums[0], a[0], columns);
  if (mistake != NoCommit)
    hw::commitProducts();
  hw::multiplyWarpgroup<Width, false>(sums[1], a[1], columns + 2);
  hw::commitProducts();
  if (mistake == LevelsChange)
    a[1][0] ^= 0x01010101u;
  if (mistake == ColumnsChange)
    hw::sharedMemory<hw::uint32_t>()[thread] = 0x01010101u;
  if (mistake != NoWaitForProducts)
    hw::waitForProducts<1>();
  storeSums<Width>(sums[0], thread, out);
  hw::waitForProducts<0>();
  hw::receive(sums[0]);
  hw::receive(sums[1]);
  storeSums<Width>(sums[1], thread, out + 64 * Width);
  hw::fenceProducts();
  hw::multiplyWarpgroup<Width, false>(sums[0], a[2], columns + 4);
  hw::multiplyWarpgroup<Width, true>(sums[0], a[3], columns + 6);
  hw::commitProducts();
  hw::waitForProducts<0>();
  hw::receive(sums[0]);
  storeSums<Width>(sums[0], thread, out + 2 * 64 * Width);
}

/// A and columns [Width][16] of fp16 to out[row][column]. Columns lie 16 bytes each, and are both
/// halves of K; of A, the second half are zeros.
template <int Width>
SORTIE_DEVICE void multiplyShort(const hw::uint32_t *rows, const hw::uint32_t *columns, int thread,
                                 float *out) {
  for (int i = thread; i < Width * 4; i += 128)
    hw::sharedMemory<hw::uint32_t>(Width * kDepth)[i] = columns[i];
  hw::fenceBeforeCopies();
  hw::syncThreads(1, 128);
  const int row = thread / 32 * 16 + thread % 32 / 4;
  const hw::uint32_t a[4] = {rows[row * 4 + thread % 4], rows[(row + 8) * 4 + thread % 4], 0, 0};
  float sums[Width / 2];
  hw::fenceProducts();
  hw::multiplyHalves<Width, false, hw::Columns::Short>(
      sums, a, hw::columnsAt(hw::sharedMemory<char>(Width * kDepth)));
  hw::commitProducts();
  hw::waitForProducts<0>();
  hw::receive(sums);
  storeSums<Width>(sums, thread, out);
}

template <int Width>
SORTIE_DEVICE void run(const hw::uint32_t *rows, const hw::uint32_t *columns, int mistake,
                       hw::int32_t *out, float *outOfHalves) {
  if (hw::threadIndex() >= 128) {
    hw::giveRegisters<40>();
    return;
  }
  hw::takeRegisters<256>();
  const int thread = hw::threadIndex();
  storeLines<Width>(columns, thread);
  hw::fenceBeforeCopies();
  hw::syncThreads(1, 128);
  multiply<Width>(rows, mistake, thread, out);
  multiplyShort<Width>(rows, columns, thread, outOfHalves);
}

} // namespace products

/// Of `rows` [64][128] and `columns` [Width][128] bytes: out[3][64][Width] has the products of
/// bytes 0 to 31, 32 to 63, and of the others; outOfHalves[64][Width] that of the first 64 * 4 and
/// Width * 4 words as fp16, eight of each row and column.
#define SORTIE_WARPGROUP_PRODUCTS(width)                                                           \
  SORTIE_KERNEL(256, 1)                                                                            \
  warpgroupProducts##width(const sortie::hw::uint32_t *rows, const sortie::hw::uint32_t *columns,  \
                           sortie::hw::int32_t mistake, sortie::hw::int32_t *out,                  \
                           float *outOfHalves) {                                                   \
    products::run<width>(rows, columns, mistake, out, outOfHalves);                                \
  }                                                                                                \
  SORTIE_EXPORT(warpgroupProducts##width)
SORTIE_WARPGROUP_PRODUCTS(16)
SORTIE_WARPGROUP_PRODUCTS(32)
SORTIE_WARPGROUP_PRODUCTS(48)
SORTIE_WARPGROUP_PRODUCTS(64)
#undef SORTIE_WARPGROUP_PRODUCTS

#endif // SORTIE_TEST_UNIT_EMULATION_WARPGROUPPRODUCTS_H
