// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Packing of weights against an unpacker written from the text of PackedLayout.h.

#include "test/unit/kernels/ExactKernels.h"

#include "runtime/numerics/decode.h"

#include <cmath>
#include <cstring>

namespace sortie::kernels {
namespace {

using numerics::DecodedBlock;
using numerics::LevelCoding;
using numerics::Minimum;

constexpr int kExperts = 3;
constexpr int kRows = 40;
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
  const uint8_t *allScales(int k) const { return block(k) + sizes.halves * sizes.halfBytes; }

  int codeAt(int row, int k) const {
    const uint8_t *half = block(k) + k % sizes.blockElements / kHalfElements * sizes.halfBytes;
    int code = bitsAt(half, sizes.lowBits, row, k % kHalfElements);
    if (sizes.highBits != 0) {
      const uint8_t *high = half + sizes.lowBits * kPanelRows * kHalfElements / 8;
      code |= bitsAt(high, sizes.highBits, row, k % kHalfElements) << sizes.lowBits;
    }
    return code;
  }

  /// The code of `row` and element `e` of a half in a plane of `bits` bits.
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
template <Format F> struct PackedRow {
  static constexpr FormatInfo kInfo = formatInfo(F);
  Unpacker panel;
  int row; ///< of the panel
  const uint8_t *raw;

  DecodedBlock decode(int k) const {
    DecodedBlock block;
    numerics::decodeBlock<F>(file(k), block);
    return block;
  }
  const uint8_t *file(int k) const { return raw + k / kInfo.elements * kInfo.bytes; }

  void checkLevels(int columns) const {
    for (int k = 0; k < columns; ++k)
      ASSERT_EQ(panel.level(row, k), decode(k).levels[k % kInfo.elements])
          << "row " << row << ", element " << k;
  }

  /// The float scales of a group.
  void checkGroup(int k) const {
    const int group = k % kHalfElements / numerics::kGroup;
    const uint8_t *scales = panel.scales(row, k);
    if constexpr (F == Format::MXFP4) {
      const uint16_t d = numerics::loadUint16(scales + 2 * group);
      ASSERT_EQ(numerics::fromBFloat16(d), std::ldexp(1.0f, file(k)[0] - 128));
    } else {
      ASSERT_EQ(std::memcmp(scales + 2 * group, file(k), 2), 0);
      if constexpr (kInfo.minimum == Minimum::AddedFloat) {
        ASSERT_EQ(std::memcmp(scales + 8 + 2 * group, file(k) + 2, 2), 0);
      }
    }
  }
  /// Groups past the end of a row: what adds nothing, and does not turn -0.0 into 0.0.
  void checkAbsentGroup(int k) const {
    const int group = k % kHalfElements / numerics::kGroup;
    const uint8_t *scales = panel.scales(row, k);
    ASSERT_EQ(numerics::loadUint16(scales + 2 * group), 0x8000);
    if constexpr (kInfo.minimum == Minimum::AddedFloat) {
      ASSERT_EQ(numerics::loadUint16(scales + 8 + 2 * group), 0x8000);
    }
  }

  /// The scales of a block with sub-scales.
  void checkBlock(int k) const {
    const uint8_t *scales = panel.scales(row, k);
    if constexpr (hasFileHeader(F)) {
      ASSERT_EQ(std::memcmp(scales, file(k), 16), 0);
    } else {
      const DecodedBlock block = decode(k);
      for (int s = 0; s < 256 / kInfo.subBlock; ++s) {
        if constexpr (kInfo.minimum == Minimum::None) {
          ASSERT_EQ(static_cast<int8_t>(scales[s]), block.subScales[s]);
        } else {
          ASSERT_EQ(scales[s], block.subScales[s] | block.minimums[s] << 4);
        }
      }
      uint8_t halves[4] = {};
      std::memcpy(halves, file(k) + kInfo.scaleOffset, kInfo.minimum == Minimum::None ? 2 : 4);
      ASSERT_EQ(std::memcmp(panel.tail(row, k), halves, 4), 0);
    }
  }

  void check(int columns) const {
    checkLevels(columns);
    if constexpr (hasSubScales(kInfo))
      for (int k = 0; k < columns; k += kInfo.elements)
        checkBlock(k);
    else
      for (int k = 0; k < packedBlocks(F, columns) * kHalfElements; k += numerics::kGroup)
        k < columns ? checkGroup(k) : checkAbsentGroup(k);
  }
};

/// Packs in two launches, the second from the middle of an expert on.
template <Format F, int K> AlignedBytes packInParts(const ExactWeights &weights, uint64_t seed) {
  constexpr int kFirstPanels = 4;
  constexpr int64_t kPanelBytes = packedPanelBytes(F, K);
  constexpr int kAll = kExperts * kPanels;
  AlignedBytes packed(kAll * kPanelBytes + 64, 0xa5);
  const auto pack = [&](int firstPanel, int panels) {
    const int row = firstPanel / kPanels * kRows + firstPanel % kPanels * kPanelRows;
    // A block more than there are panels: it must find nothing to do.
    run<packKernel<F, kRows, K>>(
        {panels + 1, 1}, kPackThreads, Packer<F, kRows, K>::kSharedBytes, seed,
        static_cast<const void *>(weights.raw.data() + row * rowBytes(formatInfo(F), K)),
        static_cast<void *>(packed.data() + firstPanel * kPanelBytes), firstPanel, panels);
  };
  pack(0, kFirstPanels);
  pack(kFirstPanels, kAll - kFirstPanels);
  return packed;
}

template <Format F, int K> void checkRows(const ExactWeights &weights, const AlignedBytes &packed) {
  for (int row = 0; row < kExperts * kRows; ++row) {
    const int panel = row / kRows * kPanels + row % kRows / kPanelRows;
    const PackedRow<F> packedRow{Unpacker(F, packed.data() + panel * packedPanelBytes(F, K)),
                                 row % kRows % kPanelRows,
                                 weights.raw.data() + row * rowBytes(formatInfo(F), K)};
    ASSERT_NO_FATAL_FAILURE(packedRow.check(K)) << "row " << row;
  }
}

/// Rows past the end of an expert have no scales.
template <Format F, int K> void checkAbsentRows(const AlignedBytes &packed) {
  constexpr PackedSizes kSizes = packedSizes(F);
  for (int expert = 0; expert < kExperts; ++expert) {
    const uint8_t *last = packed.data() + (expert * kPanels + kPanels - 1) * packedPanelBytes(F, K);
    const Unpacker panel(F, last);
    for (int row = kRows % kPanelRows; row < kPanelRows; ++row)
      for (int k = 0; k < K; k += kSizes.blockElements) {
        for (int i = 0; i < kSizes.scaleBytes; ++i)
          ASSERT_EQ(panel.scales(row, k)[i], 0);
        for (int i = 0; i < kSizes.tailBytes; ++i)
          ASSERT_EQ(panel.tail(row, k)[i], 0);
      }
  }
}

template <Format F, int K> void checkPacking() {
  SCOPED_TRACE(testing::Message() << "K = " << K);
  Random random(42);
  const ExactWeights weights({F, kExperts, kRows, K}, Fill::AnyBits, random);
  const int64_t bytes = kExperts * kPanels * packedPanelBytes(F, K);
  const AlignedBytes packed = packInParts<F, K>(weights, kSeeds[0]);
  ASSERT_NO_FATAL_FAILURE((checkRows<F, K>(weights, packed)));
  ASSERT_NO_FATAL_FAILURE((checkAbsentRows<F, K>(packed)));
  const AlignedBytes again = packInParts<F, K>(weights, kSeeds[1]);
  ASSERT_EQ(std::memcmp(again.data(), packed.data(), static_cast<size_t>(bytes)), 0);
  for (int i = 0; i < 64; ++i)
    ASSERT_EQ(packed.data()[bytes + i], 0xa5) << "written past the end";
}

#define SORTIE_TEST_PACKING(format, ...)                                                           \
  TEST(Pack, format) {                                                                             \
    const auto check = []<int... K>() { (checkPacking<Format::format, K>(), ...); };               \
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

} // namespace
} // namespace sortie::kernels
