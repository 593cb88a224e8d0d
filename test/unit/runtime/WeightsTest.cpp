// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sources of weights, random blocks, and packing.

#include "test/unit/gguf/GgufWriter.h"

#include "runtime/numerics/decode.h"
#include "runtime/weights/PackedWeights.h"
#include "runtime/weights/RandomBlocks.h"

#include "gtest/gtest.h"

#include <cmath>

using namespace llvm;
using namespace sortie;
using namespace sortie::test;
using numerics::Format;

namespace {

WeightSpec spec(const std::string &name, Format format, ArrayRef<int64_t> shape) {
  WeightSpec result{name, format, {}, true, false};
  result.shape.assign(shape.begin(), shape.end());
  return result;
}

std::vector<uint8_t> randomBytes(const WeightSpec &weight, uint64_t seed) {
  std::vector<uint8_t> bytes(weight.fileBytes());
  RandomBlocks(weight, seed).fillRows(0, weight.rows(), bytes.data());
  return bytes;
}

/// The weights of rows of any format, decoded.
std::vector<float> decode(const WeightSpec &weight, const std::vector<uint8_t> &bytes) {
  const numerics::FormatInfo info = numerics::formatInfo(weight.format);
  if (!numerics::isQuantized(info)) {
    std::vector<float> values(bytes.size() / info.bytes);
    for (size_t i = 0; i < values.size(); ++i) {
      if (weight.format == Format::F32)
        std::memcpy(&values[i], &bytes[4 * i], sizeof(float));
      else
        values[i] = weight.format == Format::F16
                        ? numerics::loadHalf(&bytes[2 * i])
                        : numerics::fromBFloat16(numerics::loadUint16(&bytes[2 * i]));
    }
    return values;
  }
  std::vector<float> values;
  for (size_t at = 0; at < bytes.size(); at += info.bytes) {
    numerics::DecodedBlock block;
    numerics::visitQuantized(
        weight.format, [&]<Format F>() { numerics::decodeBlock<F>(bytes.data() + at, block); });
    for (int i = 0; i < info.elements; ++i) {
      const int sub = i / info.subBlock;
      float value = block.d * block.subScales[sub] * block.levels[i];
      if (info.minimum == numerics::Minimum::AddedFloat)
        value += block.m;
      if (info.minimum == numerics::Minimum::SubtractedInteger)
        value -= block.m * block.minimums[sub];
      values.push_back(value);
    }
  }
  return values;
}

class RandomFormats : public testing::TestWithParam<int> {};

} // namespace

TEST_P(RandomFormats, weightsHaveASaneDeviation) {
  const numerics::FormatInfo &info = numerics::kFormats[GetParam()];
  constexpr int64_t kColumns = 2048;
  const WeightSpec weight = spec("blk.0.ffn_up_exps.weight", info.format, {2, 64, kColumns});
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

TEST_P(RandomFormats, anyRowsCanBeMadeAlone) {
  const numerics::FormatInfo &info = numerics::kFormats[GetParam()];
  const WeightSpec weight = spec("w", info.format, {3, 5, 512});
  const std::vector<uint8_t> all = randomBytes(weight, 1);
  for (int64_t row = 0; row < weight.rows(); ++row) {
    std::vector<uint8_t> one(weight.rowBytes());
    RandomBlocks(weight, 1).fillRows(row, 1, one.data());
    EXPECT_TRUE(std::equal(one.begin(), one.end(), all.begin() + row * weight.rowBytes()));
  }
}

INSTANTIATE_TEST_SUITE_P(All, RandomFormats, testing::Range(0, numerics::kFormatCount),
                         [](const testing::TestParamInfo<int> &info) {
                           return std::string(numerics::kFormats[info.param].name);
                         });

TEST(RandomBlocks, followSeedAndName) {
  const WeightSpec a = spec("a", Format::Q4_K, {4, 256});
  const WeightSpec b = spec("b", Format::Q4_K, {4, 256});
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
  const WeightSpec norm = spec("norm", Format::F32, {256});
  const std::vector<uint8_t> bytes = randomBytes(norm, 3);
  for (size_t i = 0; i < bytes.size(); i += 4) {
    float value;
    std::memcpy(&value, bytes.data() + i, 4);
    EXPECT_TRUE(value >= 0.5f && value < 1.0f);
  }
}

//===- Sources
//-----------------------------------------------------------------------------------===//

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
  writer.addTensor("foreign", 16, {256}, std::string(66, 'x'));
  std::vector<std::unique_ptr<MemoryBuffer>> parts;
  parts.push_back(asBuffer(writer.finish(), "model.gguf"));
  return makeGgufSource(cantFail(gguf::Model::fromBuffers(std::move(parts))));
}

std::string checkError(const WeightSpec &weight) {
  Error error = ggufSource()->check(weight);
  return error ? toString(std::move(error)) : "no error";
}

} // namespace

TEST(GgufSource, comparesNameFormatAndShape) {
  EXPECT_EQ(checkError(spec("matrix", Format::Q8_0, {3, 32})), "no error");
  EXPECT_EQ(checkError(spec("absent", Format::F32, {8})),
            "model.gguf: has no tensor 'absent' (f32, 8), which the program needs; give the model "
            "that it was compiled for");
  EXPECT_EQ(checkError(spec("matrix", Format::Q8_0, {32, 3})),
            "model.gguf: holds tensor 'matrix' (q8_0, 3x32), the program was compiled for tensor "
            "'matrix' (q8_0, 32x3); give the model that it was compiled for, or compile it for "
            "this one");
  EXPECT_NE(checkError(spec("matrix", Format::Q4_0, {3, 32})).find("was compiled for"),
            std::string::npos);
  EXPECT_NE(
      checkError(spec("foreign", Format::Q4_K, {256})).find("tensor 'foreign' (iq2_xxs, 256)"),
      std::string::npos);
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
  packing.specs = {asVector(spec("norm", Format::F32, {8})),
                   asVector(spec("half", Format::F16, {8}))};
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
  packing.specs = {spec("matrix", Format::Q8_0, {3, 32})};
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
  const size_t size = cpu::packedBytes(packing.specs[0].matrixShape());
  EXPECT_EQ(std::memcmp((*fromFile)->matrix(0).packed, (*fromCallback)->matrix(0).packed, size), 0);
}

TEST(PackedWeights, failingCallbacksAreReported) {
  Packing packing;
  packing.specs = {spec("matrix", Format::Q8_0, {40, 32})};
  const auto callback = makeCallbackSource(
      [](StringRef, uint64_t offset, uint64_t, uint8_t *) { return offset != 16 * 34; });
  Expected<std::unique_ptr<PackedWeights>> weights = packing.run(*callback);
  ASSERT_FALSE(bool(weights));
  EXPECT_EQ(toString(weights.takeError()),
            "the weights callback failed for tensor 'matrix' (q8_0, 40x32), 544 bytes at offset "
            "544");
}

TEST(PackedWeights, canBeCancelledAndReportsProgress) {
  Packing packing;
  packing.specs = {spec("a", Format::Q4_0, {64, 64}), spec("b", Format::Q4_0, {64, 64})};
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
  EXPECT_EQ(all, packing.specs[0].fileBytes() * 2);
  Expected<std::unique_ptr<PackedWeights>> cancelled =
      packing.run(*source, [](uint64_t, uint64_t) { return false; });
  ASSERT_FALSE(bool(cancelled));
  EXPECT_EQ(errorToErrorCode(cancelled.takeError()), std::errc::operation_canceled);
}
