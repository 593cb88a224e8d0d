// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How packed weights lie in memory: panels of 16 rows, in each the blocks of 128 elements of K one
// after another, so that a kernel reads a panel from its first byte to its last.
//
// A quantized panel is a sequence of records of one activation block (two for the formats with
// sub-scales, whose scale covers 256 elements):
//
//   record      = head, then a body for each activation block
//   head        = formats with sub-scales: d [16 rows], dmin [16] (if any), as the format's
//                 ScaleType, padding to 64
//   body        = scales, then the planes of the levels
//   scales      = GroupScale: d [4 groups][16 rows], then m alike (if any), 16-bit floats;
//                 others: sub-scales [n][16] int8, then minimums alike (if any)
//   planes      = the bits of the unsigned codes, in planes of 8, 4, 2 or 1 bits (see LevelPlanes);
//                 of each step of 8 vectors first the line or lines of the low plane, then those of
//                 the high one, so that memory is read in ascending order
//
// The codes of a block are 32 vectors of 64 bytes: vector v has the elements k = 4 v .. 4 v + 3 of
// each of the 16 rows, [16 rows][4], which is what one vpdpbusd multiplies with four broadcast
// activations, and what a row of an AMX tile holds. A plane of w bits keeps 8 / w vectors in the
// same 64 bytes: vector v in bits (v mod (8 / w)) * w and up. Decoding is a shift and a mask.
//
// Rows past the end of the matrix and elements past the end of a row have code `zeroCode` and
// scale -0.0: fma(+0.0, -0.0, t) is t for every t, -0.0 too, so they do not exist for the result.
//
// A panel of floats is [ceil(K / 16)][16 rows][16 elements] in the type of the file, elements past
// the end of a row being -0.0 for the same reason.

#ifndef SORTIE_RUNTIME_CPU_PANELLAYOUT_H
#define SORTIE_RUNTIME_CPU_PANELLAYOUT_H

#include "runtime/cpu/Matrix.h"

namespace sortie::cpu {

/// Bytes of a vector of levels, and how many of them make up a block.
inline constexpr int kVectorBytes = 64;
inline constexpr int kVectorElements = 4;
inline constexpr int kBlockVectors = numerics::kActivationBlock / kVectorElements;

/// Vectors of a step of a product: any plane has whole vectors for them, so that all steps of a
/// block are alike.
inline constexpr int kStepVectors = 8;
inline constexpr int kBlockSteps = kBlockVectors / kStepVectors;

/// The planes of a format's codes: their widths add up to `levelBits`.
struct LevelPlanes {
  int lowBits;  ///< 8, 4 or 2
  int highBits; ///< 2, 1 or 0 (no second plane)
};

static constexpr LevelPlanes levelPlanes(int levelBits) {
  if (levelBits >= 8)
    return {8, 0};
  if (levelBits >= 4)
    return {4, levelBits - 4};
  return {2, levelBits - 2};
}

/// Added to a level to make it unsigned; what a kernel multiplies is level + levelBias.
static constexpr int levelBias(const numerics::FormatInfo &info) { return -info.levels.least; }

/// Largest biased level.
static constexpr int largestBiasedLevel(const numerics::FormatInfo &info) {
  return info.levels.most + levelBias(info);
}

/// Bytes of a packed scale.
static constexpr int scaleBytes(numerics::ScaleType type) {
  return type == numerics::ScaleType::Float32 ? 4 : 2;
}

/// Byte counts and offsets of a quantized panel.
struct PanelLayout {
  int blocksPerRecord;
  int headBytes;
  int dminOffset;     ///< in the head
  int minimumsOffset; ///< in a body: m, or the minimums
  int lowPlaneOffset; ///< in a body: the plane's lines of the first step
  int highPlaneOffset;
  int stepBytes; ///< of both planes
  int bodyBytes;
  int recordBytes;

  constexpr int64_t bodyOffset(int64_t block) const {
    return block / blocksPerRecord * recordBytes + headBytes + block % blocksPerRecord * bodyBytes;
  }
  constexpr int64_t headOffset(int64_t block) const {
    return block / blocksPerRecord * recordBytes;
  }
  /// Where in a plane of `bits` bits the 64 bytes are that hold `vector` of a block.
  constexpr int64_t lineOffset(int bits, int vector) const {
    const int line = vector % kStepVectors / (8 / bits);
    return vector / kStepVectors * stepBytes + line * kVectorBytes;
  }
};

static constexpr PanelLayout panelLayout(const numerics::FormatInfo &info) {
  using namespace numerics;
  const bool isGrouped = info.formatClass == FormatClass::GroupScale;
  const bool hasMinimum = info.minimum != Minimum::None;
  const int subBlocks = kActivationBlock / info.subBlock;
  const int scales = subBlocks * static_cast<int>(kPanelRows) * (isGrouped ? 2 : 1);
  const LevelPlanes planes = levelPlanes(info.levelBits);
  const int planeUnit = kStepVectors * kVectorBytes / 8; // bytes of a step of a plane of one bit

  PanelLayout layout{};
  layout.blocksPerRecord = isGrouped ? 1 : info.elements / kActivationBlock;
  layout.headBytes = isGrouped ? 0 : kVectorBytes;
  layout.dminOffset = static_cast<int>(kPanelRows) * scaleBytes(info.scaleType);
  layout.minimumsOffset = scales;
  layout.lowPlaneOffset = hasMinimum ? 2 * scales : scales;
  layout.highPlaneOffset = layout.lowPlaneOffset + planes.lowBits * planeUnit;
  layout.stepBytes = (planes.lowBits + planes.highBits) * planeUnit;
  layout.bodyBytes = layout.lowPlaneOffset + kBlockSteps * layout.stepBytes;
  layout.recordBytes = layout.headBytes + layout.blocksPerRecord * layout.bodyBytes;
  return layout;
}

/// Elements of K in a row of a float panel are padded to this many.
inline constexpr int64_t kFloatStep = numerics::kPartials;

/// Bytes of one panel of a row length `columns`.
static constexpr int64_t panelBytes(const numerics::FormatInfo &info, int64_t columns) {
  if (!numerics::isQuantized(info))
    return (columns + kFloatStep - 1) / kFloatStep * kFloatStep * kPanelRows *
           numerics::floatBytes(info);
  const PanelLayout layout = panelLayout(info);
  return numerics::activationBlocks(columns) / layout.blocksPerRecord * layout.recordBytes;
}

static constexpr int64_t panelCount(int64_t rows) { return (rows + kPanelRows - 1) / kPanelRows; }

} // namespace sortie::cpu

#endif // SORTIE_RUNTIME_CPU_PANELLAYOUT_H
