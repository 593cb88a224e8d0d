// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From the bytes of a GGUF block to its integers and scales. One decoder a format, in the layout
// that the `gguf` package's dequantizer defines; bytes are read one by one, so any alignment will
// do.

#ifndef SORTIE_RUNTIME_NUMERICS_DECODE_H
#define SORTIE_RUNTIME_NUMERICS_DECODE_H

#include "runtime/numerics/float.h"
#include "runtime/numerics/format.h"

namespace sortie::numerics {

constexpr int kMaxBlockElements = 256;
constexpr int kMaxSubBlocks = 16;

/// One block, decoded: w[i] = d * subScales[i / subBlock] * levels[i], plus m where the format has
/// Minimum::AddedFloat, minus m * minimums[i / subBlock] where it has Minimum::SubtractedInteger.
/// Elements and sub-blocks past the format's own number are not written.
struct DecodedBlock {
  int8_t levels[kMaxBlockElements];
  int8_t subScales[kMaxSubBlocks]; ///< 1 in formats without sub-scales
  int8_t minimums[kMaxSubBlocks];  ///< 0 in formats without integer minimums
  float d;                         ///< the scale of the block, as the file has it
  float m;                         ///< the float minimum, or the scale of the minimums; 0 if none
};

SORTIE_NUMERICS_INLINE uint16_t loadUint16(const uint8_t *bytes) {
  return static_cast<uint16_t>(bytes[0] | bytes[1] << 8);
}

SORTIE_NUMERICS_INLINE float loadHalf(const uint8_t *bytes) { return fromHalf(loadUint16(bytes)); }

SORTIE_NUMERICS_INLINE int8_t loadInt8(const uint8_t *byte) { return static_cast<int8_t>(*byte); }

/// Level `code` (0 to 15) of the codebook that IQ4_NL and IQ4_XS share: -127, -104, -83, -65, -49,
/// -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113. Kept as bytes of two integers, which a GPU has
/// in registers.
SORTIE_NUMERICS_INLINE constexpr int8_t iq4Level(int code) {
  const uint64_t half = code < 8 ? 0xf6eaddcfbfad9881u : 0x7159453526190d01u;
  return static_cast<int8_t>(half >> (8 * (code & 7)) & 0xff);
}

/// Twice the value of the 4-bit float `code` (E2M1): 0, 1, 2, 3, 4, 6, 8, 12, and their negatives
/// from code 8 on. -0 is 0.
SORTIE_NUMERICS_INLINE constexpr int8_t e2m1Level(int code) {
  const int magnitude = static_cast<int>(0x0c08060403020100u >> (8 * (code & 7)) & 0xff);
  return static_cast<int8_t>(code < 8 ? magnitude : -magnitude);
}

namespace detail {

/// Code `i` of 32 codes of 4 bits: the first 16 in the low halves of the bytes, the rest in the
/// high ones.
SORTIE_NUMERICS_INLINE int nibble32(const uint8_t *codes, int i) {
  return codes[i % 16] >> (i / 16 * 4) & 15;
}

/// Bit `i` of a little-endian bit field.
SORTIE_NUMERICS_INLINE int bitAt(const uint8_t *bits, int i) { return bits[i / 8] >> (i % 8) & 1; }

/// Code `i` of 256 codes of 4 bits, in pairs of 32: low halves of 32 bytes, then their high halves.
SORTIE_NUMERICS_INLINE int nibble64(const uint8_t *codes, int i) {
  return codes[i / 64 * 32 + i % 32] >> (i % 64 / 32 * 4) & 15;
}

/// Code `i` of 256 codes of 2 bits, in runs of 128: bits 0-1 of 32 bytes, then bits 2-3, 4-5, 6-7.
SORTIE_NUMERICS_INLINE int pair128(const uint8_t *codes, int i) {
  return codes[i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2) & 3;
}

/// Bit `i` of 256, in planes of 32: bit 0 of 32 bytes, then bit 1, ...
SORTIE_NUMERICS_INLINE int plane32(const uint8_t *bits, int i) {
  return bits[i % 32] >> (i / 32) & 1;
}

/// The eight 6-bit scales and minimums of Q4_K and Q5_K, out of 12 bytes.
SORTIE_NUMERICS_INLINE void decodeScalesAndMinimums(const uint8_t *bytes, DecodedBlock &block) {
  for (int s = 0; s < 4; ++s) {
    block.subScales[s] = static_cast<int8_t>(bytes[s] & 63);
    block.minimums[s] = static_cast<int8_t>(bytes[s + 4] & 63);
    block.subScales[s + 4] = static_cast<int8_t>((bytes[s + 8] & 15) | bytes[s] >> 6 << 4);
    block.minimums[s + 4] = static_cast<int8_t>(bytes[s + 8] >> 4 | bytes[s + 4] >> 6 << 4);
  }
}

/// d, and m or dmin behind it where the format has a minimum.
template <Format F>
SORTIE_NUMERICS_INLINE void loadScales(const uint8_t *bytes, DecodedBlock &block) {
  constexpr FormatInfo kInfo = formatInfo(F);
  if constexpr (F == Format::MXFP4)
    block.d = fromE8M0Half(bytes[kInfo.scaleOffset]);
  else
    block.d = loadHalf(bytes + kInfo.scaleOffset);
  block.m = kInfo.minimum == Minimum::None ? 0.0f : loadHalf(bytes + kInfo.scaleOffset + 2);
}

/// A block of class GroupScale: 32 levels, `d` and perhaps `m` in front of them.
template <Format F>
SORTIE_NUMERICS_INLINE void decodeGroup(const uint8_t *bytes, DecodedBlock &block) {
  constexpr FormatInfo kInfo = formatInfo(F);
  constexpr bool kHasMinimum = kInfo.minimum == Minimum::AddedFloat;
  constexpr int kScaleBytes = F == Format::MXFP4 ? 1 : kHasMinimum ? 4 : 2;
  const uint8_t *codes = bytes + kScaleBytes;
  loadScales<F>(bytes, block);
  block.subScales[0] = 1;
  block.minimums[0] = 0;
  for (int i = 0; i < kGroup; ++i) {
    if constexpr (kInfo.coding == LevelCoding::TwosComplement)
      block.levels[i] = loadInt8(codes + i);
    else if constexpr (kInfo.coding == LevelCoding::CodebookIq4)
      block.levels[i] = iq4Level(nibble32(codes, i));
    else if constexpr (kInfo.coding == LevelCoding::CodebookE2M1)
      block.levels[i] = e2m1Level(nibble32(codes, i));
    else if constexpr (kInfo.levelBits == 5)
      block.levels[i] =
          static_cast<int8_t>((nibble32(codes + 4, i) | bitAt(codes, i) << 4) - kInfo.levelOffset);
    else
      block.levels[i] = static_cast<int8_t>(nibble32(codes, i) - kInfo.levelOffset);
  }
}

/// scales[16] (low half scale, high half minimum), codes[64], d, dmin.
SORTIE_NUMERICS_INLINE void decodeQ2K(const uint8_t *bytes, DecodedBlock &block) {
  for (int s = 0; s < 16; ++s) {
    block.subScales[s] = static_cast<int8_t>(bytes[s] & 15);
    block.minimums[s] = static_cast<int8_t>(bytes[s] >> 4);
  }
  loadScales<Format::Q2_K>(bytes, block);
  for (int i = 0; i < 256; ++i)
    block.levels[i] = static_cast<int8_t>(pair128(bytes + 16, i));
}

/// highBits[32], codes[64], scales[12] (16 of 6 bits, less 32), d.
SORTIE_NUMERICS_INLINE void decodeQ3K(const uint8_t *bytes, DecodedBlock &block) {
  const uint8_t *scales = bytes + 96;
  for (int s = 0; s < 16; ++s) {
    const int low = scales[s % 8] >> (s / 8 * 4) & 15;
    const int high = scales[8 + s % 4] >> (s / 4 * 2) & 3;
    block.subScales[s] = static_cast<int8_t>((low | high << 4) - 32);
    block.minimums[s] = 0;
  }
  loadScales<Format::Q3_K>(bytes, block);
  for (int i = 0; i < 256; ++i)
    block.levels[i] = static_cast<int8_t>((pair128(bytes + 32, i) | plane32(bytes, i) << 2) - 4);
}

/// d, dmin, scales and minimums[12], then codes[128]; Q5_K has highBits[32] in between.
template <Format F>
SORTIE_NUMERICS_INLINE void decodeQ45K(const uint8_t *bytes, DecodedBlock &block) {
  constexpr bool kHasHighBits = F == Format::Q5_K;
  const uint8_t *highBits = bytes + 16;
  const uint8_t *codes = bytes + (kHasHighBits ? 48 : 16);
  loadScales<F>(bytes, block);
  decodeScalesAndMinimums(bytes + 4, block);
  for (int i = 0; i < 256; ++i) {
    int code = nibble64(codes, i);
    if constexpr (kHasHighBits)
      code |= plane32(highBits, i) << 4;
    block.levels[i] = static_cast<int8_t>(code);
  }
}

/// low halves[128] (in runs of 128 elements: the low nibbles of 64 bytes, then the high ones), high
/// pairs[64], scales[16] (signed bytes), d.
SORTIE_NUMERICS_INLINE void decodeQ6K(const uint8_t *bytes, DecodedBlock &block) {
  for (int s = 0; s < 16; ++s) {
    block.subScales[s] = loadInt8(bytes + 192 + s);
    block.minimums[s] = 0;
  }
  loadScales<Format::Q6_K>(bytes, block);
  for (int i = 0; i < 256; ++i) {
    const int low = bytes[i / 128 * 64 + i % 64] >> (i % 128 / 64 * 4) & 15;
    block.levels[i] = static_cast<int8_t>((low | pair128(bytes + 128, i) << 4) - 32);
  }
}

/// d, high bits of the scales[2], low halves of the scales[4] (8 of 6 bits, less 32), codes[128].
SORTIE_NUMERICS_INLINE void decodeIQ4XS(const uint8_t *bytes, DecodedBlock &block) {
  const int highBits = loadUint16(bytes + 2);
  for (int s = 0; s < 8; ++s) {
    const int low = bytes[4 + s / 2] >> (s % 2 * 4) & 15;
    const int high = highBits >> (2 * s) & 3;
    block.subScales[s] = static_cast<int8_t>((low | high << 4) - 32);
    block.minimums[s] = 0;
  }
  loadScales<Format::IQ4_XS>(bytes, block);
  for (int i = 0; i < 256; ++i)
    block.levels[i] = iq4Level(nibble32(bytes + 8 + i / 32 * 16, i % 32));
}

} // namespace detail

/// Decodes the block of format `F` that starts at `bytes`.
template <Format F>
SORTIE_NUMERICS_INLINE void decodeBlock(const uint8_t *bytes, DecodedBlock &block) {
  static_assert(isQuantized(formatInfo(F)), "only quantized formats have blocks to decode");
  if constexpr (F == Format::Q2_K)
    detail::decodeQ2K(bytes, block);
  else if constexpr (F == Format::Q3_K)
    detail::decodeQ3K(bytes, block);
  else if constexpr (F == Format::Q4_K || F == Format::Q5_K)
    detail::decodeQ45K<F>(bytes, block);
  else if constexpr (F == Format::Q6_K)
    detail::decodeQ6K(bytes, block);
  else if constexpr (F == Format::IQ4_XS)
    detail::decodeIQ4XS(bytes, block);
  else
    detail::decodeGroup<F>(bytes, block);
}

#if !defined(__CUDACC_RTC__)
/// Calls `visitor.template operator()<F>()` for the quantized format `format`: on the host, from a
/// format known when the program runs to code that knows it when it is compiled. Returns what the
/// visitor returns; for a float format a default-constructed value, so callers rule these out
/// first.
template <typename Visitor> static inline auto visitQuantized(Format format, Visitor &&visitor) {
  switch (format) {
  case Format::Q8_0:
    return visitor.template operator()<Format::Q8_0>();
  case Format::Q4_0:
    return visitor.template operator()<Format::Q4_0>();
  case Format::Q4_1:
    return visitor.template operator()<Format::Q4_1>();
  case Format::Q5_0:
    return visitor.template operator()<Format::Q5_0>();
  case Format::Q5_1:
    return visitor.template operator()<Format::Q5_1>();
  case Format::IQ4_NL:
    return visitor.template operator()<Format::IQ4_NL>();
  case Format::MXFP4:
    return visitor.template operator()<Format::MXFP4>();
  case Format::Q2_K:
    return visitor.template operator()<Format::Q2_K>();
  case Format::Q3_K:
    return visitor.template operator()<Format::Q3_K>();
  case Format::Q4_K:
    return visitor.template operator()<Format::Q4_K>();
  case Format::Q5_K:
    return visitor.template operator()<Format::Q5_K>();
  case Format::Q6_K:
    return visitor.template operator()<Format::Q6_K>();
  case Format::IQ4_XS:
    return visitor.template operator()<Format::IQ4_XS>();
  case Format::F32:
  case Format::F16:
  case Format::BF16:
    break;
  }
  return decltype(visitor.template operator()<Format::Q8_0>())();
}
#endif

} // namespace sortie::numerics

#endif // SORTIE_RUNTIME_NUMERICS_DECODE_H
