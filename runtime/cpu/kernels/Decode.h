// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From packed panels to weight tiles. The one place in the kernels that knows formats, and it knows
// them by their row of the table alone.

#ifndef SORTIE_RUNTIME_CPU_KERNELS_DECODE_H
#define SORTIE_RUNTIME_CPU_KERNELS_DECODE_H

#include "runtime/cpu/kernels/Tile.h"
#include "runtime/cpu/kernels/Unroll.h"
#include "runtime/numerics/decode.h"

#include <utility>

namespace sortie::cpu {

/// The tile configuration that an instruction set uses for a format and a kind of activations.
template <typename Simd>
static constexpr TileConfig tileConfig(const numerics::FormatInfo &info, numerics::RowKind kind) {
  const bool isWide = Simd::prefersWide(info, kind);
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

/// Decoding of blocks of one format.
template <typename Simd, numerics::Format F, numerics::RowKind Kind> struct Decoder {
  using Bytes = typename Simd::Bytes;
  using Ints = typename Simd::Ints;
  static constexpr numerics::FormatInfo kInfo = numerics::formatInfo(F);
  static constexpr TileConfig kConfig = tileConfig<Simd>(kInfo, Kind);
  static constexpr PanelLayout kLayout = panelLayout(kInfo);
  static constexpr LevelPlanes kPlanes = levelPlanes(kInfo.levelBits);
  static constexpr int kBias = levelBias(kInfo);

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

  /// The bits that a plane of `Bits` bits has for vector `V` (of the 8 / Bits that share a plane
  /// vector), moved to bit `To`.
  template <int Bits, int To, int V> SORTIE_KERNEL_INLINE static Bytes planeBits(Bytes plane) {
    return Simd::template shiftAndMask<V * Bits - To>(
        plane, static_cast<uint8_t>(((1 << Bits) - 1) << To));
  }

  /// Biased levels of vector `V` of a body: V is known when compiled, so that shifts are constants.
  template <int V> SORTIE_KERNEL_INLINE static Bytes biasedLevels(const std::byte *body) {
    constexpr int kLowShare = 8 / kPlanes.lowBits;
    const Bytes low = Simd::loadBytes(body + kLayout.lowPlaneOffset + V / kLowShare * kVectorBytes);
    Bytes codes = low;
    if constexpr (kPlanes.lowBits < 8)
      codes = planeBits<kPlanes.lowBits, 0, V % kLowShare>(low);
    if constexpr (kPlanes.highBits != 0) {
      constexpr int kHighShare = 8 / kPlanes.highBits;
      const Bytes high =
          Simd::loadBytes(body + kLayout.highPlaneOffset + V / kHighShare * kVectorBytes);
      codes =
          Simd::orBytes(codes, planeBits<kPlanes.highBits, kPlanes.lowBits, V % kHighShare>(high));
    }
    if constexpr (kHasCodebook)
      codes = Simd::lookUp(kCodebook.levels, codes);
    return codes;
  }

  /// int16 weights of vector `V`: sub-scale * level. `subScale` has pairs of equal int16.
  template <int V>
  SORTIE_KERNEL_INLINE static void wideWeights(const std::byte *body, Ints bias, Ints subScale,
                                               WeightTile &tile) {
    const Bytes levels = biasedLevels<V>(body);
    Ints even = Simd::evenBytes(levels);
    Ints odd = Simd::oddBytes(levels);
    if constexpr (kBias != 0) {
      even = Simd::subPairs(even, bias);
      odd = Simd::subPairs(odd, bias);
    }
    if constexpr (numerics::hasSubScales(kInfo)) {
      even = Simd::mulPairs(even, subScale);
      odd = Simd::mulPairs(odd, subScale);
    }
    Simd::storeInts(tile.weights[V][0], even);
    Simd::storeInts(tile.weights[V][1], odd);
  }

  /// The vectors of sub-block `S`.
  template <int S, int... V>
  SORTIE_KERNEL_INLINE static void decodeSubBlock(const std::byte *body, WeightTile &tile,
                                                  std::integer_sequence<int, V...>) {
    constexpr int kFirst = S * kConfig.subBlockVectors();
    if constexpr (kConfig.isWide) {
      const Ints bias = Simd::broadcastInt(pairOf(kBias));
      Ints subScale = bias;
      if constexpr (numerics::hasSubScales(kInfo)) {
        const std::byte *scales = body + S * kPanelRows;
        subScale = Simd::pairBytes(scales, scales);
      }
      (wideWeights<kFirst + V>(body, bias, subScale, tile), ...);
    } else {
      (Simd::storeBytes(tile.levels[kFirst + V], biasedLevels<kFirst + V>(body)), ...);
      if constexpr (numerics::hasSubScales(kInfo))
        Simd::storeInts(tile.subScales[S], Simd::expandSubScales(body + S * kPanelRows));
    }
  }

  template <int... S>
  SORTIE_KERNEL_INLINE static void decodeLevels(const std::byte *body, WeightTile &tile,
                                                std::integer_sequence<int, S...>) {
    (decodeSubBlock<S>(body, tile, std::make_integer_sequence<int, kConfig.subBlockVectors()>()),
     ...);
  }

  SORTIE_KERNEL_INLINE static typename Simd::Floats loadScales(const std::byte *from) {
    if constexpr (kInfo.scaleType == numerics::ScaleType::BFloat16)
      return Simd::loadBFloat16(from);
    else if constexpr (kInfo.scaleType == numerics::ScaleType::Float32)
      return Simd::load(reinterpret_cast<const float *>(from));
    else
      return Simd::loadHalf(from);
  }

  /// Scales and minimums of a format with a scale per group.
  SORTIE_KERNEL_INLINE static void decodeGroupScales(const std::byte *body, WeightTile &tile) {
    for (int g = 0; g < numerics::kGroupsPerBlock; ++g) {
      const std::byte *scales = body + g * kPanelRows * 2;
      Simd::store(tile.d[g], loadScales(scales));
      if constexpr (kInfo.minimum == numerics::Minimum::AddedFloat)
        Simd::store(tile.m[g], loadScales(scales + kLayout.minimumsOffset));
    }
  }

  /// Scales, biases and minimums of a format with sub-scales.
  SORTIE_KERNEL_INLINE static void decodeSubScales(const std::byte *head, const std::byte *body,
                                                   WeightTile &tile) {
    Simd::store(tile.d[0], loadScales(head));
    for (int pair = 0; pair < kConfig.subBlocks() / 2; ++pair) {
      const std::byte *scales = body + 2 * pair * kPanelRows;
      if constexpr (kConfig.isBiased)
        Simd::storeInts(tile.biases[pair],
                        Simd::mulPairs(Simd::pairBytes(scales, scales + kPanelRows),
                                       Simd::broadcastInt(pairOf(-kBias))));
      if constexpr (kInfo.minimum == numerics::Minimum::SubtractedInteger) {
        const std::byte *minimums = scales + kLayout.minimumsOffset;
        Simd::storeInts(tile.minimums[pair], Simd::pairBytes(minimums, minimums + kPanelRows));
      }
    }
    if constexpr (kInfo.minimum == numerics::Minimum::SubtractedInteger)
      Simd::store(tile.m[0], loadScales(head + kLayout.dminOffset));
  }

  /// Decodes blocks [first, first + count) of a panel.
  static void decode(const std::byte *panel, int64_t first, int count, WeightTile *tiles) {
    for (int b = 0; b < count; ++b) {
      const std::byte *body = panel + kLayout.bodyOffset(first + b);
      decodeLevels(body, tiles[b], std::make_integer_sequence<int, kConfig.subBlocks()>());
      if constexpr (kConfig.isGrouped())
        decodeGroupScales(body, tiles[b]);
      else
        decodeSubScales(panel + kLayout.headOffset(first + b), body, tiles[b]);
    }
  }
};

} // namespace sortie::cpu

#endif // SORTIE_RUNTIME_CPU_KERNELS_DECODE_H
