// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Scanning of blocks.

#include "runtime/weights/NonFinite.h"

#include "runtime/numerics/decode.h"

#include "llvm/Support/Endian.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <cmath>

using namespace llvm;

namespace sortie {

using numerics::Format;
using numerics::FormatInfo;
using numerics::Minimum;

namespace {

enum class NumberType : uint8_t { F32, F16, BF16, E8M0 };

/// A number of each block that must be finite.
struct Field {
  NumberType type;
  int offset;
  const char *isNan;
  const char *isInfinite;
};

SmallVector<Field, 2> fieldsOf(const FormatInfo &info) {
  const auto weight = [](NumberType type) {
    return Field{type, 0, "the weight is NaN", "the weight is infinite"};
  };
  switch (info.format) {
  case Format::F32:
    return {weight(NumberType::F32)};
  case Format::F16:
    return {weight(NumberType::F16)};
  case Format::BF16:
    return {weight(NumberType::BF16)};
  case Format::MXFP4: // The runtime takes 255 for 2^127, the format's specification for NaN.
    return {Field{NumberType::E8M0, info.scaleOffset, "the scale is 255, a NaN",
                  "the scale is so large that a weight is infinite"}};
  default:
    break;
  }
  SmallVector<Field, 2> fields = {
      Field{NumberType::F16, info.scaleOffset, "the scale is NaN", "the scale is infinite"}};
  if (info.minimum != Minimum::None)
    fields.push_back(
        {NumberType::F16, info.scaleOffset + 2, "the minimum is NaN", "the minimum is infinite"});
  return fields;
}

enum class Finding : uint8_t { Finite, Nan, Infinite };

/// The bits of an IEEE number: all ones in the exponent mean that it is not finite.
struct Bits {
  uint32_t exponent;
  uint32_t mantissa;
};
template <NumberType T> inline constexpr Bits kBits = {0x7c00u, 0x3ffu};
template <> inline constexpr Bits kBits<NumberType::F32> = {0x7f800000u, 0x7fffffu};
template <> inline constexpr Bits kBits<NumberType::BF16> = {0x7f80u, 0x7fu};

/// A block of MXFP4. Its largest level is 12 halves, so a smaller scale makes no weight infinite.
Finding findInMxfp4(const uint8_t *block, const Field &field) {
  constexpr uint8_t kNan = 255, kLeastThatOverflows = 253;
  const uint8_t scale = block[field.offset];
  if (scale < kLeastThatOverflows)
    return Finding::Finite;
  if (scale == kNan)
    return Finding::Nan;
  numerics::DecodedBlock decoded;
  numerics::decodeBlock<Format::MXFP4>(block, decoded);
  const bool overflows = any_of(ArrayRef(decoded.levels, numerics::kGroup), [&](int8_t level) {
    return std::isinf(decoded.d * static_cast<float>(level));
  });
  return overflows ? Finding::Infinite : Finding::Finite;
}

template <NumberType T> Finding find(const uint8_t *block, const Field &field) {
  if constexpr (T == NumberType::E8M0) {
    return findInMxfp4(block, field);
  } else {
    const uint8_t *bytes = block + field.offset;
    const uint32_t bits =
        T == NumberType::F32 ? support::endian::read32le(bytes) : support::endian::read16le(bytes);
    if ((bits & kBits<T>.exponent) != kBits<T>.exponent)
      return Finding::Finite;
    return bits & kBits<T>.mantissa ? Finding::Nan : Finding::Infinite;
  }
}

/// What the blocks [begin, end) have of one field.
struct FieldScan {
  uint64_t begin;
  uint64_t end;
  uint64_t count = 0;
  SmallVector<NonFinite, NonFiniteScan::kKept> first;

  template <NumberType T>
  void run(const uint8_t *bytes, uint64_t stride, uint32_t index, const Field &field) {
    for (uint64_t block = begin; block < end; ++block) {
      const Finding finding = find<T>(bytes + block * stride, field);
      if (finding == Finding::Finite)
        continue;
      ++count;
      if (first.size() < NonFiniteScan::kKept)
        first.push_back({block, index, finding == Finding::Nan ? field.isNan : field.isInfinite});
    }
  }
};

} // namespace

NonFiniteScan::NonFiniteScan(ArrayRef<const gguf::Tensor *> tensors)
    : tensors(tensors), results(tensors.size()) {}

void NonFiniteScan::addSlab(size_t tensor, uint64_t offset, uint64_t size) {
  const FormatInfo &info = *tensors[tensor]->format;
  const ArrayRef<uint8_t> bytes = tensors[tensor]->bytes;
  const uint64_t stride = info.bytes;
  const uint64_t end = std::min<uint64_t>(offset + size, bytes.size());
  Result found;
  for (const auto &[index, field] : enumerate(fieldsOf(info))) {
    FieldScan scan{divideCeil(offset, stride), divideCeil(end, stride)};
    switch (field.type) {
    case NumberType::F32:
      scan.run<NumberType::F32>(bytes.data(), stride, index, field);
      break;
    case NumberType::F16:
      scan.run<NumberType::F16>(bytes.data(), stride, index, field);
      break;
    case NumberType::BF16:
      scan.run<NumberType::BF16>(bytes.data(), stride, index, field);
      break;
    case NumberType::E8M0:
      scan.run<NumberType::E8M0>(bytes.data(), stride, index, field);
      break;
    }
    found.count += scan.count;
    append_range(found.first, scan.first);
  }
  if (found.count == 0)
    return;
  const std::lock_guard<std::mutex> lock(mutex);
  Result &result = results[tensor];
  result.count += found.count;
  append_range(result.first, found.first);
  // In order, whichever thread was first.
  sort(result.first, [](const NonFinite &a, const NonFinite &b) {
    return std::pair(a.block, a.field) < std::pair(b.block, b.field);
  });
  if (result.first.size() > kKept)
    result.first.resize(kKept);
}

BlockPlace placeOfBlock(const gguf::Tensor &tensor, uint64_t block) {
  const int64_t columns = tensor.dimensions.front();
  const int64_t blocksOfRow = columns / tensor.format->elements;
  const auto row = static_cast<int64_t>(block) / blocksOfRow;
  BlockPlace place;
  place.firstColumn = static_cast<int64_t>(block) % blocksOfRow * tensor.format->elements;
  place.lastColumn = place.firstColumn + tensor.format->elements - 1;
  const bool hasExperts = tensor.dimensions.size() > 2;
  place.row = hasExperts ? row % tensor.dimensions[1] : row;
  if (hasExperts)
    place.expert = row / tensor.dimensions[1];
  return place;
}

std::string BlockPlace::describe() const {
  std::string text;
  raw_string_ostream out(text);
  if (expert)
    out << "expert " << *expert << ", ";
  out << "row " << row << ", column" << (firstColumn == lastColumn ? " " : "s ") << firstColumn;
  if (firstColumn != lastColumn)
    out << " to " << lastColumn;
  return text;
}

} // namespace sortie
