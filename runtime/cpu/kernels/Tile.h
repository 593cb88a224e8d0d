// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What lies between the parts of the exact product: weights decoded to the first-level cache, and
// activations laid out for broadcasting. Neither knows a format any more, only a TileConfig.
//
// Two forms of the integer product exist:
//   narrow  unsigned bytes (level + bias) times int8 limbs, summed over each sub-block and then
//           multiplied by its sub-scale;
//   wide    int16 weights (sub-scale * level) times int16 activations, summed over the whole
//           integer run. For int16 activations this needs one product where `narrow` needs two,
//           but only formats whose limb sums may be combined allow that.

#ifndef SORTIE_RUNTIME_CPU_KERNELS_TILE_H
#define SORTIE_RUNTIME_CPU_KERNELS_TILE_H

#include "runtime/cpu/PanelLayout.h"
#include "runtime/cpu/kernels/Unroll.h"
#include "runtime/numerics/layout.h"

namespace sortie::cpu {

/// Which form of the product, and what of it a kernel must know when it is compiled.
struct TileConfig {
  numerics::FormatClass formatClass;
  numerics::Minimum minimum;
  numerics::RowKind kind; ///< Int8 or Int16
  bool isWide;
  bool isBiased;  ///< narrow: levels carry a bias that must be taken off
  int products;   ///< integer products of a run: one for each limb, or 1 where limbs are combined
  int levelLimit; ///< narrow: biased levels are at most this: 15, 31, 63 or 255

  constexpr bool isGrouped() const { return formatClass == numerics::FormatClass::GroupScale; }
  /// Sub-blocks of an activation block, 4 or 8.
  constexpr int subBlocks() const {
    return formatClass == numerics::FormatClass::SubScale16 ? 8 : 4;
  }
  /// Vectors of 4 elements in a sub-block.
  constexpr int subBlockVectors() const { return kBlockVectors / subBlocks(); }
  /// Sub-blocks of a step, 1 or 2.
  constexpr int stepSubBlocks() const { return subBlocks() / kBlockSteps; }
  /// Limbs of the activations.
  constexpr int sumLimbs() const { return numerics::limbCount(kind); }
  bool operator==(const TileConfig &) const = default;
};

/// The 32-bit lane with the int16 `value` twice.
static constexpr int32_t pairOf(int value) {
  return static_cast<int32_t>(static_cast<uint32_t>(value & 0xffff) * 0x10001u);
}

/// The rounded-up class of a largest biased level.
static constexpr int levelLimit(int largest) {
  return largest <= 15 ? 15 : largest <= 31 ? 31 : largest <= 63 ? 63 : 255;
}

/// An activation block of a panel, decoded: 16 rows by 128 elements.
struct alignas(64) WeightTile {
  union {
    uint8_t levels[kBlockVectors][kVectorBytes]; ///< narrow: [vector][row][4]
    /// wide: [vector][half][row][2]: elements 0 and 2, then 1 and 3, of the vector
    int16_t weights[kBlockVectors][2][kVectorBytes / 2];
  };
  float d[numerics::kGroupsPerBlock][kPanelRows]; ///< [0] alone in formats with sub-scales
  float m[numerics::kGroupsPerBlock][kPanelRows]; ///< float minimums; [0] is dmin with sub-scales
  int32_t subScales[8][kPanelRows];               ///< narrow: as Simd::expandSubScales makes them
  /// Pairs of int16 (even and odd sub-block): -bias * sub-scale, and the integer minimums.
  int16_t biases[4][kPanelRows][2];
  int16_t minimums[4][kPanelRows][2];
};

/// Where a product finds an activation block of a panel that is decoded already: the functions are
/// those of PackedBlock.
template <typename Simd> struct DecodedBlock {
  using Ints = typename Simd::Ints;
  using Floats = typename Simd::Floats;

  const WeightTile &tile;

  template <int V> SORTIE_KERNEL_INLINE typename Simd::Bytes levels(int step) const {
    return Simd::loadBytes(tile.levels[step * kStepVectors + V]);
  }
  SORTIE_KERNEL_INLINE Ints pairScale(int) const { return Simd::zeroInts(); }
  template <int V, int Half> SORTIE_KERNEL_INLINE Ints weights(int step, Ints) const {
    return Simd::loadInts(tile.weights[step * kStepVectors + V][Half]);
  }
  SORTIE_KERNEL_INLINE Ints subScale(int subBlock) const {
    return Simd::loadInts(tile.subScales[subBlock]);
  }
  SORTIE_KERNEL_INLINE Ints biases(int pair) const { return Simd::loadInts(tile.biases[pair]); }
  SORTIE_KERNEL_INLINE Ints minimums(int pair) const { return Simd::loadInts(tile.minimums[pair]); }
  SORTIE_KERNEL_INLINE Floats d(int group) const { return Simd::load(tile.d[group]); }
  SORTIE_KERNEL_INLINE Floats m(int group) const { return Simd::load(tile.m[group]); }
};

/// An activation block of one row.
template <TileConfig C> struct alignas(64) RowTile {
  static constexpr int kLimbs = C.sumLimbs();
  static constexpr int kLimbBytes = numerics::kActivationBlock * (C.isWide ? 2 : 1);

  /// The multiplicands of each product, the low limb first: int8 limbs; or (wide) int16, of each 64
  /// elements first the pairs of elements 0 and 2 of every four, then those of elements 1 and 3.
  alignas(64) int8_t elements[C.products][kLimbBytes];
  union {
    /// Grouped, narrow: what a run starts from, -bias * (sum of the group's limbs).
    int32_t starts[kLimbs][numerics::kGroupsPerBlock];
    /// For formats with sub-scales: sums of the limbs over each sub-block.
    int16_t sums[kLimbs][8];
  };
  float groupSums[numerics::kGroupsPerBlock]; ///< grouped: RN(sum of q) over each group
  float scale;                                ///< d_a
};

} // namespace sortie::cpu

#endif // SORTIE_RUNTIME_CPU_KERNELS_TILE_H
