// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Random blocks and the range of their scales.

#include "runtime/weights/RandomBlocks.h"

#include "runtime/numerics/decode.h"

#include <algorithm>
#include <cmath>

using namespace llvm;

namespace sortie {

using numerics::Format;
using numerics::FormatInfo;

namespace {

/// Mean and mean square of an integer whose codes are equally likely.
struct Moments {
  double mean = 0;
  double square = 0;
};

Moments momentsOf(numerics::Range range) {
  Moments moments;
  const double count = range.most - range.least + 1;
  for (int value = range.least; value <= range.most; ++value) {
    moments.mean += value / count;
    moments.square += value * double(value) / count;
  }
  return moments;
}

Moments levelMoments(const FormatInfo &info) {
  const bool isIq4 = info.coding == numerics::LevelCoding::CodebookIq4;
  if (!isIq4 && info.coding != numerics::LevelCoding::CodebookE2M1)
    return momentsOf(info.levels);
  Moments moments;
  for (int code = 0; code < 16; ++code) {
    const double level = isIq4 ? numerics::iq4Level(code) : numerics::e2m1Level(code);
    moments.mean += level / 16;
    moments.square += level * level / 16;
  }
  return moments;
}

/// Largest e with 2^e <= x.
int floorLog2(double x) {
  int exponent = 0;
  std::frexp(x, &exponent);
  return exponent - 1;
}

/// A half of [2^exponent, 2^(exponent + 1)), subnormal where it must be.
ForcedField halfField(uint32_t offset, int exponent) {
  exponent = std::clamp(exponent, -24, 15);
  if (exponent >= -14)
    return {offset, 2, 0x3ffu, static_cast<uint32_t>(exponent + 15) << 10};
  const uint32_t least = 1u << (exponent + 24);
  return {offset, 2, least - 1, least};
}

ForcedField floatField(Format format, int exponent, bool isVector) {
  const uint32_t sign = isVector ? 0 : 1; // vectors are positive
  switch (format) {
  case Format::F32:
    return {0, 4, sign << 31 | 0x7fffffu, static_cast<uint32_t>(exponent + 127) << 23};
  case Format::BF16:
    return {0, 2, sign << 15 | 0x7fu, static_cast<uint32_t>(exponent + 127) << 7};
  default: {
    ForcedField field = halfField(0, exponent);
    field.keep |= sign << 15;
    return field;
  }
  }
}

} // namespace

SmallVector<ForcedField, 2> forcedFields(Format format, int64_t columns, bool isVector) {
  const FormatInfo &info = numerics::formatInfo(format);
  const double target = 1.0 / std::sqrt(static_cast<double>(columns));
  if (!numerics::isQuantized(info))
    return {floatField(format, isVector ? -1 : floorLog2(target), isVector)};

  // w = d * (scale * level - ratio * minimum), where ratio makes the mean zero.
  const Moments level = levelMoments(info), scale = momentsOf(info.subScales);
  double variance = level.square * scale.square;
  double ratio = 0;
  if (info.minimum == numerics::Minimum::SubtractedInteger) {
    const Moments minimum = momentsOf(info.minimums);
    ratio = level.mean * scale.mean / minimum.mean;
    variance += ratio * ratio * (minimum.square - 2 * minimum.mean * minimum.mean);
  } else if (info.minimum == numerics::Minimum::AddedFloat) {
    ratio = level.mean;
    variance -= ratio * ratio;
  }
  const double d = target / std::sqrt(variance);
  const uint32_t scaleOffset = static_cast<uint32_t>(info.scaleOffset);
  if (format == Format::MXFP4) // 2^(code - 128); the last bit of the code stays random
    return {{scaleOffset, 1, 1u, static_cast<uint32_t>(floorLog2(d) + 128) & ~1u}};

  SmallVector<ForcedField, 2> fields = {halfField(scaleOffset, floorLog2(d))};
  if (ratio != 0)
    fields.push_back(halfField(scaleOffset + 2, floorLog2(d * ratio)));
  if (info.minimum == numerics::Minimum::AddedFloat)
    fields.back().set |= 0x8000u; // added, hence negative
  return fields;
}

RandomBlocks::RandomBlocks(const WeightSpec &spec, StringRef tensor, uint64_t seed)
    : random(seed, tensor), blockBytes(numerics::formatInfo(spec.format).bytes),
      fields(forcedFields(spec.format, spec.tensorShape().back(), spec.tensorShape().size() == 1)) {
}

void RandomBlocks::fill(uint64_t offset, uint64_t size, uint8_t *bytes) const {
  for (uint64_t i = 0; i < size;) {
    const uint64_t index = offset + i;
    uint64_t word = random.word(index / 8) >> (index % 8 * 8);
    for (uint64_t inWord = index % 8; inWord < 8 && i < size; ++inWord, ++i, word >>= 8)
      bytes[i] = static_cast<uint8_t>(word);
  }
  for (uint8_t *block = bytes; block != bytes + size; block += blockBytes) {
    for (const ForcedField &field : fields) {
      for (uint32_t i = 0; i < field.bytes; ++i) {
        uint8_t &byte = block[field.offset + i];
        byte = static_cast<uint8_t>((byte & field.keep >> (8 * i)) | field.set >> (8 * i));
      }
    }
  }
}

} // namespace sortie
