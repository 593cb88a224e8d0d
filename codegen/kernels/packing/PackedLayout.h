// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How packed weights of a quantized format lie in the memory of a GPU. Host and device compile
// this.
//
// A panel is 16 rows of one expert and all of K, cut into blocks of 128 elements of K (formats of
// class GroupScale) or 256. Each 128 elements, which one activation block multiplies, are a
// section. A block holds, one after another:
//   for each section, the planes: the low bits of all codes, then the high bits;
//   the scales of row 0 to 15, then the tails of row 0 to 15.
//
// Codes stand in the order of the A operand of mma.m16n8k32: in a section, register q = 4 g + r of
// lane l holds four codes, those of row l / 4 + 8 (r mod 2), elements 32 g + 16 (r / 2) + 4 (l mod
// 4) on. A plane of b bits per code is 2 b words per lane, kept in vectors of 4 words (2 where
// there are only two): vector v of lane l is at (32 v + l) times its size. What word w holds:
//   8 bits: register w;
//   4 bits: registers 2w and 2w + 1, in the low and the high four bits of its bytes; where a level
//           is looked up in a codebook, in its low and its high 16 bits, which a byte permutation
//           takes;
//   2 bits: registers 4w to 4w + 3, in bits 2s and 2s + 1 of its bytes (s = q mod 4);
//   1 bit:  registers 8w to 8w + 7, in bit s of its bytes (s = q mod 8).
// A code is the level plus the format's offset, so never negative; of Q8_0 it is the level itself.
//
// Scales, by format:
//   GroupScale: d of the four groups, as the format's ScaleType, then m of the four groups. In
//     MXFP4 d is a bfloat16: it has all powers of two from 2^-128 on, and takes one instruction to
//     widen, where the file's byte takes six;
//   Q4_K, Q5_K: d, dmin and twelve bytes of six-bit scales and minimums, in the order of a Q4_K
//     file (packSixBits() and decodeSixBits());
//   the other formats with sub-scales: a byte per sub-block, in Q2_K with the minimum in its high
//     four bits; the tail holds d and dmin as fp16 (zero where there is none), or d as a float.
// Rows past the end of an expert have codes of level 0 and zeros as scales. Groups past the end of
// a row have d = m = -0.0, which leaves every bit of a product as it is: fma(+0, -0, t) = t.

#ifndef SORTIE_CODEGEN_KERNELS_PACKING_PACKEDLAYOUT_H
#define SORTIE_CODEGEN_KERNELS_PACKING_PACKEDLAYOUT_H

#include "runtime/numerics/format.h"

namespace sortie::kernels {

using namespace numerics;

constexpr int kPanelRows = 16;
constexpr int kSectionElements = 128;
/// Registers of the operand for a section, four codes each.
constexpr int kRegistersPerSection = 16;

/// Sizes of the packed blocks of a quantized format.
struct PackedSizes {
  int blockElements; ///< of K
  int sections;      ///< of a block
  int lowBits;       ///< of a code: those of the first plane
  int highBits;      ///< of the second, or 0
  int sectionBytes;  ///< the planes of a section
  int scaleBytes;    ///< of a row
  int tailBytes;     ///< of a row
  int blockBytes;
};

/// Whether sub-scales and minimums are kept in six bits each.
SORTIE_NUMERICS_CONSTEXPR bool hasSixBitScales(const FormatInfo &info) {
  return info.minimum == Minimum::SubtractedInteger && info.subScales.most == 63;
}

/// Whether sub-scale times level is an int8, whatever a file has: then the operand is that product,
/// and a run is summed by mma alone. Four levels are multiplied at a time, so none may be negative.
SORTIE_NUMERICS_CONSTEXPR bool isFolded(const FormatInfo &info) {
  return hasSubScales(info) && info.levels.least >= 0 && info.subScales.least >= 0 &&
         info.levels.most * info.subScales.most <= 127;
}

SORTIE_NUMERICS_CONSTEXPR int packedScaleBytes(const FormatInfo &info) {
  if (!hasSubScales(info))
    return info.minimum == Minimum::AddedFloat ? 16 : 8;
  return hasSixBitScales(info) ? 16 : 256 / info.subBlock;
}

SORTIE_NUMERICS_CONSTEXPR PackedSizes packedSizes(Format format) {
  const FormatInfo info = formatInfo(format);
  PackedSizes sizes{};
  sizes.blockElements = hasSubScales(info) ? 256 : kSectionElements;
  sizes.sections = sizes.blockElements / kSectionElements;
  sizes.lowBits = info.levelBits == 8 ? 8 : info.levelBits >= 4 ? 4 : 2;
  sizes.highBits = info.levelBits - sizes.lowBits;
  sizes.sectionBytes = info.levelBits * kPanelRows * kSectionElements / 8;
  sizes.scaleBytes = packedScaleBytes(info);
  sizes.tailBytes = hasSubScales(info) && !hasSixBitScales(info) ? 4 : 0;
  sizes.blockBytes =
      sizes.sections * sizes.sectionBytes + kPanelRows * (sizes.scaleBytes + sizes.tailBytes);
  return sizes;
}

/// Blocks in a row of `k` elements.
SORTIE_NUMERICS_CONSTEXPR int packedBlocks(Format format, int64_t k) {
  const int elements = packedSizes(format).blockElements;
  return static_cast<int>((k + elements - 1) / elements);
}
/// Bytes of a panel.
SORTIE_NUMERICS_CONSTEXPR int64_t packedPanelBytes(Format format, int64_t k) {
  return int64_t{packedBlocks(format, k)} * packedSizes(format).blockBytes;
}

/// The same, for code that knows the format when it is compiled.
template <Format F> struct PackedLayout {
  static constexpr FormatInfo kInfo = formatInfo(F);
  static_assert(isQuantized(kInfo));
  static constexpr bool kHasSubScales = hasSubScales(kInfo);
  static constexpr bool kHasCodebook = hasCodebook(kInfo.coding);
  static constexpr bool kHasSixBitScales = hasSixBitScales(kInfo);

  static constexpr PackedSizes kSizes = packedSizes(F);
  static constexpr int kLowBits = kSizes.lowBits;
  static constexpr int kHighBits = kSizes.highBits;
  static constexpr int kLowBytes = kLowBits * kPanelRows * kSectionElements / 8;
  static constexpr int kSubBlocks = kHasSubScales ? 256 / kInfo.subBlock : 4;

  /// Places in a block, and in its scales.
  static constexpr int kScalesOffset = kSizes.sections * kSizes.sectionBytes;
  static constexpr int kAllScaleBytes = kPanelRows * (kSizes.scaleBytes + kSizes.tailBytes);
  static constexpr int kTailsInScales = kPanelRows * kSizes.scaleBytes;
  static_assert(kSizes.sectionBytes % 16 == 0 && kAllScaleBytes % 16 == 0,
                "copied in vectors of 16 bytes");
};

/// Panels of an expert with `rows` rows.
SORTIE_NUMERICS_CONSTEXPR int64_t panelsOf(int64_t rows) {
  return (rows + kPanelRows - 1) / kPanelRows;
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_PACKING_PACKEDLAYOUT_H
