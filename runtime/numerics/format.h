// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The one table of formats, the packed forms of weights that kernels and CPU functions compute
// with, and what follows from it: the bounds of every integer sum, for every bit pattern that a
// file may hold. How files store weights is in encoding.h; several encodings may have one format.

#ifndef SORTIE_RUNTIME_NUMERICS_FORMAT_H
#define SORTIE_RUNTIME_NUMERICS_FORMAT_H

#include "runtime/numerics/contract.h"

namespace sortie::numerics {

// NOLINTBEGIN(readability-identifier-naming): named as the encodings that first had them.
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
  I8_SUB32, ///< of encodings whose levels come from lattices or several codebooks
};
// NOLINTEND(readability-identifier-naming)
constexpr int kFormatCount = 17;

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

/// How packed weights keep a floating-point scale.
enum class ScaleType : uint8_t {
  None, ///< the format has no scales
  Half,
  BFloat16, ///< has every power of two from 2^-128 on
  Float32,
};

/// A closed interval of integers.
struct Range {
  int32_t least;
  int32_t most;
};

/// A row of the table. The ranges hold for every bit pattern of every encoding.
struct FormatInfo {
  Format format;
  const char *name;
  FormatClass formatClass;
  int elements; ///< elements that share a floating-point scale
  int subBlock; ///< elements that share a scale of any kind; 0 without levels
  LevelCoding coding;
  int levelBits;   ///< bits of a code; 0 without levels
  int levelOffset; ///< of LevelCoding::Offset
  Range levels;
  Range subScales; ///< {1, 1} when there are none
  Minimum minimum;
  Range minimums;      ///< integer minimums; {0, 0} when there are none
  ScaleType scaleType; ///< of d, and of m or dmin
};

// clang-format off
inline constexpr FormatInfo kFormats[kFormatCount] = {
    // format           name       class                    el. sub coding                       bits off levels       sub-scales   minimum                     minimums  d
    {Format::F32,      "f32",      FormatClass::Float,        1,  0, LevelCoding::None,            0,  0, {0, 0},      {1, 1},      Minimum::None,              {0, 0},   ScaleType::None},
    {Format::F16,      "f16",      FormatClass::Float,        1,  0, LevelCoding::None,            0,  0, {0, 0},      {1, 1},      Minimum::None,              {0, 0},   ScaleType::None},
    {Format::BF16,     "bf16",     FormatClass::Float,        1,  0, LevelCoding::None,            0,  0, {0, 0},      {1, 1},      Minimum::None,              {0, 0},   ScaleType::None},
    {Format::Q8_0,     "q8_0",     FormatClass::GroupScale,  32, 32, LevelCoding::TwosComplement,  8,  0, {-128, 127}, {1, 1},      Minimum::None,              {0, 0},   ScaleType::Half},
    {Format::Q4_0,     "q4_0",     FormatClass::GroupScale,  32, 32, LevelCoding::Offset,          4,  8, {-8, 7},     {1, 1},      Minimum::None,              {0, 0},   ScaleType::Half},
    {Format::Q4_1,     "q4_1",     FormatClass::GroupScale,  32, 32, LevelCoding::Offset,          4,  0, {0, 15},     {1, 1},      Minimum::AddedFloat,        {0, 0},   ScaleType::Half},
    {Format::Q5_0,     "q5_0",     FormatClass::GroupScale,  32, 32, LevelCoding::Offset,          5, 16, {-16, 15},   {1, 1},      Minimum::None,              {0, 0},   ScaleType::Half},
    {Format::Q5_1,     "q5_1",     FormatClass::GroupScale,  32, 32, LevelCoding::Offset,          5,  0, {0, 31},     {1, 1},      Minimum::AddedFloat,        {0, 0},   ScaleType::Half},
    {Format::IQ4_NL,   "iq4_nl",   FormatClass::GroupScale,  32, 32, LevelCoding::CodebookIq4,     4,  0, {-127, 113}, {1, 1},      Minimum::None,              {0, 0},   ScaleType::Half},
    {Format::MXFP4,    "mxfp4",    FormatClass::GroupScale,  32, 32, LevelCoding::CodebookE2M1,    4,  0, {-12, 12},   {1, 1},      Minimum::None,              {0, 0},   ScaleType::BFloat16},
    {Format::Q2_K,     "q2_K",     FormatClass::SubScale16, 256, 16, LevelCoding::Offset,          2,  0, {0, 3},      {0, 15},     Minimum::SubtractedInteger, {0, 15},  ScaleType::Half},
    {Format::Q3_K,     "q3_K",     FormatClass::SubScale16, 256, 16, LevelCoding::Offset,          3,  4, {-4, 3},     {-32, 31},   Minimum::None,              {0, 0},   ScaleType::Half},
    {Format::Q4_K,     "q4_K",     FormatClass::SubScale32, 256, 32, LevelCoding::Offset,          4,  0, {0, 15},     {0, 63},     Minimum::SubtractedInteger, {0, 63},  ScaleType::Half},
    {Format::Q5_K,     "q5_K",     FormatClass::SubScale32, 256, 32, LevelCoding::Offset,          5,  0, {0, 31},     {0, 63},     Minimum::SubtractedInteger, {0, 63},  ScaleType::Half},
    {Format::Q6_K,     "q6_K",     FormatClass::SubScale16, 256, 16, LevelCoding::Offset,          6, 32, {-32, 31},   {-128, 127}, Minimum::None,              {0, 0},   ScaleType::Half},
    {Format::IQ4_XS,   "iq4_xs",   FormatClass::SubScale32, 256, 32, LevelCoding::CodebookIq4,     4,  0, {-127, 113}, {-32, 31},   Minimum::None,              {0, 0},   ScaleType::Half},
    {Format::I8_SUB32, "i8_sub32", FormatClass::SubScale32, 256, 32, LevelCoding::TwosComplement,  8,  0, {-127, 127}, {-127, 127}, Minimum::None,              {0, 0},   ScaleType::Float32},
};
// clang-format on

/// The table row of a format.
SORTIE_NUMERICS_CONSTEXPR FormatInfo formatInfo(Format format) {
  return kFormats[static_cast<int>(format)];
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

/// Bytes of an element of a float format.
SORTIE_NUMERICS_CONSTEXPR int floatBytes(const FormatInfo &info) {
  return info.format == Format::F32 ? 4 : 2;
}

//===- Codebooks ----------------------------------------------------------===//

/// Level `code` (0 to 15) of the codebook that IQ4_NL and IQ4_XS share: -127, -104, -83, -65, -49,
/// -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113. Kept as bytes of two integers, which a GPU has
/// in registers.
SORTIE_NUMERICS_CONSTEXPR int8_t iq4Level(int code) {
  const uint64_t half = code < 8 ? 0xf6eaddcfbfad9881u : 0x7159453526190d01u;
  return static_cast<int8_t>(half >> (8 * (code & 7)) & 0xff);
}

/// Twice the value of the 4-bit float `code` (E2M1): 0, 1, 2, 3, 4, 6, 8, 12, and their negatives
/// from code 8 on. -0 is 0.
SORTIE_NUMERICS_CONSTEXPR int8_t e2m1Level(int code) {
  const int magnitude = static_cast<int>(0x0c08060403020100u >> (8 * (code & 7)) & 0xff);
  return static_cast<int8_t>(code < 8 ? magnitude : -magnitude);
}

constexpr int kCodebookLevels = 16;

/// True where the levels of 4-bit codes are looked up.
SORTIE_NUMERICS_CONSTEXPR bool hasCodebook(LevelCoding coding) {
  return coding == LevelCoding::CodebookIq4 || coding == LevelCoding::CodebookE2M1;
}

/// Level `code` of a codebook.
SORTIE_NUMERICS_CONSTEXPR int8_t codebookLevel(LevelCoding coding, int code) {
  return coding == LevelCoding::CodebookIq4 ? iq4Level(code) : e2m1Level(code);
}

/// The least code of a level that the codebook has.
SORTIE_NUMERICS_CONSTEXPR int codebookCode(LevelCoding coding, int level) {
  int code = 0;
  for (int candidate = kCodebookLevels - 1; candidate >= 0; --candidate)
    code = codebookLevel(coding, candidate) == level ? candidate : code;
  return code;
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
    // d and dmin share four bytes.
    const bool fitsScales = info.minimum == Minimum::None || info.scaleType != ScaleType::Float32;
    if (!fitsInt32 || !fitsInt8 || !fitsRun || !fitsScales)
      return false;
  }
  return true;
}
} // namespace detail

static_assert(detail::isTableSound());
// The formats whose limb sums must be kept apart; docs/numerics.md lists the bounds.
static_assert(!isCombinable(kFormats[static_cast<int>(Format::Q5_K)]) &&
              !isCombinable(kFormats[static_cast<int>(Format::Q6_K)]) &&
              !isCombinable(kFormats[static_cast<int>(Format::IQ4_XS)]) &&
              !isCombinable(kFormats[static_cast<int>(Format::I8_SUB32)]));
static_assert(isCombinable(kFormats[static_cast<int>(Format::Q4_K)]));

#if !defined(__CUDACC_RTC__)
/// Calls `visitor.template operator()<F>()` for the quantized format `format`: on the host, from a
/// format known when the program runs to code that knows it when it is compiled. Returns what the
/// visitor returns; for a float format a default-constructed value, so callers rule these out
/// first.
template <int I = 0, typename Visitor>
static inline auto visitQuantized(Format format, Visitor &&visitor)
    -> decltype(visitor.template operator()<Format::Q8_0>()) {
  if constexpr (I == kFormatCount) {
    return decltype(visitor.template operator()<Format::Q8_0>())();
  } else {
    if constexpr (isQuantized(kFormats[I]))
      if (format == kFormats[I].format)
        return visitor.template operator()<kFormats[I].format>();
    return visitQuantized<I + 1>(format, visitor);
  }
}
#endif

} // namespace sortie::numerics

#endif // SORTIE_RUNTIME_NUMERICS_FORMAT_H
