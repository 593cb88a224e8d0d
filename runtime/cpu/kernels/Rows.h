// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From rows of quantized activations to row tiles.

#ifndef SORTIE_RUNTIME_CPU_KERNELS_ROWS_H
#define SORTIE_RUNTIME_CPU_KERNELS_ROWS_H

#include "runtime/cpu/kernels/Tile.h"
#include "runtime/cpu/kernels/Unroll.h"
#include "runtime/numerics/float.h"

#include <cstring>

namespace sortie::cpu {

template <typename Simd, TileConfig C> struct RowTiler {
  using Bytes = typename Simd::Bytes;
  using Ints = typename Simd::Ints;
  static constexpr int kBlock = numerics::kActivationBlock;
  static constexpr int kSums = kBlock / numerics::kSumElements;

  /// Limbs as they are, or widened to int16 and perhaps combined.
  SORTIE_KERNEL_INLINE static void placeElements(const std::byte *limbs, int64_t stride,
                                                 RowTile<C> &tile) {
    for (int at = 0; at < kBlock; at += kVectorBytes) {
      const Bytes low = Simd::loadBytes(limbs + at);
      if constexpr (!C.isWide) {
        Simd::storeBytes(tile.elements[0] + at, low);
        if constexpr (C.products == 2)
          Simd::storeBytes(tile.elements[1] + at, Simd::loadBytes(limbs + stride + at));
      } else {
        placeWide(low, Simd::loadBytes(limbs + (C.sumLimbs() - 1) * stride + at), at, tile);
      }
    }
  }

  SORTIE_KERNEL_INLINE static void placeWide(Bytes low, Bytes high, int at, RowTile<C> &tile) {
    Ints even = Simd::evenSignedBytes(low);
    Ints odd = Simd::oddSignedBytes(low);
    if constexpr (C.sumLimbs() == 2) {
      const Ints highEven = Simd::evenSignedBytes(high);
      const Ints highOdd = Simd::oddSignedBytes(high);
      if constexpr (C.products == 2) {
        placePairs(highEven, highOdd, tile.elements[1] + 2 * at);
      } else {
        const Ints base = Simd::broadcastInt(pairOf(-numerics::kLimbBase));
        even = Simd::subPairs(even, Simd::mulPairs(highEven, base));
        odd = Simd::subPairs(odd, Simd::mulPairs(highOdd, base));
      }
    }
    placePairs(even, odd, tile.elements[0] + 2 * at);
  }

  SORTIE_KERNEL_INLINE static void placePairs(Ints even, Ints odd, int8_t *to) {
    Simd::storeInts(to, even);
    Simd::storeInts(to + kVectorBytes, odd);
  }

  /// Sums over sub-blocks or groups, in the form that the product wants.
  SORTIE_KERNEL_INLINE static void placeSums(const std::byte *sums, int64_t stride, int bias,
                                             RowTile<C> &tile) {
    int32_t total[numerics::kGroupsPerBlock] = {};
    for (int limb = 0; limb < C.sumLimbs(); ++limb) {
      int16_t of16[kSums];
      std::memcpy(of16, sums + limb * stride, sizeof of16);
      const int weight = limb == 0 ? 1 : numerics::kLimbBase;
      if constexpr (C.formatClass == numerics::FormatClass::SubScale16) {
        std::memcpy(tile.sums[limb], of16, sizeof of16);
      } else {
        for (int g = 0; g < numerics::kGroupsPerBlock; ++g) {
          const int sum = of16[2 * g] + of16[2 * g + 1];
          if constexpr (!C.isGrouped())
            tile.sums[limb][g] = static_cast<int16_t>(sum);
          else if constexpr (!C.isWide)
            tile.starts[limb][g] = -bias * sum;
          total[g] += weight * sum;
        }
      }
    }
    if constexpr (C.minimum == numerics::Minimum::AddedFloat)
      for (int g = 0; g < numerics::kGroupsPerBlock; ++g)
        tile.groupSums[g] = numerics::toFloat(total[g]);
  }

  /// Blocks [first, first + count) of the rows `rows` points to, to tiles [count][rowCount].
  static void place(const std::byte *const *rows, int rowCount, int64_t columns, int64_t first,
                    int count, int bias, void *to) {
    const numerics::ActRowLayout layout = numerics::actRowLayout(C.kind, columns);
    auto *tiles = static_cast<RowTile<C> *>(to);
    for (int r = 0; r < rowCount; ++r) {
      for (int b = 0; b < count; ++b) {
        const int64_t block = first + b;
        RowTile<C> &tile = tiles[b * rowCount + r];
        placeElements(rows[r] + layout.limbs + block * kBlock, layout.limbStride, tile);
        placeSums(rows[r] + layout.sums + block * kSums * 2, layout.sumStride, bias, tile);
        std::memcpy(&tile.scale, rows[r] + layout.scales + block * 4, sizeof tile.scale);
      }
    }
  }
};

} // namespace sortie::cpu

#endif // SORTIE_RUNTIME_CPU_KERNELS_ROWS_H
