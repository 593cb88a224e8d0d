// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The end of an exact product: sums in registers become rows of output, with the expert's scale,
// bias, routing weight, or activation and quantization.

#ifndef SORTIE_CODEGEN_KERNELS_EXACT_EXACTOUTPUTS_H
#define SORTIE_CODEGEN_KERNELS_EXACT_EXACTOUTPUTS_H

#include "codegen/kernels/exact/ExactBlock.h"
#include "codegen/kernels/rows/Quantize.h"
#include "runtime/numerics/activation.h"
#include "runtime/numerics/combine.h"

namespace sortie::kernels {

/// The outputs of a block whose K is cut into `Slices`: the warps of the first slice have all sums.
template <typename Spec, int Slices> class ExactOutputs {
  using Block = ExactBlock<Spec>;
  using Lane = typename Block::Lane;
  static constexpr int kColumns = Block::kBlockColumns / Slices;

public:
  /// Stores the outputs. A warp has `sums` as ExactDot.h lays them out. No thread needs the shared
  /// memory behind the tile's table any more.
  template <int Groups>
  SORTIE_DEVICE void store(const ExactOperands &operands,
                           const float (&sums)[Groups][Lane::kOutputs]) {
    if (hw::threadIndexAnew() < kExactThreads / Slices)
      place(operands, sums);
    hw::syncBlock();
    const int firstColumn = Block::template firstPanel<Slices>() * kPanelRows;
    const int left = Spec::kN - firstColumn;
    const int columns = left < kColumns ? left : kColumns;
    for (int token = hw::threadIndexAnew() / hw::kWarpSize; token < Block::tile().rows;
         token += kExactWarps) {
      const int64_t sorted = Block::tile().firstRow + token;
      if constexpr (!Spec::kIsGated)
        storePlain(operands, sorted, firstColumn, columns, valuesAt(token));
      else
        storeGated(operands, sorted, firstColumn, columns, valuesAt(token));
    }
  }

private:
  /// Where a token's values wait for the threads that store them: a float for each column, those of
  /// gate before those of up.
  SORTIE_DEVICE float *valuesAt(int token) {
    return hw::sharedMemory<float>(kTileTableBytes) + token * kValueStride;
  }

  template <int Groups>
  SORTIE_DEVICE void place(const ExactOperands &operands,
                           const float (&sums)[Groups][Lane::kOutputs]) {
    const int thread = hw::threadIndexAnew();
    const float *bias = Block::isSecond() ? operands.secondBias : operands.firstBias;
    const float *expertScale =
        Block::isSecond() ? operands.secondExpertScale : operands.firstExpertScale;
    if (!Block::template hasPanel<Slices>())
      return;
    const bool isScaled = expertScale != nullptr;
    const float s = isScaled ? hw::loadReadOnly(expertScale + Block::tile().expert) : 0.0f;
#pragma unroll
    for (int o = 0; o < Lane::kOutputs; ++o) {
      const int row = Lane::rowOf(o);
      const int column = Block::template panelIndex<Slices>() * kPanelRows + row;
      const bool isBiased = bias != nullptr && column < Spec::kN;
      const float b =
          isBiased ? hw::loadReadOnly(bias + int64_t{Block::tile().expert} * Spec::kN + column)
                   : 0.0f;
#pragma unroll
      for (int n = 0; n < Groups; ++n) {
        const int token = n * Lane::kTokens + Lane::tokenOf(o);
        const float y = isScaled ? mul(s, sums[n][o]) : sums[n][o];
        valuesAt(token)[thread / hw::kWarpSize * kPanelRows + row] = isBiased ? add(y, b) : y;
      }
    }
  }

  SORTIE_DEVICE void storePlain(const ExactOperands &operands, int64_t sorted, int firstColumn,
                                int columns, const float *values) {
    const int64_t row = Block::placeOf(Block::tile().expert, sorted);
    float *to = static_cast<float *>(operands.output) + row * Spec::kN + firstColumn;
    float scale = 1.0f;
    if constexpr (Spec::kHasScale)
      scale = hw::loadReadOnly(operands.scale + hw::loadReadOnly(operands.permutation + sorted));
    for (int column = hw::threadIndexAnew() % hw::kWarpSize; column < columns;
         column += hw::kWarpSize) {
      const float y = Spec::kHasScale ? weighted(scale, values[column]) : values[column];
      to[column] = canonicalNan(y);
    }
  }

  /// A lane has four neighbouring columns: an activation block is the columns of a warp.
  SORTIE_DEVICE void storeGated(const ExactOperands &operands, int64_t sorted, int firstColumn,
                                int columns, const float *values) {
    constexpr Glu kGlu = Spec::kGlu;
    constexpr ActRowLayout kLayout = actRowLayout(Spec::kOutput, Spec::kN);
    float four[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int column = 4 * hw::laneIndex() + i;
      four[i] = canonicalNan(applyGlu(kGlu, values[column], values[kGatedColumns + column]));
    }
    if constexpr (Spec::kOutput == RowKind::F32) {
      float *to = static_cast<float *>(operands.output) + sorted * Spec::kN + firstColumn;
#pragma unroll
      for (int i = 0; i < 4; ++i)
        if (4 * hw::laneIndex() + i < columns)
          to[4 * hw::laneIndex() + i] = four[i];
    } else {
      char *row = static_cast<char *>(operands.output) + sorted * kLayout.bytes;
      quantizeBlock128<Spec::kOutput>(four, columns, row, kLayout, firstColumn / kActivationBlock);
    }
  }
};

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_EXACT_EXACTOUTPUTS_H
