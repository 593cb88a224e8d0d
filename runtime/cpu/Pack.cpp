// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From the bytes of the model file to packed panels (PanelLayout.h), once, when weights are loaded.

#include "runtime/cpu/PanelLayout.h"
#include "runtime/cpu/ops.h"
#include "runtime/numerics/decode.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace sortie::cpu {

using namespace numerics;

namespace {

constexpr int kRows = static_cast<int>(kPanelRows);

/// The stored code of every level of a codebook, indexed by level + 128.
using CodeTable = std::array<uint8_t, 256>;

CodeTable invertCodebook(LevelCoding coding) {
  CodeTable table{};
  for (int code = 0; code < kCodebookLevels; ++code) {
    const int level = codebookLevel(coding, code);
    table[static_cast<size_t>(level + 128)] = static_cast<uint8_t>(codebookCode(coding, level));
  }
  return table;
}

/// The code of a level: unsigned, `levelBits` wide.
template <Format F> uint8_t codeOf(int8_t level) {
  constexpr FormatInfo kInfo = formatInfo(F);
  if constexpr (hasCodebook(kInfo.coding)) {
    static const CodeTable kTable = invertCodebook(kInfo.coding);
    return kTable[static_cast<size_t>(level + 128)];
  } else {
    return static_cast<uint8_t>(level + levelBias(kInfo));
  }
}

/// Stores number `index` of an array of scales: the low bytes of `bits`.
template <Format F> void storeScale(std::byte *scales, int index, uint32_t bits) {
  constexpr int kBytes = scaleBytes(formatInfo(F).scaleType);
  for (int i = 0; i < kBytes; ++i)
    scales[index * kBytes + i] = static_cast<std::byte>(bits >> (8 * i));
}

/// -0.0 as every number of `bytes` bytes of scales.
template <Format F> void clearScales(std::byte *scales, int bytes) {
  constexpr int kBytes = scaleBytes(formatInfo(F).scaleType);
  for (int i = 0; i < bytes / kBytes; ++i)
    storeScale<F>(scales, i, 1u << (8 * kBytes - 1));
}

/// The codes of one activation block of a panel, [vector][row][4].
struct BlockCodes {
  uint8_t codes[kBlockVectors][kVectorBytes];
};

/// Packs the vectors of codes to a plane of `bits` bits, which start at bit `shift` of the codes.
void packPlane(const PanelLayout &layout, const BlockCodes &block, int bits, int shift,
               std::byte *plane) {
  const int perByte = 8 / bits;
  const unsigned mask = (1u << bits) - 1;
  for (int first = 0; first < kBlockVectors; first += perByte) {
    std::byte *to = plane + layout.lineOffset(bits, first);
    for (int i = 0; i < kVectorBytes; ++i) {
      unsigned packed = 0;
      for (int v = 0; v < perByte; ++v)
        packed |= (static_cast<unsigned>(block.codes[first + v][i]) >> shift & mask) << (v * bits);
      to[i] = static_cast<std::byte>(packed);
    }
  }
}

template <Format F> void packLevels(const BlockCodes &codes, std::byte *body) {
  constexpr PanelLayout kLayout = panelLayout(formatInfo(F));
  constexpr LevelPlanes kPlanes = levelPlanes(formatInfo(F).levelBits);
  packPlane(kLayout, codes, kPlanes.lowBits, 0, body + kLayout.lowPlaneOffset);
  if constexpr (kPlanes.highBits != 0)
    packPlane(kLayout, codes, kPlanes.highBits, kPlanes.lowBits, body + kLayout.highPlaneOffset);
}

/// Copies `count` codes of row `row` to element `first` and up of the block.
template <Format F>
void placeCodes(const int8_t *levels, int first, int count, int row, BlockCodes &codes) {
  for (int i = 0; i < count; ++i) {
    const int k = first + i;
    codes.codes[k / kVectorElements][row * kVectorElements + k % kVectorElements] =
        codeOf<F>(levels[i]);
  }
}

/// Rows of one expert that make a panel, and where it is packed.
template <Encoding E> struct PanelRows {
  static constexpr EncodingInfo kInfo = encodingInfo(E);
  const uint8_t *raw;
  int rows;
  int64_t columns;
  std::byte *panel;

  EncodedRow row(int i) const { return rowOf(kInfo, raw, i, columns); }
};

/// An activation block of a format with a scale per group.
template <Encoding E> void packGroupBlock(const PanelRows<E> &from, int64_t block) {
  constexpr Format kFormat = formatOf(E);
  constexpr FormatInfo kInfo = formatInfo(kFormat);
  constexpr PanelLayout kLayout = panelLayout(kInfo);
  std::byte *body = from.panel + kLayout.bodyOffset(block);
  const int64_t firstGroup = block * kGroupsPerBlock;
  const int groups =
      static_cast<int>(std::min<int64_t>(kGroupsPerBlock, from.columns / kGroup - firstGroup));

  BlockCodes codes;
  std::memset(&codes, codeOf<kFormat>(0), sizeof codes);
  clearScales<kFormat>(body, kLayout.lowPlaneOffset);
  for (int i = 0; i < from.rows; ++i) {
    const EncodedRow row = from.row(i);
    for (int g = 0; g < groups; ++g) {
      DecodedBlock decoded;
      decodeBlock<E>(row, firstGroup + g, decoded);
      placeCodes<kFormat>(decoded.levels, g * kGroup, kGroup, i, codes);
      const int at = g * kRows + i;
      storeScale<kFormat>(body, at, scaleBits<E>(row, firstGroup + g));
      if constexpr (kInfo.minimum == Minimum::AddedFloat)
        storeScale<kFormat>(body + kLayout.minimumsOffset, at, minimumBits<E>(row, firstGroup + g));
    }
  }
  packLevels<kFormat>(codes, body);
}

/// The sub-scales and minimums of row `i` in the body of a record's block `b`.
template <Format F>
void placeSubScales(const DecodedBlock &decoded, int b, int i, std::byte *body) {
  constexpr FormatInfo kInfo = formatInfo(F);
  constexpr int kSubBlocks = kActivationBlock / kInfo.subBlock;
  for (int s = 0; s < kSubBlocks; ++s) {
    const int at = s * kRows + i;
    body[at] = static_cast<std::byte>(decoded.subScales[b * kSubBlocks + s]);
    if constexpr (kInfo.minimum == Minimum::SubtractedInteger)
      body[panelLayout(kInfo).minimumsOffset + at] =
          static_cast<std::byte>(decoded.minimums[b * kSubBlocks + s]);
  }
}

/// A record (a whole block of the file) of a format with sub-scales.
template <Encoding E> void packSubScaleRecord(const PanelRows<E> &from, int64_t record) {
  constexpr Format kFormat = formatOf(E);
  constexpr FormatInfo kInfo = formatInfo(kFormat);
  constexpr PanelLayout kLayout = panelLayout(kInfo);

  std::byte *head = from.panel + record * kLayout.recordBytes;
  std::memset(head, 0, static_cast<size_t>(kLayout.recordBytes));
  clearScales<kFormat>(head, kLayout.headBytes);
  std::array<BlockCodes, kLayout.blocksPerRecord> codes;
  std::memset(&codes, codeOf<kFormat>(0), sizeof codes);
  for (int i = 0; i < from.rows; ++i) {
    const EncodedRow row = from.row(i);
    DecodedBlock decoded;
    decodeBlock<E>(row, record, decoded);
    storeScale<kFormat>(head, i, scaleBits<E>(row, record));
    if constexpr (kInfo.minimum == Minimum::SubtractedInteger)
      storeScale<kFormat>(head + kLayout.dminOffset, i, minimumBits<E>(row, record));
    for (int b = 0; b < kLayout.blocksPerRecord; ++b) {
      placeSubScales<kFormat>(decoded, b, i, head + kLayout.headBytes + b * kLayout.bodyBytes);
      placeCodes<kFormat>(decoded.levels + b * kActivationBlock, 0, kActivationBlock, i,
                          codes[static_cast<size_t>(b)]);
    }
  }
  for (int b = 0; b < kLayout.blocksPerRecord; ++b)
    packLevels<kFormat>(codes[static_cast<size_t>(b)],
                        head + kLayout.headBytes + b * kLayout.bodyBytes);
}

template <Encoding E> void packQuantizedPanel(const PanelRows<E> &from) {
  constexpr FormatInfo kInfo = formatInfo(formatOf(E));
  if constexpr (hasSubScales(kInfo)) {
    for (int64_t record = 0; record < from.columns / kInfo.elements; ++record)
      packSubScaleRecord<E>(from, record);
  } else {
    for (int64_t block = 0; block < activationBlocks(from.columns); ++block)
      packGroupBlock<E>(from, block);
  }
}

/// -0.0 in the type of the file: the sign bit of the last byte.
void fillMinusZero(std::byte *to, int64_t elements, int bytes) {
  std::memset(to, 0, static_cast<size_t>(elements * bytes));
  for (int64_t i = 0; i < elements; ++i)
    to[i * bytes + bytes - 1] = std::byte{0x80};
}

void packFloatPanel(const FormatInfo &info, const uint8_t *raw, int rows, int64_t columns,
                    std::byte *panel) {
  const int bytes = floatBytes(info);
  for (int64_t k = 0; k < columns; k += kFloatStep) {
    const int64_t count = std::min(kFloatStep, columns - k);
    std::byte *step = panel + k * kPanelRows * bytes;
    if (rows < kRows || count < kFloatStep)
      fillMinusZero(step, kFloatStep * kPanelRows, bytes);
    for (int row = 0; row < rows; ++row)
      std::memcpy(step + row * kFloatStep * bytes, raw + (row * columns + k) * bytes,
                  static_cast<size_t>(count * bytes));
  }
}

void packPanel(Encoding encoding, const uint8_t *raw, int rows, int64_t columns, std::byte *panel) {
  const FormatInfo info = formatInfo(formatOf(encoding));
  if (!isQuantized(info))
    return packFloatPanel(info, raw, rows, columns, panel);
  visitEncoding(encoding,
                [&]<Encoding E>() { packQuantizedPanel(PanelRows<E>{raw, rows, columns, panel}); });
}

} // namespace

size_t packedBytes(const MatrixShape &shape) {
  const FormatInfo info = formatInfo(shape.format);
  return static_cast<size_t>(shape.experts * panelCount(shape.rows) *
                             panelBytes(info, shape.columns));
}

void packRows(const MatrixShape &shape, Encoding encoding, int64_t expert, int64_t firstRow,
              int64_t rowCount, const uint8_t *raw, std::byte *packed) {
  const int64_t bytes = panelBytes(formatInfo(shape.format), shape.columns);
  const int64_t stride = rowBytes(encodingInfo(encoding), shape.columns);
  const int64_t firstPanel = expert * panelCount(shape.rows) + firstRow / kPanelRows;
  for (int64_t row = 0; row < rowCount; row += kPanelRows) {
    const int rows = static_cast<int>(std::min(kPanelRows, rowCount - row));
    packPanel(encoding, raw + row * stride, rows, shape.columns,
              packed + (firstPanel + row / kPanelRows) * bytes);
  }
}

} // namespace sortie::cpu
