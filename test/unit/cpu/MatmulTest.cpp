// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Matrix products of every format, kind of activations and instruction set, bit for bit against the
// scalar oracle of runtime/numerics.

#include "test/unit/cpu/Reference.h"
#include "test/unit/cpu/TestDevices.h"
#include "test/unit/numerics/InterleaveQ4K.h"

#include "runtime/numerics/activation.h"
#include "runtime/numerics/combine.h"

#include "gtest/gtest.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <numeric>

namespace sortie::cpu {
namespace {

using namespace numerics;

std::vector<RowKind> kindsOf(Encoding encoding) {
  if (!isQuantized(encodingInfo(encoding)))
    return {RowKind::F32};
  return {RowKind::Int8, RowKind::Int16};
}

/// A grouped product with everything that may be switched on or off.
struct Problem {
  EncodedShape shape;
  RowKind kind;
  std::vector<int32_t> rowsOfExpert; ///< empty: a dense product of `denseRows`
  int64_t denseRows = 0;
  int64_t slots = 1;
  bool gather = false;
  bool bias = false;
  bool scale = false;
  Fill fill = Fill::Random;
  float activation = 0.0f; ///< all activations are +- this, if not 0
  bool expertScale = false;
  bool isBf16 = false;
};

/// The operands of a problem, and what its rows are.
struct Operands {
  TestMatrix matrix;
  std::vector<int32_t> offsets;
  std::vector<int32_t> permutation;
  TestRows input;
  std::vector<float> expertScale;
  std::vector<float> bias;
  std::vector<float> scale;
  int64_t rows;

  Operands(const Problem &problem, Random &random)
      : matrix(problem.shape, problem.fill, random), offsets(makeOffsets(problem)),
        permutation(makePermutation(problem, offsets, random)),
        input(makeInput(problem, rowCount(problem, offsets), random)),
        rows(rowCount(problem, offsets)) {
    if (problem.bias)
      bias = randomFloats(problem.shape.experts * problem.shape.rows, random);
    if (problem.scale)
      scale = randomFloats(rows, random);
    if (problem.expertScale)
      expertScale = randomFloats(problem.shape.experts, random);
  }

  RowMap map(const Problem &problem) const {
    RowMap map;
    map.offsets = offsets.empty() ? nullptr : offsets.data();
    map.permutation = permutation.empty() ? nullptr : permutation.data();
    map.slots = problem.slots;
    map.gather = problem.gather;
    return map;
  }

  int64_t expertOf(int64_t row) const {
    int64_t expert = 0;
    while (!offsets.empty() && row >= offsets[static_cast<size_t>(expert) + 1])
      ++expert;
    return expert;
  }

  int64_t inputRow(const Problem &problem, int64_t row) const {
    return problem.gather ? permutation[static_cast<size_t>(row)] / problem.slots : row;
  }

private:
  static std::vector<int32_t> makeOffsets(const Problem &problem) {
    std::vector<int32_t> offsets;
    if (problem.rowsOfExpert.empty())
      return offsets;
    offsets.push_back(0);
    for (int32_t rows : problem.rowsOfExpert)
      offsets.push_back(offsets.back() + rows);
    return offsets;
  }
  static int64_t rowCount(const Problem &problem, const std::vector<int32_t> &offsets) {
    return offsets.empty() ? problem.denseRows : offsets.back();
  }
  static std::vector<int32_t> makePermutation(const Problem &problem,
                                              const std::vector<int32_t> &offsets, Random &random) {
    std::vector<int32_t> permutation;
    if (!problem.gather && !problem.scale)
      return permutation;
    permutation.resize(static_cast<size_t>(rowCount(problem, offsets)));
    std::iota(permutation.begin(), permutation.end(), 0);
    std::shuffle(permutation.begin(), permutation.end(), random);
    return permutation;
  }
  static TestRows makeInput(const Problem &problem, int64_t rows, Random &random) {
    const int64_t inputRows = problem.gather ? (rows + problem.slots - 1) / problem.slots : rows;
    std::vector<float> x = randomFloats(inputRows * problem.shape.columns, random);
    if (problem.activation != 0.0f)
      for (float &value : x)
        value = std::copysign(problem.activation, value);
    return TestRows(std::move(x), problem.shape.columns, problem.kind);
  }
};

std::vector<float> referenceMatmul(const Problem &problem, const Operands &operands) {
  const int64_t outputs = problem.shape.rows;
  std::vector<float> y(static_cast<size_t>(operands.rows * outputs));
  for (int64_t r = 0; r < operands.rows; ++r) {
    const int64_t expert = operands.expertOf(r);
    for (int64_t n = 0; n < outputs; ++n) {
      float value = (problem.isBf16 ? referenceBf16Dot : referenceDot)(
          operands.matrix, expert, n, operands.input, operands.inputRow(problem, r));
      if (problem.expertScale)
        value = numerics::mul(operands.expertScale[static_cast<size_t>(expert)], value);
      if (problem.bias)
        value = numerics::add(value, operands.bias[static_cast<size_t>(expert * outputs + n)]);
      if (problem.scale) {
        const auto slot = static_cast<size_t>(operands.permutation[static_cast<size_t>(r)]);
        value = weighted(operands.scale[slot], value);
      }
      y[static_cast<size_t>(r * outputs + n)] = canonicalNan(value);
    }
  }
  return y;
}

std::vector<float> runMatmul(const Problem &problem, Operands &operands, const Kernels &kernels,
                             int threads) {
  // One element more than the result, to see that nothing is written past it.
  const auto count = static_cast<size_t>(operands.rows * problem.shape.rows);
  std::vector<float> y(count + 1, -77.0f);
  MatmulOp op{};
  op.weights = operands.matrix.matrix();
  op.inputKind = problem.kind;
  op.input = operands.input.aligned();
  op.rows = operands.rows;
  op.map = operands.map(problem);
  op.expertScale = problem.expertScale ? operands.expertScale.data() : nullptr;
  op.bias = problem.bias ? operands.bias.data() : nullptr;
  op.scale = problem.scale ? operands.scale.data() : nullptr;
  op.output = y.data();
  op.isBf16 = problem.isBf16;
  matmul(op, Device{kernels, testPool(threads)});
  EXPECT_EQ(y[count], -77.0f) << "written past the end";
  y.resize(count);
  return y;
}

void checkMatmul(const Problem &problem, uint64_t seed,
                 std::initializer_list<int> threadCounts = {2}) {
  Random random(seed);
  Operands operands(problem, random);
  const std::vector<uint32_t> expected = bitsOf(referenceMatmul(problem, operands));
  for (const TestDevice &device : testDevices())
    for (int threads : threadCounts) {
      const std::vector<uint32_t> actual =
          bitsOf(runMatmul(problem, operands, *device.kernels, threads));
      ASSERT_EQ(actual, expected) << device.name << ", " << threads << " threads";
    }
}

class MatmulEncodings : public testing::TestWithParam<Encoding> {
protected:
  EncodingInfo info() const { return encodingInfo(GetParam()); }

  /// The lengths of rows that the encoding can have, awkward ones where it can.
  std::vector<int64_t> columnCounts() const {
    if (!isQuantized(info()))
      return {1, 15, 16, 17, 352, 1024, 1040, 2051};
    if (info().elements == 256)
      return {256, 512, 1024, 1280, 2304};
    return {32, 96, 128, 352, 416, 1024, 1056, 1408, 2880};
  }
};

TEST_P(MatmulEncodings, AwkwardRowLengths) {
  for (RowKind kind : kindsOf(GetParam()))
    for (int64_t columns : columnCounts()) {
      SCOPED_TRACE("K = " + std::to_string(columns));
      Problem problem{{GetParam(), 1, 19, columns}, kind, {}};
      problem.denseRows = 5;
      checkMatmul(problem, 11);
    }
}

TEST_P(MatmulEncodings, AwkwardRowCounts) {
  for (RowKind kind : kindsOf(GetParam()))
    for (int64_t rows : {0, 1, 2, 3, 7, 8, 9, 12, 13, 33, 65, 130}) {
      SCOPED_TRACE("rows = " + std::to_string(rows));
      Problem problem{{GetParam(), 1, 16, 512}, kind, {}};
      problem.denseRows = rows;
      checkMatmul(problem, 12);
    }
}

TEST_P(MatmulEncodings, AwkwardOutputs) {
  for (RowKind kind : kindsOf(GetParam()))
    for (int64_t outputs : {1, 15, 16, 17, 127, 128, 129, 300}) {
      SCOPED_TRACE("N = " + std::to_string(outputs));
      Problem problem{{GetParam(), 1, outputs, 256}, kind, {}};
      problem.denseRows = 3;
      checkMatmul(problem, 13);
    }
}

TEST_P(MatmulEncodings, Grouped) {
  for (RowKind kind : kindsOf(GetParam()))
    for (int variant = 0; variant < 16; ++variant) {
      SCOPED_TRACE("variant " + std::to_string(variant));
      Problem problem{{GetParam(), 6, 40, 256}, kind, {0, 3, 0, 1, 14, 0}};
      problem.slots = 3;
      problem.gather = (variant & 1) != 0;
      problem.bias = (variant & 2) != 0;
      problem.scale = (variant & 4) != 0;
      problem.expertScale = (variant & 8) != 0;
      checkMatmul(problem, 14, {1, 2, 3});
    }
}

TEST_P(MatmulEncodings, AllRowsOnOneExpert) {
  for (RowKind kind : kindsOf(GetParam())) {
    Problem problem{{GetParam(), 3, 24, 256}, kind, {0, 90, 0}};
    problem.slots = 2;
    problem.gather = true;
    checkMatmul(problem, 15, {1, 2, 3});
  }
}

TEST_P(MatmulEncodings, ExtremeIntegers) {
  for (RowKind kind : kindsOf(GetParam()))
    for (Fill fill : {Fill::Highest, Fill::Lowest, Fill::Signed}) {
      SCOPED_TRACE("fill " + std::to_string(static_cast<int>(fill)));
      Problem problem{{GetParam(), 1, 16, 1280}, kind, {}};
      problem.denseRows = 13;
      problem.fill = fill;
      problem.activation = 1.0f;
      checkMatmul(problem, 16);
    }
}

TEST_P(MatmulEncodings, ExtremeIntegersOfOneSign) {
  for (RowKind kind : kindsOf(GetParam()))
    for (float value : {-1.0f, 1.0f})
      for (Fill fill : {Fill::Highest, Fill::Lowest, Fill::Signed}) {
        Random random(17);
        Problem problem{{GetParam(), 1, 16, 512}, kind, {}};
        problem.denseRows = 2;
        problem.fill = fill;
        Operands operands(problem, random);
        operands.input = TestRows(std::vector<float>(2 * 512, value), 512, kind);
        const std::vector<uint32_t> expected = bitsOf(referenceMatmul(problem, operands));
        for (const TestDevice &device : testDevices())
          ASSERT_EQ(bitsOf(runMatmul(problem, operands, *device.kernels, 1)), expected)
              << device.name << ", fill " << static_cast<int>(fill);
      }
}

TEST_P(MatmulEncodings, NotFiniteActivations) {
  for (RowKind kind : kindsOf(GetParam())) {
    Random random(18);
    Problem problem{{GetParam(), 1, 20, 1280}, kind, {}};
    problem.denseRows = 4;
    Operands operands(problem, random);
    std::vector<float> x = operands.input.floats;
    x[3] = std::numeric_limits<float>::quiet_NaN();
    x[1280 + 1200] = std::numeric_limits<float>::infinity();
    for (int i = 0; i < 1280; ++i)
      x[static_cast<size_t>(2 * 1280 + i)] = 0.0f;
    operands.input = TestRows(x, 1280, kind);
    const std::vector<float> expected = referenceMatmul(problem, operands);
    EXPECT_TRUE(std::isnan(expected[0]));
    EXPECT_FALSE(std::isnan(expected[3 * 20]));
    for (const TestDevice &device : testDevices())
      ASSERT_EQ(bitsOf(runMatmul(problem, operands, *device.kernels, 2)), bitsOf(expected))
          << device.name;
  }
}

INSTANTIATE_TEST_SUITE_P(All, MatmulEncodings, testing::ValuesIn([] {
                           std::vector<Encoding> encodings;
                           for (const EncodingInfo &info : kEncodings)
                             encodings.push_back(info.encoding);
                           return encodings;
                         }()),
                         [](const testing::TestParamInfo<Encoding> &info) {
                           return std::string(encodingInfo(info.param).name);
                         });

/// Two ways to store the same weights: the same bytes when packed, hence the same bits.
TEST(Pack, StripsOfQ4KArePackedAsQ4K) {
  Random random(29);
  const TestMatrix whole({Encoding::Q4_K, 3, 40, 512}, Fill::Random, random);
  const std::vector<uint8_t> strips = test::interleaveQ4K(whole.raw, 512);
  const MatrixShape shape = whole.shape.packed();
  std::vector<std::byte> packed(packedBytes(shape), std::byte{0xa5});
  const int64_t expertBytes = shape.rows * rowBytes(encodingInfo(Encoding::Q4_K_R4), shape.columns);
  for (int64_t expert = 0; expert < shape.experts; ++expert)
    packRows(shape, Encoding::Q4_K_R4, expert, 0, shape.rows, strips.data() + expert * expertBytes,
             packed.data());
  EXPECT_EQ(packed, whole.packed);
}

//===- Products of bfloat16 ----------------------------------------------===//

class Bf16Encodings : public testing::TestWithParam<Encoding> {};

TEST_P(Bf16Encodings, Dense) {
  for (int64_t columns : {1, 17, 352, 1024, 2051})
    for (int64_t rows : {1, 5, 65}) {
      SCOPED_TRACE(testing::Message() << rows << " rows, K = " << columns);
      Problem problem{{GetParam(), 1, 19, columns}, RowKind::F32, {}};
      problem.denseRows = rows;
      problem.isBf16 = true;
      checkMatmul(problem, 19);
    }
}

TEST_P(Bf16Encodings, Grouped) {
  Problem problem{{GetParam(), 6, 40, 256}, RowKind::F32, {0, 3, 0, 1, 14, 0}};
  problem.slots = 3;
  problem.gather = problem.bias = problem.scale = problem.isBf16 = true;
  checkMatmul(problem, 20, {1, 2, 3});
  problem.expertScale = true;
  checkMatmul(problem, 20, {1, 2, 3});
}

INSTANTIATE_TEST_SUITE_P(Floats, Bf16Encodings,
                         testing::Values(Encoding::F32, Encoding::F16, Encoding::BF16),
                         [](const testing::TestParamInfo<Encoding> &info) {
                           return std::string(encodingInfo(info.param).name);
                         });

//===- Gate and up -------------------------------------------------------===//

struct GluProblem {
  Encoding gate;
  Encoding up;
  RowKind input;
  RowKind output;
  int64_t outputs;
  Glu glu;
  bool bias;
  bool isBf16 = false;
  bool gateScale = false;
  bool upScale = false;
};

void checkGlu(const GluProblem &problem, uint64_t seed) {
  Random random(seed);
  const int64_t columns = 512;
  const std::vector<int32_t> offsets = {0, 4, 4, 21};
  const int64_t rows = offsets.back();
  const EncodedShape gateShape{problem.gate, 3, problem.outputs, columns};
  const EncodedShape upShape{problem.up, 3, problem.outputs, columns};
  const TestMatrix gate(gateShape, Fill::Random, random);
  const TestMatrix up(upShape, Fill::Random, random);
  const std::vector<float> gateBias = randomFloats(3 * problem.outputs, random);
  const std::vector<float> upBias = randomFloats(3 * problem.outputs, random);
  const std::vector<float> gateScale = randomFloats(3, random);
  const std::vector<float> upScale = randomFloats(3, random);
  TestRows input(randomFloats(rows * columns, random), columns, problem.input);

  const int64_t stride = actRowBytes(problem.output, problem.outputs);
  std::vector<std::byte> expected(static_cast<size_t>(rows * stride));
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t expert = r < 4 ? 0 : 2;
    std::vector<float> y(static_cast<size_t>(problem.outputs));
    for (int64_t n = 0; n < problem.outputs; ++n) {
      const auto biasAt = static_cast<size_t>(expert * problem.outputs + n);
      const auto dot = problem.isBf16 ? referenceBf16Dot : referenceDot;
      float g = dot(gate, expert, n, input, r);
      float u = dot(up, expert, n, input, r);
      if (problem.gateScale)
        g = numerics::mul(gateScale[static_cast<size_t>(expert)], g);
      if (problem.upScale)
        u = numerics::mul(upScale[static_cast<size_t>(expert)], u);
      if (problem.bias) {
        g = numerics::add(g, gateBias[biasAt]);
        u = numerics::add(u, upBias[biasAt]);
      }
      y[static_cast<size_t>(n)] = canonicalNan(applyGlu(problem.glu, g, u));
    }
    std::byte *to = expected.data() + r * stride;
    if (problem.output == RowKind::F32) {
      std::memcpy(to, y.data(), y.size() * sizeof(float));
    } else {
      const std::vector<std::byte> row = referenceActRow(y.data(), problem.outputs, problem.output);
      std::memcpy(to, row.data(), row.size());
    }
  }

  for (const TestDevice &device : testDevices()) {
    std::vector<std::byte> actual(expected.size());
    GluMatmulOp op{};
    op.gate = gate.matrix();
    op.up = up.matrix();
    op.inputKind = problem.input;
    op.input = input.aligned();
    op.rows = rows;
    op.map.offsets = offsets.data();
    op.gateScale = problem.gateScale ? gateScale.data() : nullptr;
    op.upScale = problem.upScale ? upScale.data() : nullptr;
    op.gateBias = problem.bias ? gateBias.data() : nullptr;
    op.upBias = problem.bias ? upBias.data() : nullptr;
    op.glu = problem.glu;
    op.outputKind = problem.output;
    op.output = actual.data();
    op.isBf16 = problem.isBf16;
    gluMatmul(op, Device{*device.kernels, testPool(2)});
    ASSERT_EQ(actual, expected) << device.name;
  }
}

TEST(GluMatmul, OutputsAndActivations) {
  const Glu swiglu{};
  const Glu clamped{GluKind::SwigluClamped, 1.702f, 7.0f};
  for (int64_t outputs : {128, 256, 352, 200, 24})
    for (RowKind output : {RowKind::F32, RowKind::Int8, RowKind::Int16}) {
      SCOPED_TRACE("N = " + std::to_string(outputs));
      checkGlu({Encoding::Q4_K, Encoding::Q4_K, RowKind::Int16, output, outputs, swiglu, false},
               21);
      checkGlu({Encoding::MXFP4, Encoding::MXFP4, RowKind::Int8, output, outputs, clamped, true},
               22);
      checkGlu({Encoding::F32, Encoding::BF16, RowKind::F32, output, outputs, swiglu, false}, 23);
      checkGlu({Encoding::F16, Encoding::F32, RowKind::F32, output, outputs, clamped, true, true},
               25);
    }
}

TEST(GluMatmul, ScalesByExpert) {
  for (bool bias : {false, true})
    for (auto [gate, up] : {std::pair(true, true), std::pair(true, false), std::pair(false, true)})
      for (RowKind output : {RowKind::F32, RowKind::Int16}) {
        checkGlu({Encoding::Q4_K,
                  Encoding::Q6_K,
                  RowKind::Int16,
                  output,
                  200,
                  {},
                  bias,
                  false,
                  gate,
                  up},
                 26);
        checkGlu(
            {Encoding::F16, Encoding::F32, RowKind::F32, output, 24, {}, bias, false, gate, up},
            27);
        checkGlu({Encoding::F16, Encoding::F32, RowKind::F32, output, 24, {}, bias, true, gate, up},
                 28);
      }
}

TEST(GluMatmul, MixedFormats) {
  for (RowKind kind : {RowKind::Int8, RowKind::Int16})
    for (auto [gate, up] : std::initializer_list<std::pair<Encoding, Encoding>>{
             {Encoding::Q4_K, Encoding::Q6_K},
             {Encoding::Q6_K, Encoding::Q4_K},
             {Encoding::Q4_0, Encoding::Q8_0},
             {Encoding::Q5_1, Encoding::IQ4_XS},
             {Encoding::IQ4_KS, Encoding::IQ2_XXS},
             {Encoding::Q4_K_R4, Encoding::Q4_K}}) {
      SCOPED_TRACE(std::string(encodingInfo(gate).name) + " " + encodingInfo(up).name);
      checkGlu({gate, up, kind, RowKind::Int16, 144, Glu{}, true}, 24);
    }
}

} // namespace
} // namespace sortie::cpu
