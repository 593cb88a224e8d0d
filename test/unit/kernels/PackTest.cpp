// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Packing of weights against an unpacker written from the text of PackedLayout.h.

#include "test/unit/kernels/ExactKernels.h"
#include "test/unit/numerics/InterleaveQ4K.h"

#include "runtime/numerics/decode.h"

#include <cmath>
#include <cstring>

namespace sortie::kernels {
namespace {

using numerics::DecodedBlock;
using numerics::LevelCoding;
using numerics::Minimum;

constexpr int kExperts = 3;
constexpr int kN = 40;
constexpr int kPanels = 3; ///< of an expert; the last one has 8 rows

/// Reads panels as PackedLayout.h describes them.
class Unpacker {
public:
  Unpacker(Format format, const uint8_t *panel)
      : info(formatInfo(format)), sizes(packedSizes(format)), panel(panel) {}

  int level(int row, int k) const {
    const int code = codeAt(row, k);
    switch (info.coding) {
    case LevelCoding::TwosComplement:
      return static_cast<int8_t>(code);
    case LevelCoding::CodebookIq4:
      return numerics::iq4Level(code);
    case LevelCoding::CodebookE2M1:
      return numerics::e2m1Level(code);
    case LevelCoding::Offset:
    case LevelCoding::None:
      break;
    }
    return code - info.levelOffset;
  }

  /// The scale bytes of a row in the block that has element `k`, and its tail.
  const uint8_t *scales(int row, int k) const { return allScales(k) + row * sizes.scaleBytes; }
  const uint8_t *tail(int row, int k) const {
    return allScales(k) + kPanelRows * sizes.scaleBytes + row * sizes.tailBytes;
  }

private:
  const uint8_t *block(int k) const { return panel + k / sizes.blockElements * sizes.blockBytes; }
  const uint8_t *allScales(int k) const { return block(k) + sizes.sections * sizes.sectionBytes; }

  int codeAt(int row, int k) const {
    const uint8_t *section =
        block(k) + k % sizes.blockElements / kSectionElements * sizes.sectionBytes;
    int code = bitsAt(section, sizes.lowBits, row, k % kSectionElements);
    if (sizes.highBits != 0) {
      const uint8_t *high = section + sizes.lowBits * kPanelRows * kSectionElements / 8;
      code |= bitsAt(high, sizes.highBits, row, k % kSectionElements) << sizes.lowBits;
    }
    return code;
  }

  /// The code of `row` and element `e` of a section in a plane of `bits` bits.
  int bitsAt(const uint8_t *plane, int bits, int row, int e) const {
    const int lane = row % 8 * 4 + e % 16 / 4;
    const int q = e / 32 * 4 + e % 32 / 16 * 2 + row / 8;
    const int registers = 8 / bits; // in a word
    const int word = q / registers;
    const int part = q % registers;
    const int vector = std::min(4, 2 * bits); // words
    uint32_t value = 0;
    std::memcpy(&value,
                plane + ((word / vector * 32 + lane) * vector + word % vector) * sizeof value,
                sizeof value);
    const bool isCodebook =
        info.coding == LevelCoding::CodebookIq4 || info.coding == LevelCoding::CodebookE2M1;
    const int shift = isCodebook ? 16 * part + 4 * (e % 4) : 8 * (e % 4) + bits * part;
    return static_cast<int>(value >> shift & ((1u << bits) - 1));
  }

  const FormatInfo info;
  const PackedSizes sizes;
  const uint8_t *panel;
};

/// A row of the file, and where it should have gone.
template <Encoding E> struct PackedRow {
  static constexpr Format kFormat = formatOf(E);
  static constexpr EncodingInfo kEncoding = encodingInfo(E);
  static constexpr FormatInfo kInfo = formatInfo(kFormat);
  Unpacker panel;
  int row; ///< of the panel
  numerics::EncodedRow file;

  /// The block of the file that has element `k`.
  DecodedBlock decode(int k) const {
    DecodedBlock block;
    numerics::decodeBlock<E>(file, k / kEncoding.elements, block);
    return block;
  }
  uint32_t scale(int k) const { return numerics::scaleBits<E>(file, k / kEncoding.elements); }
  /// 0 where there is none.
  uint32_t minimum(int k) const {
    if constexpr (kInfo.minimum != Minimum::None)
      return numerics::minimumBits<E>(file, k / kEncoding.elements);
    return 0;
  }

  void checkLevels(int columns) const {
    for (int k = 0; k < columns; ++k)
      ASSERT_EQ(panel.level(row, k), decode(k).levels[k % kEncoding.elements])
          << "row " << row << ", element " << k;
  }

  /// The float scales of a group.
  void checkGroup(int k) const {
    const int group = k % kSectionElements / numerics::kGroup;
    const uint8_t *scales = panel.scales(row, k);
    ASSERT_EQ(numerics::loadUint16(scales + 2 * group), scale(k));
    ASSERT_EQ(bitsOf(numerics::scaleValue<kInfo.scaleType>(scale(k))), bitsOf(decode(k).d));
    if constexpr (kInfo.minimum == Minimum::AddedFloat) {
      ASSERT_EQ(numerics::loadUint16(scales + 8 + 2 * group), minimum(k));
    }
  }
  /// Groups past the end of a row: what adds nothing, and does not turn -0.0 into 0.0.
  void checkAbsentGroup(int k) const {
    const int group = k % kSectionElements / numerics::kGroup;
    const uint8_t *scales = panel.scales(row, k);
    ASSERT_EQ(numerics::loadUint16(scales + 2 * group), 0x8000);
    if constexpr (kInfo.minimum == Minimum::AddedFloat) {
      ASSERT_EQ(numerics::loadUint16(scales + 8 + 2 * group), 0x8000);
    }
  }

  /// The scales of a block with sub-scales.
  void checkBlock(int k) const {
    const uint8_t *scales = panel.scales(row, k);
    const DecodedBlock block = decode(k);
    if constexpr (hasSixBitScales(kInfo)) {
      ASSERT_EQ(numerics::loadUint32(scales), scale(k) | minimum(k) << 16);
      // As Q4_K stores them.
      DecodedBlock six{};
      numerics::detail::decodeScalesAndMinimums(scales + 4, six);
      for (int s = 0; s < 8; ++s) {
        ASSERT_EQ(six.subScales[s], block.subScales[s]);
        ASSERT_EQ(six.minimums[s], block.minimums[s]);
      }
    } else {
      for (int s = 0; s < 256 / kInfo.subBlock; ++s) {
        if constexpr (kInfo.minimum == Minimum::None) {
          ASSERT_EQ(static_cast<int8_t>(scales[s]), block.subScales[s]);
        } else {
          ASSERT_EQ(scales[s], block.subScales[s] | block.minimums[s] << 4);
        }
      }
      ASSERT_EQ(numerics::loadUint32(panel.tail(row, k)), scale(k) | minimum(k) << 16);
    }
  }

  void check(int columns) const {
    checkLevels(columns);
    if constexpr (hasSubScales(kInfo))
      for (int k = 0; k < columns; k += kInfo.elements)
        checkBlock(k);
    else
      for (int k = 0; k < packedBlocks(kFormat, columns) * kSectionElements; k += numerics::kGroup)
        k < columns ? checkGroup(k) : checkAbsentGroup(k);
  }
};

/// Packs in two launches, the second from the middle of an expert on.
template <Encoding E, int K> AlignedBytes packInParts(const ExactWeights &weights, uint64_t seed) {
  constexpr int kFirstPanels = 4;
  constexpr int64_t kPanelBytes = packedPanelBytes(formatOf(E), K);
  constexpr int kAll = kExperts * kPanels;
  AlignedBytes packed(kAll * kPanelBytes + 64, 0xa5);
  const auto pack = [&](int firstPanel, int panels) {
    const int row = firstPanel / kPanels * kN + firstPanel % kPanels * kPanelRows;
    // A block more than there are panels: it must find nothing to do.
    run<packKernel<E, kN, K>>(
        {panels + 1, 1}, kPackThreads, packSharedBytes(E), seed,
        static_cast<const void *>(weights.raw.data() + row * rowBytes(encodingInfo(E), K)),
        static_cast<void *>(packed.data() + firstPanel * kPanelBytes), firstPanel, panels);
  };
  pack(0, kFirstPanels);
  pack(kFirstPanels, kAll - kFirstPanels);
  return packed;
}

template <Encoding E, int K>
void checkRows(const ExactWeights &weights, const AlignedBytes &packed) {
  for (int row = 0; row < kExperts * kN; ++row) {
    const int panel = row / kN * kPanels + row % kN / kPanelRows;
    const PackedRow<E> packedRow{
        Unpacker(formatOf(E), packed.data() + panel * packedPanelBytes(formatOf(E), K)),
        row % kN % kPanelRows, rowOf(encodingInfo(E), weights.raw.data(), row, K)};
    ASSERT_NO_FATAL_FAILURE(packedRow.check(K)) << "row " << row;
  }
}

/// Rows past the end of an expert have no scales.
template <Encoding E, int K> void checkAbsentRows(const AlignedBytes &packed) {
  constexpr PackedSizes kSizes = packedSizes(formatOf(E));
  for (int expert = 0; expert < kExperts; ++expert) {
    const uint8_t *last =
        packed.data() + (expert * kPanels + kPanels - 1) * packedPanelBytes(formatOf(E), K);
    const Unpacker panel(formatOf(E), last);
    for (int row = kN % kPanelRows; row < kPanelRows; ++row)
      for (int k = 0; k < K; k += kSizes.blockElements) {
        for (int i = 0; i < kSizes.scaleBytes; ++i)
          ASSERT_EQ(panel.scales(row, k)[i], 0);
        for (int i = 0; i < kSizes.tailBytes; ++i)
          ASSERT_EQ(panel.tail(row, k)[i], 0);
      }
  }
}

template <Encoding E, int K> void checkPacking() {
  SCOPED_TRACE(testing::Message() << "K = " << K);
  Random random(42);
  const ExactWeights weights(E, kExperts, kN, K, Fill::AnyBits, random);
  const int64_t bytes = kExperts * kPanels * packedPanelBytes(formatOf(E), K);
  const AlignedBytes packed = packInParts<E, K>(weights, kSeeds[0]);
  ASSERT_NO_FATAL_FAILURE((checkRows<E, K>(weights, packed)));
  ASSERT_NO_FATAL_FAILURE((checkAbsentRows<E, K>(packed)));
  const AlignedBytes again = packInParts<E, K>(weights, kSeeds[1]);
  ASSERT_EQ(std::memcmp(again.data(), packed.data(), static_cast<size_t>(bytes)), 0);
  for (int i = 0; i < 64; ++i)
    ASSERT_EQ(packed.data()[bytes + i], 0xa5) << "written past the end";
}

#define SORTIE_TEST_PACKING(encoding, ...)                                                         \
  TEST(Pack, encoding) {                                                                           \
    const auto check = []<int... K>() { (checkPacking<Encoding::encoding, K>(), ...); };           \
    check.template operator()<__VA_ARGS__>();                                                      \
  }

SORTIE_TEST_PACKING(Q8_0, 32, 352)
SORTIE_TEST_PACKING(Q4_0, 64, 352)
SORTIE_TEST_PACKING(Q4_1, 96, 352)
SORTIE_TEST_PACKING(Q5_0, 128, 352)
SORTIE_TEST_PACKING(Q5_1, 160, 256)
SORTIE_TEST_PACKING(IQ4_NL, 32, 320)
SORTIE_TEST_PACKING(MXFP4, 32, 352)
SORTIE_TEST_PACKING(Q2_K, 256, 512)
SORTIE_TEST_PACKING(Q3_K, 256, 512)
SORTIE_TEST_PACKING(Q4_K, 256, 512)
SORTIE_TEST_PACKING(Q5_K, 256, 512)
SORTIE_TEST_PACKING(Q6_K, 256, 512)
SORTIE_TEST_PACKING(IQ4_XS, 256, 512)
SORTIE_TEST_PACKING(IQ2_XXS, 256, 512)
SORTIE_TEST_PACKING(IQ4_KS, 256, 768)
SORTIE_TEST_PACKING(Q4_K_R4, 256, 512)

/// Two ways to store the same weights: the same bytes when packed, hence the same bits.
TEST(Pack, StripsOfQ4KArePackedAsQ4K) {
  constexpr int kWidth = 512;
  Random random(43);
  ExactWeights weights(Encoding::Q4_K, kExperts, kN, kWidth, Fill::AnyBits, random);
  const AlignedBytes whole = packInParts<Encoding::Q4_K, kWidth>(weights, kSeeds[0]);
  weights.raw = test::interleaveQ4K(weights.raw, kWidth);
  const AlignedBytes strips = packInParts<Encoding::Q4_K_R4, kWidth>(weights, kSeeds[0]);
  const int64_t bytes = kExperts * kPanels * packedPanelBytes(Format::Q4_K, kWidth);
  EXPECT_EQ(std::memcmp(whole.data(), strips.data(), static_cast<size_t>(bytes)), 0);
}

} // namespace
} // namespace sortie::kernels
