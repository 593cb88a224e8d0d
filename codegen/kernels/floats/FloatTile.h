// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A tile of a product in `float` arithmetic: up to 64 rows of activations times 32 rows of weights.
// Operands stream through stages of 64 or 128 elements of K in shared memory. A thread keeps two
// neighbouring partials of a small tile of outputs in registers; eight lanes share the outputs and
// hold the other partials (docs/studies/exact-loops.md, 'The router's product').

#ifndef SORTIE_CODEGEN_KERNELS_FLOATS_FLOATTILE_H
#define SORTIE_CODEGEN_KERNELS_FLOATS_FLOATTILE_H

#include "codegen/kernels/floats/FloatGeometry.h"
#include "codegen/kernels/floats/Stages.h"

#include <sortie_hardware.h>

namespace sortie::kernels {

/// Partials of a lane, and lanes that share outputs.
constexpr int kFloatPerLane = 2;
constexpr int kFloatLanes = numerics::kPartials / kFloatPerLane;

/// Tiles of activations (fp32) and weights (float, Half or BFloat16) with rows of K elements. A
/// thread has RowTile x ColumnTile outputs; a warp RowLanes times as many rows and the other
/// lanes' columns; RowWarps warps more rows, the others more columns. `Streams` groups of warps
/// have the same outputs and take chunks of K in turn, for products of few outputs.
template <typename Weight, int K, int RowTile, int ColumnTile, int RowLanes, int RowWarps,
          int Streams = 1>
struct FloatTile {
  static constexpr int kRows = RowTile * RowLanes * RowWarps;
  static constexpr int kColumns = kFloatColumns / Streams;
  static constexpr int kColumnLanes = kWarp / kFloatLanes / RowLanes;
  static constexpr int kStreamWarps = kFloatThreads / kWarp / Streams;
  static_assert(ColumnTile * kColumnLanes * (kStreamWarps / RowWarps) == kColumns);
  static constexpr int kOutputs = RowTile * ColumnTile;
  static constexpr int kMine = kOutputs < kFloatLanes ? 1 : kOutputs / kFloatLanes;

  /// Elements of K in a stage: more where a stage is little work.
  static constexpr int kDepth = kRows <= 16 && Streams == 1 ? 128 : 64;
  static constexpr int kSteps = kDepth / numerics::kPartials;
  /// Two: the loads of a step run under the arithmetic of the one before. Without that the
  /// largest tile is 12 % slower, but beside the tails of other K it would take too many
  /// registers.
  static constexpr int kOperandSets = kOutputs < 64 || K % kDepth == 0 ? 2 : 1;
  using XRow = StageRow<float, kDepth, numerics::kPartials>;
  using WRow = StageRow<Weight, kDepth, numerics::kPartials>;
  using Order = StageOrder<K, kDepth, Streams>;
  static constexpr int kXRows = Streams * kRows;
  static constexpr int kWeightsAt = kXRows * XRow::kBytes;
  static constexpr int kStageBytes = kWeightsAt + kFloatColumns * WRow::kBytes;

  /// Neighbouring rows of sums start in different banks.
  static constexpr int kSumStride = kColumns + 1;
  static constexpr int kSums = kRows * kSumStride;
  /// Sums of each chunk, before the ring, where there are streams.
  static constexpr int kChunkSumBytes =
      Streams == 1 ? 0 : static_cast<int>(ceilDiv(Order::kChunks * kSums * 4, 128)) * 128;

  /// Stages that a ring of so many bytes holds: a power of two, at most 16.
  SORTIE_NUMERICS_CONSTEXPR int ringStages(int ringBytes) {
    int stages = 2;
    while (stages < 16 && 2 * stages * kStageBytes <= ringBytes)
      stages *= 2;
    return stages;
  }

  /// Where a thread is in the tile: its stream, its first row and column (the others follow at
  /// distances of RowLanes and kColumnLanes) and which partials it has.
  struct Place {
    int stream, row, column, part;
  };
  SORTIE_DEVICE Place place() {
    const int group = hw::laneIndex() / kFloatLanes;
    const int warp = hw::warpIndex() % kStreamWarps;
    Place at;
    at.stream = hw::warpIndex() / kStreamWarps;
    at.row = warp % RowWarps * RowTile * RowLanes + group % RowLanes;
    at.column = warp / RowWarps * ColumnTile * kColumnLanes + group / RowLanes;
    at.part = hw::laneIndex() % kFloatLanes;
    return at;
  }

  /// What a thread needs of one step.
  struct Operands {
    float x[RowTile][kFloatPerLane];
    float w[ColumnTile][kFloatPerLane];
  };
  /// `xs` and `ws`: the thread's first row and column in the stage. The rows of one thread differ
  /// by multiples of a power of two, so their places differ in other bits than that of the first.
  SORTIE_DEVICE void load(Operands &operands, const char *xs, const char *ws, const Place &at,
                          int step) {
    constexpr int kXStep = XRow::kStepBytes;
    constexpr int kWStep = WRow::kStepBytes;
    const int xOffset = at.part * kFloatPerLane * static_cast<int>(sizeof(float));
    const int wOffset = at.part * kFloatPerLane * static_cast<int>(sizeof(Weight));
#pragma unroll
    for (int a = 0; a < RowTile; ++a) {
      const int moved = XRow::place(a * RowLanes, step * kXStep);
      const int place = a * RowLanes * XRow::kBytes + XRow::place(at.row, moved) + xOffset;
      loadPair(reinterpret_cast<const float *>(xs + place), operands.x[a]);
    }
#pragma unroll
    for (int b = 0; b < ColumnTile; ++b) {
      const int moved = WRow::place(b * kColumnLanes, step * kWStep);
      const int place = b * kColumnLanes * WRow::kBytes + WRow::place(at.column, moved) + wOffset;
      loadPair(reinterpret_cast<const Weight *>(ws + place), operands.w[b]);
    }
  }

  /// Elements past the end of a row, of which `left` are left in this step: fma(+0.0, -0.0, p) is
  /// p for every p.
  SORTIE_DEVICE void padEnd(Operands &operands, const Place &at, int left) {
#pragma unroll
    for (int j = 0; j < kFloatPerLane; ++j) {
      const bool exists = at.part * kFloatPerLane + j < left;
#pragma unroll
      for (int a = 0; a < RowTile; ++a)
        operands.x[a][j] = exists ? operands.x[a][j] : 0.0f;
#pragma unroll
      for (int b = 0; b < ColumnTile; ++b)
        operands.w[b][j] = exists ? operands.w[b][j] : -0.0f;
    }
  }

  using Partials = float[kOutputs][kFloatPerLane];

  /// Adds the products of `Steps` steps of a stage, of which `left` elements are left.
  template <int Steps>
  SORTIE_DEVICE void multiplySteps(const char *xs, const char *ws, const Place &at, int left,
                                   Partials &partials) {
    Operands operands[kOperandSets];
    if constexpr (kOperandSets == 2)
      load(operands[0], xs, ws, at, 0);
#pragma unroll kOperandSets == 1 ? 1 : Steps
    for (int step = 0; step < Steps; ++step) {
      Operands &now = operands[step % kOperandSets];
      if constexpr (kOperandSets == 1)
        load(now, xs, ws, at, step);
      else if (step + 1 < Steps)
        load(operands[(step + 1) % kOperandSets], xs, ws, at, step + 1);
      if constexpr (K % numerics::kPartials != 0)
        padEnd(now, at, left - step * numerics::kPartials);
#pragma unroll
      for (int b = 0; b < ColumnTile; ++b)
#pragma unroll
        for (int a = 0; a < RowTile; ++a)
#pragma unroll
          for (int j = 0; j < kFloatPerLane; ++j) {
            float &partial = partials[a * ColumnTile + b][j];
            partial = numerics::fma(now.x[a][j], now.w[b][j], partial);
          }
    }
  }

  /// Adds the products of one stage: a whole one, the last of a row, or one past its end. Each
  /// has a constant number of steps, so that registers are never indexed with a run-time value.
  SORTIE_DEVICE void multiplyStage(const char *stage, int index, const Place &at,
                                   Partials &partials) {
    const char *xs = stage + (at.stream * kRows + at.row) * XRow::kBytes;
    const char *ws = stage + kWeightsAt + (at.stream * kColumns + at.column) * WRow::kBytes;
    const int left = K - Order::first(index, at.stream);
    if (Order::kIsWhole || left >= kDepth)
      return multiplySteps<kSteps>(xs, ws, at, left, partials);
    if constexpr (K % kDepth != 0)
      if (left > 0)
        multiplySteps<static_cast<int>(ceilDiv(K % kDepth, numerics::kPartials))>(xs, ws, at, left,
                                                                                  partials);
  }

  /// The levels of the tree that join lanes `Mask` apart and less. Lanes that meet keep half of
  /// the `Live` outputs each and send the other half, while there are two.
  template <int Live, int Mask> SORTIE_DEVICE void joinLanes(Partials &partials, int part) {
    constexpr int kHalf = Live / 2;
    constexpr int kKept = Live > 1 ? kHalf : 1;
    const bool isUpper = (part & Mask) != 0 && Live > 1;
#pragma unroll
    for (int o = 0; o < kKept; ++o)
#pragma unroll
      for (int j = 0; j < kFloatPerLane; ++j) {
        const float kept = isUpper ? partials[o + kHalf][j] : partials[o][j];
        const float sent = isUpper ? partials[o][j] : partials[o + kHalf][j];
        partials[o][j] = numerics::add(kept, hw::shuffleXor(sent, Mask));
      }
    if constexpr (Mask > 1)
      joinLanes<kKept, Mask / 2>(partials, part);
  }

  /// The sums of a chunk, for the outputs that the lane keeps. Starts the next one.
  SORTIE_DEVICE void endChunk(Partials &partials, const Place &at, float (&sums)[kMine]) {
    joinLanes<kOutputs, kFloatLanes / 2>(partials, at.part);
#pragma unroll
    for (int o = 0; o < kMine; ++o)
      sums[o] = numerics::add(partials[o][0], partials[o][1]);
#pragma unroll
    for (int o = 0; o < kOutputs; ++o)
#pragma unroll
      for (int j = 0; j < kFloatPerLane; ++j)
        partials[o][j] = 0.0f;
  }

  /// Writes the outputs that the lane keeps to `sums` [kRows][kSumStride].
  SORTIE_DEVICE void store(const Place &at, const float (&kept)[kMine], float *sums) {
    int first = 0;
    bool isMine = true; // false in lanes that have the same output as one before
    int live = kOutputs;
#pragma unroll
    for (int mask = kFloatLanes / 2; mask > 0; mask /= 2) {
      const bool isUpper = (at.part & mask) != 0;
      first += isUpper && live > 1 ? live / 2 : 0;
      isMine = isMine && (live > 1 || !isUpper);
      live = live > 1 ? live / 2 : 1;
    }
    if (!isMine)
      return;
#pragma unroll
    for (int o = 0; o < kMine; ++o) {
      const int a = (first + o) / ColumnTile;
      const int b = (first + o) % ColumnTile;
      sums[(at.row + a * RowLanes) * kSumStride + at.column + b * kColumnLanes] = kept[o];
    }
  }

  /// Adds the sums of the chunks in ascending order, in place of those of the first.
  SORTIE_DEVICE void addChunks(float *chunkSums) {
    for (int i = hw::threadIndex(); i < kSums; i += kFloatThreads) {
      float total = chunkSums[i];
#pragma unroll
      for (int chunk = 1; chunk < Order::kChunks; ++chunk)
        total = numerics::add(total, chunkSums[chunk * kSums + i]);
      chunkSums[i] = total;
    }
  }

  /// sums[r][c] = xRow(r) . wRow(c) for r < kRows and c < kColumns, somewhere in the `RingBytes`
  /// bytes at `memory`; garbage where a row is null. Begins with a barrier and ends with one
  /// behind the sums.
  template <int RingBytes, typename XSource, typename WSource>
  SORTIE_DEVICE const float *multiply(char *memory, XSource xRow, WSource wRow) {
    constexpr int kRing = ringStages(RingBytes - kChunkSumBytes);
    static_assert(kChunkSumBytes + kRing * kStageBytes <= RingBytes);
    static_assert(kSums * 4 <= RingBytes);
    constexpr int kXPieces = XRow::kBytes / 16;
    constexpr int kXThreads = kXRows * kXPieces > kFloatThreads ? kFloatThreads / kXRows : kXPieces;
    constexpr int kWThreads = kFloatThreads / kFloatColumns;
    using XCopy = StageCopy<XRow, Order, kXThreads, PastEnd::Left>;
    using WCopy = StageCopy<WRow, Order, kWThreads, PastEnd::Left>;

    char *ring = memory + kChunkSumBytes;
    const int x = hw::threadIndex() / kXThreads;
    const int w = hw::threadIndex() / kWThreads;
    const XCopy xCopy = XCopy::make(x < kXRows ? xRow(x % kRows) : nullptr, 0, x, x / kRows,
                                    hw::threadIndex() % kXThreads);
    const WCopy wCopy =
        WCopy::make(wRow(w % kColumns), kWeightsAt, w, w / kColumns, hw::threadIndex() % kWThreads);
    const auto copyStage = [&](int index) {
      if (index < Order::kStages) {
        char *stage = ring + index % kRing * kStageBytes;
        XCopy::start(xCopy, stage, index);
        WCopy::start(wCopy, stage, index);
      }
      hw::commitCopies();
    };

    const Place at = place();
    Partials partials = {};
    float totals[kMine];
#pragma unroll
    for (int o = 0; o < kMine; ++o)
      totals[o] = -0.0f; // so that adding the first chunk's sum gives that sum
    float *chunkSums = reinterpret_cast<float *>(memory);
    hw::syncBlock();
    for (int index = 0; index < kRing - 1; ++index)
      copyStage(index);
#pragma unroll 1
    for (int index = 0; index < Order::kStages; ++index) {
      hw::waitForCopies<kRing - 2>();
      hw::syncBlock();
      copyStage(index + kRing - 1);
      multiplyStage(ring + index % kRing * kStageBytes, index, at, partials);
      if ((index + 1) % Order::kPerChunk != 0 && index + 1 != Order::kStages)
        continue;
      float sums[kMine];
      endChunk(partials, at, sums);
      if constexpr (Streams > 1) {
        const int chunk = Order::chunk(index, at.stream);
        if (chunk < Order::kChunks)
          store(at, sums, chunkSums + chunk * kSums);
      } else {
#pragma unroll
        for (int o = 0; o < kMine; ++o)
          totals[o] = numerics::add(totals[o], sums[o]);
      }
    }
    hw::waitForCopies<0>();
    hw::syncBlock();
    if constexpr (Streams > 1)
      addChunks(chunkSums);
    else
      store(at, totals, chunkSums);
    hw::syncBlock();
    return chunkSums;
  }
};

/// The tiles for up to 1, 8, 16, 32 and 64 rows.
template <typename Weight, int K> using FloatTile1 = FloatTile<Weight, K, 1, 1, 1, 1>;
template <typename Weight, int K, int Streams = 1>
using FloatTile8 = FloatTile<Weight, K, 4, 2, 2, 1, Streams>;
template <typename Weight, int K> using FloatTile16 = FloatTile<Weight, K, 4, 4, 2, 2>;
template <typename Weight, int K> using FloatTile32 = FloatTile<Weight, K, 8, 4, 2, 2>;
template <typename Weight, int K> using FloatTile64 = FloatTile<Weight, K, 8, 8, 2, 4>;

/// function.template operator()<Tile>() with the narrowest tile for `rows` <= kFloatTileRows
/// rows.
template <typename Weight, int K, typename Function>
SORTIE_DEVICE void withFloatTile(int rows, Function function) {
  static_assert(kFloatTileRows <= FloatTile32<Weight, K>::kRows);
  if (rows == 1)
    function.template operator()<FloatTile1<Weight, K>>();
  else if (rows <= 8)
    function.template operator()<FloatTile8<Weight, K>>();
  else if (rows <= 16)
    function.template operator()<FloatTile16<Weight, K>>();
  else
    function.template operator()<FloatTile32<Weight, K>>();
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_FLOATS_FLOATTILE_H
