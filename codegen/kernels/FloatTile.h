// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A tile of a product in `float` arithmetic: up to 64 rows of activations times 32 rows of weights.
// Operands stream through stages of 64 elements of K in shared memory. A thread keeps two
// neighbouring partials of a small tile of outputs in registers; eight lanes share the outputs and
// hold the other partials (docs/studies/exact-loops.md, 'The router's product').

#ifndef SORTIE_CODEGEN_KERNELS_FLOATTILE_H
#define SORTIE_CODEGEN_KERNELS_FLOATTILE_H

#include "codegen/kernels/Geometry.h"
#include "runtime/numerics/float.h"

#include <sortie_hardware.h>

namespace sortie::kernels {

/// Elements of K of a stage and of a step (one of each partial); partials of a lane.
constexpr int kFloatDepth = 64;
constexpr int kFloatSteps = kFloatDepth / numerics::kPartials;
constexpr int kFloatPerLane = 2;
constexpr int kFloatLanes = numerics::kPartials / kFloatPerLane;

/// A row of a stage, of elements of type T. The 16 elements of each step are moved so that the same
/// step of neighbouring rows lies in different banks.
template <typename T> struct StageRow {
  static constexpr int kBytes = kFloatDepth * static_cast<int>(sizeof(T));
  static constexpr int kStepBytes = numerics::kPartials * static_cast<int>(sizeof(T));
  static constexpr int kSwizzle = 128 / kStepBytes - 1;

  /// Where byte `at` of row `row` is in that row.
  SORTIE_DEVICE int place(int row, int at) { return at ^ (row & kSwizzle) * kStepBytes; }
};

/// A thread's part in the copy of one row of each stage: `Threads` threads a row, pieces as large
/// as all rows of length K are aligned to.
template <typename T, int K, int Threads> struct StageCopy {
  static constexpr int kRowBytes = K * static_cast<int>(sizeof(T));
  static constexpr int kPiece = kRowBytes % 16 == 0  ? 16
                                : kRowBytes % 8 == 0 ? 8
                                : kRowBytes % 4 == 0 ? 4
                                                     : 2;
  static constexpr int kPieces = StageRow<T>::kBytes / kPiece;

  const char *from; ///< the row; null: there is none, nothing is copied
  int to;           ///< where the row is in a stage
  int row;
  int part;

  /// Starts the copy of stage `index` to `stage`. What lies past K is left as it is.
  SORTIE_DEVICE void start(const StageCopy &copy, char *stage, int index) {
    if (copy.from == nullptr)
      return;
    const int first = index * StageRow<T>::kBytes;
#pragma unroll
    for (int piece = 0; piece < kPieces; piece += Threads) {
      const int at = (piece + copy.part) * kPiece;
      if (kPieces % Threads != 0 && piece + copy.part >= kPieces)
        break;
      if (K % kFloatDepth != 0 && first + at >= kRowBytes)
        break;
      char *target = stage + copy.to + StageRow<T>::place(copy.row, at);
      const char *source = copy.from + first + at;
      if constexpr (kPiece >= 4)
        hw::copyAsync<kPiece>(target, source);
      else
        *reinterpret_cast<uint16_t *>(target) = *reinterpret_cast<const uint16_t *>(source);
    }
  }
};

/// Two neighbouring elements of a stage's row.
SORTIE_DEVICE void loadPair(const float *from, float (&pair)[2]) {
  struct alignas(8) Pair {
    float value[2];
  };
  const Pair loaded = *reinterpret_cast<const Pair *>(from);
  pair[0] = loaded.value[0];
  pair[1] = loaded.value[1];
}
template <typename Weight> SORTIE_DEVICE void loadPair(const Weight *from, float (&pair)[2]) {
  struct alignas(4) Pair {
    Weight value[2];
  };
  const Pair loaded = *reinterpret_cast<const Pair *>(from);
  pair[0] = numerics::widen(loaded.value[0]);
  pair[1] = numerics::widen(loaded.value[1]);
}

/// Tiles of activations (fp32) and weights (float, Half or BFloat16) with rows of K elements. A
/// thread has RowTile x ColumnTile outputs; a warp RowLanes times as many rows, a block RowWarps
/// times as many again, and always 32 columns.
template <typename Weight, int K, int RowTile, int ColumnTile, int RowLanes, int RowWarps>
struct FloatTile {
  static constexpr int kRows = RowTile * RowLanes * RowWarps;
  static constexpr int kColumnLanes = kWarp / kFloatLanes / RowLanes;
  static constexpr int kColumnWarps = kFloatThreads / kWarp / RowWarps;
  static_assert(ColumnTile * kColumnLanes * kColumnWarps == kFloatColumns);
  static constexpr int kOutputs = RowTile * ColumnTile;
  static constexpr int kMine = kOutputs < kFloatLanes ? 1 : kOutputs / kFloatLanes;

  static constexpr int kStages = static_cast<int>(ceilDiv(K, kFloatDepth));
  static constexpr int kStagesPerChunk = numerics::kChunk / kFloatDepth;
  static constexpr int kWeightsAt = kRows * StageRow<float>::kBytes;
  static constexpr int kStageBytes = kWeightsAt + kFloatColumns * StageRow<Weight>::kBytes;
  /// Neighbouring rows of sums start in different banks.
  static constexpr int kSumStride = kFloatColumns + 1;

  /// Stages that a ring of so many bytes holds: a power of two, at most 16.
  SORTIE_NUMERICS_CONSTEXPR int ringStages(int ringBytes) {
    int stages = 2;
    while (stages < 16 && 2 * stages * kStageBytes <= ringBytes)
      stages *= 2;
    return stages;
  }

  /// Where a thread is in the tile: its first row and column (the others follow at distances of
  /// RowLanes and kColumnLanes) and which partials it has.
  struct Place {
    int row, column, part;
  };
  SORTIE_DEVICE Place place() {
    const int group = hw::laneIndex() / kFloatLanes;
    Place at;
    at.row = hw::warpIndex() % RowWarps * RowTile * RowLanes + group % RowLanes;
    at.column = hw::warpIndex() / RowWarps * ColumnTile * kColumnLanes + group / RowLanes;
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
    constexpr int kXStep = StageRow<float>::kStepBytes;
    constexpr int kWStep = StageRow<Weight>::kStepBytes;
    const int xOffset = at.part * kFloatPerLane * static_cast<int>(sizeof(float));
    const int wOffset = at.part * kFloatPerLane * static_cast<int>(sizeof(Weight));
#pragma unroll
    for (int a = 0; a < RowTile; ++a) {
      const int moved = StageRow<float>::place(a * RowLanes, step * kXStep);
      const int place =
          a * RowLanes * StageRow<float>::kBytes + StageRow<float>::place(at.row, moved) + xOffset;
      loadPair(reinterpret_cast<const float *>(xs + place), operands.x[a]);
    }
#pragma unroll
    for (int b = 0; b < ColumnTile; ++b) {
      const int moved = StageRow<Weight>::place(b * kColumnLanes, step * kWStep);
      const int place = b * kColumnLanes * StageRow<Weight>::kBytes +
                        StageRow<Weight>::place(at.column, moved) + wOffset;
      loadPair(reinterpret_cast<const Weight *>(ws + place), operands.w[b]);
    }
  }

  /// Elements past the end of a row, of which `left` are left in this step: fma(+0.0, -0.0, p) is p
  /// for every p.
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

  /// Adds the products of one stage. Loads of one step run under the arithmetic of the step before.
  SORTIE_DEVICE void multiplyStage(const char *stage, int index, const Place &at,
                                   Partials &partials) {
    const char *xs = stage + at.row * StageRow<float>::kBytes;
    const char *ws = stage + kWeightsAt + at.column * StageRow<Weight>::kBytes;
    const int left = K - index * kFloatDepth;
    Operands operands[2];
    load(operands[0], xs, ws, at, 0);
#pragma unroll
    for (int step = 0; step < kFloatSteps; ++step) {
      if (K % kFloatDepth != 0 && step * numerics::kPartials >= left)
        break;
      Operands &now = operands[step % 2];
      if (step + 1 < kFloatSteps)
        load(operands[(step + 1) % 2], xs, ws, at, step + 1);
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

  /// The levels of the tree that join lanes `Mask` apart and less. Lanes that meet keep half of the
  /// `Live` outputs each and send the other half, while there are two.
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

  /// Adds a chunk to the totals of the outputs that the lane keeps, and starts the next one.
  SORTIE_DEVICE void endChunk(Partials &partials, const Place &at, float (&totals)[kMine]) {
    joinLanes<kOutputs, kFloatLanes / 2>(partials, at.part);
#pragma unroll
    for (int o = 0; o < kMine; ++o)
      totals[o] = numerics::add(totals[o], numerics::add(partials[o][0], partials[o][1]));
#pragma unroll
    for (int o = 0; o < kOutputs; ++o)
#pragma unroll
      for (int j = 0; j < kFloatPerLane; ++j)
        partials[o][j] = 0.0f;
  }

  /// Writes the totals to sums [kRows][kSumStride].
  SORTIE_DEVICE void store(const Place &at, const float (&totals)[kMine], float *sums) {
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
      sums[(at.row + a * RowLanes) * kSumStride + at.column + b * kColumnLanes] = totals[o];
    }
  }

  /// sums[r][c] = xRow(r) . wRow(c) for r < kRows and c < 32, at the start of the ring; garbage
  /// where a row is null. Begins with a barrier and ends with one behind the sums.
  template <int RingBytes, typename XRow, typename WRow>
  SORTIE_DEVICE const float *multiply(char *ring, XRow xRow, WRow wRow) {
    constexpr int kRing = ringStages(RingBytes);
    static_assert(kRing * kStageBytes <= RingBytes);
    static_assert(kRows * kSumStride * 4 <= RingBytes);
    constexpr int kXThreads = kRows * 16 > kFloatThreads ? kFloatThreads / kRows : 16;
    constexpr int kWThreads = kFloatThreads / kFloatColumns;
    using XCopy = StageCopy<float, K, kXThreads>;
    using WCopy = StageCopy<Weight, K, kWThreads>;

    const int x = hw::threadIndex() / kXThreads;
    const int w = hw::threadIndex() / kWThreads;
    const XCopy xCopy = {reinterpret_cast<const char *>(x < kRows ? xRow(x) : nullptr),
                         x * StageRow<float>::kBytes, x, hw::threadIndex() % kXThreads};
    const WCopy wCopy = {reinterpret_cast<const char *>(wRow(w)),
                         kWeightsAt + w * StageRow<Weight>::kBytes, w,
                         hw::threadIndex() % kWThreads};
    const auto copyStage = [&](int index) {
      if (index < kStages) {
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
    hw::syncBlock();
    for (int index = 0; index < kRing - 1; ++index)
      copyStage(index);
#pragma unroll 1
    for (int index = 0; index < kStages; ++index) {
      hw::waitForCopies<kRing - 2>();
      hw::syncBlock();
      copyStage(index + kRing - 1);
      multiplyStage(ring + index % kRing * kStageBytes, index, at, partials);
      if ((index + 1) % kStagesPerChunk == 0 || index + 1 == kStages)
        endChunk(partials, at, totals);
    }
    hw::waitForCopies<0>();
    hw::syncBlock();
    float *sums = reinterpret_cast<float *>(ring);
    store(at, totals, sums);
    hw::syncBlock();
    return sums;
  }
};

/// The tiles for up to 1, 8, 16, 32 and 64 rows: function.template operator()<Tile>().
template <typename Weight, int K, typename Function>
SORTIE_DEVICE void withFloatTile(int rows, Function function) {
  if (rows == 1)
    function.template operator()<FloatTile<Weight, K, 1, 1, 1, 1>>();
  else if (rows <= 8)
    function.template operator()<FloatTile<Weight, K, 8, 1, 1, 1>>();
  else if (rows <= 16)
    function.template operator()<FloatTile<Weight, K, 8, 2, 2, 1>>();
  else if (rows <= 32)
    function.template operator()<FloatTile<Weight, K, 8, 4, 2, 2>>();
  else
    function.template operator()<FloatTile<Weight, K, 8, 8, 2, 4>>();
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_FLOATTILE_H
