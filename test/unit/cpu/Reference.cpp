// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Matrix products by the scalar oracle of runtime/numerics, and random inputs for them.

#include "test/unit/cpu/Reference.h"
#include "test/unit/numerics/StoredNumbers.h"

#include "runtime/numerics/decode.h"
#include "runtime/numerics/dot.h"
#include "runtime/numerics/quantize.h"
#include "runtime/numerics/reduce.h"

#include <cstring>

namespace sortie::cpu {

using namespace numerics;

namespace {

/// A half of either sign between 2^-9 and 2^-1.
uint16_t moderateHalf(Random &random) {
  const uint16_t exponent = static_cast<uint16_t>(6 + random() % 8);
  return static_cast<uint16_t>((random() & 0x8000u) | exponent << 10 | (random() & 0x3ffu));
}

uint8_t fillByte(Fill fill, Random &random) {
  switch (fill) {
  case Fill::Random:
    return static_cast<uint8_t>(random());
  case Fill::Highest:
    return 0xff;
  case Fill::Lowest:
    return 0x00;
  case Fill::Signed:
    return 0x80;
  }
  return 0;
}

/// Random bits with scales of moderate size.
void fillBlocks(const EncodedShape &shape, Fill fill, Random &random, std::vector<uint8_t> &raw) {
  for (uint8_t &byte : raw)
    byte = fillByte(fill, random);
  test::forEachStoredNumber(shape.info(), shape.columns, raw, [&](StoredNumber type, uint8_t *at) {
    test::storeNumber(type, moderateHalf(random), static_cast<uint8_t>(120 + random() % 8), at);
  });
}

void fillFloats(Encoding encoding, Random &random, std::vector<uint8_t> &raw) {
  std::normal_distribution<float> normal(0.0f, 0.25f);
  const auto bytes = static_cast<size_t>(encodingInfo(encoding).bytes);
  for (size_t at = 0; at < raw.size(); at += bytes) {
    const float value = normal(random);
    uint32_t bits = 0;
    std::memcpy(&bits, &value, sizeof bits);
    if (encoding == Encoding::F16)
      bits = moderateHalf(random);
    else if (encoding == Encoding::BF16)
      bits >>= 16;
    std::memcpy(raw.data() + at, &bits, bytes);
  }
}

} // namespace

EncodedShape::EncodedShape(Encoding encoding, int64_t experts, int64_t rows, int64_t columns)
    : encoding(encoding), experts(experts), rows(rows), columns(columns) {
  const int64_t together = info().stripRows;
  this->rows = (rows + together - 1) / together * together;
}

TestMatrix::TestMatrix(const EncodedShape &shape, Fill fill, Random &random) : shape(shape) {
  const int64_t expertBytes = shape.rows * rowBytes(shape.info(), shape.columns);
  raw.resize(static_cast<size_t>(shape.experts * expertBytes));
  if (isQuantized(shape.info()))
    fillBlocks(shape, fill, random, raw);
  else
    fillFloats(shape.encoding, random, raw);
  // Bytes that packing fails to write must not look right by chance.
  packed.resize(packedBytes(shape.packed()), std::byte{0xa5});
  for (int64_t expert = 0; expert < shape.experts; ++expert)
    packRows(shape.packed(), shape.encoding, expert, 0, shape.rows,
             raw.data() + expert * expertBytes, packed.data());
}

EncodedRow TestMatrix::row(int64_t expert, int64_t n) const {
  return rowOf(shape.info(), raw.data(), expert * shape.rows + n, shape.columns);
}

std::vector<float> randomFloats(int64_t count, Random &random) {
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<size_t>(count));
  for (float &value : values)
    value = normal(random);
  return values;
}

std::vector<std::byte> referenceActRow(const float *x, int64_t k, RowKind kind) {
  const ActRowLayout layout = actRowLayout(kind, k);
  std::vector<std::byte> row(static_cast<size_t>(layout.bytes));
  std::vector<int16_t> q(static_cast<size_t>(k));
  std::vector<float> scales(static_cast<size_t>(activationBlocks(k)));
  if (kind == RowKind::Int16)
    quantizeRow<ActivationWidth::Int16>(x, k, q.data(), scales.data());
  else
    quantizeRow<ActivationWidth::Int8>(x, k, q.data(), scales.data());
  for (int limb = 0; limb < limbCount(kind); ++limb) {
    std::vector<int16_t> sums(static_cast<size_t>(paddedK(k) / kSumElements));
    for (size_t i = 0; i < q.size(); ++i) {
      const int32_t value = kind == RowKind::Int8 ? q[i]
                            : limb == 0           ? lowLimb(q[i])
                                                  : highLimb(q[i]);
      row[static_cast<size_t>(layout.limbs + limb * layout.limbStride) + i] =
          static_cast<std::byte>(value);
      sums[i / kSumElements] = static_cast<int16_t>(sums[i / kSumElements] + value);
    }
    std::memcpy(row.data() + layout.sums + limb * layout.sumStride, sums.data(), sums.size() * 2);
  }
  std::memcpy(row.data() + layout.scales, scales.data(), scales.size() * sizeof(float));
  return row;
}

TestRows::TestRows(std::vector<float> values, int64_t columns, RowKind kind)
    : rows(static_cast<int64_t>(values.size()) / columns), columns(columns), kind(kind),
      floats(std::move(values)) {
  const int64_t blocks = activationBlocks(columns);
  const int64_t stride = actRowBytes(kind, columns);
  q.resize(floats.size());
  scales.resize(static_cast<size_t>(rows * blocks));
  data.resize(static_cast<size_t>(rows * stride + kActRowAlignment));
  for (int64_t r = 0; r < rows; ++r) {
    const float *x = floats.data() + r * columns;
    std::byte *to = aligned() + r * stride;
    if (kind == RowKind::F32) {
      std::memcpy(to, x, static_cast<size_t>(stride));
      continue;
    }
    if (kind == RowKind::Int16)
      quantizeRow<ActivationWidth::Int16>(x, columns, q.data() + r * columns,
                                          scales.data() + r * blocks);
    else
      quantizeRow<ActivationWidth::Int8>(x, columns, q.data() + r * columns,
                                         scales.data() + r * blocks);
    const std::vector<std::byte> row = referenceActRow(x, columns, kind);
    std::memcpy(to, row.data(), row.size());
  }
}

std::byte *TestRows::aligned() {
  const auto address = reinterpret_cast<uintptr_t>(data.data());
  return data.data() + (-address & (kActRowAlignment - 1));
}

float referenceDot(const TestMatrix &matrix, int64_t expert, int64_t n, const TestRows &rows,
                   int64_t row) {
  const int64_t k = matrix.shape.columns;
  const EncodedRow weights = matrix.row(expert, n);
  const float *x = rows.floats.data() + row * k;
  switch (matrix.shape.encoding) {
  case Encoding::F32:
    return floatDot(x, reinterpret_cast<const float *>(weights.strip), k);
  case Encoding::F16:
    return floatDot(x, reinterpret_cast<const Half *>(weights.strip), k);
  case Encoding::BF16:
    return floatDot(x, reinterpret_cast<const BFloat16 *>(weights.strip), k);
  default:
    break;
  }
  const int16_t *q = rows.q.data() + row * k;
  const float *scales = rows.scales.data() + row * activationBlocks(k);
  return visitEncoding(matrix.shape.encoding, [&]<Encoding E>() {
    return rows.kind == RowKind::Int16 ? exactDot<E, ActivationWidth::Int16>(weights, q, scales, k)
                                       : exactDot<E, ActivationWidth::Int8>(weights, q, scales, k);
  });
}

/// `count` elements of any float type, rounded.
template <typename Float> static std::vector<float> roundToBf16(const void *from, int64_t count) {
  std::vector<float> rounded;
  for (int64_t i = 0; i < count; ++i)
    rounded.push_back(widen(toBFloat16(widen(static_cast<const Float *>(from)[i]))));
  return rounded;
}

static std::vector<float> roundToBf16(Format format, const void *from, int64_t count) {
  if (format == Format::F32)
    return roundToBf16<float>(from, count);
  return format == Format::F16 ? roundToBf16<Half>(from, count)
                               : roundToBf16<BFloat16>(from, count);
}

float referenceBf16Dot(const TestMatrix &matrix, int64_t expert, int64_t n, const TestRows &rows,
                       int64_t row) {
  const int64_t k = matrix.shape.columns;
  const std::vector<float> x = roundToBf16(Format::F32, rows.floats.data() + row * k, k);
  const std::vector<float> w =
      roundToBf16(matrix.shape.packed().format, matrix.row(expert, n).strip, k);
  return floatDot(x.data(), w.data(), k);
}

std::vector<uint32_t> bitsOf(const std::vector<float> &values) {
  std::vector<uint32_t> bits;
  bits.reserve(values.size());
  for (const float value : values)
    bits.push_back(numerics::bitsOf(value));
  return bits;
}

} // namespace sortie::cpu
