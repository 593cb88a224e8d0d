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

#ifndef SORTIE_CODEGEN_KERNELS_FLOATS_BF16TILE_H
#define SORTIE_CODEGEN_KERNELS_FLOATS_BF16TILE_H

#include "codegen/kernels/common/FourFloats.h"
#include "codegen/kernels/floats/Bf16Geometry.h"
#include "codegen/kernels/floats/Stages.h"

namespace sortie::kernels {

/// An mma multiplies 16 elements of K of 16 rows of weights and 8 rows of activations.
constexpr int kBf16Step = 16;
constexpr int kBf16MmaColumns = 16;
constexpr int kBf16MmaRows = 8;
/// Rows, and elements of each, of the matrices that its operands consist of and ldmatrix loads.
constexpr int kBf16Matrix = 8;

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
  SORTIE_DEVICE int columnOf(const Bf16Place &at, int i) { return at.group + i / 2 * kBf16Matrix; }
};

/// Weights (float, Half or BFloat16) with rows of K elements, in `Stages` stages. Where `AllExist`,
/// no row of weights is null.
template <typename Weight, int K, int Stages, bool AllExist> struct Bf16Tile {
  static constexpr int kElementBytes = static_cast<int>(sizeof(Weight));
  static constexpr int kDepth = bf16Depth(kElementBytes);
  static constexpr int kStageBytes = bf16StageBytes(kElementBytes);
  using WRow = StageRow<Weight, kDepth, kBf16Matrix>;
  using XRow = StageRow<numerics::BFloat16, kDepth, kBf16Matrix>;
  using Order = StageOrder<K, kDepth, 1>;
  static constexpr int kXAt = kBf16Columns * WRow::kBytes;
  static constexpr bool kIsOneChunk = K <= numerics::kChunk;

  //===- Copies -----------------------------------------------------------===//

  /// Eight threads copy a row of weights, so a thread has some rows.
  static constexpr int kWThreads = kBf16RowBytes / 16;
  static constexpr int kWStride = kBf16Threads / kWThreads;
  static constexpr int kWRows = kBf16Columns / kWStride;
  using WCopy = StageCopy<WRow, Order, kWThreads, PastEnd::Zeros, AllExist>;

  /// Some threads load a row of activations, eight elements at a time.
  static constexpr int kXThreads = kBf16Threads / kTileRows;
  static constexpr int kXPieces = kDepth / kBf16Matrix / kXThreads;
  static_assert(kXPieces * kXThreads * kBf16Matrix == kDepth);
  struct Piece {
    FourFloats four[2];
  };

  /// A thread's part in the copies.
  struct Copies {
    WCopy weights[kWRows];
    const float *x; ///< the thread's first piece of its row; null: no row
    int xTo;        ///< where that piece is in a stage
  };

  template <typename XSource, typename WSource>
  SORTIE_DEVICE Copies makeCopies(XSource xRow, WSource wRow) {
    Copies copies;
#pragma unroll
    for (int i = 0; i < kWRows; ++i) {
      const int row = hw::threadIndex() / kWThreads + i * kWStride;
      copies.weights[i] = WCopy::make(wRow(row), 0, row, 0, hw::threadIndex() % kWThreads);
    }
    const int row = hw::threadIndex() / kXThreads;
    const float *x = xRow(row);
    copies.x = x != nullptr ? x + firstOfPiece(0) : nullptr;
    copies.xTo = kXAt + row * XRow::kBytes + XRow::place(row, firstOfPiece(0) * 2);
    return copies;
  }

  SORTIE_DEVICE void copyWeights(const Copies &copies, char *stage, int index) {
    if (index < Order::kStages)
#pragma unroll
      for (int i = 0; i < kWRows; ++i)
        WCopy::start(copies.weights[i], stage, index);
    hw::commitCopies();
  }

  /// The first element of the thread's piece `piece` in a stage.
  SORTIE_DEVICE int firstOfPiece(int piece) {
    return (piece * kXThreads + hw::threadIndex() % kXThreads) * kBf16Matrix;
  }

  SORTIE_DEVICE bool hasPiece(const Copies &copies, int index) {
    return copies.x != nullptr && index < Order::kStages;
  }

  SORTIE_DEVICE void loadPiece(const Copies &copies, int index, int piece, Piece &x) {
    if (!hasPiece(copies, index))
      return;
    const int distance = index * kDepth + firstOfPiece(piece) - firstOfPiece(0);
#pragma unroll
    for (int i = 0; i < 2; ++i)
      if constexpr (Order::kIsWhole)
        x.four[i] = reinterpret_cast<const FourFloats *>(copies.x + distance)[i];
      else
        x.four[i] = loadFour<K>(copies.x - firstOfPiece(0), distance + firstOfPiece(0) + 4 * i);
  }

  SORTIE_DEVICE void storePiece(const Copies &copies, char *stage, int index, int piece,
                                const Piece &x) {
    if (!hasPiece(copies, index))
      return;
    hw::Words4 words;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const FourFloats &four = x.four[i / 2];
      words.word[i] = hw::packBFloat16(four.value[i % 2 * 2], four.value[i % 2 * 2 + 1]);
    }
    // The distance to the first piece is in bits of the place that the rows' moves leave alone.
    const int distance = (firstOfPiece(piece) - firstOfPiece(0)) * 2;
    *reinterpret_cast<hw::Words4 *>(stage + (copies.xTo ^ distance)) = words;
  }

  //===- Products ---------------------------------------------------------===//

  /// Where a lane finds its part of the operands' first step in a stage. That of another step
  /// differs by an exclusive or: the rows' moves do.
  struct Fragments {
    int weights;
    int activations;

    SORTIE_DEVICE Fragments make(const Bf16Place &at) {
      const int lane = hw::laneIndex();
      Fragments first;
      if constexpr (kIsBFloat16<Weight>) {
        const int row = at.column + lane % 16;
        first.weights = row * WRow::kBytes + WRow::place(row, lane / 16 * WRow::kStepBytes);
      } else {
        const int row = at.column + at.group;
        first.weights = row * WRow::kBytes + WRow::place(row, 0) + 2 * at.pair * kElementBytes;
      }
      const int row = at.row + lane / 16 * kBf16MmaRows + lane % 8;
      first.activations =
          kXAt + row * XRow::kBytes + XRow::place(row, lane / 8 % 2 * XRow::kStepBytes);
      return first;
    }
  };

  /// The A operand: the 16 rows of weights of tile `tile`, a step from element `k` on.
  SORTIE_DEVICE void loadWeights(const char *stage, const Fragments &first, int tile, int k,
                                 uint32_t (&a)[4]) {
    const char *tileOfStage = stage + tile * kBf16MmaColumns * WRow::kBytes;
    if constexpr (kIsBFloat16<Weight>) {
      hw::loadMatrices(a, tileOfStage + (first.weights ^ (k * kElementBytes)));
    } else {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int element = k + i / 2 * kBf16Matrix;
        const char *from = tileOfStage + i % 2 * kBf16Matrix * WRow::kBytes +
                           (first.weights ^ (element * kElementBytes));
        float pair[2];
        loadPair(reinterpret_cast<const Weight *>(from), pair);
        a[i] = hw::packBFloat16(pair[0], pair[1]);
      }
    }
  }

  /// Adds the products of the elements [from, to) of a stage with `RowTiles` tiles of activations.
  template <int RowTiles>
  SORTIE_DEVICE void multiplySteps(const char *stage, const Fragments &first, int from, int to,
                                   Bf16Sums &sums) {
#pragma unroll
    for (int k = from; k < to; k += kBf16Step) {
      uint32_t a[Bf16Sums::kColumnTiles][4];
#pragma unroll
      for (int c = 0; c < Bf16Sums::kColumnTiles; ++c)
        loadWeights(stage, first, c, k, a[c]);
#pragma unroll
      for (int r = 0; r < RowTiles; r += 2) {
        uint32_t b[4]; // the operands of two tiles
        hw::loadMatrices(b,
                         stage + r * kBf16MmaRows * XRow::kBytes + (first.activations ^ (k * 2)));
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

  /// Fills the first stages.
  SORTIE_DEVICE void fillRing(const Copies &copies, char *ring) {
#pragma unroll
    for (int index = 0; index < Stages - 1; ++index) {
      char *stage = ring + index * kStageBytes;
      copyWeights(copies, stage, index);
#pragma unroll
      for (int piece = 0; piece < kXPieces; ++piece) {
        Piece x;
        loadPiece(copies, index, piece, x);
        storePiece(copies, stage, index, piece, x);
      }
    }
  }

  /// The sums of all stages, of which the first are filled, with `RowTiles` tiles of activations
  /// for each warp that has some of the `rows` rows.
  template <int RowTiles>
  SORTIE_DEVICE Bf16Sums multiplyStages(const Copies &copies, char *ring, int rows) {
    const Bf16Place at = Bf16Place::make();
    const Fragments first = Fragments::make(at);
    const bool hasRows = kBf16RowWarps == 1 || at.row < rows;
    Bf16Sums sums;
    Bf16Sums totals;
    int reading = 0;
    int writing = Stages - 1;
#pragma unroll 1
    for (int index = 0; index < Order::kStages; ++index) {
      hw::waitForCopies<Stages - 2>();
      hw::syncBlock();
      const int next = index + Stages - 1;
      const char *from = ring + reading * kStageBytes;
      char *to = ring + writing * kStageBytes;
      copyWeights(copies, to, next);
#pragma unroll
      for (int piece = 0; piece < kXPieces; ++piece) {
        Piece x;
        loadPiece(copies, next, piece, x);
        if (hasRows)
          multiplySteps<RowTiles>(from, first, piece * kDepth / kXPieces,
                                  (piece + 1) * kDepth / kXPieces, sums);
        storePiece(copies, to, next, piece, x);
      }
      if (!kIsOneChunk && ((index + 1) % Order::kPerChunk == 0 || index + 1 == Order::kStages))
        endChunk(sums, totals);
      writing = reading;
      reading = reading + 1 == Stages ? 0 : reading + 1;
    }
    hw::waitForCopies<0>();
    if constexpr (kIsOneChunk)
      return sums;
    else
      return totals;
  }

  /// xRow(r) . wRow(c) for r < rows and c < kBf16Columns, in the places of the thread's sums;
  /// garbage where a row is null. Begins with a barrier. The `Stages` stages at `ring` may be
  /// overwritten after the next one.
  template <typename XSource, typename WSource>
  SORTIE_DEVICE Bf16Sums multiply(char *ring, int rows, XSource xRow, WSource wRow) {
    constexpr int kAll = Bf16Sums::kRowTiles;
    const Copies copies = makeCopies(xRow, wRow);
    hw::syncBlock();
    fillRing(copies, ring);
    // Half of a warp's tiles are enough for few rows. All threads have the same barriers.
    if (rows > kAll / 2 * kBf16MmaRows)
      return multiplyStages<kAll>(copies, ring, rows);
    return multiplyStages<kAll / 2>(copies, ring, rows);
  }
};

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_FLOATS_BF16TILE_H
