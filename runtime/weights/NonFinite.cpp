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

using numerics::EncodingInfo;
using numerics::NumberPlace;
using numerics::StoredNumber;

namespace {

/// A number that must be finite, in each unit of a tensor: numerics::scaleStride() bytes.
struct Field {
  StoredNumber type;
  int row; ///< of the strip
  int offset;
  const char *isNan;
  const char *isInfinite;
};

/// Fields of each row of a strip, whether the encoding has all of them or not.
constexpr uint32_t kFieldsOfRow = 2;

SmallVector<Field, 2> fieldsOf(const EncodingInfo &info) {
  SmallVector<Field, 2> fields;
  for (int row = 0; row < info.stripRows; ++row) {
    const auto add = [&](NumberPlace place, const char *isNan, const char *isInfinite) {
      fields.push_back({place.type, row, place.offset + row * place.rowStride, isNan, isInfinite});
    };
    if (!numerics::isQuantized(info))
      add(info.scale, "the weight is NaN", "the weight is infinite");
    else if (info.scale.type == StoredNumber::E8M0)
      // The runtime takes 255 for 2^127, the format's specification for NaN.
      add(info.scale, "the scale is 255, a NaN", nullptr);
    else
      add(info.scale, "the scale is NaN", "the scale is infinite");
    add(info.minimum, "the minimum is NaN", "the minimum is infinite");
  }
  return fields;
}

enum class Finding : uint8_t { Finite, Nan, Infinite, Overflows };

/// The bits of an IEEE number: all ones in the exponent mean that it is not finite.
struct Bits {
  uint32_t exponent;
  uint32_t mantissa;
};
template <StoredNumber T> inline constexpr Bits kBits = {0x7c00u, 0x3ffu};
template <> inline constexpr Bits kBits<StoredNumber::F32> = {0x7f800000u, 0x7fffffu};
template <> inline constexpr Bits kBits<StoredNumber::BF16> = {0x7f80u, 0x7fu};

/// Units of a tensor, and the blocks of a row that one has.
struct Units {
  const EncodingInfo &info;
  const uint8_t *bytes;
  uint64_t stride;
  int64_t blocks;
};

/// Whether a weight under the scale of a row of a unit is too large for a float.
bool overflows(const Units &units, const uint8_t *unit, int row) {
  const numerics::FormatInfo format = numerics::formatInfo(units.info);
  for (int64_t b = 0; b < units.blocks; ++b) {
    numerics::DecodedBlock block;
    numerics::visitEncoding(units.info.encoding, [&]<numerics::Encoding E>() {
      numerics::decodeBlock<E>({unit, row}, b, block);
    });
    for (int i = 0; i < units.info.elements; ++i) {
      const int8_t subScale = block.subScales[i / format.subBlock];
      if (std::isinf(block.d * static_cast<float>(subScale) * static_cast<float>(block.levels[i])))
        return true;
    }
  }
  return false;
}

/// The least exponents of scales that may make the largest product of a sub-scale and a level
/// infinite: of E8M0 with levels up to 12, of F32 with products up to 2^14.
constexpr uint8_t kLeastThatOverflows = 253;
constexpr uint32_t kLeastFloatThatOverflows = (127u + 128 - 14) << 23;

template <StoredNumber T>
Finding find(const Units &units, const uint8_t *unit, const Field &field) {
  constexpr uint8_t kNan = 255;
  const uint8_t *bytes = unit + field.offset;
  bool mayOverflow = false;
  if constexpr (T == StoredNumber::E8M0) {
    if (*bytes == kNan)
      return Finding::Nan;
    mayOverflow = *bytes >= kLeastThatOverflows;
  } else {
    const uint32_t bits = T == StoredNumber::F32 ? support::endian::read32le(bytes)
                                                 : support::endian::read16le(bytes);
    if ((bits & kBits<T>.exponent) == kBits<T>.exponent)
      return bits & kBits<T>.mantissa ? Finding::Nan : Finding::Infinite;
    if constexpr (T == StoredNumber::F32)
      mayOverflow = (bits & kBits<T>.exponent) >= kLeastFloatThatOverflows &&
                    numerics::isQuantized(units.info);
  }
  return mayOverflow && overflows(units, unit, field.row) ? Finding::Overflows : Finding::Finite;
}

/// What the units [begin, end) have of one field.
struct FieldScan {
  uint64_t begin;
  uint64_t end;
  uint64_t count = 0;
  SmallVector<NonFinite, NonFiniteScan::kKept> first;

  FieldScan(uint64_t begin, uint64_t end) : begin(begin), end(end) {}

  template <StoredNumber T> void run(const Units &units, uint32_t index, const Field &field) {
    for (uint64_t unit = begin; unit < end; ++unit) {
      const Finding finding = find<T>(units, units.bytes + unit * units.stride, field);
      if (finding == Finding::Finite)
        continue;
      ++count;
      if (first.size() < NonFiniteScan::kKept)
        first.push_back({unit, index, describe(finding, field)});
    }
  }

  void run(const Units &units, uint32_t index, const Field &field) {
    switch (field.type) {
    case StoredNumber::F32:
      return run<StoredNumber::F32>(units, index, field);
    case StoredNumber::F16:
      return run<StoredNumber::F16>(units, index, field);
    case StoredNumber::BF16:
      return run<StoredNumber::BF16>(units, index, field);
    case StoredNumber::E8M0:
      return run<StoredNumber::E8M0>(units, index, field);
    case StoredNumber::None:
      return;
    }
  }

  static const char *describe(Finding finding, const Field &field) {
    if (finding == Finding::Overflows)
      return "the scale is so large that a weight is infinite";
    return finding == Finding::Nan ? field.isNan : field.isInfinite;
  }
};

int64_t blocksOfRow(const ModelTensor &tensor) {
  return tensor.dimensions.front() / tensor.encoding->elements;
}

/// Whether scales are of whole rows.
bool hasRowScales(const EncodingInfo &info) { return info.headerBytes != 0; }

} // namespace

NonFiniteScan::NonFiniteScan(ArrayRef<const ModelTensor *> tensors)
    : tensors(tensors), results(tensors.size()) {}

void NonFiniteScan::addSlab(size_t tensor, uint64_t offset, uint64_t size) {
  const ModelTensor &of = *tensors[tensor];
  const EncodingInfo &info = *of.encoding;
  const Units units = {info, of.bytes.data(),
                       static_cast<uint64_t>(numerics::scaleStride(info, of.dimensions.front())),
                       hasRowScales(info) ? blocksOfRow(of) : 1};
  const uint64_t end = std::min<uint64_t>(offset + size, of.bytes.size());
  Result found;
  for (const auto &[index, field] : enumerate(fieldsOf(info))) {
    FieldScan scan{divideCeil(offset, units.stride), divideCeil(end, units.stride)};
    scan.run(units, index, field);
    found.count += scan.count;
    append_range(found.first, scan.first);
  }
  if (found.count == 0)
    return;
  const std::lock_guard<std::mutex> lock(mutex);
  Result &result = results[tensor];
  result.count += found.count;
  append_range(result.first, found.first);
  // They are in order, whichever thread was first.
  sort(result.first, [](const NonFinite &a, const NonFinite &b) {
    return std::pair(a.unit, a.field) < std::pair(b.unit, b.field);
  });
  if (result.first.size() > kKept)
    result.first.resize(kKept);
}

BlockPlace placeOf(const ModelTensor &tensor, const NonFinite &value) {
  const EncodingInfo &info = *tensor.encoding;
  const int64_t unitsOfStrip = hasRowScales(info) ? 1 : blocksOfRow(tensor);
  const int64_t columns = tensor.dimensions.front() / unitsOfStrip;
  const auto unit = static_cast<int64_t>(value.unit);
  const int64_t row = unit / unitsOfStrip * info.stripRows + value.field / kFieldsOfRow;
  BlockPlace place;
  place.firstColumn = unit % unitsOfStrip * columns;
  place.lastColumn = place.firstColumn + columns - 1;
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
