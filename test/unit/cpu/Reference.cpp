// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Matrix products by the scalar oracle of runtime/numerics, and random inputs for them.

#include "test/unit/cpu/Reference.h"

#include "runtime/numerics/decode.h"
#include "runtime/numerics/dot.h"
#include "runtime/numerics/quantize.h"
#include "runtime/numerics/reduce.h"

#include <cstring>

namespace sortie::cpu {

using namespace numerics;

namespace {

/// Byte offsets of the half-precision fields of a block.
std::vector<int> halfFields(Format format) {
  switch (format) {
  case Format::Q8_0:
  case Format::Q4_0:
  case Format::Q5_0:
  case Format::IQ4_NL:
  case Format::IQ4_XS:
    return {0};
  case Format::Q4_1:
  case Format::Q5_1:
  case Format::Q4_K:
  case Format::Q5_K:
    return {0, 2};
  case Format::Q2_K:
    return {80, 82};
  case Format::Q3_K:
    return {108};
  case Format::Q6_K:
    return {208};
  case Format::MXFP4:
  case Format::F32:
  case Format::F16:
  case Format::BF16:
    return {};
  }
  return {};
}

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

void fillBlock(const FormatInfo &info, Fill fill, Random &random, uint8_t *block) {
  for (int i = 0; i < info.bytes; ++i)
    block[i] = fillByte(fill, random);
  for (int field : halfFields(info.format)) {
    const uint16_t half = moderateHalf(random);
    std::memcpy(block + field, &half, sizeof half);
  }
  if (info.format == Format::MXFP4)
    block[0] = static_cast<uint8_t>(120 + random() % 8);
}

void fillFloats(const FormatInfo &info, int64_t count, Random &random, uint8_t *to) {
  std::normal_distribution<float> normal(0.0f, 0.25f);
  for (int64_t i = 0; i < count; ++i) {
    const float value = normal(random);
    uint32_t bits = 0;
    std::memcpy(&bits, &value, sizeof bits);
    if (info.format == Format::F16)
      bits = moderateHalf(random);
    else if (info.format == Format::BF16)
      bits >>= 16;
    std::memcpy(to + i * info.bytes, &bits, static_cast<size_t>(info.bytes));
  }
}

} // namespace

TestMatrix::TestMatrix(const MatrixShape &shape, Fill fill, Random &random) : shape(shape) {
  const FormatInfo info = formatInfo(shape.format);
  const int64_t blocks = shape.experts * shape.rows * (shape.columns / info.elements);
  raw.resize(static_cast<size_t>(blocks * info.bytes));
  if (isQuantized(info))
    for (int64_t b = 0; b < blocks; ++b)
      fillBlock(info, fill, random, raw.data() + b * info.bytes);
  else
    fillFloats(info, blocks, random, raw.data());
  // Bytes that packing fails to write must not look right by chance.
  packed.resize(packedBytes(shape), std::byte{0xa5});
  for (int64_t expert = 0; expert < shape.experts; ++expert)
    packRows(shape, expert, 0, shape.rows, row(expert, 0), packed.data());
}

const uint8_t *TestMatrix::row(int64_t expert, int64_t n) const {
  const int64_t index = expert * shape.rows + n;
  return raw.data() + index * rowBytes(formatInfo(shape.format), shape.columns);
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
  const uint8_t *weights = matrix.row(expert, n);
  const float *x = rows.floats.data() + row * k;
  switch (matrix.shape.format) {
  case Format::F32:
    return floatDot(x, reinterpret_cast<const float *>(weights), k);
  case Format::F16:
    return floatDot(x, reinterpret_cast<const Half *>(weights), k);
  case Format::BF16:
    return floatDot(x, reinterpret_cast<const BFloat16 *>(weights), k);
  default:
    break;
  }
  const int16_t *q = rows.q.data() + row * k;
  const float *scales = rows.scales.data() + row * activationBlocks(k);
  return visitQuantized(matrix.shape.format, [&]<Format F>() {
    return rows.kind == RowKind::Int16 ? exactDot<F, ActivationWidth::Int16>(weights, q, scales, k)
                                       : exactDot<F, ActivationWidth::Int8>(weights, q, scales, k);
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
  const std::vector<float> w = roundToBf16(matrix.shape.format, matrix.row(expert, n), k);
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
