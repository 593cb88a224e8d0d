// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Operands of exact products, and what the CPU device makes of them.

#include "test/unit/kernels/ExactProblem.h"
#include "test/unit/numerics/StoredNumbers.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

namespace sortie::kernels {

//===- Weights -----------------------------------------------------------===//

namespace {

/// A half of either sign whose products with levels and sub-scales are of moderate size.
uint16_t moderateHalf(const FormatInfo &info, Random &random) {
  const uint64_t exponent = (hasSubScales(info) ? 1 : 5) + random() % 6;
  return static_cast<uint16_t>((random() & 0x8000u) | exponent << 10 | (random() & 0x3ffu));
}

/// Zeros, subnormals, the largest numbers, infinities, NaNs, or anything.
uint16_t awkwardHalf(Random &random) {
  constexpr uint16_t kAwkward[] = {0x0000, 0x8000, 0x0001, 0x83ff, 0x7bff,
                                   0xfbff, 0x7c00, 0xfc00, 0x7e00, 0xfc01};
  const uint64_t choice = random() % 12;
  return choice < std::size(kAwkward) ? kAwkward[choice] : static_cast<uint16_t>(random());
}

uint8_t fillByte(Fill fill, Random &random) {
  switch (fill) {
  case Fill::Highest:
    return 0xff;
  case Fill::Lowest:
    return 0x00;
  case Fill::Signed:
    return 0x80;
  case Fill::Ordinary:
  case Fill::Awkward:
  case Fill::AnyBits:
    break;
  }
  return static_cast<uint8_t>(random());
}

void fillNumber(const FormatInfo &info, bool isAwkward, numerics::StoredNumber type, Random &random,
                uint8_t *at) {
  constexpr uint8_t kAwkward[] = {0, 1, 2, 254, 255};
  const uint16_t half = isAwkward ? awkwardHalf(random) : moderateHalf(info, random);
  const uint8_t e8m0 = isAwkward ? kAwkward[random() % std::size(kAwkward)]
                                 : static_cast<uint8_t>(118 + random() % 8);
  test::storeNumber(type, half, e8m0, at);
}

} // namespace

ExactWeights::ExactWeights(Encoding encoding, int64_t experts, int64_t rows, int64_t columns,
                           Fill fill, Random &random)
    : shape{numerics::formatOf(encoding), experts, rows, columns}, encoding(encoding) {
  const EncodingInfo info = numerics::encodingInfo(encoding);
  raw.resize(static_cast<size_t>(experts * rows * rowBytes(info, columns)));
  for (uint8_t &byte : raw)
    byte = fillByte(fill, random);
  const auto rarity = static_cast<uint64_t>(5 * columns / info.elements);
  if (fill != Fill::AnyBits)
    test::forEachStoredNumber(info, columns, raw, [&](numerics::StoredNumber type, uint8_t *at) {
      const bool isAwkward = fill == Fill::Awkward && random() % rarity == 0;
      fillNumber(formatInfo(shape.format), isAwkward, type, random, at);
    });
  pack();
}

void ExactWeights::pack() {
  packed.assign(cpu::packedBytes(shape), std::byte{0xa5});
  const int64_t expertBytes =
      shape.rows * rowBytes(numerics::encodingInfo(encoding), shape.columns);
  for (int64_t e = 0; e < shape.experts; ++e)
    cpu::packRows(shape, encoding, e, 0, shape.rows, raw.data() + e * expertBytes, packed.data());
}

//===- Activations -------------------------------------------------------===//

namespace {

/// Row 0 is ordinary, some blocks of others have rules of their own.
Floats randomInputs(int64_t rows, int64_t k, Random &random) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  Floats x = randomFloats(rows * k, random);
  for (int64_t row = 1; row < rows; ++row) {
    const auto first = x.begin() + row * k;
    const int64_t block = static_cast<int64_t>(random() % static_cast<uint64_t>((k + 127) / 128));
    const auto from = first + block * 128;
    const auto to = first + std::min(k, block * 128 + 128);
    switch (row % 8) {
    case 1:
      std::fill(from, to, 0.0f);
      break;
    case 2: // below the smallest scale
      std::for_each(from, to, [](float &value) { value *= 0x1p-97f; });
      break;
    case 3:
      *(to - 1) = random() % 2 == 0 ? kNan : -kInfinity;
      break;
    case 4: // overflows
      std::for_each(from, to, [](float &value) { value *= 3e38f; });
      break;
    case 5:
      std::fill(first, first + k, 0.0f);
      break;
    default:
      break;
    }
  }
  return x;
}

Floats makeInputs(Inputs inputs, int64_t rows, int64_t k, Random &random) {
  if (inputs == Inputs::Random)
    return randomInputs(rows, k, random);
  Floats x(static_cast<size_t>(rows * k), inputs == Inputs::Negative ? -1.0f : 1.0f);
  if (inputs == Inputs::Signs)
    for (float &value : x)
      value = random() % 2 == 0 ? value : -value;
  return x;
}

AlignedBytes quantized(const Floats &x, int64_t k, RowKind kind) {
  const auto rows = static_cast<int64_t>(x.size()) / k;
  AlignedBytes bytes(rows * numerics::actRowBytes(kind, k), 0xa5);
  cpu::quantize(x.data(), rows, k, kind, bytes.data(), referenceDevice());
  return bytes;
}

Ints offsetsOf(const Ints &rowsOfExpert) {
  Ints offsets = {0};
  for (const int32_t rows : rowsOfExpert)
    offsets.push_back(offsets.back() + rows);
  return offsets;
}

Ints shuffled(int32_t count, Random &random) {
  Ints permutation(static_cast<size_t>(count));
  std::iota(permutation.begin(), permutation.end(), 0);
  std::shuffle(permutation.begin(), permutation.end(), random);
  return permutation;
}

int64_t inputRows(const ExactSpec &spec, int64_t sortedRows) {
  return spec.slots == 0 ? sortedRows : (sortedRows + spec.slots - 1) / spec.slots;
}

} // namespace

//===- Problems ----------------------------------------------------------===//

ExactProblem::ExactProblem(const ExactSpec &spec, const ExactCase &values, Random &random)
    : spec(spec), first(spec.first, static_cast<int64_t>(values.rowsOfExpert.size()), spec.rows,
                        spec.columns, values.fill, random),
      second(spec.second, spec.isGated ? first.shape.experts : 0, spec.rows, spec.columns,
             values.fill, random),
      offsets(offsetsOf(values.rowsOfExpert)), permutation(shuffled(sortedRows(), random)),
      input(
          quantized(makeInputs(values.inputs, inputRows(spec, sortedRows()), spec.columns, random),
                    spec.columns, spec.input)),
      scale(randomFloats(sortedRows(), random)) {
  makeTiles(values.rowsOfExpert);
  if (values.hasBias) {
    firstBias = randomFloats(first.shape.experts * spec.rows, random);
    secondBias = randomFloats(first.shape.experts * spec.rows, random);
  }
  if (values.hasExpertScale) {
    firstExpertScale = randomFloats(first.shape.experts, random);
    secondExpertScale = randomFloats(first.shape.experts, random);
  }
}

void ExactProblem::makeTiles(const Ints &rowsOfExpert) {
  for (size_t e = 0; e < rowsOfExpert.size(); ++e)
    for (int32_t row = 0; row < rowsOfExpert[e]; row += kTileRows)
      tiles.push_back({static_cast<int32_t>(e), offsets[e] + row,
                       std::min(kTileRows, rowsOfExpert[e] - row), 0});
  tiles.resize(tiles.size() + 2, {0, 0, 0, 0});
}

int64_t ExactProblem::outputBytes() const {
  return (sortedRows() + 1) * numerics::actRowBytes(spec.output, spec.rows);
}
AlignedBytes ExactProblem::unwrittenOutput() const { return AlignedBytes(outputBytes(), 0xa5); }

Bytes ExactProblem::expected() const {
  AlignedBytes output = unwrittenOutput();
  if (spec.isGated)
    multiplyGated(output.data());
  else
    multiply(output.data());
  return Bytes(output.data(), output.data() + outputBytes());
}

namespace {

cpu::RowMap mapOf(const ExactProblem &problem) {
  if (!problem.spec.isGrouped)
    return {.heads = problem.spec.heads};
  const bool isGathered = problem.spec.slots != 0;
  return {problem.offsets.data(), problem.permutation.data(), isGathered ? problem.spec.slots : 1,
          isGathered};
}

const float *dataOrNull(const Floats &values) { return values.empty() ? nullptr : values.data(); }

} // namespace

void ExactProblem::multiply(uint8_t *output) const {
  cpu::matmul({.weights = first.matrix(),
               .inputKind = spec.input,
               .input = input.data(),
               .rows = sortedRows() / std::max(spec.heads, 1),
               .map = mapOf(*this),
               .expertScale = dataOrNull(firstExpertScale),
               .bias = dataOrNull(firstBias),
               .scale = spec.hasScale ? scale.data() : nullptr,
               .output = reinterpret_cast<float *>(output)},
              referenceDevice());
}

void ExactProblem::multiplyGated(uint8_t *output) const {
  cpu::gluMatmul({.gate = first.matrix(),
                  .up = second.matrix(),
                  .inputKind = spec.input,
                  .input = input.data(),
                  .rows = sortedRows(),
                  .map = mapOf(*this),
                  .gateScale = dataOrNull(firstExpertScale),
                  .upScale = dataOrNull(secondExpertScale),
                  .gateBias = dataOrNull(firstBias),
                  .upBias = dataOrNull(secondBias),
                  .glu = spec.glu,
                  .outputKind = spec.output,
                  .output = output},
                 referenceDevice());
}

} // namespace sortie::kernels
