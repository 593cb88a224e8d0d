// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a lane holds of 16 weight rows and 128 elements of K: levels in the order of the A operand,
// and the scales of its two rows, lane / 4 and lane / 4 + 8.

#ifndef SORTIE_CODEGEN_KERNELS_EXACTPANEL_H
#define SORTIE_CODEGEN_KERNELS_EXACTPANEL_H

#include "codegen/kernels/PackedLayout.h"
#include "runtime/numerics/decode.h"

#include <sortie_hardware.h>

namespace sortie::kernels {

//===- Levels -------------------------------------------------------------===//

/// A lane's words of a plane of `Bits` bits a code.
template <int Bits> struct Plane {
  uint32_t words[2 * Bits];
};

template <int Bits> SORTIE_DEVICE Plane<Bits> loadPlane(const char *shared) {
  Plane<Bits> plane;
  const int lane = hw::laneIndex();
  if constexpr (Bits == 1) {
    const hw::Words2 vector = reinterpret_cast<const hw::Words2 *>(shared)[lane];
    plane.words[0] = vector.word[0];
    plane.words[1] = vector.word[1];
  } else {
#pragma unroll
    for (int v = 0; v < Bits / 2; ++v) {
      const hw::Words4 vector =
          reinterpret_cast<const hw::Words4 *>(shared)[v * hw::kWarpSize + lane];
#pragma unroll
      for (int i = 0; i < 4; ++i)
        plane.words[4 * v + i] = vector.word[i];
    }
  }
  return plane;
}

/// The bits of register `q` of the operand, a code a byte.
template <int Bits> SORTIE_DEVICE uint32_t codeBits(const Plane<Bits> &plane, int q) {
  constexpr int kRegisters = 8 / Bits;
  if constexpr (Bits == 8)
    return plane.words[q];
  else
    return plane.words[q / kRegisters] >> (q % kRegisters * Bits) &
           ((1u << Bits) - 1) * 0x01010101u;
}

/// The byte `level(code)` for each of the four codes in the low 16 bits of `codes`. The low bits of
/// a code select in both halves of the codebook, its high bit between what they gave.
template <LevelCoding Coding> SORTIE_DEVICE uint32_t lookUpLevels(uint32_t codes) {
  constexpr bool kIsIq4 = Coding == LevelCoding::CodebookIq4;
  constexpr auto word = [](int first) {
    uint32_t bytes = 0;
    for (int i = 0; i < 4; ++i) {
      const int level = kIsIq4 ? iq4Level(first + i) : e2m1Level(first + i);
      bytes |= static_cast<uint32_t>(level & 0xff) << (8 * i);
    }
    return bytes;
  };
  constexpr uint32_t kWords[4] = {word(0), word(4), word(8), word(12)};
  const uint32_t lowHalf = hw::selectBytes(kWords[0], kWords[1], codes & 0x7777u);
  const uint32_t highHalf = hw::selectBytes(kWords[2], kWords[3], codes & 0x7777u);
  return hw::selectBytes(lowHalf, highHalf, 0x3210u | (codes & 0x8888u) >> 1);
}

/// Levels from codes below 128 that are `Offset` too large. No byte borrows from the next.
template <int Offset> SORTIE_DEVICE uint32_t subtractOffset(uint32_t codes) {
  if constexpr (Offset == 0)
    return codes;
  return ((codes | 0x80808080u) - Offset * 0x01010101u) ^ 0x80808080u;
}

/// The levels of a half block (kHalfBytes from `half` on).
template <Format F>
SORTIE_DEVICE void loadLevels(const char *half, uint32_t (&levels)[kRegistersPerHalf]) {
  using Layout = PackedLayout<F>;
  const auto low = loadPlane<Layout::kLowBits>(half);
  if constexpr (Layout::kHasCodebook) {
#pragma unroll
    for (int q = 0; q < kRegistersPerHalf; ++q)
      levels[q] = lookUpLevels<Layout::kInfo.coding>(low.words[q / 2] >> (q % 2 * 16));
  } else if constexpr (Layout::kHighBits != 0) {
    const auto high = loadPlane<Layout::kHighBits>(half + Layout::kLowBytes);
#pragma unroll
    for (int q = 0; q < kRegistersPerHalf; ++q)
      levels[q] = subtractOffset<Layout::kInfo.levelOffset>(codeBits(low, q) |
                                                            codeBits(high, q) << Layout::kLowBits);
  } else {
#pragma unroll
    for (int q = 0; q < kRegistersPerHalf; ++q)
      levels[q] = subtractOffset<Layout::kInfo.levelOffset>(codeBits(low, q));
  }
}

//===- Scales -------------------------------------------------------------===//

SORTIE_DEVICE float lowHalfFloat(uint32_t word) {
  return fromHalf(static_cast<uint16_t>(word & 0xffff));
}
SORTIE_DEVICE float highHalfFloat(uint32_t word) {
  return fromHalf(static_cast<uint16_t>(word >> 16));
}

/// Byte `i` of four, signed.
SORTIE_DEVICE int32_t signedByte(uint32_t word, int i) {
  return static_cast<int8_t>(word >> (8 * i) & 0xff);
}

/// Class GroupScale: d and m of the four groups of a row.
struct GroupScales {
  float d[4];
  float m[4];
};

/// Sub-scales and minimums of the up to eight sub-blocks of a row's half, a byte each.
struct SubScales {
  uint32_t scales[2];
  uint32_t minimums[2];
  uint32_t dAndDmin; ///< two halves
};

SORTIE_DEVICE float scaleOf(const SubScales &scales) {
  return lowHalfFloat(hw::recomputed(scales.dAndDmin));
}
SORTIE_DEVICE float minimumScaleOf(const SubScales &scales) {
  return highHalfFloat(hw::recomputed(scales.dAndDmin));
}

template <Format F> SORTIE_DEVICE GroupScales loadGroupScales(const char *all, int row) {
  using Layout = PackedLayout<F>;
  const char *at = all + row * Layout::kSizes.scaleBytes;
  GroupScales scales;
  if constexpr (F == Format::MXFP4) {
    const uint32_t exponents = *reinterpret_cast<const uint32_t *>(at);
#pragma unroll
    for (int g = 0; g < 4; ++g)
      scales.d[g] = fromE8M0Half(static_cast<uint8_t>(exponents >> (8 * g)));
  } else {
    const auto *words = reinterpret_cast<const hw::Words2 *>(at);
    const auto unpack = [](hw::Words2 halves, float (&values)[4]) {
      values[0] = lowHalfFloat(halves.word[0]);
      values[1] = highHalfFloat(halves.word[0]);
      values[2] = lowHalfFloat(halves.word[1]);
      values[3] = highHalfFloat(halves.word[1]);
    };
    unpack(words[0], scales.d);
    if constexpr (Layout::kInfo.minimum == Minimum::AddedFloat)
      unpack(words[1], scales.m);
  }
  return scales;
}

/// The header of Q4_K and Q5_K: six-bit scales and minimums, see decodeScalesAndMinimums().
SORTIE_DEVICE SubScales unpackFileHeader(const hw::Words4 &header, int half) {
  SubScales scales;
  scales.dAndDmin = header.word[0];
  const uint32_t first = header.word[1];
  const uint32_t second = header.word[2];
  const uint32_t third = header.word[3];
  scales.scales[0] =
      half == 0 ? first & 0x3f3f3f3fu : (third & 0x0f0f0f0fu) | (first >> 2 & 0x30303030u);
  scales.minimums[0] =
      half == 0 ? second & 0x3f3f3f3fu : (third >> 4 & 0x0f0f0f0fu) | (second >> 2 & 0x30303030u);
  scales.scales[1] = 0;
  scales.minimums[1] = 0;
  return scales;
}

template <Format F> SORTIE_DEVICE SubScales loadSubScales(const char *all, int half, int row) {
  using Layout = PackedLayout<F>;
  const char *at = all + row * Layout::kSizes.scaleBytes;
  if constexpr (hasFileHeader(F))
    return unpackFileHeader(*reinterpret_cast<const hw::Words4 *>(at), half);
  constexpr int kWords = Layout::kSubBlocks / 2 / 4;
  const auto *words = reinterpret_cast<const uint32_t *>(at) + half * kWords;
  SubScales scales;
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const uint32_t bytes = i < kWords ? words[i] : 0;
    constexpr bool kHasMinimum = Layout::kInfo.minimum != Minimum::None;
    scales.scales[i] = kHasMinimum ? bytes & 0x0f0f0f0fu : bytes;
    scales.minimums[i] = kHasMinimum ? bytes >> 4 & 0x0f0f0f0fu : 0;
  }
  scales.dAndDmin = *reinterpret_cast<const uint32_t *>(all + Layout::kTailsInScales + row * 4);
  return scales;
}

//===- Panels -------------------------------------------------------------===//

/// A half block of a panel: the operand's registers, and the scales of the lane's two rows.
template <Format F, bool HasSubScales = PackedLayout<F>::kHasSubScales> struct ExactPanel;

template <Format F> struct ExactPanel<F, false> {
  uint32_t levels[kRegistersPerHalf];
  GroupScales rows[2];
};
template <Format F> struct ExactPanel<F, true> {
  uint32_t levels[kRegistersPerHalf];
  SubScales rows[2];
};

/// Loads half `half` of a block: its planes, and the scales of the whole block.
template <Format F>
SORTIE_DEVICE void loadPanel(const char *planes, const char *scales, int half,
                             ExactPanel<F> &panel) {
  loadLevels<F>(planes, panel.levels);
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    const int row = hw::laneIndex() / 4 + 8 * r;
    if constexpr (PackedLayout<F>::kHasSubScales)
      panel.rows[r] = loadSubScales<F>(scales, half, row);
    else
      panel.rows[r] = loadGroupScales<F>(scales, row);
  }
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_EXACTPANEL_H
