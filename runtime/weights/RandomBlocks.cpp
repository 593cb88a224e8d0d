// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Random blocks and the range of their scales.

#include "runtime/weights/RandomBlocks.h"

#include "runtime/numerics/decode.h"

#include "llvm/Support/Endian.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <cmath>

using namespace llvm;

namespace sortie {

using numerics::Encoding;
using numerics::EncodingInfo;
using numerics::FormatInfo;
using numerics::StoredNumber;

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
  if (!numerics::hasCodebook(info.coding))
    return momentsOf(info.levels);
  Moments moments;
  for (int code = 0; code < numerics::kCodebookLevels; ++code) {
    const double level = numerics::codebookLevel(info.coding, code);
    moments.mean += level / numerics::kCodebookLevels;
    moments.square += level * level / numerics::kCodebookLevels;
  }
  return moments;
}

/// Weights of a block of random bits in units of the scale: its mean square where levels and
/// sub-scales have ranges that they do not fill evenly.
double measuredSquare(Encoding encoding) {
  constexpr int kBlocks = 64;
  const EncodingInfo info = numerics::encodingInfo(encoding);
  const FormatInfo format = numerics::formatInfo(info);
  const CounterRandom random(/*seed=*/0, info.name);
  std::vector<uint8_t> bytes(numerics::rowBytes(info, kBlocks * info.elements) * info.stripRows);
  for (size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = static_cast<uint8_t>(random.word(i));
  double square = 0;
  for (int b = 0; b < kBlocks; ++b) {
    numerics::DecodedBlock block;
    numerics::visitEncoding(
        encoding, [&]<Encoding E>() { numerics::decodeBlock<E>({bytes.data()}, b, block); });
    for (int i = 0; i < info.elements; ++i)
      square += std::pow(block.subScales[i / format.subBlock] * block.levels[i], 2);
  }
  return square / (kBlocks * info.elements);
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

/// A number of [2^exponent, 2^(exponent + 1)), of either sign if `isSigned`.
ForcedField numberField(StoredNumber type, uint32_t offset, int exponent, bool isSigned = false) {
  const uint32_t sign = isSigned ? 1 : 0;
  switch (type) {
  case StoredNumber::F32:
    return {offset, 4, sign << 31 | 0x7fffffu, static_cast<uint32_t>(exponent + 127) << 23};
  case StoredNumber::BF16:
    return {offset, 2, sign << 15 | 0x7fu, static_cast<uint32_t>(exponent + 127) << 7};
  case StoredNumber::E8M0: // the last bit of the code stays random
    return {offset, 1, 1u, static_cast<uint32_t>(exponent + 128) & ~1u};
  case StoredNumber::F16:
  case StoredNumber::None:
    break;
  }
  ForcedField field = halfField(offset, exponent);
  field.keep |= sign << 15;
  return field;
}

/// What makes random blocks weights of mean zero and of the variance wanted: d, and the ratio of m
/// or dmin to it.
struct Scales {
  double d;
  double ratio;
};

/// w = d * (scale * level - ratio * minimum), where ratio makes the mean zero.
Scales scalesOf(const EncodingInfo &encoding, double target) {
  const FormatInfo info = numerics::formatInfo(encoding);
  const Moments level = levelMoments(info), scale = momentsOf(info.subScales);
  double variance = info.scaleType == numerics::ScaleType::Float32
                        ? measuredSquare(encoding.encoding)
                        : level.square * scale.square;
  double ratio = 0;
  if (info.minimum == numerics::Minimum::SubtractedInteger) {
    const Moments minimum = momentsOf(info.minimums);
    ratio = level.mean * scale.mean / minimum.mean;
    variance += ratio * ratio * (minimum.square - 2 * minimum.mean * minimum.mean);
  } else if (info.minimum == numerics::Minimum::AddedFloat) {
    ratio = level.mean;
    variance -= ratio * ratio;
  }
  return {target / std::sqrt(variance) / encoding.scaleFactor, ratio};
}

} // namespace

SmallVector<ForcedField, 2> forcedFields(Encoding encoding, int64_t columns, bool isVector) {
  const EncodingInfo info = numerics::encodingInfo(encoding);
  const double target = 1.0 / std::sqrt(static_cast<double>(columns));
  if (!numerics::isQuantized(info)) // vectors are positive
    return {numberField(info.scale.type, 0, isVector ? -1 : floorLog2(target), !isVector)};

  const auto [d, ratio] = scalesOf(info, target);
  SmallVector<ForcedField, 2> fields;
  const auto add = [&](numerics::NumberPlace place, int row, double value) -> ForcedField & {
    fields.push_back(numberField(
        place.type, static_cast<uint32_t>(place.offset + row * place.rowStride), floorLog2(value)));
    return fields.back();
  };
  for (int row = 0; row < info.stripRows; ++row) {
    add(info.scale, row, d);
    if (ratio == 0)
      continue;
    ForcedField &minimum = add(info.minimum, row, d * ratio);
    if (numerics::formatInfo(info).minimum == numerics::Minimum::AddedFloat)
      minimum.set |= 0x8000u; // added, hence negative
  }
  return fields;
}

RandomBlocks::RandomBlocks(const WeightSpec &spec, StringRef tensor, uint64_t seed)
    : random(seed, tensor),
      stride(numerics::scaleStride(spec.storedInfo(), spec.tensorShape().back())),
      fields(forcedFields(spec.storedInfo().encoding, spec.tensorShape().back(),
                          spec.tensorShape().size() == 1)) {}

/// Writes the bytes of the stream from number `index` on: words as a whole, which takes a third of
/// the time that single bytes do.
static void fillWithStream(const CounterRandom &random, uint64_t index,
                           MutableArrayRef<uint8_t> bytes) {
  constexpr uint64_t kWordBytes = sizeof(uint64_t);
  const auto fillBytes = [&](size_t count) {
    for (uint8_t &byte : bytes.take_front(count)) {
      byte = static_cast<uint8_t>(random.word(index / kWordBytes) >> (index % kWordBytes * 8));
      ++index;
    }
    bytes = bytes.drop_front(count);
  };
  fillBytes(std::min<uint64_t>(alignTo(index, kWordBytes) - index, bytes.size()));
  for (; bytes.size() >= kWordBytes; bytes = bytes.drop_front(kWordBytes), index += kWordBytes)
    support::endian::write64le(bytes.data(), random.word(index / kWordBytes));
  fillBytes(bytes.size());
}

void RandomBlocks::fill(uint64_t offset, uint64_t size, uint8_t *bytes) const {
  fillWithStream(random, offset, {bytes, size});
  for (uint8_t *block = bytes; block != bytes + size; block += stride) {
    for (const ForcedField &field : fields) {
      for (uint32_t i = 0; i < field.bytes; ++i) {
        uint8_t &byte = block[field.offset + i];
        byte = static_cast<uint8_t>((byte & field.keep >> (8 * i)) | field.set >> (8 * i));
      }
    }
  }
}

} // namespace sortie
