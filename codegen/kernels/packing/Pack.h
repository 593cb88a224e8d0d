// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Packing of weights: rows of a tensor of the model file to the panels of PackedLayout.h, once,
// when weights are loaded. Blocks are decoded by runtime/numerics, so there is one decoder for
// every device.

#ifndef SORTIE_CODEGEN_KERNELS_PACKING_PACK_H
#define SORTIE_CODEGEN_KERNELS_PACKING_PACK_H

#include "codegen/kernels/packing/PackGeometry.h"

#include <sortie_hardware.h>

namespace sortie::kernels {

/// Packs the panels of a matrix with experts of `N` rows and `K` columns.
template <Encoding E, int N, int K> class PanelPacker {
  static constexpr EncodingInfo kEncoding = encodingInfo(E);
  static constexpr Format kFormat = formatOf(E);
  static constexpr FormatInfo kInfo = formatInfo(kFormat);
  using Layout = PackedLayout<kFormat>;
  static constexpr PackedSizes kSizes = Layout::kSizes;
  static constexpr int kFileBlocks = fileBlocks(E);

public:
  /// Packs a panel, of which `rows` rows exist, from `raw` on.
  SORTIE_DEVICE void packPanel(const uint8_t *raw, int rows, uint8_t *panel) {
    for (int block = 0; block < packedBlocks(kFormat, K); ++block) {
      hw::syncBlock();
      decode(raw, rows, block);
      hw::syncBlock();
      uint8_t *to = panel + int64_t{block} * kSizes.blockBytes;
      for (int section = 0; section < kSizes.sections; ++section) {
        uint8_t *planes = to + section * kSizes.sectionBytes;
        storePlane<Layout::kLowBits, 0>(section, planes);
        if constexpr (Layout::kHighBits != 0)
          storePlane<Layout::kHighBits, Layout::kLowBits>(section, planes + Layout::kLowBytes);
      }
      for (int row = hw::threadIndex(); row < kPanelRows; row += hw::threadCount())
        storeScales(encodedRow(raw, row), row < rows, row, block, to);
    }
  }

private:
  SORTIE_DEVICE DecodedBlock *decoded() { return hw::sharedMemory<DecodedBlock>(); }

  SORTIE_DEVICE EncodedRow encodedRow(const uint8_t *raw, int row) {
    constexpr EncodingInfo kOfRow = kEncoding; // which a device function may refer to
    return rowOf(kOfRow, raw, row, K);
  }

  SORTIE_DEVICE void decode(const uint8_t *raw, int rows, int block) {
    for (int i = hw::threadIndex(); i < kPanelRows * kFileBlocks; i += hw::threadCount()) {
      const int row = i / kFileBlocks;
      const int fileBlock = block * kFileBlocks + i % kFileBlocks;
      if (row < rows && fileBlock * kEncoding.elements < K) {
        decodeBlock<E>(encodedRow(raw, row), fileBlock, decoded()[i]);
        continue;
      }
      for (int8_t &level : decoded()[i].levels)
        level = 0;
      for (int8_t &scale : decoded()[i].subScales)
        scale = 0;
    }
  }

  /// What is packed of a level (any code of a level that has two).
  SORTIE_DEVICE uint32_t codeOf(int level) {
    if constexpr (kInfo.coding == LevelCoding::TwosComplement)
      return static_cast<uint32_t>(level) & 0xff;
    if constexpr (kInfo.coding == LevelCoding::Offset)
      return static_cast<uint32_t>(level + kInfo.levelOffset);
    return static_cast<uint32_t>(codebookCode(kInfo.coding, level));
  }

  /// Code `byte` of register `q` of a lane.
  SORTIE_DEVICE uint32_t codeAt(int section, int q, int lane, int byte) {
    const int row = lane / 4 + 8 * (q % 2);
    const int element =
        section * kSectionElements + q / 4 * 32 + q % 4 / 2 * 16 + lane % 4 * 4 + byte;
    const DecodedBlock &block = decoded()[row * kFileBlocks + element / kEncoding.elements];
    return codeOf(block.levels[element % kEncoding.elements]);
  }

  /// Word `word` of a plane: `Bits` bits of each code from bit `Shift` on.
  template <int Bits, int Shift> SORTIE_DEVICE uint32_t planeWord(int section, int word, int lane) {
    constexpr int kRegisters = 8 / Bits;
    uint32_t value = 0;
    for (int r = 0; r < kRegisters; ++r)
      for (int byte = 0; byte < 4; ++byte) {
        const uint32_t code = codeAt(section, word * kRegisters + r, lane, byte);
        const uint32_t bits = code >> Shift & ((1u << Bits) - 1);
        const int position = Layout::kHasCodebook ? 16 * r + 4 * byte : 8 * byte + Bits * r;
        value |= bits << position;
      }
    return value;
  }

  template <int Bits, int Shift> SORTIE_DEVICE void storePlane(int section, uint8_t *plane) {
    constexpr int kWords = 2 * Bits;
    constexpr int kVector = kWords < 4 ? kWords : 4;
    auto *words = reinterpret_cast<uint32_t *>(plane);
    for (int i = hw::threadIndex(); i < kWords * hw::kWarpSize; i += hw::threadCount()) {
      const int lane = i / kVector % hw::kWarpSize;
      const int word = i / (kVector * hw::kWarpSize) * kVector + i % kVector;
      words[i] = planeWord<Bits, Shift>(section, word, lane);
    }
  }

  /// The scales and the tail of one row, which is read only where it exists.
  SORTIE_DEVICE void storeScales(EncodedRow file, bool exists, int row, int block, uint8_t *to) {
    uint8_t *all = to + Layout::kScalesOffset;
    uint8_t *scales = all + row * kSizes.scaleBytes;
    for (int i = 0; i < kSizes.scaleBytes; ++i)
      scales[i] = exists ? scaleByte(file, row, block, i) : uint8_t{0};
    uint8_t *tail = all + Layout::kTailsInScales + row * kSizes.tailBytes;
    for (int i = 0; i < kSizes.tailBytes; ++i)
      tail[i] = exists ? floatByte(file, block, i) : uint8_t{0};
  }

  /// Byte `i` of d and dmin of a block of the file, as fp16, or of d as a float.
  SORTIE_DEVICE uint8_t floatByte(EncodedRow file, int fileBlock, int i) {
    uint32_t bits = scaleBits<E>(file, fileBlock);
    if constexpr (kInfo.minimum != Minimum::None)
      bits |= minimumBits<E>(file, fileBlock) << 16;
    return static_cast<uint8_t>(bits >> (8 * i));
  }

  /// Byte `i` of the twelve that hold six-bit scales and minimums: those of the first four
  /// sub-blocks with the upper bits of the other four's, then the low four bits of these.
  SORTIE_DEVICE uint8_t packSixBits(const DecodedBlock &of, int i) {
    const int s = i % 4;
    if (i >= 8)
      return static_cast<uint8_t>((of.subScales[s + 4] & 15) | of.minimums[s + 4] << 4);
    const int8_t *values = i < 4 ? of.subScales : of.minimums;
    return static_cast<uint8_t>(values[s] | values[s + 4] >> 4 << 6);
  }

  SORTIE_DEVICE uint8_t scaleByte(EncodedRow file, int row, int block, int i) {
    const DecodedBlock &of = decoded()[row];
    if constexpr (Layout::kHasSixBitScales) {
      return i < 4 ? floatByte(file, block, i) : packSixBits(of, i - 4);
    } else if constexpr (Layout::kHasSubScales) {
      const int minimum = kInfo.minimum == Minimum::None ? 0 : of.minimums[i] << 4;
      return static_cast<uint8_t>(of.subScales[i] | minimum);
    } else {
      const int fileBlock = block * kFileBlocks + i / 2 % kFileBlocks;
      uint32_t bits = 0x8000u; // -0.0, where there is no such group
      if (fileBlock * kEncoding.elements < K) {
        bits = scaleBits<E>(file, fileBlock);
        if constexpr (kInfo.minimum != Minimum::None)
          if (i / 2 >= kFileBlocks)
            bits = minimumBits<E>(file, fileBlock);
      }
      return static_cast<uint8_t>(bits >> (8 * (i % 2)));
    }
  }
};

/// Each thread block packs one panel, with packSharedBytes() of shared memory. `raw` points to the
/// first row of panel `firstPanel`, `packed` to that panel.
template <Encoding E, int N, int K>
SORTIE_DEVICE void packPanels(const void *raw, void *packed, int firstPanel, int panels) {
  constexpr int kPanels = static_cast<int>(panelsOf(N));
  constexpr int64_t kRowBytes = rowBytes(encodingInfo(E), K);
  const auto firstRow = [](int panel) {
    return int64_t{panel / kPanels} * N + panel % kPanels * kPanelRows;
  };
  const int index = hw::blockIndexX();
  if (index >= panels)
    return;
  const int panel = firstPanel + index;
  const int left = N - panel % kPanels * kPanelRows;
  const auto *rows =
      static_cast<const uint8_t *>(raw) + (firstRow(panel) - firstRow(firstPanel)) * kRowBytes;
  PanelPacker<E, N, K>::packPanel(rows, left < kPanelRows ? left : kPanelRows,
                                  static_cast<uint8_t *>(packed) +
                                      index * packedPanelBytes(formatOf(E), K));
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_PACKING_PACK_H
