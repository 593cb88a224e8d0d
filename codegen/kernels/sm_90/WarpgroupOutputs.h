// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The end of an item of an exact product with warpgroups: sums in registers become rows of output,
// with the expert's scale, bias, routing weight, or activation and quantization.

#ifndef SORTIE_CODEGEN_KERNELS_SM_90_WARPGROUPOUTPUTS_H
#define SORTIE_CODEGEN_KERNELS_SM_90_WARPGROUPOUTPUTS_H

#include "codegen/kernels/rows/Quantize.h"
#include "codegen/kernels/sm_90/WarpgroupTile.h"
#include "runtime/numerics/activation.h"
#include "runtime/numerics/combine.h"

namespace sortie::kernels {

template <typename Spec, int Columns> class WarpgroupOutputs {
  using Block = WarpgroupBlock<Spec>;
  using Tile = WarpgroupTile<Spec, Columns>;
  using Sums = typename Tile::Sums;
  using Lane = typename Block::Lane;
  static constexpr WarpgroupGeometry kGeometry = Block::kGeometry;
  static constexpr int kBlocks = Columns / kMmaColumns;
  /// The barrier at which the warps that multiply meet.
  static constexpr int kBarrier = 1;

public:
  /// Multiplies the item and stores its outputs.
  SORTIE_DEVICE void run(const ExactOperands &operands, const WarpgroupItem &item,
                         RingPlace &place) {
    Sums sums;
#pragma unroll 1
    for (int pass = 0; pass < Block::kPasses; ++pass) {
      Block::withFormatOf(pass, [&]<Format F>() { Tile::template multiply<F>(place, sums); });
      if constexpr (Spec::kIsGated) {
        scaleAndBias(operands.firstExpertScale, operands.firstBias, operands.secondExpertScale,
                     operands.secondBias, pass, item, sums);
        if (pass == 0)
          park(sums);
      }
    }
    if constexpr (Spec::kIsGated) {
      storeGated(operands, item, sums);
    } else {
      scaleAndBias(operands.firstExpertScale, operands.firstBias, nullptr, nullptr, 0, item, sums);
      storePlain(operands, item, sums);
    }
  }

private:
  SORTIE_DEVICE int columnOf(const WarpgroupItem &item, int output) {
    return (item.firstPanel + hw::warpIndex()) * kPanelRows + Lane::rowOf(output);
  }

  /// y = RN(s * sum), then + bias, as far as the pass has them.
  SORTIE_DEVICE void scaleAndBias(const float *firstScale, const float *firstBias,
                                  const float *secondScale, const float *secondBias, int pass,
                                  const WarpgroupItem &item, Sums &sums) {
    const float *expertScale = pass == 0 ? firstScale : secondScale;
    const float *bias = pass == 0 ? firstBias : secondBias;
    const bool isScaled = expertScale != nullptr;
    const float s = isScaled ? hw::loadReadOnly(expertScale + item.expert) : 0.0f;
#pragma unroll
    for (int o = 0; o < Lane::kOutputs; ++o) {
      const int column = columnOf(item, o);
      const bool isBiased = bias != nullptr && column < Spec::kN;
      const float b =
          isBiased ? hw::loadReadOnly(bias + int64_t{item.expert} * Spec::kN + column) : 0.0f;
#pragma unroll
      for (int n = 0; n < kBlocks; ++n) {
        const float y = isScaled ? mul(s, sums[n][o]) : sums[n][o];
        sums[n][o] = isBiased ? add(y, b) : y;
      }
    }
  }

  SORTIE_DEVICE void storePlain(const ExactOperands &operands, const WarpgroupItem &item,
                                const Sums &sums) {
    auto *output = static_cast<float *>(operands.output);
#pragma unroll
    for (int n = 0; n < kBlocks; ++n)
#pragma unroll
      for (int i = 0; i < Lane::kTokensOfLane; ++i) {
        const int token = n * Lane::kTokens + Lane::tokenOf(i);
        if (token >= item.rows)
          continue;
        const int64_t sorted = item.firstRow + token;
        float scale = 1.0f;
        if constexpr (Spec::kHasScale)
          scale =
              hw::loadReadOnly(operands.scale + hw::loadReadOnly(operands.permutation + sorted));
#pragma unroll
        for (int r = 0; r < 2; ++r) {
          const int o = r * Lane::kTokensOfLane + i;
          const float y = Spec::kHasScale ? weighted(scale, sums[n][o]) : sums[n][o];
          if (columnOf(item, o) < Spec::kN)
            output[sorted * Spec::kN + columnOf(item, o)] = canonicalNan(y);
        }
      }
  }

  //===- Gate and up ------------------------------------------------------===//

  /// Gate's sums wait for those of up, each in its own thread.
  SORTIE_DEVICE void park(const Sums &sums) {
#pragma unroll
    for (int n = 0; n < kBlocks; ++n) {
      typename Lane::Outputs waiting;
#pragma unroll
      for (int o = 0; o < Lane::kOutputs; ++o)
        waiting.value[o] = sums[n][o];
      Tile::waitingSum(kGeometry.parkedOffset, n) = waiting;
    }
  }

  SORTIE_DEVICE float *valuesAt(int token) {
    return hw::sharedMemory<float>(kGeometry.parkedOffset) + token * kGatedStride;
  }

  /// The activations, `ups` are those of up. They go through shared memory, in place of gate's
  /// sums, to be quantized by row.
  SORTIE_DEVICE void storeGated(const ExactOperands &operands, const WarpgroupItem &item,
                                Sums &ups) {
    constexpr Glu kGlu = Spec::kGlu;
#pragma unroll
    for (int n = 0; n < kBlocks; ++n) {
      const typename Lane::Outputs gates = Tile::waitingSum(kGeometry.parkedOffset, n);
#pragma unroll
      for (int o = 0; o < Lane::kOutputs; ++o)
        ups[n][o] = canonicalNan(applyGlu(kGlu, gates.value[o], ups[n][o]));
    }
    hw::syncThreads(kBarrier, kConsumerThreads);
#pragma unroll
    for (int n = 0; n < kBlocks; ++n)
#pragma unroll
      for (int o = 0; o < Lane::kOutputs; ++o)
        valuesAt(n * Lane::kTokens +
                 Lane::tokenOf(o))[hw::warpIndex() * kPanelRows + Lane::rowOf(o)] = ups[n][o];
    hw::syncThreads(kBarrier, kConsumerThreads);
    for (int token = hw::warpIndex(); token < item.rows; token += kConsumerWarps)
      storeRow(operands, item, token);
    hw::syncThreads(kBarrier, kConsumerThreads);
  }

  /// A lane has four neighbouring columns: an activation block is the columns of a warp.
  SORTIE_DEVICE void storeRow(const ExactOperands &operands, const WarpgroupItem &item, int token) {
    constexpr ActRowLayout kLayout = actRowLayout(Spec::kOutput, Spec::kN);
    const int firstColumn = item.firstPanel * kPanelRows;
    const int columns = Spec::kN - firstColumn;
    const int64_t sorted = item.firstRow + token;
    float four[4];
#pragma unroll
    for (int i = 0; i < 4; ++i)
      four[i] = valuesAt(token)[4 * hw::laneIndex() + i];
    if constexpr (Spec::kOutput == RowKind::F32) {
      float *to = static_cast<float *>(operands.output) + sorted * Spec::kN + firstColumn;
#pragma unroll
      for (int i = 0; i < 4; ++i)
        if (4 * hw::laneIndex() + i < columns)
          to[4 * hw::laneIndex() + i] = four[i];
    } else {
      quantizeBlock128<Spec::kOutput>(four, columns,
                                      static_cast<char *>(operands.output) + sorted * kLayout.bytes,
                                      kLayout, firstColumn / kActivationBlock);
    }
  }
};

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_SM_90_WARPGROUPOUTPUTS_H
