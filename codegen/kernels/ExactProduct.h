// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products of quantized weights and quantized rows, `exact` arithmetic: grouped by expert through the
// tile map, or dense; plain, or gate and up with their activation. docs/cuda.md has the picture.
//
// A kernel is exactProduct<Spec>(operands), where Spec is a struct of constants:
//   Format kFirst, kSecond;   of gate and up; equal in a plain product
//   RowKind kInput, kOutput;  Int16 or Int8; the output of a gated product may be F32, too
//   int kRows, kColumns;      N and K of an expert
//   bool kIsGated, kIsGrouped;
//   int kSlots;               0: input row = sorted row; else permutation[sorted row] / kSlots
//   bool kHasScale;           y = RN(scale[permutation[sorted row]] * y), plain products only
//   Glu kGlu;                 gated products only
// Grid: x = ceil(kRows / columns of a block), y = tiles (grouped) or ceil(rows / 64). kExactThreads
// threads, exactSharedBytes() of shared memory, for which SORTIE_SHARED_LIMIT is what a block may have.

#ifndef SORTIE_CODEGEN_KERNELS_EXACTPRODUCT_H
#define SORTIE_CODEGEN_KERNELS_EXACTPRODUCT_H

#include "codegen/kernels/ExactDot.h"
#include "codegen/kernels/ExactGeometry.h"
#include "codegen/kernels/Quantize.h"
#include "runtime/numerics/activation.h"
#include "runtime/numerics/combine.h"

namespace sortie::kernels {

/// Operands of a launch. What a Spec does not use is null.
struct ExactOperands {
  const void *input;          ///< rows of quantized activations (layout.h)
  const Tile *tiles;          ///< grouped: the tile map
  const int32_t *permutation; ///< [sorted rows]
  const float *scale;         ///< [slots]
  void *output;               ///< [sorted rows, kRows]
  const void *first;          ///< packed weights, of gate or of the only matrix
  const void *second;         ///< packed weights of up
  const float *firstBias;     ///< [experts, kRows], or null
  const float *secondBias;
  int rows; ///< dense: rows of the input
};

/// The product of up to 8 * Products rows of one expert and the columns of a block.
template <typename Spec, int Products> class ExactTile {
  using Stage = ExactStage<Spec::kFirst, Spec::kSecond, Spec::kInput>;
  static constexpr int kLimbs = Stage::kLimbs;
  static constexpr int kTokens = Products * kTokensPerProduct;
  static constexpr int kStages = exactStages<Stage>(Products, SORTIE_SHARED_LIMIT);
  static constexpr int kStageCount = (Spec::kColumns + Stage::kElements - 1) / Stage::kElements;
  static constexpr int kBlocks = static_cast<int>(activationBlocks(Spec::kColumns));
  static constexpr int kBlockColumns = Spec::kIsGated ? kGatedColumns : kPlainColumns;
  static constexpr int kPanels = static_cast<int>(panelsOf(Spec::kRows));
  static constexpr ActRowLayout kRow = actRowLayout(Spec::kInput, Spec::kColumns);
  static constexpr TokenSums kSums = tokenSumsOf<Spec::kFirst>() != TokenSums::None
                                         ? tokenSumsOf<Spec::kFirst>()
                                         : tokenSumsOf<Spec::kSecond>();
  static constexpr bool kNeedsBothSums =
      tokenSumsOf<Spec::kFirst>() != TokenSums::None &&
      tokenSumsOf<Spec::kSecond>() != TokenSums::None &&
      tokenSumsOf<Spec::kFirst>() != tokenSumsOf<Spec::kSecond>();

  /// Places in a stage, behind the weights.
  static constexpr int kLimbOffset = Stage::kWeightBytes;
  static constexpr int kSumOffset = kLimbOffset + kLimbs * kTokens * Stage::kTokenStride;
  static constexpr int kScaleOffset = kSumOffset + kLimbs * kTokens * Stage::kSumBytes;

  /// A warp's two panels of weights; null where the matrix has ended.
  struct Panels {
    const char *first;
    const char *second;
  };

  /// Sums of a lane's outputs: of the chunk, and of the chunks before.
  struct Sums {
    float chunk[2][Products][4];
    float total[2][Products][4];
  };

public:
  SORTIE_DEVICE void run(const ExactOperands &operands, const Tile &tile) {
    const Panels panels = findPanels(operands, tile.expert);
    Sums sums;
#pragma unroll
    for (int m = 0; m < 2; ++m)
#pragma unroll
      for (int n = 0; n < Products; ++n)
#pragma unroll
        for (int e = 0; e < 4; ++e) {
          sums.chunk[m][n][e] = 0.0f;
          sums.total[m][n][e] = -0.0f; // adding the first chunk leaves its bits
        }
    multiply(operands, tile, panels, sums);
    hw::waitForCopies<0>();
    hw::syncBlock();
    placeOutputs(operands, tile, sums);
    hw::syncBlock();
    storeOutputs(operands, tile);
  }

private:
  //===- Operands ---------------------------------------------------------===//

  SORTIE_DEVICE Panels findPanels(const ExactOperands &operands, int expert) {
    const int perWarp = Spec::kIsGated ? 1 : 2;
    const int index = (hw::blockIndexX() * kExactWarps + hw::warpIndex()) * perWarp;
    const auto at = [&](const void *matrix, int panel, int64_t panelBytes) {
      const char *bytes = static_cast<const char *>(matrix) +
                          (int64_t{expert} * kPanels + panel) * panelBytes;
      return panel < kPanels ? bytes : nullptr;
    };
    constexpr int64_t kFirstBytes = PackedLayout<Spec::kFirst>::panelBytes(Spec::kColumns);
    constexpr int64_t kSecondBytes = PackedLayout<Spec::kSecond>::panelBytes(Spec::kColumns);
    return {at(operands.first, index, kFirstBytes),
            Spec::kIsGated ? at(operands.second, index, kSecondBytes)
                           : at(operands.first, index + 1, kSecondBytes)};
  }

  /// The input row of a sorted row.
  SORTIE_DEVICE const char *inputRow(const ExactOperands &operands, int sorted) {
    int row = sorted;
    if constexpr (Spec::kSlots != 0)
      row = hw::loadReadOnly(operands.permutation + sorted) / Spec::kSlots;
    return static_cast<const char *>(operands.input) + int64_t{row} * kRow.bytes;
  }

  //===- Copies -----------------------------------------------------------===//

  SORTIE_DEVICE char *stageAt(int stage) {
    return hw::sharedMemory<char>() + stage % kStages * Stage::bytes(Products);
  }

  /// A warp's part of a stage of one panel.
  template <Format F>
  SORTIE_DEVICE void copyPanel(const char *panel, int stage, char *to) {
    constexpr int kBytes = Stage::template kBytesOf<F>;
    constexpr int64_t kPanelBytes = PackedLayout<F>::panelBytes(Spec::kColumns);
    if (panel == nullptr)
      return;
    const int64_t first = int64_t{stage} * kBytes;
#pragma unroll
    for (int i = 0; i < (kBytes / 16 + hw::kWarpSize - 1) / hw::kWarpSize; ++i) {
      const int at = (i * hw::kWarpSize + hw::laneIndex()) * 16;
      if (at < kBytes && first + at < kPanelBytes)
        hw::copyAsync<16>(to + at, panel + first + at);
    }
  }

  /// Limbs and sums of a token, in units of 16 bytes, then its scales. Rows past the end of the tile
  /// become zeros.
  SORTIE_DEVICE void copyTokens(const ExactOperands &operands, const Tile &tile, int stage,
                                char *to) {
    constexpr int kLimbUnits = Stage::kElements / 16;
    constexpr int kSumUnits = Stage::kSumBytes / 16;
    constexpr int kUnits = kLimbs * (kLimbUnits + kSumUnits);
    for (int i = hw::threadIndex(); i < kTokens * kUnits; i += kExactThreads) {
      const int token = i / kUnits;
      const int unit = i % kUnits;
      const bool exists = token < tile.rows;
      const char *row = inputRow(operands, tile.firstRow + (exists ? token : 0));
      const bool isLimb = unit < kLimbs * kLimbUnits;
      const int part = isLimb ? unit : unit - kLimbs * kLimbUnits;
      const int limb = part / (isLimb ? kLimbUnits : kSumUnits);
      const int offset = part % (isLimb ? kLimbUnits : kSumUnits) * 16;
      const char *from =
          isLimb ? row + kRow.limbs + limb * kRow.limbStride + stage * Stage::kElements + offset
                 : row + kRow.sums + limb * kRow.sumStride + stage * Stage::kSumBytes + offset;
      char *destination =
          isLimb ? to + kLimbOffset + (limb * kTokens + token) * Stage::kTokenStride + offset
                 : to + kSumOffset + (limb * kTokens + token) * Stage::kSumBytes + offset;
      hw::copyAsync<16>(destination, from, exists ? 16 : 0);
    }
    for (int token = hw::threadIndex(); token < kTokens; token += kExactThreads) {
      const bool exists = token < tile.rows;
      const char *row = inputRow(operands, tile.firstRow + (exists ? token : 0));
      hw::copyAsync<Stage::kScaleBytes>(to + kScaleOffset + token * Stage::kScaleBytes,
                                        row + kRow.scales + stage * Stage::kScaleBytes,
                                        exists ? Stage::kScaleBytes : 0);
    }
  }

  SORTIE_DEVICE void startStage(const ExactOperands &operands, const Tile &tile,
                                const Panels &panels, int stage) {
    if (stage < kStageCount) {
      char *to = stageAt(stage);
      char *weights = to + hw::warpIndex() * Stage::kWarpBytes;
      copyPanel<Spec::kFirst>(panels.first, stage, weights);
      copyPanel<Spec::kSecond>(panels.second, stage,
                               weights + Stage::template kBytesOf<Spec::kFirst>);
      copyTokens(operands, tile, stage, to);
    }
    hw::commitCopies();
  }

  //===- Products ---------------------------------------------------------===//

  SORTIE_DEVICE void multiply(const ExactOperands &operands, const Tile &tile,
                              const Panels &panels, Sums &sums) {
    for (int stage = 0; stage < kStages - 1; ++stage)
      startStage(operands, tile, panels, stage);
    for (int stage = 0; stage < kStageCount; ++stage) {
      hw::waitForCopies<kStages - 2>();
      // What arrived is everybody's now, and the stage before has been read by all.
      hw::syncBlock();
      startStage(operands, tile, panels, stage + kStages - 1);
      if (panels.first == nullptr)
        continue;
#pragma unroll
      for (int half = 0; half < Stage::kHalves; ++half) {
        multiplyHalf(stageAt(stage), half, sums);
        const int block = stage * Stage::kHalves + half;
        if (block % kBlocksPerChunk == kBlocksPerChunk - 1 || block == kBlocks - 1)
          endChunk(sums);
      }
    }
  }

  SORTIE_DEVICE void endChunk(Sums &sums) {
#pragma unroll
    for (int m = 0; m < 2; ++m)
#pragma unroll
      for (int n = 0; n < Products; ++n)
#pragma unroll
        for (int e = 0; e < 4; ++e) {
          sums.total[m][n][e] = add(sums.total[m][n][e], sums.chunk[m][n][e]);
          sums.chunk[m][n][e] = 0.0f;
        }
  }

  SORTIE_DEVICE void multiplyHalf(const char *stage, int half, Sums &sums) {
    const char *weights = stage + hw::warpIndex() * Stage::kWarpBytes;
    ExactPanel<Spec::kFirst> first;
    ExactPanel<Spec::kSecond> second;
    loadPanel<Spec::kFirst>(weights, half, first);
    loadPanel<Spec::kSecond>(weights + Stage::template kBytesOf<Spec::kFirst>, half, second);
#pragma unroll
    for (int n = 0; n < Products; ++n) {
      TokenBlock<kLimbs> tokens;
      loadTokens(stage, half, n, tokens);
      float t[4];
      blockTerm<Spec::kFirst>(first, tokens, t);
      addTerm(t, tokens, sums.chunk[0][n]);
      blockTerm<Spec::kSecond>(second, tokens, t);
      addTerm(t, tokens, sums.chunk[1][n]);
    }
  }

  SORTIE_DEVICE void addTerm(const float (&t)[4], const TokenBlock<kLimbs> &tokens,
                             float (&chunk)[4]) {
#pragma unroll
    for (int e = 0; e < 4; ++e)
      chunk[e] = addBlock(t[e], tokens.scales[e % 2], chunk[e]);
  }

  SORTIE_DEVICE void loadTokens(const char *stage, int half, int n, TokenBlock<kLimbs> &tokens) {
    const int firstToken = n * kTokensPerProduct;
    const int token = firstToken + hw::laneIndex() % 4 * 2;
#pragma unroll
    for (int limb = 0; limb < kLimbs; ++limb)
      loadLimb(stage + kLimbOffset + (limb * kTokens + firstToken) * Stage::kTokenStride +
                   half * kHalfElements,
               Stage::kTokenStride, tokens.limbs[limb]);
#pragma unroll
    for (int c = 0; c < 2; ++c) {
      const auto *scales =
          reinterpret_cast<const float *>(stage + kScaleOffset + (token + c) * Stage::kScaleBytes);
      tokens.scales[c] = scales[half];
      if constexpr (kSums != TokenSums::None)
#pragma unroll
        for (int limb = 0; limb < kLimbs; ++limb)
          loadPairSums(stage + kSumOffset + (limb * kTokens + token + c) * Stage::kSumBytes +
                           half * 16,
                       tokens.pairSums[limb][c]);
    }
    if constexpr (kSums == TokenSums::OfGroups || kNeedsBothSums)
      addPairSums<kLimbs>(tokens.pairSums, tokens.groupSums);
  }

  //===- Outputs ----------------------------------------------------------===//

  /// Values wait in shared memory for the threads that store them, [token][column].
  static constexpr int kValueStride = kBlockColumns + 4;

  SORTIE_DEVICE float *valuesAt(int token) {
    return hw::sharedMemory<float>() + token * kValueStride;
  }

  SORTIE_DEVICE float biased(float y, const float *bias, int expert, int column) {
    if (bias == nullptr || column >= Spec::kRows)
      return y;
    return add(y, hw::loadReadOnly(bias + int64_t{expert} * Spec::kRows + column));
  }

  SORTIE_DEVICE void placeOutputs(const ExactOperands &operands, const Tile &tile,
                                  const Sums &sums) {
    const int lane = hw::laneIndex();
    const int firstColumn = hw::blockIndexX() * kBlockColumns;
#pragma unroll
    for (int n = 0; n < Products; ++n)
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const int token = n * kTokensPerProduct + lane % 4 * 2 + e % 2;
        const int row = lane / 4 + 8 * (e / 2);
        if constexpr (Spec::kIsGated) {
          const int column = hw::warpIndex() * kPanelRows + row;
          const float gate =
              biased(sums.total[0][n][e], operands.firstBias, tile.expert, firstColumn + column);
          const float up =
              biased(sums.total[1][n][e], operands.secondBias, tile.expert, firstColumn + column);
          valuesAt(token)[column] = canonicalNan(applyGlu(Spec::kGlu, gate, up));
        } else {
#pragma unroll
          for (int m = 0; m < 2; ++m) {
            const int column = (hw::warpIndex() * 2 + m) * kPanelRows + row;
            valuesAt(token)[column] =
                biased(sums.total[m][n][e], operands.firstBias, tile.expert, firstColumn + column);
          }
        }
      }
  }

  SORTIE_DEVICE void storeOutputs(const ExactOperands &operands, const Tile &tile) {
    const int firstColumn = hw::blockIndexX() * kBlockColumns;
    const int left = Spec::kRows - firstColumn;
    const int columns = left < kBlockColumns ? left : kBlockColumns;
    for (int token = hw::warpIndex(); token < tile.rows && token < kTokens; token += kExactWarps) {
      const int64_t sorted = tile.firstRow + token;
      if constexpr (Spec::kOutput == RowKind::F32)
        storeFloats(operands, sorted, firstColumn, columns, valuesAt(token));
      else
        storeQuantized(operands, sorted, columns, valuesAt(token));
    }
  }

  SORTIE_DEVICE void storeFloats(const ExactOperands &operands, int64_t sorted, int firstColumn,
                                 int columns, const float *values) {
    float *to = static_cast<float *>(operands.output) + sorted * Spec::kRows + firstColumn;
    float scale = 1.0f;
    if constexpr (Spec::kHasScale)
      scale = hw::loadReadOnly(operands.scale + hw::loadReadOnly(operands.permutation + sorted));
    for (int column = hw::laneIndex(); column < columns; column += hw::kWarpSize) {
      const float y = Spec::kHasScale ? weighted(scale, values[column]) : values[column];
      to[column] = canonicalNan(y);
    }
  }

  SORTIE_DEVICE void storeQuantized(const ExactOperands &operands, int64_t sorted, int columns,
                                    const float *values) {
    constexpr ActRowLayout kLayout = actRowLayout(Spec::kOutput, Spec::kRows);
    float four[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int column = 4 * hw::laneIndex() + i;
      four[i] = column < columns ? values[column] : 0.0f;
    }
    char *row = static_cast<char *>(operands.output) + sorted * kLayout.bytes;
    quantizeBlock128<activationWidth(Spec::kOutput)>(four, columns, row, kLayout,
                                                     hw::blockIndexX());
  }
};

/// Multiplies a tile with the narrowest of the widths that holds it.
template <typename Spec, int Products>
SORTIE_DEVICE void multiplyTile(const ExactOperands &operands, const Tile &tile) {
  if constexpr (Products > 1) {
    if (tile.rows <= Products / 2 * kTokensPerProduct)
      return multiplyTile<Spec, Products / 2>(operands, tile);
  }
  ExactTile<Spec, Products>::run(operands, tile);
}

template <typename Spec> SORTIE_DEVICE void exactProduct(const ExactOperands &operands) {
  using Stage = ExactStage<Spec::kFirst, Spec::kSecond, Spec::kInput>;
  constexpr int kProducts = exactProducts<Stage>(SORTIE_SHARED_LIMIT);
  constexpr int kWidest = kProducts * kTokensPerProduct;
  Tile tile{0, hw::blockIndexY() * kTileRows, 0, 0};
  if constexpr (Spec::kIsGrouped) {
    tile = operands.tiles[hw::blockIndexY()];
  } else {
    const int left = operands.rows - tile.firstRow;
    tile.rows = left < kTileRows ? left : kTileRows;
  }
  for (; tile.rows > 0; tile.firstRow += kWidest, tile.rows -= kWidest) {
    multiplyTile<Spec, kProducts>(operands, tile);
    if constexpr (kWidest < kTileRows)
      hw::syncBlock(); // the next pass writes where this one's outputs waited
  }
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_EXACTPRODUCT_H
