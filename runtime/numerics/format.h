// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The one table of weight formats, and what follows from it: the bounds of every integer sum, for
// every bit pattern that a file may hold. Verifiers, packers, kernels and tests read this table.

#ifndef SORTIE_RUNTIME_NUMERICS_FORMAT_H
#define SORTIE_RUNTIME_NUMERICS_FORMAT_H

#include "runtime/numerics/contract.h"

namespace sortie::numerics {

// NOLINTBEGIN(readability-identifier-naming): the types have GGUF's names.
enum class Format : uint8_t {
  F32,
  F16,
  BF16,
  Q8_0,
  Q4_0,
  Q4_1,
  Q5_0,
  Q5_1,
  IQ4_NL,
  MXFP4,
  Q2_K,
  Q3_K,
  Q4_K,
  Q5_K,
  Q6_K,
  IQ4_XS,
};
// NOLINTEND(readability-identifier-naming)
constexpr int kFormatCount = 16;

/// Where the scales of a format are, which decides how sums of integers become floats.
enum class FormatClass : uint8_t {
  Float,      ///< no levels: `float` arithmetic
  GroupScale, ///< a floating-point scale per 32 elements
  SubScale32, ///< an integer scale per 32 elements, a floating-point one per block
  SubScale16, ///< an integer scale per 16 elements, a floating-point one per block
};

/// How a stored code becomes a level.
enum class LevelCoding : uint8_t {
  None,           ///< the format has no levels
  Offset,         ///< code - levelOffset
  TwosComplement, ///< a signed byte
  CodebookIq4,    ///< the 16 levels of `iq4Level`
  CodebookE2M1,   ///< the 16 levels of `e2m1Level`: doubled 4-bit floats
};

enum class Minimum : uint8_t {
  None,
  AddedFloat,        ///< per group: w = d * level + m
  SubtractedInteger, ///< per sub-block: w = d * scale * level - dmin * minimum
};

/// A closed interval of integers.
struct Range {
  int32_t least;
  int32_t most;
};

/// A row of the table. The ranges hold for every bit pattern.
struct FormatInfo {
  Format format;
  uint32_t ggufType; ///< GGUF's (ggml's) number of the type
  const char *name;  ///< GGUF's (ggml's) name of the type, in `!moe.block<…>`, too
  FormatClass formatClass;
  int elements; ///< elements a block
  int bytes;    ///< bytes a block
  int subBlock; ///< elements that share a scale; 0 without levels
  LevelCoding coding;
  int levelBits;   ///< bits of a stored code; 0 without levels
  int levelOffset; ///< of LevelCoding::Offset
  Range levels;
  Range subScales; ///< {1, 1} when there are none
  Minimum minimum;
  Range minimums;  ///< integer minimums; {0, 0} when there are none
  int scaleOffset; ///< byte of a block where d is; dmin or m, if any, is the next half
};

// clang-format off
inline constexpr FormatInfo kFormats[kFormatCount] = {
    // format        id  name      class                    el.  bytes sub coding                       bits off levels       sub-scales   minimum                     minimums  d at
    {Format::F32,     0, "f32",    FormatClass::Float,        1,   4,  0, LevelCoding::None,            0,  0, {0, 0},      {1, 1},      Minimum::None,              {0, 0},     0},
    {Format::F16,     1, "f16",    FormatClass::Float,        1,   2,  0, LevelCoding::None,            0,  0, {0, 0},      {1, 1},      Minimum::None,              {0, 0},     0},
    {Format::BF16,   30, "bf16",   FormatClass::Float,        1,   2,  0, LevelCoding::None,            0,  0, {0, 0},      {1, 1},      Minimum::None,              {0, 0},     0},
    {Format::Q8_0,    8, "q8_0",   FormatClass::GroupScale,  32,  34, 32, LevelCoding::TwosComplement,  8,  0, {-128, 127}, {1, 1},      Minimum::None,              {0, 0},     0},
    {Format::Q4_0,    2, "q4_0",   FormatClass::GroupScale,  32,  18, 32, LevelCoding::Offset,          4,  8, {-8, 7},     {1, 1},      Minimum::None,              {0, 0},     0},
    {Format::Q4_1,    3, "q4_1",   FormatClass::GroupScale,  32,  20, 32, LevelCoding::Offset,          4,  0, {0, 15},     {1, 1},      Minimum::AddedFloat,        {0, 0},     0},
    {Format::Q5_0,    6, "q5_0",   FormatClass::GroupScale,  32,  22, 32, LevelCoding::Offset,          5, 16, {-16, 15},   {1, 1},      Minimum::None,              {0, 0},     0},
    {Format::Q5_1,    7, "q5_1",   FormatClass::GroupScale,  32,  24, 32, LevelCoding::Offset,          5,  0, {0, 31},     {1, 1},      Minimum::AddedFloat,        {0, 0},     0},
    {Format::IQ4_NL, 20, "iq4_nl", FormatClass::GroupScale,  32,  18, 32, LevelCoding::CodebookIq4,     4,  0, {-127, 113}, {1, 1},      Minimum::None,              {0, 0},     0},
    {Format::MXFP4,  39, "mxfp4",  FormatClass::GroupScale,  32,  17, 32, LevelCoding::CodebookE2M1,    4,  0, {-12, 12},   {1, 1},      Minimum::None,              {0, 0},     0},
    {Format::Q2_K,   10, "q2_K",   FormatClass::SubScale16, 256,  84, 16, LevelCoding::Offset,          2,  0, {0, 3},      {0, 15},     Minimum::SubtractedInteger, {0, 15},   80},
    {Format::Q3_K,   11, "q3_K",   FormatClass::SubScale16, 256, 110, 16, LevelCoding::Offset,          3,  4, {-4, 3},     {-32, 31},   Minimum::None,              {0, 0},   108},
    {Format::Q4_K,   12, "q4_K",   FormatClass::SubScale32, 256, 144, 32, LevelCoding::Offset,          4,  0, {0, 15},     {0, 63},     Minimum::SubtractedInteger, {0, 63},    0},
    {Format::Q5_K,   13, "q5_K",   FormatClass::SubScale32, 256, 176, 32, LevelCoding::Offset,          5,  0, {0, 31},     {0, 63},     Minimum::SubtractedInteger, {0, 63},    0},
    {Format::Q6_K,   14, "q6_K",   FormatClass::SubScale16, 256, 210, 16, LevelCoding::Offset,          6, 32, {-32, 31},   {-128, 127}, Minimum::None,              {0, 0},   208},
    {Format::IQ4_XS, 23, "iq4_xs", FormatClass::SubScale32, 256, 136, 32, LevelCoding::CodebookIq4,     4,  0, {-127, 113}, {-32, 31},   Minimum::None,              {0, 0},     0},
};
// clang-format on

/// The table row of a format.
SORTIE_NUMERICS_CONSTEXPR FormatInfo formatInfo(Format format) {
  return kFormats[static_cast<int>(format)];
}

/// The format with this GGUF type number, or null.
SORTIE_NUMERICS_CONSTEXPR const FormatInfo *findFormat(uint32_t ggufType) {
  for (const FormatInfo &info : kFormats)
    if (info.ggufType == ggufType)
      return &info;
  return nullptr;
}

/// The format with this name, `length` characters from `name` on, or null.
SORTIE_NUMERICS_CONSTEXPR const FormatInfo *findFormat(const char *name, uint64_t length) {
  for (const FormatInfo &info : kFormats) {
    uint64_t same = 0;
    while (same < length && info.name[same] != '\0' && info.name[same] == name[same])
      ++same;
    if (same == length && info.name[same] == '\0')
      return &info;
  }
  return nullptr;
}

/// True for formats whose matrix products are `exact`: quantized blocks.
SORTIE_NUMERICS_CONSTEXPR bool isQuantized(const FormatInfo &info) {
  return info.formatClass != FormatClass::Float;
}

/// True where integer sub-scales multiply the levels.
SORTIE_NUMERICS_CONSTEXPR bool hasSubScales(const FormatInfo &info) {
  return info.formatClass == FormatClass::SubScale32 || info.formatClass == FormatClass::SubScale16;
}

/// Elements over which products are summed as integers before they become a float.
SORTIE_NUMERICS_CONSTEXPR int integerRun(const FormatInfo &info) {
  return hasSubScales(info) ? kActivationBlock : kGroup;
}

/// Bytes of a row of `k` elements, a multiple of the format's block.
SORTIE_NUMERICS_CONSTEXPR int64_t rowBytes(const FormatInfo &info, int64_t k) {
  return k / info.elements * info.bytes;
}

//===- Bounds of the integer sums -----------------------------------------===//

SORTIE_NUMERICS_CONSTEXPR int64_t largestMagnitude(Range range) {
  const int64_t least = range.least;
  const int64_t most = range.most;
  return -least > most ? -least : most;
}

/// Largest |sub-scale * level|.
SORTIE_NUMERICS_CONSTEXPR int64_t weightBound(const FormatInfo &info) {
  return largestMagnitude(info.levels) * largestMagnitude(info.subScales);
}

/// Largest |sum of sub-scale * level * a| over an integer run, for integers |a| <= `largest`.
SORTIE_NUMERICS_CONSTEXPR int64_t runBound(const FormatInfo &info, int64_t largest) {
  return integerRun(info) * weightBound(info) * largest;
}

/// Largest |sum of minimum * q| over an activation block (of q alone over a group where the minimum
/// is a float); 0 without minimums.
SORTIE_NUMERICS_CONSTEXPR int64_t minimumBound(const FormatInfo &info, ActivationWidth width) {
  if (info.minimum == Minimum::None)
    return 0;
  const int64_t factor = info.minimum == Minimum::AddedFloat ? 1 : largestMagnitude(info.minimums);
  return integerRun(info) * factor * maxActivation(width);
}

/// Whether the two limb sums of an `int16` run may be combined as integers, S = 128 * S_hi + S_lo:
/// both are at most 2^24, so that fma(128, RN(S_hi), RN(S_lo)) rounds once and is RN(S), and S fits
/// 32 bits.
SORTIE_NUMERICS_CONSTEXPR bool isCombinable(const FormatInfo &info) {
  constexpr int64_t kExactInFloat = int64_t{1} << 24;
  return runBound(info, kMaxHighLimb) <= kExactInFloat &&
         runBound(info, kMaxLowLimb) <= kExactInFloat &&
         runBound(info, kMaxActivationInt16) < (int64_t{1} << 31);
}

namespace detail {
/// What the rest of the contract takes for granted about every row of the table.
SORTIE_NUMERICS_CONSTEXPR bool isTableSound() {
  constexpr int64_t kInt32 = int64_t{1} << 31;
  for (int i = 0; i < kFormatCount; ++i) {
    const FormatInfo &info = kFormats[i];
    if (static_cast<int>(info.format) != i)
      return false;
    if (!isQuantized(info))
      continue;
    const bool fitsInt32 = runBound(info, kMaxHighLimb) < kInt32 &&
                           runBound(info, kMaxLowLimb) < kInt32 &&
                           runBound(info, kMaxActivationInt8) < kInt32 &&
                           minimumBound(info, ActivationWidth::Int16) < kInt32;
    const bool fitsInt8 = info.levels.least >= -128 && info.levels.most <= 127 &&
                          info.subScales.least >= -128 && info.subScales.most <= 127 &&
                          info.minimums.least >= 0 && info.minimums.most <= 127;
    const bool fitsRun =
        info.elements % integerRun(info) == 0 && integerRun(info) % info.subBlock == 0;
    if (!fitsInt32 || !fitsInt8 || !fitsRun)
      return false;
  }
  return true;
}
} // namespace detail

static_assert(detail::isTableSound());
// The formats whose limb sums must be kept apart; docs/numerics.md lists the bounds.
static_assert(!isCombinable(kFormats[static_cast<int>(Format::Q5_K)]) &&
              !isCombinable(kFormats[static_cast<int>(Format::Q6_K)]) &&
              !isCombinable(kFormats[static_cast<int>(Format::IQ4_XS)]));
static_assert(isCombinable(kFormats[static_cast<int>(Format::Q4_K)]));

} // namespace sortie::numerics

#endif // SORTIE_RUNTIME_NUMERICS_FORMAT_H
