// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Scales, minimums and weights that are not finite: found in every format, where they are, and
// nothing else is.

#include "test/unit/gguf/GgufWriter.h"

#include "runtime/weights/NonFinite.h"
#include "runtime/weights/RandomBlocks.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Endian.h"

#include "gtest/gtest.h"

using namespace llvm;
using namespace sortie;
using namespace sortie::test;
using numerics::Encoding;
using numerics::EncodingInfo;

namespace {

constexpr int64_t kExperts = 3, kRows = 4, kColumns = 512;

/// A tensor [3, 4, 512] of random finite blocks.
WeightSpec specOf(const EncodingInfo &info) {
  WeightSpec spec{{"w"}, info.encoding, {}, true, false};
  spec.shape = {kExperts, kRows, kColumns};
  return spec;
}

struct TestTensor {
  explicit TestTensor(const EncodingInfo &info) : info(info), bytes(size()) {
    const WeightSpec spec = specOf(info);
    RandomBlocks(spec, "w", 7).fill(0, bytes.size(), bytes.data());
  }

  size_t size() const { return specOf(info).bytes(); }

  /// Scans with slabs of so many bytes, the last first.
  std::pair<uint64_t, std::vector<std::string>> scan(size_t slab) const {
    ModelTensor tensor;
    tensor.name = "w";
    tensor.encoding = numerics::findEncoding(info.ggufType);
    tensor.dimensions = {kColumns, kRows, kExperts};
    tensor.bytes = bytes;
    const ModelTensor *list[] = {&tensor};
    NonFiniteScan found(list);
    std::vector<uint64_t> offsets;
    for (uint64_t offset = 0; offset < bytes.size(); offset += slab)
      offsets.push_back(offset);
    for (const uint64_t offset : reverse(offsets))
      found.addSlab(0, offset, slab);
    std::vector<std::string> places;
    for (const NonFinite &value : found.first(0))
      places.push_back(placeOf(tensor, value).describe() + ": " + value.what);
    return {found.count(0), places};
  }

  uint8_t *block(size_t index) { return bytes.data() + index * info.bytes; }

  /// A number of block `block` of row `row`, counted through all experts.
  uint8_t *number(const numerics::NumberPlace &place, int64_t row, int64_t block) {
    const numerics::EncodedRow of = numerics::rowOf(info, bytes.data(), row, kColumns);
    return bytes.data() + (numerics::numberOf(info, place, of, block) - bytes.data());
  }

  EncodingInfo info;
  std::vector<uint8_t> bytes;
};

/// "columns 32 to 63" of the block that has number `block` in its row; all of the row where the
/// scale is of rows.
std::string columnsOf(const EncodingInfo &info, int64_t block) {
  if (info.headerBytes != 0)
    return "columns 0 to " + std::to_string(kColumns - 1);
  const int64_t first = block * info.elements;
  return info.elements == 1 ? "column " + std::to_string(first)
                            : "columns " + std::to_string(first) + " to " +
                                  std::to_string(first + info.elements - 1);
}

} // namespace

TEST(NonFinite, randomBlocksAreFinite) {
  for (const EncodingInfo &info : numerics::kEncodings)
    EXPECT_EQ(TestTensor(info).scan(1000).first, 0u) << info.name;
}

namespace {

/// Writes a number that is not finite.
void writeNonFinite(const numerics::NumberPlace &place, bool isNan, uint8_t *to) {
  if (place.type == numerics::StoredNumber::F32)
    support::endian::write32le(to, isNan ? 0x7fc00000 : 0xff800000);
  else
    support::endian::write16le(to, isNan ? 0x7e00 : 0xfc00);
}

} // namespace

TEST(NonFinite, scalesOfEveryBlockEncodingAreFound) {
  for (const EncodingInfo &info : numerics::kEncodings) {
    if (!numerics::isQuantized(info))
      continue;
    const int64_t blocksOfRow = kColumns / info.elements;
    // The second block of the third row of the second expert, and the last of all.
    const int64_t inside = kRows + 2, last = kExperts * kRows - 1;
    const std::string placeInside = "expert 1, row 2, " + columnsOf(info, 1) + ": ";
    const std::string placeLast = "expert 2, row 3, " + columnsOf(info, blocksOfRow - 1) + ": ";
    TestTensor tensor(info);
    if (info.encoding == Encoding::MXFP4) {
      *tensor.number(info.scale, inside, 1) = 255;
      const std::vector<std::string> expected = {placeInside + "the scale is 255, a NaN"};
      EXPECT_EQ(tensor.scan(1000), std::pair(uint64_t{1}, expected));
      continue;
    }
    writeNonFinite(info.scale, /*isNan=*/true, tensor.number(info.scale, inside, 1));
    writeNonFinite(info.scale, /*isNan=*/false, tensor.number(info.scale, last, blocksOfRow - 1));
    std::vector<std::string> expected = {placeInside + "the scale is NaN",
                                         placeLast + "the scale is infinite"};
    if (info.minimum.type != numerics::StoredNumber::None) {
      writeNonFinite(info.minimum, /*isNan=*/true, tensor.number(info.minimum, inside, 1));
      expected.insert(expected.begin() + 1, placeInside + "the minimum is NaN");
    }
    // Slabs that end inside of blocks, and one that holds everything.
    for (const size_t slab : {size_t{97}, size_t{1000}, tensor.size()})
      EXPECT_EQ(tensor.scan(slab), std::pair(uint64_t{expected.size()}, expected))
          << info.name << ", slabs of " << slab;
  }
}

/// A float scale that is finite, times a sub-scale of 127 and a level of -127, is not.
TEST(NonFinite, scalesOfRowsThatMakeWeightsInfiniteAreFound) {
  for (const auto &[bits, isInfinite] : {std::pair(0x7f7fffffu, true), {0x78000000u, false}}) {
    TestTensor tensor(numerics::encodingInfo(Encoding::IQ4_KS));
    support::endian::write32le(tensor.number(tensor.info.scale, 5, 0), bits);
    std::vector<std::string> expected;
    if (isInfinite)
      expected = {"expert 1, row 1, columns 0 to 511: the scale is so large that a weight is "
                  "infinite"};
    EXPECT_EQ(tensor.scan(1000), std::pair(uint64_t{expected.size()}, expected)) << bits;
  }
}

/// Codes 2, 4 and 6 of MXFP4 are 1, 2 and 4, and the scale 254 is 2^127: 2^128 is past the largest
/// float, 1.5 * 2^127 is not.
TEST(NonFinite, scalesOfMxfp4ThatMakeWeightsInfiniteAreFound) {
  const struct {
    uint8_t scale, code;
    bool isInfinite;
  } cases[] = {{252, 15, false}, {253, 5, false}, {253, 6, true},  {253, 14, true},
               {254, 3, false},  {254, 4, true},  {254, 12, true}, {254, 0, false}};
  for (const auto &[scale, code, isInfinite] : cases) {
    TestTensor tensor(numerics::encodingInfo(Encoding::MXFP4));
    std::fill_n(tensor.block(3), tensor.info.bytes, 0);
    tensor.block(3)[0] = scale;
    tensor.block(3)[9] = static_cast<uint8_t>(code << 4);
    std::vector<std::string> expected;
    if (isInfinite)
      expected = {"expert 0, row 0, columns 96 to 127: the scale is so large that a weight is "
                  "infinite"};
    EXPECT_EQ(tensor.scan(1000), std::pair(uint64_t{expected.size()}, expected))
        << int{scale} << ", code " << int{code};
  }
}

TEST(NonFinite, weightsOfFloatFormatsAreFound) {
  const auto expected = [](const char *what) {
    return std::pair(
        uint64_t{1},
        std::vector<std::string>{std::string("expert 0, row 1, column 3: the weight is ") + what});
  };
  const size_t at = kColumns + 3;
  for (const auto &[bits, what] : {std::pair(0x7f800000u, "infinite"), {0xffc00000u, "NaN"}}) {
    TestTensor f32(numerics::encodingInfo(Encoding::F32));
    support::endian::write32le(f32.block(at), bits);
    EXPECT_EQ(f32.scan(999), expected(what));
    TestTensor bf16(numerics::encodingInfo(Encoding::BF16));
    support::endian::write16le(bf16.block(at), bits >> 16);
    EXPECT_EQ(bf16.scan(999), expected(what));
  }
  TestTensor f16(numerics::encodingInfo(Encoding::F16));
  support::endian::write16le(f16.block(at), 0x7bff); // the largest half
  EXPECT_EQ(f16.scan(999).first, 0u);
  support::endian::write16le(f16.block(at), 0xfc00);
  EXPECT_EQ(f16.scan(999), expected("infinite"));
}

TEST(NonFinite, theFirstAreKeptInOrderAndAllAreCounted) {
  TestTensor tensor(numerics::encodingInfo(Encoding::F32));
  for (size_t i = 0; i < kExperts * kRows * kColumns; i += 100)
    support::endian::write32le(tensor.block(i), 0x7f800000);
  for (const size_t slab : {size_t{4}, size_t{1024}, tensor.size()}) {
    const auto [count, places] = tensor.scan(slab);
    EXPECT_EQ(count, 62u);
    ASSERT_EQ(places.size(), NonFiniteScan::kKept);
    for (size_t i = 0; i < places.size(); ++i)
      EXPECT_EQ(places[i],
                "expert 0, row 0, column " + std::to_string(100 * i) + ": the weight is infinite");
  }
}

TEST(NonFinite, vectorsAndMatricesHaveNoExperts) {
  ModelTensor tensor;
  tensor.encoding = numerics::findEncoding(0);
  tensor.dimensions = {8};
  EXPECT_EQ(placeOf(tensor, {5, 0, ""}).describe(), "row 0, column 5");
  tensor.dimensions = {8, 3};
  EXPECT_EQ(placeOf(tensor, {17, 0, ""}).describe(), "row 2, column 1");
}
