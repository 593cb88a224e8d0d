// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the parts of an exact product share: the constants of its kernel, the tile that a thread
// block multiplies, and what a warp does of it.
//
// A kernel is exactProduct<Spec>(operands, begin), where Spec is a struct of constants:
//   Format kFirst, kSecond;   of gate and up; equal in a plain product
//   RowKind kInput, kOutput;  Int16 or Int8; the output of a gated product may be F32, too
//   int kN, kK;               of an expert: rows of weights, and elements of each
//   bool kIsGated, kIsGrouped;
//   int kSlices, kFewTiles;   where there are up to kFewTiles tiles in all, those of one mma cut K
//                             into so many slices, so that few tokens use a whole GPU: a block
//                             takes 1 / kSlices of the columns, and as many teams of its warps
//                             share the chunks of K. 1 in a gated product, whose blocks need 128
//                             columns of both matrices to quantize
//   int kSlots;               0: input row = sorted row; else permutation[sorted row] / kSlots
//   int kHeads;               only where the rows of a token are so many heads, each with a matrix
//                             of its own in place of an expert's: sorted row t of head h is row
//                             t * kHeads + h of the input and of the output
//   bool kHasScale;           y = RN(scale[permutation[sorted row]] * y), plain products only
//   Glu kGlu;                 gated products only
// SORTIE_SHARED_LIMIT is the shared memory that a block may have.

#ifndef SORTIE_CODEGEN_KERNELS_EXACT_EXACTBLOCK_H
#define SORTIE_CODEGEN_KERNELS_EXACT_EXACTBLOCK_H

#include "codegen/kernels/exact/ExactPanel.h"
#include "codegen/kernels/exact/PanelCopy.h"

#include <sortie_hardware.h>

namespace sortie::kernels {

/// Operands of a launch. What a Spec does not use is null.
struct ExactOperands {
  const void *input;          ///< rows of quantized activations (layout.h)
  const Tile *tiles;          ///< grouped: the tile map
  const int32_t *permutation; ///< [sorted rows]
  const float *scale;         ///< [slots]
  void *output;               ///< [sorted rows, N], or [tokens, heads, N]
  const void *first;          ///< packed weights, of gate or of the only matrix
  const void *second;         ///< packed weights of up
  const float *firstBias;     ///< [experts, N], or null
  const float *secondBias;
  int rows;                                ///< not grouped: rows of the input
  const float *firstExpertScale = nullptr; ///< [experts], or null
  const float *secondExpertScale = nullptr;
};

template <typename Spec> struct ExactBlock {
  static constexpr int kSlices = Spec::kSlices;
  static constexpr ExactGeometry kGeometry = exactGeometry(
      Spec::kFirst, Spec::kSecond, Spec::kInput, Spec::kK, kSlices, SORTIE_SHARED_LIMIT);
  static_assert(kGeometry.stages >= 2, "the block's shared memory is too small");
  static_assert(kSlices == 1 || !Spec::kIsGated);
  /// Most rows of a tile.
  static constexpr int kTokens = kGeometry.tokens;
  static constexpr int kLimbs = limbCount(Spec::kInput);
  using Lane = ProductLane<kLimbs>;
  static constexpr int kStageCount = static_cast<int>(ceilDiv(Spec::kK, kSectionElements));
  /// Columns of the output of a block.
  static constexpr int kBlockColumns = Spec::kIsGated ? kGatedColumns : kPlainColumns;
  static constexpr int kPanels = static_cast<int>(panelsOf(Spec::kN)); ///< of an expert
  static constexpr int kHeads = headsOf<Spec>();
  static_assert(kHeads == 0 || !(Spec::kIsGated || Spec::kIsGrouped || Spec::kHasScale));

  //===- The tile: in shared memory, not in scarce registers --------------===//

  SORTIE_DEVICE const Tile &tile() { return *hw::sharedMemory<Tile>(); }
  /// The input row of each token of the tile; of its first row for tokens past its end.
  SORTIE_DEVICE const int32_t *rowTable() { return hw::sharedMemory<int32_t>(sizeof(Tile)); }
  /// Groups of tokens, one mma wide, that the tile needs.
  SORTIE_DEVICE int groups() { return (tile().rows + Lane::kTokens - 1) / Lane::kTokens; }

  SORTIE_DEVICE void fillTable(const ExactOperands &operands, const Tile &given) {
    const int token = hw::threadIndex();
    const int rows = given.rows < kTokens ? given.rows : kTokens;
    if (token == 0) {
      *hw::sharedMemory<Tile>() = {given.expert, given.firstRow, rows, given.done};
      storeCodebook<Spec::kFirst>();
      storeCodebook<Spec::kSecond>();
    }
    if (token >= kTokens)
      return;
    const int sorted = given.firstRow + (token < rows ? token : 0);
    int row = placeOf(given.expert, sorted);
    if constexpr (Spec::kSlots != 0)
      row = hw::loadReadOnly(operands.permutation + sorted) / Spec::kSlots;
    hw::sharedMemory<int32_t>(sizeof(Tile))[token] = row;
  }

  /// Where sorted row `sorted` of an expert, or of a head, lies among all rows.
  template <typename Index> SORTIE_DEVICE Index placeOf(int expert, Index sorted) {
    if constexpr (kHeads != 0)
      return sorted * kHeads + expert;
    return sorted;
  }

  template <Format F> SORTIE_DEVICE void storeCodebook() {
    if constexpr (PackedLayout<F>::kHasCodebook)
      Codebook<formatInfo(F).coding>::store();
  }

  //===- What a warp multiplies -------------------------------------------===//

  /// Whether the warp has a panel of up.
  SORTIE_DEVICE bool isSecond() { return Spec::kIsGated && hw::warpIndex() >= kExactWarps / 2; }
  /// Panels of a block whose K is cut into `Slices`: kSlices, or 1, where the first of kSlices
  /// blocks multiplies all of their columns.
  template <int Slices> static constexpr int kBlockPanels = kBlockColumns / kPanelRows / Slices;
  /// The block's first panel among those of an expert.
  template <int Slices> SORTIE_DEVICE int firstPanel() {
    return hw::recomputed(hw::blockIndexX()) / (kSlices / Slices) * kBlockPanels<Slices>;
  }
  /// The warp's panel.
  template <int Slices> SORTIE_DEVICE int panelIndex() {
    return firstPanel<Slices>() + hw::threadIndexAnew() / hw::kWarpSize % kBlockPanels<Slices>;
  }
  /// The lane's first bytes of the warp's panel, which has format F: in units of kLaneBytes from
  /// the start of the matrix (kMostPackedBytes), since an address would take two registers.
  template <Format F, int Slices> SORTIE_DEVICE uint32_t panelUnit(int expert) {
    constexpr int64_t kPanelBytes = packedPanelBytes(F, Spec::kK);
    static_assert(kPanelBytes % kLaneBytes == 0);
    return static_cast<uint32_t>(expert * kPanels + panelIndex<Slices>()) *
               static_cast<uint32_t>(kPanelBytes / kLaneBytes) +
           hw::laneIndex();
  }
  SORTIE_DEVICE const char *weights(const ExactOperands &operands, uint32_t unit) {
    const void *matrix = isSecond() ? operands.second : operands.first;
    return static_cast<const char *>(matrix) + int64_t{unit} * kLaneBytes;
  }
  /// The matrix may end before the block does.
  template <int Slices> SORTIE_DEVICE bool hasPanel() {
    return Spec::kN % kBlockColumns == 0 || panelIndex<Slices>() < kPanels;
  }
  /// Calls `body` with the format of the warp's panel.
  template <typename Body> SORTIE_DEVICE void withFormat(Body body) {
    if constexpr (Spec::kFirst != Spec::kSecond) {
      if (isSecond()) {
        body.template operator()<Spec::kSecond>();
        return;
      }
    }
    body.template operator()<Spec::kFirst>();
  }

  //===- Sums and totals --------------------------------------------------===//

  /// Adds the chunk that ends with activation block `section` to the totals of those before, which
  /// a thread keeps at `totals` in shared memory. After the last chunk `sums` are the totals.
  template <int Groups>
  SORTIE_DEVICE void endChunk(int totals, int section, float (&sums)[Groups][Lane::kOutputs]) {
    if constexpr (kStageCount > kBlocksPerChunk) {
      const bool isFirst = section < kBlocksPerChunk;
      const bool isLast = section == kStageCount - 1;
      const int count = groups();
#pragma unroll
      for (int n = 0; n < Groups; ++n) {
        if (n >= count)
          continue;
        auto &total =
            hw::sharedMemory<typename Lane::Outputs>(totals)[n * kExactThreads + hw::threadIndex()];
        typename Lane::Outputs next = total;
#pragma unroll
        for (int o = 0; o < Lane::kOutputs; ++o) {
          next.value[o] = isFirst ? sums[n][o] : add(next.value[o], sums[n][o]);
          sums[n][o] = isLast ? next.value[o] : 0.0f;
        }
        total = next;
      }
    }
  }

  /// Where `geometry` has the sums of tokens for a format.
  template <typename Geometry>
  SORTIE_DEVICE constexpr int sumsOffset(const Geometry &geometry, Format format) {
    return format == Spec::kFirst ? geometry.firstSumsOffset : geometry.secondSumsOffset;
  }
};

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_EXACT_EXACTBLOCK_H
