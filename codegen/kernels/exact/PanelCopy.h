// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How a warp copies its panel to shared memory. Pointers are those of a lane: they already point to
// its first 16 bytes.

#ifndef SORTIE_CODEGEN_KERNELS_EXACT_PANELCOPY_H
#define SORTIE_CODEGEN_KERNELS_EXACT_PANELCOPY_H

#include "codegen/kernels/packing/PackedLayout.h"

#include <sortie_hardware.h>

namespace sortie::kernels {

constexpr int kLaneBytes = 16;
constexpr int kWarpBytes = kLaneBytes * hw::kWarpSize;

/// Starts to copy `Bytes` bytes with the lanes of a warp.
template <int Bytes> SORTIE_DEVICE void copyWithWarp(char *to, const char *from) {
#pragma unroll
  for (int i = 0; i < Bytes / kWarpBytes; ++i)
    hw::copyAsync<kLaneBytes>(to + i * kWarpBytes, from + i * kWarpBytes);
  constexpr int kWhole = Bytes / kWarpBytes * kWarpBytes;
  if constexpr (kWhole != Bytes)
    hw::copyAsyncIf<kLaneBytes>(hw::laneIndex() < (Bytes - kWhole) / kLaneBytes, to + kWhole,
                                from + kWhole);
}

/// Starts to copy section `section` of a panel: its planes, and the scales of its block.
template <Format F> SORTIE_DEVICE void copySection(char *to, const char *panel, int section) {
  using Layout = PackedLayout<F>;
  constexpr PackedSizes kSizes = Layout::kSizes;
  const char *block = panel + int64_t{section / kSizes.sections} * kSizes.blockBytes;
  const char *planes = block + section % kSizes.sections * kSizes.sectionBytes;
  copyWithWarp<kSizes.sectionBytes>(to, planes);
  copyWithWarp<Layout::kAllScaleBytes>(to + kSizes.sectionBytes, block + Layout::kScalesOffset);
}

/// Starts to copy block `block` of a panel.
template <Format F> SORTIE_DEVICE void copyBlock(char *to, const char *panel, int block) {
  constexpr PackedSizes kSizes = packedSizes(F);
  copyWithWarp<kSizes.blockBytes>(to, panel + int64_t{block} * kSizes.blockBytes);
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_EXACT_PANELCOPY_H
