// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From the bytes of a block to its integers and scales. One decoder an encoding, in the layout that
// the `gguf` package's dequantizer defines (of ik_llama.cpp's types: that program's); bytes are
// read one by one, so any alignment will do.

#ifndef SORTIE_RUNTIME_NUMERICS_DECODE_H
#define SORTIE_RUNTIME_NUMERICS_DECODE_H

#include "runtime/numerics/encoding.h"
#include "runtime/numerics/float.h"
#include "runtime/numerics/lattice.h"

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
  float d;                         ///< the scale of the block
  float m;                         ///< the float minimum, or the scale of the minimums; 0 if none
};

SORTIE_NUMERICS_INLINE uint16_t loadUint16(const uint8_t *bytes) {
  return static_cast<uint16_t>(bytes[0] | bytes[1] << 8);
}

SORTIE_NUMERICS_INLINE float loadHalf(const uint8_t *bytes) { return fromHalf(loadUint16(bytes)); }

SORTIE_NUMERICS_INLINE int8_t loadInt8(const uint8_t *byte) { return static_cast<int8_t>(*byte); }

SORTIE_NUMERICS_INLINE uint32_t loadUint32(const uint8_t *bytes) {
  return loadUint16(bytes) | static_cast<uint32_t>(loadUint16(bytes + 2)) << 16;
}

//===- Floating-point scales ----------------------------------------------===//

namespace detail {

/// A number of block `block` of a row, as format `F` packs it.
template <Encoding E, Format F>
SORTIE_NUMERICS_INLINE uint32_t packedNumber(NumberPlace number, EncodedRow row, int64_t block) {
  constexpr EncodingInfo kInfo = encodingInfo(E);
  constexpr ScaleType kType = formatInfo(F).scaleType;
  const uint8_t *at = numberOf(kInfo, number, row, block);
  if constexpr (kInfo.scale.type == StoredNumber::E8M0) {
    static_assert(kType == ScaleType::BFloat16);
    return bitsOf(fromE8M0Half(*at)) >> 16;
  } else if constexpr (kInfo.scale.type == StoredNumber::F16) {
    if constexpr (kType == ScaleType::Half)
      return loadUint16(at);
    else
      return bitsOf(mul(loadHalf(at), kInfo.scaleFactor));
  } else {
    static_assert(kInfo.scale.type == StoredNumber::F32 && kType == ScaleType::Float32);
    return loadUint32(at);
  }
}

} // namespace detail

/// The bits of d of block `block` of a row, as the encoding's format packs it.
template <Encoding E> SORTIE_NUMERICS_INLINE uint32_t scaleBits(EncodedRow row, int64_t block) {
  return detail::packedNumber<E, formatOf(E)>(encodingInfo(E).scale, row, block);
}
/// The same of m or dmin; the encoding has one.
template <Encoding E> SORTIE_NUMERICS_INLINE uint32_t minimumBits(EncodedRow row, int64_t block) {
  return detail::packedNumber<E, formatOf(E)>(encodingInfo(E).minimum, row, block);
}

/// The number with these bits.
template <ScaleType Type> SORTIE_NUMERICS_INLINE float scaleValue(uint32_t bits) {
  if constexpr (Type == ScaleType::Half)
    return fromHalf(static_cast<uint16_t>(bits));
  else if constexpr (Type == ScaleType::BFloat16)
    return fromBFloat16(static_cast<uint16_t>(bits));
  else
    return floatOf(bits);
}

//===- Decoders -----------------------------------------------------------===//

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

/// A block of class GroupScale: 32 levels, `d` and perhaps `m` in front of them.
template <Encoding E>
SORTIE_NUMERICS_INLINE void decodeGroup(const uint8_t *bytes, DecodedBlock &block) {
  constexpr FormatInfo kInfo = formatInfo(formatOf(E));
  constexpr bool kHasMinimum = kInfo.minimum == Minimum::AddedFloat;
  constexpr int kScaleBytes = E == Encoding::MXFP4 ? 1 : kHasMinimum ? 4 : 2;
  const uint8_t *codes = bytes + kScaleBytes;
  block.subScales[0] = 1;
  block.minimums[0] = 0;
  for (int i = 0; i < kGroup; ++i) {
    if constexpr (kInfo.coding == LevelCoding::TwosComplement)
      block.levels[i] = loadInt8(codes + i);
    else if constexpr (hasCodebook(kInfo.coding))
      block.levels[i] = codebookLevel(kInfo.coding, nibble32(codes, i));
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
  for (int i = 0; i < 256; ++i)
    block.levels[i] = static_cast<int8_t>((pair128(bytes + 32, i) | plane32(bytes, i) << 2) - 4);
}

/// d, dmin, scales and minimums[12], then codes[128]; Q5_K has highBits[32] in between.
template <Encoding E>
SORTIE_NUMERICS_INLINE void decodeQ45K(const uint8_t *bytes, DecodedBlock &block) {
  constexpr bool kHasHighBits = E == Encoding::Q5_K;
  const uint8_t *highBits = bytes + 16;
  const uint8_t *codes = bytes + (kHasHighBits ? 48 : 16);
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
  for (int i = 0; i < 256; ++i)
    block.levels[i] = iq4Level(nibble32(bytes + 8 + i / 32 * 16, i % 32));
}

/// Four rows: d[4], dmin[4], high bits of scales and minimums[16], their low halves[32] (low
/// half scale, high half minimum), codes[512]. Sub-block s of a row is entry 4 s + `place` of
/// these.
SORTIE_NUMERICS_INLINE void decodeQ4KR4(const uint8_t *bytes, int place, DecodedBlock &block) {
  const uint8_t *highBits = bytes + 16;
  const uint8_t *lowHalves = bytes + 32;
  const uint8_t *codes = bytes + 64;
  for (int s = 0; s < 8; ++s) {
    const int entry = 4 * s + place;
    const int high = highBits[entry % 16] >> (entry / 16 * 4);
    block.subScales[s] = static_cast<int8_t>((lowHalves[entry] & 15) | (high & 3) << 4);
    block.minimums[s] = static_cast<int8_t>(lowHalves[entry] >> 4 | (high & 12) << 2);
  }
  for (int i = 0; i < 256; ++i) {
    const int quarter = i % 32 / 16 + i % 8 / 4 * 2; // of the sub-block's 64 bytes
    const uint8_t byte = codes[i / 32 * 64 + quarter * 16 + place * 4 + i % 4];
    block.levels[i] = static_cast<int8_t>(byte >> (i % 16 / 8 * 4) & 15);
  }
}

/// d, then for each 32 elements four points of the lattice, a byte each, and 32 bits: seven signs
/// of each point, and four bits s. The sub-scale is 2 s + 1, in eighths of d.
SORTIE_NUMERICS_INLINE void decodeIQ2XXS(const uint8_t *bytes, DecodedBlock &block) {
  for (int s = 0; s < 8; ++s) {
    const uint8_t *points = bytes + 2 + s * 8;
    const uint32_t signs = loadUint32(points + 4);
    block.subScales[s] = static_cast<int8_t>(2 * (signs >> 28) + 1);
    block.minimums[s] = 0;
    for (int i = 0; i < kGroup; ++i) {
      const int p = i / kLatticeElements;
      const int element = i % kLatticeElements;
      const int magnitude = iq2xxsMagnitude(points[p], element);
      const bool isBelow = isNegative(static_cast<int>(signs >> (7 * p) & 127), element);
      block.levels[s * kGroup + i] = static_cast<int8_t>(isBelow ? -magnitude : magnitude);
    }
  }
}

/// scales[8], codes[128]. The last bit of a scale chooses the codebook: that of IQ4_NL, or the same
/// with all levels 4 higher; the others are the sub-scale plus 127.
SORTIE_NUMERICS_INLINE void decodeIQ4KS(const uint8_t *bytes, DecodedBlock &block) {
  for (int s = 0; s < 8; ++s) {
    block.subScales[s] = static_cast<int8_t>((bytes[s] & 254) - 127);
    block.minimums[s] = 0;
  }
  for (int i = 0; i < 256; ++i) {
    const int shift = (bytes[i / 32] & 1) * 4;
    block.levels[i] =
        static_cast<int8_t>(iq4Level(nibble32(bytes + 8 + i / 32 * 16, i % 32)) + shift);
  }
}

} // namespace detail

/// Decodes block `index` of a row.
template <Encoding E>
SORTIE_NUMERICS_INLINE void decodeBlock(EncodedRow row, int64_t index, DecodedBlock &block) {
  constexpr EncodingInfo kInfo = encodingInfo(E);
  constexpr FormatInfo kFormat = formatInfo(kInfo.format);
  static_assert(isQuantized(kFormat), "only quantized encodings have blocks to decode");
  const uint8_t *bytes = blockOf(kInfo, row, index);
  block.d = scaleValue<kFormat.scaleType>(scaleBits<E>(row, index));
  block.m = 0.0f;
  if constexpr (kFormat.minimum != Minimum::None)
    block.m = scaleValue<kFormat.scaleType>(minimumBits<E>(row, index));
  if constexpr (E == Encoding::Q2_K)
    detail::decodeQ2K(bytes, block);
  else if constexpr (E == Encoding::Q3_K)
    detail::decodeQ3K(bytes, block);
  else if constexpr (E == Encoding::Q4_K || E == Encoding::Q5_K)
    detail::decodeQ45K<E>(bytes, block);
  else if constexpr (E == Encoding::Q6_K)
    detail::decodeQ6K(bytes, block);
  else if constexpr (E == Encoding::IQ4_XS)
    detail::decodeIQ4XS(bytes, block);
  else if constexpr (E == Encoding::IQ2_XXS)
    detail::decodeIQ2XXS(bytes, block);
  else if constexpr (E == Encoding::IQ4_KS)
    detail::decodeIQ4KS(bytes, block);
  else if constexpr (E == Encoding::Q4_K_R4)
    detail::decodeQ4KR4(bytes, row.place, block);
  else
    detail::decodeGroup<E>(bytes, block);
}

} // namespace sortie::numerics

#endif // SORTIE_RUNTIME_NUMERICS_DECODE_H
