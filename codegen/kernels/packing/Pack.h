// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Packing of weights: rows of a GGUF tensor to the panels of PackedLayout.h, once, when weights are
// loaded. Blocks are decoded by runtime/numerics, so there is one decoder for every device.

#ifndef SORTIE_CODEGEN_KERNELS_PACKING_PACK_H
#define SORTIE_CODEGEN_KERNELS_PACKING_PACK_H

#include "codegen/kernels/packing/PackedLayout.h"
#include "runtime/numerics/decode.h"

#include <sortie_hardware.h>

namespace sortie::kernels {

/// Packs the panels of a matrix with experts of `N` rows and `K` columns.
template <Format F, int N, int K> class Packer {
  using Layout = PackedLayout<F>;
  static constexpr FormatInfo kInfo = Layout::kInfo;
  /// Blocks of the file in a row of a packed block.
  static constexpr PackedSizes kSizes = Layout::kSizes;
  static constexpr int kFileBlocks = kSizes.blockElements / kInfo.elements;
  static constexpr int64_t kRowBytes = rowBytes(kInfo, K);

public:
  static constexpr int kSharedBytes =
      static_cast<int>(sizeof(DecodedBlock)) * kPanelRows * kFileBlocks;

  /// `raw`: the rows of the panel that exist; `rows` of them.
  SORTIE_DEVICE void packPanel(const uint8_t *raw, int rows, uint8_t *panel) {
    for (int block = 0; block < packedBlocks(F, K); ++block) {
      hw::syncBlock();
      decode(raw, rows, block);
      hw::syncBlock();
      uint8_t *to = panel + int64_t{block} * kSizes.blockBytes;
      for (int half = 0; half < kSizes.halves; ++half) {
        uint8_t *planes = to + half * kSizes.halfBytes;
        storePlane<Layout::kLowBits, 0>(half, planes);
        if constexpr (Layout::kHighBits != 0)
          storePlane<Layout::kHighBits, Layout::kLowBits>(half, planes + Layout::kLowBytes);
      }
      for (int row = hw::threadIndex(); row < kPanelRows; row += hw::threadCount())
        storeScales(fileBlock(raw, row, block), row < rows, row, block, to);
    }
  }

private:
  SORTIE_DEVICE DecodedBlock *decoded() { return hw::sharedMemory<DecodedBlock>(); }

  SORTIE_DEVICE const uint8_t *fileBlock(const uint8_t *raw, int row, int block) {
    return raw + row * kRowBytes + int64_t{block} * kFileBlocks * kInfo.bytes;
  }

  SORTIE_DEVICE void decode(const uint8_t *raw, int rows, int block) {
    for (int i = hw::threadIndex(); i < kPanelRows * kFileBlocks; i += hw::threadCount()) {
      const int row = i / kFileBlocks;
      const int part = i % kFileBlocks;
      if (row < rows && (block * kFileBlocks + part) * kInfo.elements < K) {
        decodeBlock<F>(fileBlock(raw, row, block) + part * kInfo.bytes, decoded()[i]);
        continue;
      }
      for (int8_t &level : decoded()[i].levels)
        level = 0;
      for (int8_t &scale : decoded()[i].subScales)
        scale = 0;
    }
  }

  /// What stands in the file for a level (any code of a level that has two).
  SORTIE_DEVICE uint32_t codeOf(int level) {
    if constexpr (kInfo.coding == LevelCoding::TwosComplement)
      return static_cast<uint32_t>(level) & 0xff;
    if constexpr (kInfo.coding == LevelCoding::Offset)
      return static_cast<uint32_t>(level + kInfo.levelOffset);
    uint32_t code = 0;
    for (int candidate = 15; candidate >= 0; --candidate) {
      const int at =
          kInfo.coding == LevelCoding::CodebookIq4 ? iq4Level(candidate) : e2m1Level(candidate);
      code = at == level ? static_cast<uint32_t>(candidate) : code;
    }
    return code;
  }

  /// Code `byte` of register `q` of a lane.
  SORTIE_DEVICE uint32_t codeAt(int half, int q, int lane, int byte) {
    const int row = lane / 4 + 8 * (q % 2);
    const int element = half * kHalfElements + q / 4 * 32 + q % 4 / 2 * 16 + lane % 4 * 4 + byte;
    const DecodedBlock &block = decoded()[row * kFileBlocks + element / kInfo.elements];
    return codeOf(block.levels[element % kInfo.elements]);
  }

  /// Word `word` of a plane: `Bits` bits of each code from bit `Shift` on.
  template <int Bits, int Shift> SORTIE_DEVICE uint32_t planeWord(int half, int word, int lane) {
    constexpr int kRegisters = 8 / Bits;
    uint32_t value = 0;
    for (int r = 0; r < kRegisters; ++r)
      for (int byte = 0; byte < 4; ++byte) {
        const uint32_t code = codeAt(half, word * kRegisters + r, lane, byte);
        const uint32_t bits = code >> Shift & ((1u << Bits) - 1);
        const int position = Layout::kHasCodebook ? 16 * r + 4 * byte : 8 * byte + Bits * r;
        value |= bits << position;
      }
    return value;
  }

  template <int Bits, int Shift> SORTIE_DEVICE void storePlane(int half, uint8_t *plane) {
    constexpr int kWords = 2 * Bits;
    constexpr int kVector = kWords < 4 ? kWords : 4;
    auto *words = reinterpret_cast<uint32_t *>(plane);
    for (int i = hw::threadIndex(); i < kWords * hw::kWarpSize; i += hw::threadCount()) {
      const int lane = i / kVector % hw::kWarpSize;
      const int word = i / (kVector * hw::kWarpSize) * kVector + i % kVector;
      words[i] = planeWord<Bits, Shift>(half, word, lane);
    }
  }

  /// The scales and the tail of one row. `file` is read only where the row exists.
  SORTIE_DEVICE void storeScales(const uint8_t *file, bool exists, int row, int block,
                                 uint8_t *to) {
    uint8_t *all = to + Layout::kScalesOffset;
    uint8_t *scales = all + row * kSizes.scaleBytes;
    for (int i = 0; i < kSizes.scaleBytes; ++i)
      scales[i] = exists ? scaleByte(file, row, block, i) : uint8_t{0};
    uint8_t *tail = all + Layout::kTailsInScales + row * kSizes.tailBytes;
    for (int i = 0; i < kSizes.tailBytes; ++i) {
      const bool isStored = exists && (i < 2 || kInfo.minimum != Minimum::None);
      tail[i] = isStored ? file[kInfo.scaleOffset + i] : uint8_t{0};
    }
  }

  /// The 16 bits of a float scale.
  SORTIE_DEVICE uint32_t groupScaleBits(const uint8_t *from) {
    if constexpr (F == Format::MXFP4)
      return bitsOf(fromE8M0Half(from[0])) >> 16;
    return loadUint16(from);
  }

  SORTIE_DEVICE uint8_t scaleByte(const uint8_t *file, int row, int block, int i) {
    if constexpr (hasFileHeader(F))
      return file[i];
    if constexpr (Layout::kHasSubScales) {
      const DecodedBlock &of = decoded()[row];
      const int minimum = kInfo.minimum == Minimum::None ? 0 : of.minimums[i] << 4;
      return static_cast<uint8_t>(of.subScales[i] | minimum);
    }
    const int group = i / 2 % kFileBlocks;
    const int field = i / 2 / kFileBlocks;
    const bool exists = (block * kFileBlocks + group) * kInfo.elements < K;
    const uint8_t *from = file + group * kInfo.bytes + kInfo.scaleOffset + 2 * field;
    const uint32_t bits = !exists ? 0x8000u : groupScaleBits(from); // or -0.0
    return static_cast<uint8_t>(bits >> (8 * (i % 2)));
  }
};

/// One block of threads a panel; Packer::kSharedBytes of shared memory. `raw` points to the first
/// row of panel `firstPanel`, `packed` to that panel.
template <Format F, int N, int K>
SORTIE_DEVICE void packPanels(const void *raw, void *packed, int firstPanel, int panels) {
  constexpr int kPanels = static_cast<int>(panelsOf(N));
  const auto firstRow = [](int panel) {
    return int64_t{panel / kPanels} * N + panel % kPanels * kPanelRows;
  };
  const int index = hw::blockIndexX();
  if (index >= panels)
    return;
  const int panel = firstPanel + index;
  const int left = N - panel % kPanels * kPanelRows;
  const auto *rows = static_cast<const uint8_t *>(raw) +
                     (firstRow(panel) - firstRow(firstPanel)) * rowBytes(formatInfo(F), K);
  Packer<F, N, K>::packPanel(rows, left < kPanelRows ? left : kPanelRows,
                             static_cast<uint8_t *>(packed) + index * packedPanelBytes(F, K));
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_PACKING_PACK_H
