// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Matrix products by the scalar oracle of runtime/numerics, and random inputs for them.

#ifndef SORTIE_TEST_UNIT_CPU_REFERENCE_H
#define SORTIE_TEST_UNIT_CPU_REFERENCE_H

#include "runtime/cpu/ops.h"

#include <random>
#include <string>
#include <vector>

namespace sortie::cpu {

using Random = std::mt19937_64;

/// What the raw blocks of a matrix hold.
enum class Fill {
  Random,  ///< random bits, scales of moderate size
  Highest, ///< every bit of levels, sub-scales and minimums set
  Lowest,  ///< all of these clear
  Signed,  ///< only their top bits set: the most negative levels and sub-scales
};

/// A stack of matrices as a file has it.
struct EncodedShape {
  numerics::Encoding encoding;
  int64_t experts;
  int64_t rows; ///< rounded up to whole strips
  int64_t columns;

  EncodedShape(numerics::Encoding encoding, int64_t experts, int64_t rows, int64_t columns);
  numerics::EncodingInfo info() const { return numerics::encodingInfo(encoding); }
  MatrixShape packed() const { return {info().format, experts, rows, columns}; }
};

/// A matrix as a file has it, and packed.
struct TestMatrix {
  EncodedShape shape;
  std::vector<uint8_t> raw;
  std::vector<std::byte> packed;

  TestMatrix(const EncodedShape &shape, Fill fill, Random &random);
  Matrix matrix() const { return {shape.packed(), packed.data()}; }
  numerics::EncodedRow row(int64_t expert, int64_t n) const;
};

std::vector<float> randomFloats(int64_t count, Random &random);

/// Rows of activations in one representation, as the oracle and as kernels read them.
struct TestRows {
  int64_t rows;
  int64_t columns;
  numerics::RowKind kind;
  std::vector<float> floats;
  std::vector<int16_t> q;      ///< [rows, columns]
  std::vector<float> scales;   ///< [rows, activation blocks]
  std::vector<std::byte> data; ///< as kernels read it, 64-byte aligned from `aligned()` on

  TestRows(std::vector<float> floats, int64_t columns, numerics::RowKind kind);
  std::byte *aligned();
};

/// The quantized row of `k` floats in the layout of layout.h, byte by byte (padding is zeros).
std::vector<std::byte> referenceActRow(const float *x, int64_t k, numerics::RowKind kind);

/// The product of row `n` of an expert with activation row `row`.
float referenceDot(const TestMatrix &matrix, int64_t expert, int64_t n, const TestRows &rows,
                   int64_t row);

/// The same in `bf16` arithmetic: as `float`, of operands that are rounded to bfloat16.
float referenceBf16Dot(const TestMatrix &matrix, int64_t expert, int64_t n, const TestRows &rows,
                       int64_t row);

/// Bits, for comparisons that tell -0.0 from 0.0 and see NaNs.
std::vector<uint32_t> bitsOf(const std::vector<float> &values);

} // namespace sortie::cpu

#endif // SORTIE_TEST_UNIT_CPU_REFERENCE_H
