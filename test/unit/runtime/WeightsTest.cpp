// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sources of weights, random blocks, and packing.

#include "test/unit/gguf/GgufWriter.h"

#include "runtime/cpu/PackedWeights.h"
#include "runtime/gguf/Model.h"
#include "runtime/numerics/decode.h"
#include "runtime/weights/RandomBlocks.h"

#include "gtest/gtest.h"

#include <cmath>
#include <set>

using namespace llvm;
using namespace sortie;
using namespace sortie::test;
using numerics::Encoding;

namespace {

WeightSpec spec(const std::string &name, Encoding encoding, ArrayRef<int64_t> shape) {
  WeightSpec result{{name}, encoding, {}, true, false};
  result.shape.assign(shape.begin(), shape.end());
  return result;
}

std::vector<uint8_t> randomBytes(const WeightSpec &weight, uint64_t seed) {
  std::vector<uint8_t> bytes(weight.bytes());
  RandomBlocks(weight, weight.tensors.front(), seed).fill(0, bytes.size(), bytes.data());
  return bytes;
}

float floatOf(Encoding encoding, const uint8_t *bytes) {
  if (encoding == Encoding::F16)
    return numerics::loadHalf(bytes);
  if (encoding == Encoding::BF16)
    return numerics::fromBFloat16(numerics::loadUint16(bytes));
  return numerics::floatOf(numerics::loadUint32(bytes));
}

/// The weights of rows of any encoding, decoded.
std::vector<float> decode(const WeightSpec &weight, const std::vector<uint8_t> &bytes) {
  const numerics::EncodingInfo encoding = weight.info();
  const numerics::FormatInfo info = numerics::formatInfo(encoding);
  std::vector<float> values;
  if (!numerics::isQuantized(info)) {
    for (size_t at = 0; at < bytes.size(); at += encoding.bytes)
      values.push_back(floatOf(weight.encoding, &bytes[at]));
    return values;
  }
  for (int64_t row = 0; row < weight.rows(); ++row)
    for (int64_t b = 0; b < weight.columns() / encoding.elements; ++b) {
      numerics::DecodedBlock block;
      numerics::visitEncoding(weight.encoding, [&]<Encoding E>() {
        numerics::decodeBlock<E>(numerics::rowOf(encoding, bytes.data(), row, weight.columns()), b,
                                 block);
      });
      for (int i = 0; i < encoding.elements; ++i) {
        const int sub = i / info.subBlock;
        float value = block.d * static_cast<float>(block.subScales[sub] * block.levels[i]);
        if (info.minimum == numerics::Minimum::AddedFloat)
          value += block.m;
        if (info.minimum == numerics::Minimum::SubtractedInteger)
          value -= block.m * block.minimums[sub];
        values.push_back(value);
      }
    }
  return values;
}

class RandomEncodings : public testing::TestWithParam<int> {};

} // namespace

TEST_P(RandomEncodings, weightsHaveASaneDeviation) {
  const numerics::EncodingInfo &info = numerics::kEncodings[GetParam()];
  constexpr int64_t kColumns = 2048;
  const WeightSpec weight = spec("blk.0.ffn_up_exps.weight", info.encoding, {2, 64, kColumns});
  double sum = 0, squares = 0;
  const std::vector<float> values = decode(weight, randomBytes(weight, 7));
  for (const float value : values) {
    ASSERT_TRUE(std::isfinite(value));
    sum += value;
    squares += double(value) * value;
  }
  const double count = static_cast<double>(values.size());
  const double deviation = std::sqrt(squares / count);
  EXPECT_GT(deviation * std::sqrt(kColumns), 0.4) << info.name;
  EXPECT_LT(deviation * std::sqrt(kColumns), 2.5) << info.name;
  EXPECT_LT(std::abs(sum / count), 0.5 * deviation) << info.name;
}

TEST_P(RandomEncodings, anyRowsCanBeMadeAlone) {
  const numerics::EncodingInfo &info = numerics::kEncodings[GetParam()];
  const int64_t together = info.stripRows;
  const WeightSpec weight = spec("w", info.encoding, {3, 5 * together, 512});
  const std::vector<uint8_t> all = randomBytes(weight, 1);
  for (int64_t row = 0; row < weight.rows(); row += together) {
    std::vector<uint8_t> strip(together * weight.rowBytes());
    RandomBlocks(weight, "w", 1).fill(row * weight.rowBytes(), strip.size(), strip.data());
    EXPECT_TRUE(std::equal(strip.begin(), strip.end(), all.begin() + row * weight.rowBytes()));
  }
}

INSTANTIATE_TEST_SUITE_P(All, RandomEncodings, testing::Range(0, numerics::kEncodingCount),
                         [](const testing::TestParamInfo<int> &info) {
                           return std::string(numerics::kEncodings[info.param].name);
                         });

TEST(RandomBlocks, followSeedAndName) {
  const WeightSpec a = spec("a", Encoding::Q4_K, {4, 256});
  const WeightSpec b = spec("b", Encoding::Q4_K, {4, 256});
  EXPECT_EQ(randomBytes(a, 1), randomBytes(a, 1));
  EXPECT_NE(randomBytes(a, 1), randomBytes(a, 2));
  EXPECT_NE(randomBytes(a, 1), randomBytes(b, 1));
}

TEST(RandomBlocks, theStreamIsTheDocumentedOne) {
  // SplitMix64 of key + 1 * gamma, with the key of docs/runtime.md; computed apart.
  auto mix = [](uint64_t x) {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
  };
  const uint64_t fnv = (0xcbf29ce484222325u ^ 'w') * 0x100000001b3u;
  const uint64_t key = mix(5 ^ mix(fnv));
  EXPECT_EQ(CounterRandom(5, "w").word(0), mix(key + 0x9e3779b97f4a7c15u));
}

TEST(RandomBlocks, vectorsAreBetweenAHalfAndOne) {
  const WeightSpec norm = spec("norm", Encoding::F32, {256});
  const std::vector<uint8_t> bytes = randomBytes(norm, 3);
  for (size_t i = 0; i < bytes.size(); i += 4) {
    float value;
    std::memcpy(&value, bytes.data() + i, 4);
    EXPECT_TRUE(value >= 0.5f && value < 1.0f);
  }
}

//===- Where rows lie ----------------------------------------------------===//

namespace {

/// The rows of a weight, read `step` at a time.
std::vector<uint8_t> readAll(WeightSource &source, const WeightSpec &weight, int64_t step) {
  std::vector<uint8_t> bytes;
  std::vector<uint8_t> scratch(step * weight.rowBytes());
  for (int64_t row = 0; row < weight.rows(); row += step) {
    const int64_t count = std::min(step, weight.rows() - row);
    const uint8_t *read = cantFail(source.rows(weight, row, count, scratch.data()));
    bytes.insert(bytes.end(), read, read + count * weight.rowBytes());
  }
  return bytes;
}

/// For every step, the bytes of `weight` are those that `whole` has for these rows and columns: for
/// row r of the weight, row rowOf(r), from byte `firstByte` on.
template <typename RowOf>
void expectPart(const WeightSpec &weight, const WeightSpec &whole, RowOf rowOf,
                uint64_t firstByte = 0) {
  const auto source = makeRandomSource(1);
  const std::vector<uint8_t> all = readAll(*source, whole, whole.rows());
  std::vector<uint8_t> expected;
  for (int64_t row = 0; row < weight.rows(); ++row) {
    const auto from = all.begin() + rowOf(row) * whole.rowBytes() + firstByte;
    expected.insert(expected.end(), from, from + weight.rowBytes());
  }
  for (int64_t step = 1; step <= weight.rows(); ++step)
    EXPECT_EQ(readAll(*source, weight, step), expected) << weight.describe() << " by " << step;
}

} // namespace

TEST(WeightSpec, rowsOfEachMatrix) {
  const WeightSpec whole = spec("w", Encoding::Q4_K, {3, 7, 256});
  WeightSpec part = spec("w", Encoding::Q4_K, {3, 4, 256});
  part.rowPart = {2, 7};
  EXPECT_EQ(part.tensorShape(), whole.shape);
  expectPart(part, whole, [](int64_t row) { return row / 4 * 7 + 2 + row % 4; });
  EXPECT_EQ(part.describe(), "rows 2 to 5 of tensor 'w' (q4_K, 3x7x256)");
  EXPECT_EQ(part.label(), "w rows 2 to 5");

  WeightSpec dense = spec("w", Encoding::Q4_K, {5, 256});
  dense.rowPart = {16, 21};
  EXPECT_EQ(dense.tensorShape(), ArrayRef<int64_t>({21, 256}));
  expectPart(dense, whole, [](int64_t row) { return 16 + row; });
}

TEST(WeightSpec, partsThatAreAllOfADimensionLieTogether) {
  const WeightSpec whole = spec("w", Encoding::Q8_0, {3, 4, 96});
  WeightSpec part = whole;
  part.rowPart = {0, 4};
  part.columnPart = {0, 96};
  expectPart(part, whole, [](int64_t row) { return row; });
  EXPECT_EQ(part.piece(1, 11).rows, 11);
}

TEST(WeightSpec, columnsOfEachRow) {
  const WeightSpec whole = spec("b", Encoding::Q8_0, {3, 4, 96});
  WeightSpec part = spec("b", Encoding::Q8_0, {3, 4, 64});
  part.columnPart = {32, 96};
  expectPart(part, whole, [](int64_t row) { return row; }, 34);
  EXPECT_EQ(part.describe(), "columns 32 to 95 of tensor 'b' (q8_0, 3x4x96)");

  WeightSpec both = spec("b", Encoding::Q8_0, {3, 2, 32});
  both.rowPart = {1, 4};
  both.columnPart = {64, 96};
  expectPart(both, whole, [](int64_t row) { return row / 2 * 4 + 1 + row % 2; }, 68);
  EXPECT_EQ(both.label(), "b rows 1 to 2 and columns 64 to 95");

  const WeightSpec vector = spec("v", Encoding::F32, {8});
  WeightSpec half = spec("v", Encoding::F32, {5});
  half.columnPart = {3, 8};
  expectPart(half, vector, [](int64_t) { return 0; }, 12);
}

TEST(WeightSpec, partsOfStripsOfRows) {
  const WeightSpec whole = spec("s", Encoding::Q4_K_R4, {2, 12, 512});
  const auto source = makeRandomSource(1);
  const std::vector<uint8_t> all = readAll(*source, whole, whole.rows());
  const uint64_t strip = 4 * whole.rowBytes();

  WeightSpec rows = spec("s", Encoding::Q4_K_R4, {2, 8, 512});
  rows.rowPart = {4, 12};
  std::vector<uint8_t> expected;
  for (const uint64_t first : {1, 2, 4, 5})
    expected.insert(expected.end(), all.begin() + first * strip, all.begin() + (first + 1) * strip);
  for (const int64_t step : {4, 8, 12, 16})
    EXPECT_EQ(readAll(*source, rows, step), expected) << step;

  // Of each strip, its second block.
  WeightSpec columns = spec("s", Encoding::Q4_K_R4, {2, 12, 256});
  columns.columnPart = {256, 512};
  expected.clear();
  for (uint64_t first = 0; first < 6; ++first)
    expected.insert(expected.end(), all.begin() + first * strip + strip / 2,
                    all.begin() + (first + 1) * strip);
  for (const int64_t step : {4, 12, 24})
    EXPECT_EQ(readAll(*source, columns, step), expected) << step;
}

TEST(WeightSpec, transposedMatrices) {
  const auto source = makeRandomSource(1);
  const WeightSpec stored = spec("t", Encoding::F16, {3, 7, 5}); // [experts, K, N]
  const std::vector<uint8_t> all = readAll(*source, stored, stored.rows());
  WeightSpec weight = spec("t", Encoding::F16, {3, 5, 7});
  weight.layout.isTransposed = true;
  EXPECT_EQ(weight.tensorShape(), stored.shape);
  EXPECT_EQ(weight.describe(), "the transpose of tensor 't' (f16, 3x7x5)");
  EXPECT_EQ(weight.label(), "t transposed");
  EXPECT_NE(weight.identity(), spec("t", Encoding::F16, {3, 5, 7}).identity());
  std::vector<uint8_t> expected;
  for (size_t expert = 0; expert < 3; ++expert)
    for (size_t n = 0; n < 5; ++n)
      for (size_t k = 0; k < 7; ++k)
        for (size_t byte = 0; byte < 2; ++byte)
          expected.push_back(all[((expert * 7 + k) * 5 + n) * 2 + byte]);
  for (int64_t step = 1; step <= 15; ++step)
    EXPECT_EQ(readAll(*source, weight, step), expected) << step;

  // A tensor an expert.
  WeightSpec stacked = spec("a", Encoding::F32, {2, 3, 4});
  stacked.tensors = {"a", "b"};
  stacked.layout.isTransposed = true;
  expected.clear();
  for (const char *name : {"a", "b"}) {
    const std::vector<uint8_t> one = readAll(*source, spec(name, Encoding::F32, {4, 3}), 4);
    for (size_t n = 0; n < 3; ++n)
      for (size_t k = 0; k < 4; ++k)
        expected.insert(expected.end(), one.begin() + (k * 3 + n) * 4,
                        one.begin() + (k * 3 + n) * 4 + 4);
  }
  for (int64_t step = 1; step <= 6; ++step)
    EXPECT_EQ(readAll(*source, stacked, step), expected) << step;
}

TEST(WeightSpec, joinedMatrices) {
  WeightSpec values = spec("kv", Encoding::Q8_0, {3, 2, 64});
  values.rowPart = {4, 6};
  values.layout.isJoined = true;
  EXPECT_EQ(values.tensorShape(), ArrayRef<int64_t>({18, 64}));
  EXPECT_EQ(values.describe(), "rows 4 to 5 of each 6 of tensor 'kv' (q8_0, 18x64)");
  EXPECT_EQ(values.label(), "kv rows 4 to 5 of each 6");
  WeightSpec apart = values;
  apart.layout.isJoined = false;
  EXPECT_NE(values.identity(), apart.identity());
  expectPart(values, spec("kv", Encoding::Q8_0, {18, 64}),
             [](int64_t row) { return row / 2 * 6 + 4 + row % 2; });
}

TEST(WeightSpec, transposedRowsOfJoinedMatrices) {
  WeightSpec keys = spec("kv", Encoding::BF16, {3, 5, 2});
  keys.rowPart = {1, 4};
  keys.layout = {/*isJoined=*/true, /*isTransposed=*/true};
  EXPECT_EQ(keys.tensorShape(), ArrayRef<int64_t>({12, 5}));
  EXPECT_EQ(keys.describe(), "the transpose of rows 1 to 2 of each 4 of tensor 'kv' (bf16, 12x5)");
  EXPECT_EQ(keys.storedBytes(), keys.bytes());
  const auto source = makeRandomSource(1);
  const std::vector<uint8_t> all = readAll(*source, spec("kv", Encoding::BF16, {12, 5}), 12);
  std::vector<uint8_t> expected;
  for (size_t matrix = 0; matrix < 3; ++matrix)
    for (size_t n = 0; n < 5; ++n)
      for (size_t k = 0; k < 2; ++k)
        for (size_t byte = 0; byte < 2; ++byte)
          expected.push_back(all[((matrix * 4 + 1 + k) * 5 + n) * 2 + byte]);
  for (int64_t step = 1; step <= 15; ++step)
    EXPECT_EQ(readAll(*source, keys, step), expected) << step;
}

namespace {
class DecodedEncodings : public testing::TestWithParam<int> {};
} // namespace

TEST_P(DecodedEncodings, transposedBlocksAreDecoded) {
  constexpr int64_t kRank = 512, kMatrices = 2, kRowsOfFile = 12, kFirst = 4, kRows = 8;
  const numerics::EncodingInfo &info = numerics::kEncodings[GetParam()];
  if (!numerics::isQuantized(info))
    GTEST_SKIP() << "floats are not decoded";
  const auto source = makeRandomSource(1);
  const WeightSpec file = spec("kv", info.encoding, {kMatrices * kRowsOfFile, kRank});
  const std::vector<uint8_t> bytes = readAll(*source, file, file.rows());

  WeightSpec keys = spec("kv", Encoding::F32, {kMatrices, kRank, kRows});
  keys.rowPart = {kFirst, kRowsOfFile};
  keys.layout = {/*isJoined=*/true, /*isTransposed=*/true, info.encoding};
  EXPECT_EQ(keys.tensorShape(), ArrayRef<int64_t>({kMatrices * kRowsOfFile, kRank}));
  EXPECT_EQ(keys.storedBytes(), kMatrices * kRows * file.rowBytes());
  EXPECT_NE(keys.identity(), spec("kv", Encoding::F32, {kMatrices, kRank, kRows}).identity());

  std::vector<uint8_t> expected(keys.bytes());
  const std::vector<float> values = decode(file, bytes);
  for (int64_t matrix = 0; matrix < kMatrices; ++matrix)
    for (int64_t n = 0; n < kRank; ++n)
      for (int64_t k = 0; k < kRows; ++k) {
        const float value = values[(matrix * kRowsOfFile + kFirst + k) * kRank + n];
        std::memcpy(expected.data() + ((matrix * kRank + n) * kRows + k) * 4, &value, 4);
      }
  for (const int64_t step : {1, 7, 256, 1000, 1024})
    EXPECT_EQ(readAll(*source, keys, step), expected) << step;
}

INSTANTIATE_TEST_SUITE_P(All, DecodedEncodings, testing::Range(0, numerics::kEncodingCount),
                         [](const testing::TestParamInfo<int> &info) {
                           return std::string(numerics::kEncodings[info.param].name);
                         });

TEST(WeightSpec, tensorsOfOneExpertEach) {
  WeightSpec stacked = spec("a", Encoding::Q8_0, {3, 5, 64});
  stacked.tensors = {"a", "b", "c"};
  EXPECT_EQ(stacked.describe(), "tensors 'a' to 'c' (q8_0, 5x64)");
  EXPECT_EQ(stacked.label(), "a to c");
  const auto source = makeRandomSource(1);
  std::vector<uint8_t> expected;
  for (const char *name : {"a", "b", "c"}) {
    const std::vector<uint8_t> one = readAll(*source, spec(name, Encoding::Q8_0, {5, 64}), 5);
    expected.insert(expected.end(), one.begin(), one.end());
  }
  for (int64_t step = 1; step <= 15; ++step)
    EXPECT_EQ(readAll(*source, stacked, step), expected) << step;

  WeightSpec part = stacked;
  part.shape = {3, 2, 64};
  part.rowPart = {3, 5};
  std::vector<uint8_t> rows;
  for (int expert = 0; expert < 3; ++expert)
    rows.insert(rows.end(), expected.begin() + (expert * 5 + 3) * 68,
                expected.begin() + (expert * 5 + 5) * 68);
  for (int64_t step = 1; step <= 6; ++step)
    EXPECT_EQ(readAll(*source, part, step), rows) << step;

  // One vector an expert: its values are those of a vector.
  WeightSpec biases = spec("a", Encoding::F32, {2, 16});
  biases.tensors = {"a", "b"};
  const std::vector<uint8_t> first = randomBytes(spec("a", Encoding::F32, {16}), 1);
  const std::vector<uint8_t> both = readAll(*source, biases, 2);
  EXPECT_TRUE(std::equal(first.begin(), first.end(), both.begin()));
}

//===- Sources -----------------------------------------------------------===//

namespace {

std::unique_ptr<WeightSource> ggufSource() {
  GgufWriter writer;
  std::string norm;
  for (int i = 0; i < 8; ++i)
    norm += GgufWriter::number(float(i));
  writer.addTensor("norm", 0, {8}, norm);
  std::string half;
  for (const uint16_t bits : {0x3c00, 0xc000, 0x3555, 0x0001, 0x7bff, 0, 0x8000, 0x4248})
    half += GgufWriter::number(bits);
  writer.addTensor("half", 1, {8}, half);
  writer.addTensor("matrix", 8, {32, 3}, std::string(34 * 3, 'm'));
  writer.addTensor("foreign", 17, {256}, std::string(74, 'x'));
  writer.addTensor("column", 0, {8, 1}, norm);
  writer.addTensor("expert.0", 8, {32, 2}, std::string(34 * 2, '0'));
  writer.addTensor("expert.1", 8, {32, 2}, std::string(34 * 2, '1'));
  writer.addTensor("expert.2", 8, {32, 1}, std::string(34, '2'));
  std::vector<std::unique_ptr<MemoryBuffer>> parts;
  parts.push_back(asBuffer(writer.finish(), "model.gguf"));
  return makeFileSource(cantFail(gguf::Model::fromBuffers(std::move(parts))));
}

std::string checkError(const WeightSpec &weight) {
  Error error = ggufSource()->check(weight);
  return error ? toString(std::move(error)) : "no error";
}

} // namespace

TEST(GgufSource, comparesNameFormatAndShape) {
  EXPECT_EQ(checkError(spec("matrix", Encoding::Q8_0, {3, 32})), "no error");
  EXPECT_EQ(checkError(spec("absent", Encoding::F32, {8})),
            "model.gguf: has no tensor 'absent' (f32, 8), which the program needs; give the model "
            "that it was compiled for");
  EXPECT_EQ(checkError(spec("matrix", Encoding::Q8_0, {32, 3})),
            "model.gguf: holds tensor 'matrix' (q8_0, 3x32), the program was compiled for tensor "
            "'matrix' (q8_0, 32x3); give the model that it was compiled for, or compile it for "
            "this one");
  EXPECT_NE(checkError(spec("matrix", Encoding::Q4_0, {3, 32})).find("was compiled for"),
            std::string::npos);
  EXPECT_NE(
      checkError(spec("foreign", Encoding::Q4_K, {256})).find("tensor 'foreign' (iq2_xs, 256)"),
      std::string::npos);
}

TEST(GgufSource, shapesAreTheSameButForOnes) {
  EXPECT_EQ(checkError(spec("norm", Encoding::F32, {1, 8})), "no error");
  EXPECT_EQ(checkError(spec("norm", Encoding::F32, {8, 1, 1})), "no error");
  EXPECT_EQ(checkError(spec("column", Encoding::F32, {8})), "no error");
  EXPECT_EQ(checkError(spec("matrix", Encoding::Q8_0, {1, 3, 32})), "no error");
  EXPECT_NE(checkError(spec("norm", Encoding::F32, {2, 4})).find("holds tensor 'norm' (f32, 8)"),
            std::string::npos);
}

TEST(GgufSource, comparesEachOfSeveralTensorsAndThoseOfParts) {
  WeightSpec stacked = spec("expert.0", Encoding::Q8_0, {2, 2, 32});
  stacked.tensors = {"expert.0", "expert.1"};
  EXPECT_EQ(checkError(stacked), "no error");
  stacked.tensors = {"expert.0", "expert.2"};
  EXPECT_EQ(checkError(stacked),
            "model.gguf: holds tensor 'expert.2' (q8_0, 1x32), the program was compiled for tensor "
            "'expert.2' (q8_0, 2x32); give the model that it was compiled for, or compile it for "
            "this one");
  stacked.tensors = {"expert.0", "expert.3"};
  EXPECT_NE(checkError(stacked).find("has no tensor 'expert.3' (q8_0, 2x32)"), std::string::npos);
  WeightSpec part = spec("matrix", Encoding::Q8_0, {2, 32});
  part.rowPart = {1, 3};
  EXPECT_EQ(checkError(part), "no error");
  part.rowPart = {1, 4};
  EXPECT_NE(checkError(part).find("compiled for tensor 'matrix' (q8_0, 4x32)"), std::string::npos);
}

TEST(GgufSource, rowsAreInPlaceWhereTheyLieTogether) {
  const auto source = ggufSource();
  WeightSpec stacked = spec("expert.0", Encoding::Q8_0, {2, 2, 32});
  stacked.tensors = {"expert.0", "expert.1"};
  std::vector<uint8_t> scratch(4 * 34);
  const uint8_t *second = cantFail(source->rows(stacked, 2, 2, scratch.data()));
  EXPECT_NE(second, scratch.data());
  EXPECT_EQ(*second, '1');
  const uint8_t *all = cantFail(source->rows(stacked, 0, 4, scratch.data()));
  EXPECT_EQ(all, scratch.data());
  EXPECT_EQ(std::string(all, all + 136), std::string(68, '0') + std::string(68, '1'));
}

TEST(CallbackSource, isAskedForTensorsOfTheModel) {
  WeightSpec stacked = spec("a", Encoding::Q8_0, {2, 2, 64});
  stacked.tensors = {"a", "b"};
  stacked.columnPart = {32, 96};
  std::string asked;
  const auto source = makeCallbackSource(
      [&](StringRef tensor, uint64_t offset, uint64_t size, uint8_t *destination) {
        asked += (tensor + " " + Twine(offset) + " " + Twine(size) + "; ").str();
        std::fill_n(destination, size, tensor.front());
        return tensor != "b" || offset == 34;
      });
  std::vector<uint8_t> scratch(4 * 68);
  const uint8_t *read = cantFail(source->rows(stacked, 0, 3, scratch.data()));
  EXPECT_EQ(std::string(read, read + 204), std::string(136, 'a') + std::string(68, 'b'));
  EXPECT_EQ(asked, "a 34 68; a 136 68; b 34 68; ");
  EXPECT_EQ(toString(source->rows(stacked, 3, 1, scratch.data()).takeError()),
            "the weights callback failed for tensor 'b' (q8_0, 2x96), 68 bytes at offset 136");
}

namespace {

struct Packing {
  std::vector<WeightSpec> specs;
  BitVector wanted;
  std::unique_ptr<cpu::ThreadPool> pool = cantFail(cpu::ThreadPool::create(2));

  Expected<std::unique_ptr<PackedWeights>>
  run(WeightSource &source, ReportProgress report = [](uint64_t, uint64_t) { return true; }) {
    wanted.resize(specs.size(), true);
    return PackedWeights::create(specs, wanted, source, *pool, report);
  }
};

WeightSpec asVector(WeightSpec weight) {
  weight.isMatrix = false;
  weight.isVector = true;
  return weight;
}

} // namespace

TEST(PackedWeights, vectorsAreExactFloats) {
  Packing packing;
  packing.specs = {asVector(spec("norm", Encoding::F32, {8})),
                   asVector(spec("half", Encoding::F16, {8}))};
  Expected<std::unique_ptr<PackedWeights>> weights = packing.run(*ggufSource());
  ASSERT_TRUE(bool(weights)) << toString(weights.takeError());
  EXPECT_EQ(ArrayRef((*weights)->vector(0), 8),
            ArrayRef<float>({0.0f, 1.0f, 2.0f, 3.0f, 4.0f, 5.0f, 6.0f, 7.0f}));
  EXPECT_EQ((*weights)->vector(1)[1], -2.0f);
  EXPECT_EQ((*weights)->vector(1)[3], 0x1p-24f);
  EXPECT_EQ((*weights)->vector(1)[4], 65504.0f);
}

TEST(PackedWeights, callbackAndFileGiveTheSameBytes) {
  Packing packing;
  packing.specs = {spec("matrix", Encoding::Q8_0, {3, 32})};
  Expected<std::unique_ptr<PackedWeights>> fromFile = packing.run(*ggufSource());
  ASSERT_TRUE(bool(fromFile)) << toString(fromFile.takeError());
  const auto callback = makeCallbackSource(
      [](StringRef tensor, uint64_t offset, uint64_t size, uint8_t *destination) {
        EXPECT_EQ(tensor, "matrix");
        EXPECT_LE(offset + size, 34u * 3);
        std::fill_n(destination, size, 'm');
        return true;
      });
  Expected<std::unique_ptr<PackedWeights>> fromCallback = packing.run(*callback);
  ASSERT_TRUE(bool(fromCallback)) << toString(fromCallback.takeError());
  const size_t size = cpu::packedBytes(cpu::shapeOf(packing.specs[0]));
  EXPECT_EQ(std::memcmp((*fromFile)->matrix(0).packed, (*fromCallback)->matrix(0).packed, size), 0);
}

TEST(PackedWeights, failingCallbacksAreReported) {
  Packing packing;
  packing.specs = {spec("matrix", Encoding::Q8_0, {40, 32})};
  const auto callback =
      makeCallbackSource([](StringRef, uint64_t, uint64_t, uint8_t *) { return false; });
  Expected<std::unique_ptr<PackedWeights>> weights = packing.run(*callback);
  ASSERT_FALSE(bool(weights));
  EXPECT_EQ(toString(weights.takeError()),
            "the weights callback failed for tensor 'matrix' (q8_0, 40x32), 1360 bytes at offset "
            "0");
}

TEST(PackedWeights, callbacksAreAskedForSlabs) {
  struct Slab {
    std::string tensor;
    uint64_t offset, size;
  };
  std::vector<Slab> slabs;
  const auto random = makeRandomSource(3);
  Packing packing;
  // Experts whose last panel is not full; a tensor a little larger than a slab; a small one.
  packing.specs = {spec("experts", Encoding::Q8_0, {37, 101, 1024}),
                   spec("remainder", Encoding::Q8_0, {1000, 1024}),
                   spec("small", Encoding::Q4_0, {64, 64}),
                   asVector(spec("norm", Encoding::F32, {64}))};
  const auto callback = makeCallbackSource(
      [&](StringRef tensor, uint64_t offset, uint64_t size, uint8_t *destination) {
        slabs.push_back({tensor.str(), offset, size});
        for (const WeightSpec &weight : packing.specs)
          if (weight.tensors.front() == tensor)
            cantFail(random->rows(weight, offset / weight.rowBytes(), size / weight.rowBytes(),
                                  destination));
        return true;
      });
  Expected<std::unique_ptr<PackedWeights>> slabbed = packing.run(*callback);
  ASSERT_TRUE(bool(slabbed)) << toString(slabbed.takeError());
  size_t next = 0;
  for (const WeightSpec &weight : packing.specs)
    for (uint64_t offset = 0; offset < weight.bytes(); offset += slabs[next++].size) {
      ASSERT_LT(next, slabs.size());
      EXPECT_EQ(slabs[next].tensor, weight.tensors.front());
      EXPECT_EQ(slabs[next].offset, offset);
      EXPECT_GE(slabs[next].size, std::min<uint64_t>(kLeastReadBytes, weight.bytes()));
      EXPECT_LT(slabs[next].size, 3 * kLeastReadBytes);
    }
  EXPECT_EQ(next, slabs.size());

  const auto direct = cantFail(packing.run(*random));
  for (const unsigned id : {0, 1, 2})
    EXPECT_EQ(std::memcmp(direct->matrix(id).packed, (*slabbed)->matrix(id).packed,
                          cpu::packedBytes(cpu::shapeOf(packing.specs[id]))),
              0)
        << id;
  EXPECT_EQ(ArrayRef(direct->vector(3), 64), ArrayRef((*slabbed)->vector(3), 64));
}

TEST(PackedWeights, slabsDoNotCutTensorsIntoSmallPieces) {
  auto stacked = [](const std::string &name, int64_t rows) {
    WeightSpec weight = spec("", Encoding::Q8_0, {3, rows, 1024});
    weight.tensors = {name + "0", name + "1", name + "2"};
    return weight;
  };
  Packing packing;
  packing.specs = {stacked("large", 1400), stacked("small", 100),
                   spec("part", Encoding::Q8_0, {2, 700, 1024})};
  packing.specs[2].rowPart = {700, 1400};
  packing.specs.push_back(spec("columns", Encoding::Q8_0, {2, 700, 1024}));
  packing.specs[3].columnPart = {0, 1024};
  std::vector<std::string> calls;
  const auto callback =
      makeCallbackSource([&](StringRef tensor, uint64_t offset, uint64_t size, uint8_t *to) {
        calls.push_back((tensor + " " + Twine(offset / 1088) + " " + Twine(size / 1088)).str());
        std::fill_n(to, size, 0);
        return true;
      });
  cantFail(packing.run(*callback));
  EXPECT_EQ(calls, std::vector<std::string>({"large0 0 1400", "large1 0 1400", "large2 0 1400",
                                             "small0 0 100", "small1 0 100", "small2 0 100",
                                             "part 700 700", "part 2100 700", "columns 0 1400"}));
}

TEST(PackedWeights, weightsThatDifferInAnythingAreNotShared) {
  const WeightSpec whole = spec("a", Encoding::Q4_0, {2, 64, 64});
  std::vector<WeightSpec> specs(8, whole);
  specs[1].tensors = {"b"};
  specs[2].tensors = {"a", "b"};
  specs[3].tensors = {"a 1:b"};
  specs[4].encoding = Encoding::Q8_0;
  specs[5].shape = {64, 2, 64};
  specs[6].rowPart = {0, 128};
  specs[7].columnPart = {0, 128};
  std::set<std::string> identities;
  for (const WeightSpec &weight : specs)
    identities.insert(weight.identity());
  EXPECT_EQ(identities.size(), specs.size());
  EXPECT_EQ(whole.identity(), specs[0].identity());
}

TEST(PackedWeights, whatOthersHaveIsNotReadAgain) {
  Packing packing;
  packing.specs = {spec("a", Encoding::Q4_0, {64, 64}), spec("b", Encoding::Q4_0, {64, 64})};
  const auto random = makeRandomSource(1);
  const auto first = cantFail(packing.run(*random));
  EXPECT_EQ(first->bytes().own, cpu::packedBytes(packing.specs[0]) * 2);

  // The other order, one in another form as well, one in another shape, and one that is new.
  Packing other;
  other.specs = {spec("b", Encoding::Q4_0, {64, 64}), spec("a", Encoding::Q4_0, {32, 128}),
                 spec("new", Encoding::Q4_0, {64, 64})};
  std::vector<std::string> read;
  uint64_t all = 0;
  const auto callback =
      makeCallbackSource([&](StringRef tensor, uint64_t, uint64_t size, uint8_t *destination) {
        read.push_back(tensor.str());
        std::fill_n(destination, size, 0);
        return true;
      });
  BitVector wanted(3, true);
  const auto second = cantFail(PackedWeights::create(
      other.specs, wanted, *callback, *other.pool,
      [&](uint64_t, uint64_t total) {
        all = total;
        return true;
      },
      first.get()));
  EXPECT_EQ(read, std::vector<std::string>({"a", "new"}));
  EXPECT_EQ(all, other.specs[1].bytes() + other.specs[2].bytes());
  EXPECT_EQ(second->matrix(0).packed, first->matrix(1).packed);
  EXPECT_EQ(second->bytes().shared, cpu::packedBytes(other.specs[0]));
  EXPECT_EQ(second->bytes().own,
            cpu::packedBytes(other.specs[1]) + cpu::packedBytes(other.specs[2]));
  // What is shared can be shared again.
  const auto third = cantFail(PackedWeights::create(
      other.specs, wanted, *callback, *other.pool, [](uint64_t, uint64_t) { return true; },
      second.get()));
  EXPECT_EQ(third->bytes().own, 0u);
  EXPECT_EQ(read.size(), 2u);
}

TEST(PackedWeights, canBeCancelledAndReportsProgress) {
  Packing packing;
  packing.specs = {spec("a", Encoding::Q4_0, {64, 64}), spec("b", Encoding::Q4_0, {64, 64})};
  const auto source = makeRandomSource(1);
  uint64_t last = 0, all = 0;
  Expected<std::unique_ptr<PackedWeights>> whole =
      packing.run(*source, [&](uint64_t done, uint64_t total) {
        EXPECT_GT(done, last);
        last = done;
        all = total;
        return true;
      });
  EXPECT_TRUE(bool(whole));
  EXPECT_EQ(last, all);
  EXPECT_EQ(all, packing.specs[0].bytes() * 2);
  Expected<std::unique_ptr<PackedWeights>> cancelled =
      packing.run(*source, [](uint64_t, uint64_t) { return false; });
  ASSERT_FALSE(bool(cancelled));
  EXPECT_EQ(errorToErrorCode(cancelled.takeError()), std::errc::operation_canceled);
}
