// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A tile of a product in `bf16` arithmetic: kTileRows rows of activations times 128 rows of
// weights. Weights are the A operand of mma. They are copied to stages as they lie in the file;
// activations are rounded to bfloat16 on their way to a stage, through registers: they are loaded
// before a part of another stage is multiplied, and stored after it.
//
// An output is the sum of its chunks' sums in ascending order, and a chunk's sum is that of mma of
// 16 elements of K in ascending order. Which other rows are in the tile does not matter to it.

#ifndef SORTIE_CODEGEN_KERNELS_BF16TILE_H
#define SORTIE_CODEGEN_KERNELS_BF16TILE_H

#include "codegen/kernels/Bf16Geometry.h"
#include "codegen/kernels/FourFloats.h"
#include "codegen/kernels/Stages.h"

namespace sortie::kernels {

/// Elements of K of an mma, of a row of ldmatrix's matrices; rows of weights and of activations.
constexpr int kBf16Step = 16;
constexpr int kBf16Half = 8;
constexpr int kBf16MmaColumns = 16;
constexpr int kBf16MmaRows = 8;

template <typename Weight> inline constexpr bool kIsBFloat16 = false;
template <> inline constexpr bool kIsBFloat16<numerics::BFloat16> = true;

/// A lane's sums: of the warp's weights 16 by 16 and its activations 8 by 8.
struct Bf16Sums {
  static constexpr int kColumnTiles = kBf16WarpRows / kBf16MmaColumns;
  static constexpr int kRowTiles = kBf16WarpRows / kBf16MmaRows;
  float sum[kColumnTiles][kRowTiles][4] = {};
};

/// Where a thread is in the tile: the first rows of its warp, and its own place in each mma.
struct Bf16Place {
  int column; ///< of the warp
  int row;    ///< of the warp
  int group;  ///< lane / 4
  int pair;   ///< lane % 4

  SORTIE_DEVICE Bf16Place make() {
    return {hw::warpIndex() % kBf16ColumnWarps * kBf16WarpRows,
            hw::warpIndex() / kBf16ColumnWarps * kBf16WarpRows, hw::laneIndex() / 4,
            hw::laneIndex() % 4};
  }
  /// The row of activations of sum `i` in tile `rowTile`, and the row of weights in its 16.
  SORTIE_DEVICE int rowOf(const Bf16Place &at, int rowTile, int i) {
    return at.row + rowTile * kBf16MmaRows + 2 * at.pair + i % 2;
  }
  SORTIE_DEVICE int columnOf(const Bf16Place &at, int i) { return at.group + i / 2 * kBf16Half; }
};

/// Weights (float, Half or BFloat16) with rows of K elements, in `Stages` stages.
template <typename Weight, int K, int Stages> struct Bf16Tile {
  static constexpr int kElementBytes = static_cast<int>(sizeof(Weight));
  static constexpr int kDepth = bf16Depth(kElementBytes);
  static constexpr int kStageBytes = bf16StageBytes(kElementBytes);
  using WRow = StageRow<Weight, kDepth, kBf16Half>;
  using XRow = StageRow<numerics::BFloat16, kDepth, kBf16Half>;
  using Order = StageOrder<K, kDepth, 1>;
  static constexpr int kXAt = kBf16Columns * WRow::kBytes;
  static constexpr bool kIsOneChunk = K <= numerics::kChunk;

  //===- Copies -----------------------------------------------------------===//

  /// Eight threads copy a row of weights, so a thread has some rows.
  static constexpr int kWThreads = kBf16RowBytes / 16;
  static constexpr int kWStride = kBf16Threads / kWThreads;
  static constexpr int kWRows = kBf16Columns / kWStride;
  using WCopy = StageCopy<WRow, Order, kWThreads, PastEnd::Zeros>;

  /// Some threads load a row of activations, eight elements at a time.
  static constexpr int kXThreads = kBf16Threads / kTileRows;
  static constexpr int kXPieces = kDepth / kBf16Half / kXThreads;
  static_assert(kXPieces * kXThreads * kBf16Half == kDepth);
  struct Piece {
    FourFloats four[2];
  };

  /// A thread's part in the copies.
  struct Copies {
    WCopy weights[kWRows];
    const float *x; ///< null: no row
  };

  template <typename XSource, typename WSource>
  SORTIE_DEVICE Copies makeCopies(XSource xRow, WSource wRow) {
    Copies copies;
#pragma unroll
    for (int i = 0; i < kWRows; ++i) {
      const int row = hw::threadIndex() / kWThreads + i * kWStride;
      copies.weights[i] = WCopy::make(wRow(row), 0, row, 0, hw::threadIndex() % kWThreads);
    }
    copies.x = xRow(hw::threadIndex() / kXThreads);
    return copies;
  }

  SORTIE_DEVICE char *stageAt(char *ring, int index) { return ring + index % Stages * kStageBytes; }

  SORTIE_DEVICE void copyWeights(const Copies &copies, char *ring, int index) {
    if (index < Order::kStages)
#pragma unroll
      for (int i = 0; i < kWRows; ++i)
        WCopy::start(copies.weights[i], stageAt(ring, index), index);
    hw::commitCopies();
  }

  /// The first element of the thread's piece `piece` in a stage.
  SORTIE_DEVICE int pieceAt(int piece) {
    return (piece * kXThreads + hw::threadIndex() % kXThreads) * kBf16Half;
  }

  SORTIE_DEVICE void loadPiece(const Copies &copies, int index, int piece, Piece &x) {
    if (copies.x == nullptr || index >= Order::kStages)
      return;
#pragma unroll
    for (int half = 0; half < 2; ++half)
      x.four[half] = loadFour<K>(copies.x, index * kDepth + pieceAt(piece) + 4 * half);
  }

  SORTIE_DEVICE void storePiece(const Copies &copies, char *ring, int index, int piece,
                                const Piece &x) {
    if (copies.x == nullptr || index >= Order::kStages)
      return;
    hw::Words4 words;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const FourFloats &four = x.four[i / 2];
      words.word[i] = hw::packBFloat16(four.value[i % 2 * 2], four.value[i % 2 * 2 + 1]);
    }
    const int row = hw::threadIndex() / kXThreads;
    *reinterpret_cast<hw::Words4 *>(stageAt(ring, index) + kXAt + row * XRow::kBytes +
                                    XRow::place(row, pieceAt(piece) * 2)) = words;
  }

  //===- Products ---------------------------------------------------------===//

  /// The A operand: 16 rows of weights from row `row` on, a step from element `k` on.
  SORTIE_DEVICE void loadWeights(const char *stage, int row, int k, const Bf16Place &at,
                                 uint32_t (&a)[4]) {
    if constexpr (kIsBFloat16<Weight>) {
      const int lane = hw::laneIndex();
      const int from = row + lane % 16;
      hw::loadMatrices(a, stage + from * WRow::kBytes +
                              WRow::place(from, (k + lane / 16 * kBf16Half) * 2));
    } else {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int from = row + at.group + i % 2 * kBf16Half;
        const int element = k + i / 2 * kBf16Half;
        float pair[2];
        loadPair(reinterpret_cast<const Weight *>(stage + from * WRow::kBytes +
                                                  WRow::place(from, element * kElementBytes)) +
                     2 * at.pair,
                 pair);
        a[i] = hw::packBFloat16(pair[0], pair[1]);
      }
    }
  }

  /// Two B operands: 16 rows of activations from row `row` on.
  SORTIE_DEVICE void loadActivationTiles(const char *stage, int row, int k, uint32_t (&b)[4]) {
    const int lane = hw::laneIndex();
    const int from = row + lane / 16 * kBf16MmaRows + lane % 8;
    hw::loadMatrices(b, stage + kXAt + from * XRow::kBytes +
                            XRow::place(from, (k + lane / 8 % 2 * kBf16Half) * 2));
  }

  /// Adds the products of the elements [first, last) of a stage. Of the warp's rows, `rows` exist;
  /// others may be left out.
  SORTIE_DEVICE void multiplySteps(const char *stage, int first, int last, const Bf16Place &at,
                                   int rows, Bf16Sums &sums) {
    if (rows <= 0)
      return;
#pragma unroll
    for (int k = first; k < last; k += kBf16Step) {
      uint32_t a[Bf16Sums::kColumnTiles][4];
#pragma unroll
      for (int c = 0; c < Bf16Sums::kColumnTiles; ++c)
        loadWeights(stage, at.column + c * kBf16MmaColumns, k, at, a[c]);
#pragma unroll
      for (int r = 0; r < Bf16Sums::kRowTiles; r += 2) {
        if (r * kBf16MmaRows >= rows)
          break;
        uint32_t b[4];
        loadActivationTiles(stage, at.row + r * kBf16MmaRows, k, b);
#pragma unroll
        for (int c = 0; c < Bf16Sums::kColumnTiles; ++c) {
          hw::multiplyBf16(sums.sum[c][r], a[c], b[0], b[1]);
          hw::multiplyBf16(sums.sum[c][r + 1], a[c], b[2], b[3]);
        }
      }
    }
  }

  /// Adds a chunk's sums to the totals and starts the next chunk.
  SORTIE_DEVICE void endChunk(Bf16Sums &sums, Bf16Sums &totals) {
#pragma unroll
    for (int c = 0; c < Bf16Sums::kColumnTiles; ++c)
#pragma unroll
      for (int r = 0; r < Bf16Sums::kRowTiles; ++r)
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          totals.sum[c][r][i] = numerics::add(totals.sum[c][r][i], sums.sum[c][r][i]);
          sums.sum[c][r][i] = 0.0f;
        }
  }

  /// xRow(r) . wRow(c) for r < rows and c < kBf16Columns, in the places of the thread's sums;
  /// garbage where a row is null. Begins with a barrier. The `Stages` stages at `ring` may be
  /// overwritten after the next one.
  template <typename XSource, typename WSource>
  SORTIE_DEVICE Bf16Sums multiply(char *ring, int rows, XSource xRow, WSource wRow) {
    const Copies copies = makeCopies(xRow, wRow);
    const Bf16Place at = Bf16Place::make();
    Piece x;
    hw::syncBlock();
#pragma unroll
    for (int index = 0; index < Stages - 1; ++index) {
      copyWeights(copies, ring, index);
#pragma unroll
      for (int piece = 0; piece < kXPieces; ++piece) {
        loadPiece(copies, index, piece, x);
        storePiece(copies, ring, index, piece, x);
      }
    }
    Bf16Sums sums;
    Bf16Sums totals;
#pragma unroll 1
    for (int index = 0; index < Order::kStages; ++index) {
      hw::waitForCopies<Stages - 2>();
      hw::syncBlock();
      const int next = index + Stages - 1;
      copyWeights(copies, ring, next);
#pragma unroll
      for (int piece = 0; piece < kXPieces; ++piece) {
        loadPiece(copies, next, piece, x);
        multiplySteps(stageAt(ring, index), piece * kDepth / kXPieces,
                      (piece + 1) * kDepth / kXPieces, at, rows - at.row, sums);
        storePiece(copies, ring, next, piece, x);
      }
      if (!kIsOneChunk && ((index + 1) % Order::kPerChunk == 0 || index + 1 == Order::kStages))
        endChunk(sums, totals);
    }
    hw::waitForCopies<0>();
    if constexpr (kIsOneChunk)
      return sums;
    else
      return totals;
  }
};

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_BF16TILE_H
