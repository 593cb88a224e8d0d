// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Blocks of packed panels, decoded as they are read or to weight tiles. The one place in the
// kernels that knows formats, and it knows them by their row of the table alone.

#ifndef SORTIE_RUNTIME_CPU_KERNELS_DECODE_H
#define SORTIE_RUNTIME_CPU_KERNELS_DECODE_H

#include "runtime/cpu/kernels/Tile.h"
#include "runtime/cpu/kernels/Unroll.h"
#include "runtime/numerics/decode.h"

namespace sortie::cpu {

/// The tile configuration of a format and a kind of activations in one form of the product.
static constexpr TileConfig tileConfig(const numerics::FormatInfo &info, numerics::RowKind kind,
                                       bool isWide) {
  TileConfig config{};
  config.formatClass = info.formatClass;
  config.minimum = info.minimum;
  config.kind = kind;
  config.isWide = isWide;
  config.isBiased = !isWide && levelBias(info) != 0;
  const bool isCombined = isWide && numerics::isCombinable(info);
  config.products = kind == numerics::RowKind::Int16 && !isCombined ? 2 : 1;
  config.levelLimit = isWide ? 0 : levelLimit(largestBiasedLevel(info));
  return config;
}

/// The configuration of tiles whose decoded weights several rows share.
template <typename Simd, numerics::Format F, numerics::RowKind Kind>
static constexpr TileConfig sharedTileConfig() {
  constexpr numerics::FormatInfo kInfo = numerics::formatInfo(F);
  return tileConfig(kInfo, Kind, Simd::prefersWide(kInfo, Kind));
}

/// The configuration for a row that has its weights for itself. Making int16 of them costs it as
/// many multiplications as the wide form has products, so bytes are left as they are where the
/// instruction set sums their products as they are.
template <typename Simd, numerics::Format F, numerics::RowKind Kind>
static constexpr TileConfig singleTileConfig() {
  constexpr numerics::FormatInfo kInfo = numerics::formatInfo(F);
  return tileConfig(kInfo, Kind, Simd::prefersWide(kInfo, Kind) && !Simd::kPieceIsInts);
}

/// An activation block of a packed panel: decoded as it is read.
template <typename Simd, numerics::Format F> struct PackedBlock {
  using Bytes = typename Simd::Bytes;
  using Ints = typename Simd::Ints;
  using Floats = typename Simd::Floats;
  static constexpr numerics::FormatInfo kInfo = numerics::formatInfo(F);
  static constexpr bool kIsGrouped = kInfo.formatClass == numerics::FormatClass::GroupScale;
  static constexpr PanelLayout kLayout = panelLayout(kInfo);
  static constexpr LevelPlanes kPlanes = levelPlanes(kInfo.levelBits);
  static constexpr int kBias = levelBias(kInfo);

  const std::byte *head;
  const std::byte *body;

  /// Block `block` of a panel.
  SORTIE_KERNEL_INLINE PackedBlock(const std::byte *panel, int64_t block)
      : head(panel + kLayout.headOffset(block)), body(panel + kLayout.bodyOffset(block)) {}

  /// Codebooks, with the bias added.
  struct Codebook {
    uint8_t levels[numerics::kCodebookLevels];
  };
  static constexpr Codebook codebook() {
    Codebook book{};
    for (int code = 0; code < numerics::kCodebookLevels; ++code)
      book.levels[code] = static_cast<uint8_t>(numerics::codebookLevel(kInfo.coding, code) + kBias);
    return book;
  }
  static constexpr bool kHasCodebook = numerics::hasCodebook(kInfo.coding);
  alignas(64) static constexpr Codebook kCodebook = codebook();

  /// The vector of a plane that vector `V` of a step shares with others.
  template <int V, int Bits>
  SORTIE_KERNEL_INLINE static Bytes loadPlane(const std::byte *plane, int step) {
    constexpr int kShare = 8 / Bits;
    static_assert(kStepVectors % kShare == 0);
    return Simd::loadBytes(plane + kLayout.lineOffset(Bits, step * kStepVectors + V));
  }

  /// The bits that a plane of `Bits` bits has for vector `V` (of the 8 / Bits that share a plane
  /// vector), moved to bit `To`.
  template <int Bits, int To, int V> SORTIE_KERNEL_INLINE static Bytes planeBits(Bytes plane) {
    return Simd::template shiftAndMask<V * Bits - To>(
        plane, static_cast<uint8_t>(((1 << Bits) - 1) << To));
  }

  /// Biased levels of vector `V` of a step. V is known when compiled, so that shifts are constants.
  template <int V> SORTIE_KERNEL_INLINE Bytes levels(int step) const {
    constexpr int kLow = kPlanes.lowBits, kHigh = kPlanes.highBits;
    Bytes codes = loadPlane<V, kLow>(body + kLayout.lowPlaneOffset, step);
    if constexpr (kLow < 8)
      codes = planeBits<kLow, 0, V % (8 / kLow)>(codes);
    if constexpr (kHigh != 0) {
      const Bytes high = loadPlane<V, kHigh>(body + kLayout.highPlaneOffset, step);
      codes = Simd::orBytes(codes, planeBits<kHigh, kLow, V % (8 / kHigh)>(high));
    }
    if constexpr (kHasCodebook)
      codes = Simd::lookUp(kCodebook.levels, codes);
    return codes;
  }

  /// Pairs of equal int16: what the levels of a sub-block are multiplied with in wide weights.
  SORTIE_KERNEL_INLINE Ints pairScale(int subBlock) const {
    if constexpr (numerics::hasSubScales(kInfo)) {
      const std::byte *scales = body + subBlock * kPanelRows;
      return Simd::pairBytes(scales, scales);
    } else {
      return Simd::zeroInts();
    }
  }

  /// int16 weights of vector `V` of a step: sub-scale * level, of even elements or of odd ones.
  template <int V, int Half>
  SORTIE_KERNEL_INLINE Ints weights(int step, [[maybe_unused]] Ints pairScale) const {
    const Bytes biased = levels<V>(step);
    Ints pairs = Half == 0 ? Simd::evenBytes(biased) : Simd::oddBytes(biased);
    if constexpr (kBias != 0)
      pairs = Simd::subPairs(pairs, Simd::broadcastInt(pairOf(kBias)));
    if constexpr (numerics::hasSubScales(kInfo))
      pairs = Simd::mulPairs(pairs, pairScale);
    return pairs;
  }

  SORTIE_KERNEL_INLINE Ints subScale(int subBlock) const {
    return Simd::expandSubScales(body + subBlock * kPanelRows);
  }

  /// -bias * sub-scale of two sub-blocks.
  SORTIE_KERNEL_INLINE Ints biases(int pair) const {
    const std::byte *scales = body + 2 * pair * kPanelRows;
    return Simd::mulPairs(Simd::pairBytes(scales, scales + kPanelRows),
                          Simd::broadcastInt(pairOf(-kBias)));
  }

  /// The integer minimums of two sub-blocks.
  SORTIE_KERNEL_INLINE Ints minimums(int pair) const {
    const std::byte *minimums = body + kLayout.minimumsOffset + 2 * pair * kPanelRows;
    return Simd::pairBytes(minimums, minimums + kPanelRows);
  }

  SORTIE_KERNEL_INLINE static Floats loadScales(const std::byte *from) {
    if constexpr (kInfo.scaleType == numerics::ScaleType::BFloat16)
      return Simd::loadBFloat16(from);
    else if constexpr (kInfo.scaleType == numerics::ScaleType::Float32)
      return Simd::load(reinterpret_cast<const float *>(from));
    else
      return Simd::loadHalf(from);
  }

  /// The scale of a group; that of all of the block (group 0) in formats with sub-scales.
  SORTIE_KERNEL_INLINE Floats d(int group) const {
    return loadScales(kIsGrouped ? body + group * kPanelRows * 2 : head);
  }

  /// The float minimum of a group; what integer minimums are multiplied with (group 0).
  SORTIE_KERNEL_INLINE Floats m(int group) const {
    return loadScales(kIsGrouped ? body + kLayout.minimumsOffset + group * kPanelRows * 2
                                 : head + kLayout.dminOffset);
  }
};

/// Decoding of blocks of one format to memory.
template <typename Simd, numerics::Format F, numerics::RowKind Kind> struct Decoder {
  using Packed = PackedBlock<Simd, F>;
  static constexpr TileConfig kConfig = sharedTileConfig<Simd, F, Kind>();

  /// The vectors of sub-block `Part` of a step.
  template <int Part>
  SORTIE_KERNEL_INLINE static void decodeSubBlock(const Packed &block, int step, WeightTile &tile) {
    constexpr int kVectors = kConfig.subBlockVectors();
    const int s = step * kConfig.stepSubBlocks() + Part;
    [[maybe_unused]] const auto pairScale = block.pairScale(s);
    unrolled<kVectors>([&](auto v) SORTIE_KERNEL_LAMBDA {
      constexpr int kV = Part * kVectors + v;
      const int vector = step * kStepVectors + kV;
      if constexpr (kConfig.isWide) {
        Simd::storeInts(tile.weights[vector][0], block.template weights<kV, 0>(step, pairScale));
        Simd::storeInts(tile.weights[vector][1], block.template weights<kV, 1>(step, pairScale));
      } else {
        Simd::storeBytes(tile.levels[vector], block.template levels<kV>(step));
      }
    });
    if constexpr (!kConfig.isWide && numerics::hasSubScales(Packed::kInfo))
      Simd::storeInts(tile.subScales[s], block.subScale(s));
  }

  SORTIE_KERNEL_INLINE static void decodeLevels(const Packed &block, WeightTile &tile) {
    for (int step = 0; step < kBlockSteps; ++step)
      unrolled<kConfig.stepSubBlocks()>(
          [&](auto part) SORTIE_KERNEL_LAMBDA { decodeSubBlock<part>(block, step, tile); });
  }

  /// Scales and minimums of a format with a scale per group.
  SORTIE_KERNEL_INLINE static void decodeGroupScales(const Packed &block, WeightTile &tile) {
    for (int g = 0; g < numerics::kGroupsPerBlock; ++g) {
      Simd::store(tile.d[g], block.d(g));
      if constexpr (kConfig.minimum == numerics::Minimum::AddedFloat)
        Simd::store(tile.m[g], block.m(g));
    }
  }

  /// Scales, biases and minimums of a format with sub-scales.
  SORTIE_KERNEL_INLINE static void decodeSubScales(const Packed &block, WeightTile &tile) {
    Simd::store(tile.d[0], block.d(0));
    for (int pair = 0; pair < kConfig.subBlocks() / 2; ++pair) {
      if constexpr (kConfig.isBiased)
        Simd::storeInts(tile.biases[pair], block.biases(pair));
      if constexpr (kConfig.minimum == numerics::Minimum::SubtractedInteger)
        Simd::storeInts(tile.minimums[pair], block.minimums(pair));
    }
    if constexpr (kConfig.minimum == numerics::Minimum::SubtractedInteger)
      Simd::store(tile.m[0], block.m(0));
  }

  /// Decodes blocks [first, first + count) of a panel.
  static void decode(const std::byte *panel, int64_t first, int count, WeightTile *tiles) {
    for (int b = 0; b < count; ++b) {
      const Packed block(panel, first + b);
      decodeLevels(block, tiles[b]);
      if constexpr (kConfig.isGrouped())
        decodeGroupScales(block, tiles[b]);
      else
        decodeSubScales(block, tiles[b]);
    }
  }
};

} // namespace sortie::cpu

#endif // SORTIE_RUNTIME_CPU_KERNELS_DECODE_H
