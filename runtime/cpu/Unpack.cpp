// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From packed panels (PanelLayout.h) back to the numbers of a row: embeddings.

#include "runtime/cpu/PanelLayout.h"
#include "runtime/cpu/ops.h"
#include "runtime/numerics/decode.h"
#include "runtime/numerics/embed.h"

#include <algorithm>
#include <cstring>

namespace sortie::cpu {

using namespace numerics;

namespace {

constexpr int kRows = static_cast<int>(kPanelRows);

/// A row of a quantized panel.
template <Format F> struct PanelRow {
  static constexpr FormatInfo kInfo = formatInfo(F);
  static constexpr PanelLayout kLayout = panelLayout(kInfo);
  static constexpr LevelPlanes kPlanes = levelPlanes(kInfo.levelBits);

  const std::byte *panel;
  int row;

  /// Number `index` of an array of scales.
  static float scaleAt(const std::byte *scales, int index) {
    constexpr int kBytes = scaleBytes(kInfo.scaleType);
    uint32_t bits = 0;
    std::memcpy(&bits, scales + index * kBytes, kBytes);
    return scaleValue<kInfo.scaleType>(bits);
  }

  /// The bits that a plane of `bits` bits has for element `k` of a block.
  unsigned planeBits(const std::byte *plane, int bits, int k) const {
    const int perByte = 8 / bits;
    const int vector = k / kVectorElements;
    const std::byte byte =
        plane[kLayout.lineOffset(bits, vector) + row * kVectorElements + k % kVectorElements];
    return static_cast<unsigned>(byte) >> (vector % perByte * bits) & ((1u << bits) - 1);
  }

  int level(const std::byte *body, int k) const {
    unsigned code = planeBits(body + kLayout.lowPlaneOffset, kPlanes.lowBits, k);
    if constexpr (kPlanes.highBits != 0)
      code |= planeBits(body + kLayout.highPlaneOffset, kPlanes.highBits, k) << kPlanes.lowBits;
    if constexpr (hasCodebook(kInfo.coding))
      return codebookLevel(kInfo.coding, static_cast<int>(code));
    else
      return static_cast<int>(code) - levelBias(kInfo);
  }

  /// Element `k` of block `block`.
  float element(int64_t block, int k) const {
    const std::byte *body = panel + kLayout.bodyOffset(block);
    if constexpr (hasSubScales(kInfo)) {
      const std::byte *head = panel + kLayout.headOffset(block);
      const int sub = k / kInfo.subBlock * kRows + row;
      const int scale = static_cast<int8_t>(body[sub]);
      const float d = scaleAt(head, row);
      if constexpr (kInfo.minimum == Minimum::SubtractedInteger)
        return subScaledElement(d, scale, level(body, k), scaleAt(head + kLayout.dminOffset, row),
                                static_cast<int8_t>(body[kLayout.minimumsOffset + sub]));
      else
        return subScaledElement(d, scale, level(body, k));
    } else {
      const int at = k / kGroup * kRows + row;
      const float d = scaleAt(body, at);
      if constexpr (kInfo.minimum == Minimum::AddedFloat)
        return groupElement(d, level(body, k), scaleAt(body + kLayout.minimumsOffset, at));
      else
        return groupElement(d, level(body, k));
    }
  }
};

/// A row of a panel of floats, in the type of the file.
template <Format F> void unpackFloats(const std::byte *panel, int row, int64_t columns, float *to) {
  constexpr int kBytes = floatBytes(formatInfo(F));
  for (int64_t k = 0; k < columns; ++k) {
    const std::byte *from =
        panel +
        (k / kFloatStep * kFloatStep * kPanelRows + row * kFloatStep + k % kFloatStep) * kBytes;
    uint32_t bits = 0;
    std::memcpy(&bits, from, kBytes);
    if constexpr (F == Format::F32)
      to[k] = canonicalNan(floatOf(bits));
    else if constexpr (F == Format::F16)
      to[k] = canonicalNan(fromHalf(static_cast<uint16_t>(bits)));
    else
      to[k] = canonicalNan(fromBFloat16(static_cast<uint16_t>(bits)));
  }
}

} // namespace

void unpackRow(const Matrix &table, int64_t row, float *to) {
  const FormatInfo info = formatInfo(table.shape.format);
  const int64_t columns = table.shape.columns;
  const std::byte *panel = table.packed + row / kPanelRows * panelBytes(info, columns);
  const int inPanel = static_cast<int>(row % kPanelRows);
  switch (table.shape.format) {
  case Format::F32:
    return unpackFloats<Format::F32>(panel, inPanel, columns, to);
  case Format::F16:
    return unpackFloats<Format::F16>(panel, inPanel, columns, to);
  case Format::BF16:
    return unpackFloats<Format::BF16>(panel, inPanel, columns, to);
  default:
    visitQuantized(table.shape.format, [&]<Format F>() {
      const PanelRow<F> from{panel, inPanel};
      for (int64_t k = 0; k < columns; ++k)
        to[k] = canonicalNan(
            from.element(k / kActivationBlock, static_cast<int>(k % kActivationBlock)));
    });
  }
}

} // namespace sortie::cpu
