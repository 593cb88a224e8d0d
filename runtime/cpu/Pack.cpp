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
constexpr uint16_t kMinusZero16 = 0x8000; // -0.0 as half and as bfloat16

/// The stored code of every level of a codebook, indexed by level + 128. Of two codes with the same
/// level (E2M1 has 0 and -0) the lower one.
using CodeTable = std::array<uint8_t, 256>;

template <LevelCoding Coding> constexpr int codebookLevel(int code) {
  return Coding == LevelCoding::CodebookIq4 ? iq4Level(code) : e2m1Level(code);
}

template <LevelCoding Coding> CodeTable invertCodebook() {
  CodeTable table{};
  for (int code = 15; code >= 0; --code)
    table[static_cast<size_t>(codebookLevel<Coding>(code) + 128)] = static_cast<uint8_t>(code);
  return table;
}

/// The code of a level: unsigned, `levelBits` wide.
template <Format F> uint8_t codeOf(int8_t level) {
  constexpr FormatInfo kInfo = formatInfo(F);
  if constexpr (kInfo.coding == LevelCoding::CodebookIq4 ||
                kInfo.coding == LevelCoding::CodebookE2M1) {
    static const CodeTable kTable = invertCodebook<kInfo.coding>();
    return kTable[static_cast<size_t>(level + 128)];
  } else {
    return static_cast<uint8_t>(level + levelBias(kInfo));
  }
}

/// The 16 bits that a group's scale is stored in: the half of the file, or a bfloat16 for MXFP4,
/// whose powers of two from 2^-128 up are exact in it.
template <Format F> uint16_t groupScaleBits(const uint8_t *block) {
  if constexpr (F == Format::MXFP4)
    return static_cast<uint16_t>(bitsOf(fromE8M0Half(block[0])) >> 16);
  return loadUint16(block);
}

void storeUint16(std::byte *to, uint16_t value) { std::memcpy(to, &value, sizeof value); }

/// The codes of one activation block of a panel, [vector][row][4].
struct BlockCodes {
  uint8_t codes[kBlockVectors][kVectorBytes];
};

/// Packs the vectors of codes to a plane of `bits` bits, which start at bit `shift` of the codes.
void packPlane(const BlockCodes &block, int bits, int shift, std::byte *plane) {
  const int perByte = 8 / bits;
  const unsigned mask = (1u << bits) - 1;
  for (int first = 0; first < kBlockVectors; first += perByte) {
    std::byte *to = plane + first / perByte * kVectorBytes;
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
  packPlane(codes, kPlanes.lowBits, 0, body + kLayout.lowPlaneOffset);
  if constexpr (kPlanes.highBits != 0)
    packPlane(codes, kPlanes.highBits, kPlanes.lowBits, body + kLayout.highPlaneOffset);
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

/// A block of a format with a scale per group. `raw` is the first row; rows are `stride` apart.
template <Format F>
void packGroupBlock(const uint8_t *raw, int64_t stride, int rows, int64_t columns, int64_t block,
                    std::byte *panel) {
  constexpr FormatInfo kInfo = formatInfo(F);
  constexpr PanelLayout kLayout = panelLayout(kInfo);
  std::byte *body = panel + kLayout.bodyOffset(block);
  const int64_t firstGroup = block * kGroupsPerBlock;
  const int groups =
      static_cast<int>(std::min<int64_t>(kGroupsPerBlock, columns / kGroup - firstGroup));

  BlockCodes codes;
  std::memset(&codes, codeOf<F>(0), sizeof codes);
  for (int i = 0; i < kLayout.lowPlaneOffset; i += 2)
    storeUint16(body + i, kMinusZero16);
  for (int row = 0; row < rows; ++row) {
    for (int g = 0; g < groups; ++g) {
      const uint8_t *bytes = raw + row * stride + (firstGroup + g) * kInfo.bytes;
      DecodedBlock decoded;
      decodeBlock<F>(bytes, decoded);
      placeCodes<F>(decoded.levels, g * kGroup, kGroup, row, codes);
      const int at = (g * kRows + row) * 2;
      storeUint16(body + at, groupScaleBits<F>(bytes));
      if constexpr (kInfo.minimum == Minimum::AddedFloat)
        storeUint16(body + kLayout.minimumsOffset + at, loadUint16(bytes + 2));
    }
  }
  packLevels<F>(codes, body);
}

/// A record (a whole block of the file) of a format with sub-scales.
template <Format F>
void packSubScaleRecord(const uint8_t *raw, int64_t stride, int rows, int64_t record,
                        std::byte *panel) {
  constexpr FormatInfo kInfo = formatInfo(F);
  constexpr PanelLayout kLayout = panelLayout(kInfo);
  constexpr int kSubBlocks = kActivationBlock / kInfo.subBlock;
  constexpr bool kHasMinimum = kInfo.minimum == Minimum::SubtractedInteger;

  std::byte *head = panel + record * kLayout.recordBytes;
  std::memset(head, 0, static_cast<size_t>(kLayout.recordBytes));
  for (int i = 0; i < kLayout.headBytes; i += 2)
    storeUint16(head + i, kMinusZero16);
  std::array<BlockCodes, kLayout.blocksPerRecord> codes;
  std::memset(&codes, codeOf<F>(0), sizeof codes);
  for (int row = 0; row < rows; ++row) {
    const uint8_t *bytes = raw + row * stride + record * kInfo.bytes;
    DecodedBlock decoded;
    decodeBlock<F>(bytes, decoded);
    storeUint16(head + row * 2, loadUint16(bytes + formatInfo(F).scaleOffset));
    if constexpr (kHasMinimum)
      storeUint16(head + (kRows + row) * 2, loadUint16(bytes + formatInfo(F).scaleOffset + 2));
    for (int b = 0; b < kLayout.blocksPerRecord; ++b) {
      std::byte *body = head + kLayout.headBytes + b * kLayout.bodyBytes;
      for (int s = 0; s < kSubBlocks; ++s) {
        const int at = s * kRows + row;
        body[at] = static_cast<std::byte>(decoded.subScales[b * kSubBlocks + s]);
        if constexpr (kHasMinimum)
          body[kLayout.minimumsOffset + at] =
              static_cast<std::byte>(decoded.minimums[b * kSubBlocks + s]);
      }
      placeCodes<F>(decoded.levels + b * kActivationBlock, 0, kActivationBlock, row,
                    codes[static_cast<size_t>(b)]);
    }
  }
  for (int b = 0; b < kLayout.blocksPerRecord; ++b)
    packLevels<F>(codes[static_cast<size_t>(b)], head + kLayout.headBytes + b * kLayout.bodyBytes);
}

template <Format F>
void packQuantizedPanel(const uint8_t *raw, int rows, int64_t columns, std::byte *panel) {
  constexpr FormatInfo kInfo = formatInfo(F);
  const int64_t stride = rowBytes(kInfo, columns);
  if constexpr (hasSubScales(kInfo)) {
    for (int64_t record = 0; record < columns / kInfo.elements; ++record)
      packSubScaleRecord<F>(raw, stride, rows, record, panel);
  } else {
    for (int64_t block = 0; block < activationBlocks(columns); ++block)
      packGroupBlock<F>(raw, stride, rows, columns, block, panel);
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
  const int64_t stride = rowBytes(info, columns);
  for (int64_t k = 0; k < columns; k += kFloatStep) {
    const int64_t count = std::min(kFloatStep, columns - k);
    std::byte *step = panel + k * kPanelRows * info.bytes;
    if (rows < kRows || count < kFloatStep)
      fillMinusZero(step, kFloatStep * kPanelRows, info.bytes);
    for (int row = 0; row < rows; ++row)
      std::memcpy(step + row * kFloatStep * info.bytes, raw + row * stride + k * info.bytes,
                  static_cast<size_t>(count * info.bytes));
  }
}

void packPanel(const FormatInfo &info, const uint8_t *raw, int rows, int64_t columns,
               std::byte *panel) {
  if (!isQuantized(info))
    return packFloatPanel(info, raw, rows, columns, panel);
  visitQuantized(info.format,
                 [&]<Format F>() { packQuantizedPanel<F>(raw, rows, columns, panel); });
}

} // namespace

size_t packedBytes(const MatrixShape &shape) {
  const FormatInfo info = formatInfo(shape.format);
  return static_cast<size_t>(shape.experts * panelCount(shape.rows) *
                             panelBytes(info, shape.columns));
}

void packRows(const MatrixShape &shape, int64_t expert, int64_t firstRow, int64_t rowCount,
              const uint8_t *raw, std::byte *packed) {
  const FormatInfo info = formatInfo(shape.format);
  const int64_t bytes = panelBytes(info, shape.columns);
  const int64_t firstPanel = expert * panelCount(shape.rows) + firstRow / kPanelRows;
  for (int64_t row = 0; row < rowCount; row += kPanelRows) {
    const int rows = static_cast<int>(std::min(kPanelRows, rowCount - row));
    packPanel(info, raw + row * rowBytes(info, shape.columns), rows, shape.columns,
              packed + (firstPanel + row / kPanelRows) * bytes);
  }
}

} // namespace sortie::cpu
