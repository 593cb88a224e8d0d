// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How packed weights of a quantized format lie in the memory of a GPU. Host and device compile
// this.
//
// A panel is 16 rows of one expert and all of K, cut into blocks of 128 elements of K (formats of
// class GroupScale) or 256. A block holds, one after another:
//   for each half of 128 elements, the planes: the low bits of all codes, then the high bits;
//   the scales of row 0 to 15, `kScaleBytes` each;
//   the tails of row 0 to 15, `kTailBytes` each.
//
// Codes stand in the order of the A operand of mma.m16n8k32: in a half, register q = 4 g + r of
// lane l holds four codes, those of row l / 4 + 8 (r mod 2), elements 32 g + 16 (r / 2) + 4 (l mod
// 4) on. A plane of b bits a code is 2 b words a lane, kept in vectors of 4 words (2 where there
// are only two): vector v of lane l is at (32 v + l) times its size. What word w holds:
//   8 bits: register w;
//   4 bits: registers 2w and 2w + 1, in the low and the high halves of its bytes; where a level is
//           looked up in a codebook, in its low and its high 16 bits, which a byte permutation
//           takes;
//   2 bits: registers 4w to 4w + 3, in bits 2s and 2s + 1 of its bytes (s = q mod 4);
//   1 bit:  registers 8w to 8w + 7, in bit s of its bytes (s = q mod 8).
// A code is the level plus the format's offset, so never negative; of Q8_0 it is the level itself.
//
// Scales, by format:
//   GroupScale: d of the four groups, as halves (MXFP4: as E8M0 bytes), then m of the four groups;
//   Q4_K, Q5_K: d, dmin and the twelve bytes of six-bit scales and minimums, as in the file;
//   the other formats with sub-scales: a byte a sub-block, in Q2_K with the minimum in its high
//   half;
//     the tail holds d and dmin (zero where there is none).
// Rows past the end of an expert are zeros. Groups past the end of a row have d = m = -0.0, which
// leaves every bit of a product as it is: fma(+0, -0, t) = t.

#ifndef SORTIE_CODEGEN_KERNELS_PACKEDLAYOUT_H
#define SORTIE_CODEGEN_KERNELS_PACKEDLAYOUT_H

#include "runtime/numerics/format.h"

namespace sortie::kernels {

using namespace numerics;

constexpr int kPanelRows = 16;
constexpr int kHalfElements = 128;
/// Words a lane needs for the codes of a half, at 8 bits a code.
constexpr int kRegistersPerHalf = 16;

template <Format F> struct PackedLayout {
  static constexpr FormatInfo kInfo = formatInfo(F);
  static_assert(isQuantized(kInfo));

  static constexpr bool kHasSubScales = hasSubScales(kInfo);
  static constexpr bool kHasCodebook =
      kInfo.coding == LevelCoding::CodebookIq4 || kInfo.coding == LevelCoding::CodebookE2M1;
  /// Q4_K and Q5_K keep the header of the file.
  static constexpr bool kHasFileHeader = F == Format::Q4_K || F == Format::Q5_K;

  static constexpr int kBlockElements = kHasSubScales ? 256 : kHalfElements;
  static constexpr int kHalves = kBlockElements / kHalfElements;
  static constexpr int kLowBits = kInfo.levelBits == 8 ? 8 : kInfo.levelBits >= 4 ? 4 : 2;
  static constexpr int kHighBits = kInfo.levelBits - kLowBits;
  static constexpr int kLowWords = 2 * kLowBits;
  static constexpr int kHighWords = 2 * kHighBits;
  static constexpr int kLowBytes = kLowWords * 4 * 32;
  static constexpr int kHalfBytes = kLowBytes + kHighWords * 4 * 32;

  static constexpr int kSubBlocks = kHasSubScales ? 256 / kInfo.subBlock : 4;
  static constexpr int scaleBytes() {
    if (F == Format::MXFP4)
      return 4;
    if (!kHasSubScales)
      return kInfo.minimum == Minimum::AddedFloat ? 16 : 8;
    return kHasFileHeader ? 16 : kSubBlocks;
  }
  static constexpr int kScaleBytes = scaleBytes();
  static constexpr int kTailBytes = kHasSubScales && !kHasFileHeader ? 4 : 0;

  static constexpr int kScalesOffset = kHalves * kHalfBytes;
  static constexpr int kTailsOffset = kScalesOffset + kPanelRows * kScaleBytes;
  static constexpr int kBlockBytes = kTailsOffset + kPanelRows * kTailBytes;
  static_assert(kBlockBytes % 16 == 0 && kScalesOffset % 16 == 0, "copied in vectors of 16 bytes");

  /// Blocks in a row of `k` elements.
  static constexpr int blocks(int64_t k) {
    return static_cast<int>((k + kBlockElements - 1) / kBlockElements);
  }
  static constexpr int64_t panelBytes(int64_t k) { return int64_t{blocks(k)} * kBlockBytes; }
};

/// Panels of an expert with `rows` rows.
SORTIE_NUMERICS_CONSTEXPR int64_t panelsOf(int64_t rows) {
  return (rows + kPanelRows - 1) / kPanelRows;
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_PACKEDLAYOUT_H
