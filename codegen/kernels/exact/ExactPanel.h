// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a lane holds of 16 weight rows and 128 elements of K: levels in the order of the A operand,
// and the scales of its two rows, lane / 4 and lane / 4 + 8.

#ifndef SORTIE_CODEGEN_KERNELS_EXACT_EXACTPANEL_H
#define SORTIE_CODEGEN_KERNELS_EXACT_EXACTPANEL_H

#include "codegen/kernels/exact/TokenSums.h"
#include "codegen/kernels/packing/PackedLayout.h"
#include "runtime/numerics/decode.h"

#include <sortie_hardware.h>

namespace sortie::kernels {

//===- Levels ------------------------------------------------------------===//

/// `Words` neighbouring words, in one access.
template <int Words> SORTIE_DEVICE void loadWords(const char *from, uint32_t *words) {
  if constexpr (Words == 4) {
    const hw::Words4 vector = *reinterpret_cast<const hw::Words4 *>(from);
#pragma unroll
    for (int i = 0; i < 4; ++i)
      words[i] = vector.word[i];
  } else if constexpr (Words == 2) {
    const hw::Words2 vector = *reinterpret_cast<const hw::Words2 *>(from);
    words[0] = vector.word[0];
    words[1] = vector.word[1];
  } else {
    static_assert(Words == 1);
    words[0] = *reinterpret_cast<const uint32_t *>(from);
  }
}

/// A lane's words of a plane of `Bits` bits per code.
template <int Bits> struct Plane {
  uint32_t words[2 * Bits];
};
template <> struct Plane<0> {};

template <int Bits> SORTIE_DEVICE Plane<Bits> loadPlane(const char *plane) {
  Plane<Bits> result;
  if constexpr (Bits != 0) {
    constexpr int kVector = Bits == 1 ? 2 : 4;
#pragma unroll
    for (int v = 0; v < 2 * Bits / kVector; ++v)
      loadWords<kVector>(plane + (v * hw::kWarpSize + hw::laneIndex()) * kVector * 4,
                         result.words + v * kVector);
  }
  return result;
}

/// The bits of register `q` of the operand, one code in each byte.
template <int Bits> SORTIE_DEVICE uint32_t codeBits(const Plane<Bits> &plane, int q) {
  constexpr int kRegisters = 8 / Bits;
  if constexpr (Bits == 8)
    return plane.words[q];
  else
    return plane.words[q / kRegisters] >> (q % kRegisters * Bits) &
           ((1u << Bits) - 1) * 0x01010101u;
}

/// The levels of all codes, a byte each, in shared memory: as constants they would be moved to a
/// register for every instruction that looks one up.
template <LevelCoding Coding> struct Codebook {
  static constexpr int kOffset =
      kCodebooksOffset + (Coding == LevelCoding::CodebookIq4 ? 0 : kCodebookLevels);

  /// One thread stores the levels.
  SORTIE_DEVICE void store() {
    constexpr auto word = [](int first) {
      uint32_t bytes = 0;
      for (int i = 0; i < 4; ++i)
        bytes |= static_cast<uint32_t>(codebookLevel(Coding, first + i) & 0xff) << (8 * i);
      return bytes;
    };
    constexpr hw::Words4 kWords = {{word(0), word(4), word(8), word(12)}};
    *hw::sharedMemory<hw::Words4>(kOffset) = kWords;
  }

  /// Looks up the levels of a plane of codes. The low three bits of a code select one byte of the
  /// first eight levels and one of the last eight; its high bit selects between the two.
  SORTIE_DEVICE void lookUp(const Plane<4> &codes, uint32_t (&levels)[kRegistersPerSection]) {
    uint32_t words[4];
    loadWords<4>(hw::sharedMemory<char>(kOffset), words);
    const auto select = [&](uint32_t low, uint32_t high) {
      return hw::selectBytes(hw::selectBytes(words[0], words[1], low),
                             hw::selectBytes(words[2], words[3], low), high);
    };
#pragma unroll
    for (int q = 0; q < kRegistersPerSection; q += 2) {
      const uint32_t word = codes.words[q / 2];
      const uint32_t low = word & 0x77777777u;
      const uint32_t high = (word & 0x88888888u) / 2 + 0x32103210u;
      levels[q] = hw::recomputed(select(low, high));
      levels[q + 1] = hw::recomputed(select(low >> 16, high >> 16));
    }
  }
};

/// Levels from codes below 128 that are `Offset` too large. No byte borrows from the next.
template <int Offset> SORTIE_DEVICE uint32_t subtractOffset(uint32_t codes) {
  if constexpr (Offset == 0)
    return codes;
  return ((codes | 0x80808080u) - Offset * 0x01010101u) ^ 0x80808080u;
}

/// The levels of a section from its planes.
template <Format F>
SORTIE_DEVICE void decodeLevels(const Plane<PackedLayout<F>::kLowBits> &low,
                                const Plane<PackedLayout<F>::kHighBits> &high,
                                uint32_t (&levels)[kRegistersPerSection]) {
  using Layout = PackedLayout<F>;
  if constexpr (Layout::kHasCodebook) {
    Codebook<Layout::kInfo.coding>::lookUp(low, levels);
  } else {
#pragma unroll
    for (int q = 0; q < kRegistersPerSection; ++q) {
      uint32_t codes = codeBits(low, q);
      if constexpr (Layout::kHighBits != 0)
        codes |= codeBits(high, q) << Layout::kLowBits;
      // Recomputed, or the compiler would decode them at each use.
      levels[q] = hw::recomputed(subtractOffset<Layout::kInfo.levelOffset>(codes));
    }
  }
}

//===- Scales ------------------------------------------------------------===//

SORTIE_DEVICE float lowFp16(uint32_t word) {
  return fromHalf(static_cast<uint16_t>(word & 0xffff));
}
SORTIE_DEVICE float highFp16(uint32_t word) { return fromHalf(static_cast<uint16_t>(word >> 16)); }

/// Class GroupScale: d and m of the four groups of a row.
struct GroupScales {
  float d[4];
  float m[4];
};

/// Sub-scales and minimums of the up to eight sub-blocks of a row's section, a byte each. In a
/// panel, the minimums are the operand that TokenSums.h describes.
struct SubScales {
  uint32_t scales[2];
  uint32_t minimums[2];
  uint32_t dAndDmin; ///< both as fp16, or d as a float
};

template <Format F> SORTIE_DEVICE float scaleOf(const SubScales &scales) {
  const uint32_t word = hw::recomputed(scales.dAndDmin);
  if constexpr (formatInfo(F).scaleType == ScaleType::Float32)
    return floatOf(word);
  else
    return lowFp16(word);
}
SORTIE_DEVICE float minimumScaleOf(const SubScales &scales) {
  return highFp16(hw::recomputed(scales.dAndDmin));
}

/// Words of a row's scales that a section needs.
template <Format F>
constexpr int kScaleWords =
    !PackedLayout<F>::kHasSubScales     ? PackedLayout<F>::kSizes.scaleBytes / 4
    : PackedLayout<F>::kHasSixBitScales ? 4
                                        : PackedLayout<F>::kSubBlocks / 8 + 1;

/// Loads the words of a row's scales for section `section` of a block, of which `scales` has all
/// scales.
template <Format F>
SORTIE_DEVICE void loadScaleWords(const char *scales, int section, int row,
                                  uint32_t (&words)[kScaleWords<F>]) {
  using Layout = PackedLayout<F>;
  const char *at = scales + row * Layout::kSizes.scaleBytes;
  if constexpr (!Layout::kHasSubScales || Layout::kHasSixBitScales) {
    loadWords<kScaleWords<F>>(at, words);
  } else {
    constexpr int kWords = kScaleWords<F> - 1;
    loadWords<kWords>(at + section * kWords * 4, words);
    loadWords<1>(scales + Layout::kTailsInScales + row * 4, words + kWords);
  }
}

template <Format F>
SORTIE_DEVICE GroupScales decodeGroupScales(const uint32_t (&words)[kScaleWords<F>]) {
  GroupScales scales;
#pragma unroll
  for (int g = 0; g < 4; ++g) {
    const auto fp16 = [&](int first) {
      const uint32_t word = words[first + g / 2];
      return g % 2 == 0 ? lowFp16(word) : highFp16(word);
    };
    if constexpr (PackedLayout<F>::kInfo.scaleType == ScaleType::BFloat16)
      scales.d[g] = floatOf(g % 2 == 0 ? words[g / 2] << 16 : words[g / 2] & 0xffff0000u);
    else
      scales.d[g] = fp16(0);
    if constexpr (PackedLayout<F>::kInfo.minimum == Minimum::AddedFloat)
      scales.m[g] = fp16(2);
  }
  return scales;
}

/// From d, dmin and six-bit scales and minimums, in the order of decodeScalesAndMinimums().
SORTIE_DEVICE SubScales decodeSixBits(const uint32_t (&header)[4], int section) {
  SubScales scales;
  scales.dAndDmin = header[0];
  const uint32_t first = header[1];
  const uint32_t second = header[2];
  const uint32_t third = header[3];
  scales.scales[0] =
      section == 0 ? first & 0x3f3f3f3fu : (third & 0x0f0f0f0fu) | (first >> 2 & 0x30303030u);
  scales.minimums[0] = section == 0 ? second & 0x3f3f3f3fu
                                    : (third >> 4 & 0x0f0f0f0fu) | (second >> 2 & 0x30303030u);
  scales.scales[1] = 0;
  scales.minimums[1] = 0;
  return scales;
}

template <Format F>
SORTIE_DEVICE SubScales decodeSubScales(const uint32_t (&words)[kScaleWords<F>], int section) {
  if constexpr (PackedLayout<F>::kHasSixBitScales) {
    return decodeSixBits(words, section);
  } else {
    constexpr int kWords = kScaleWords<F> - 1;
    constexpr bool kHasMinimum = PackedLayout<F>::kInfo.minimum != Minimum::None;
    SubScales scales = {};
#pragma unroll
    for (int i = 0; i < kWords; ++i) {
      scales.scales[i] = kHasMinimum ? words[i] & 0x0f0f0f0fu : words[i];
      scales.minimums[i] = kHasMinimum ? words[i] >> 4 & 0x0f0f0f0fu : 0;
    }
    scales.dAndDmin = words[kWords];
    return scales;
  }
}

//===- Panels ------------------------------------------------------------===//

template <Format F> constexpr bool kIsFolded = isFolded(formatInfo(F));

/// levels *= sub-scale.
template <Format F>
SORTIE_DEVICE void foldSubScales(const SubScales (&rows)[2],
                                 uint32_t (&levels)[kRegistersPerSection]) {
  constexpr int kRegisters =
      PackedLayout<F>::kInfo.subBlock * kRegistersPerSection / kSectionElements;
#pragma unroll
  for (int q = 0; q < kRegistersPerSection; ++q) {
    const int s = q / kRegisters;
    const uint32_t scale = hw::selectBytes(rows[q % 2].scales[s / 4], 0, 0x4440 + s % 4);
    levels[q] = hw::recomputed(levels[q] * scale);
  }
}

/// A section of a panel: the operand's registers (levels, or their products with the sub-scales:
/// kIsFolded), and the scales of the lane's two rows.
template <Format F, bool HasSubScales = PackedLayout<F>::kHasSubScales> struct ExactPanel;

template <Format F> struct ExactPanel<F, false> {
  uint32_t levels[kRegistersPerSection];
  GroupScales rows[2];
};
template <Format F> struct ExactPanel<F, true> {
  uint32_t levels[kRegistersPerSection];
  SubScales rows[2];
};

/// Loads section `section` of a block: its planes, and the scales of the whole block.
template <Format F>
SORTIE_DEVICE void loadPanel(const char *planes, const char *scales, int section,
                             ExactPanel<F> &panel) {
  using Layout = PackedLayout<F>;
  const auto low = loadPlane<Layout::kLowBits>(planes);
  const auto high = loadPlane<Layout::kHighBits>(planes + Layout::kLowBytes);
  uint32_t words[2][kScaleWords<F>];
#pragma unroll
  for (int r = 0; r < 2; ++r)
    loadScaleWords<F>(scales, section, hw::laneIndex() / 4 + 8 * r, words[r]);
  decodeLevels<F>(low, high, panel.levels);
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    if constexpr (Layout::kHasSubScales) {
      panel.rows[r] = decodeSubScales<F>(words[r], section);
      for (uint32_t &minimums : panel.rows[r].minimums)
        minimums *= TokenSums<F>::factor();
    } else {
      panel.rows[r] = decodeGroupScales<F>(words[r]);
    }
  }
  if constexpr (kIsFolded<F>)
    foldSubScales<F>(panel.rows, panel.levels);
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_EXACT_EXACTPANEL_H
