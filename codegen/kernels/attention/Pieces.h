// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The pieces of chunks on their way through a ring of stages in shared memory. The threads that
// copy together, a warp or a block, read them together.
//
// A piece keeps the order of the cache but for its units of 16 bytes (four rows of a quad): in each
// line of 128 bytes, two quads, unit u is at u XOR 2 * (line mod 4). So the rows that the lanes of
// a warp load, four lines at a time, are in different banks.

#ifndef SORTIE_CODEGEN_KERNELS_ATTENTION_PIECES_H
#define SORTIE_CODEGEN_KERNELS_ATTENTION_PIECES_H

#include "codegen/kernels/attention/AttentionShape.h"

namespace sortie::kernels {

constexpr int kUnitBytes = 16;
constexpr int kLineBytes = 128;
constexpr int kUnitsOfLine = kLineBytes / kUnitBytes;
constexpr int kUnitsOfQuad = kQuadBytes / kUnitBytes;

/// Where unit `unit` of four lines is in them.
SORTIE_DEVICE int placeOfUnit(int unit) { return (unit ^ (unit >> 2 & 6)) * kUnitBytes; }
constexpr int kUnitsOfLines = 4 * kUnitsOfLine;

/// Copies pieces with `Threads` threads, of which this is number `thread`.
template <typename Spec, int Threads> class PieceCopy {
  using Shape = AttentionShape<Spec>;

public:
  /// Starts to copy piece `piece` of a chunk to byte `to` of shared memory. Pieces are those of the
  /// keys, panel by panel, each in slices of both parts, then the panels of the values.
  SORTIE_DEVICE void start(const char *head, int piece, int to, int thread) {
    if (piece >= Shape::kKeyPieces) {
      constexpr auto kPanel = static_cast<int>(Shape::kPage.valuePanel);
      return copy(head + Shape::kPage.values + (piece - Shape::kKeyPieces) * kPanel,
                  static_cast<int>(Shape::kPage.valueLimb), kPieceQuads, to, thread);
    }
    const int panel = piece / Shape::kSlices;
    const int slice = piece % Shape::kSlices;
    if (!Shape::kHasTwoParts || slice < Shape::kKeySlices.slices)
      return startSlice(head, Shape::kPage.keys, Shape::kKeySlices, panel, slice, to, thread);
    startSlice(head, Shape::kPage.rotated, Shape::kRotatedSlices, panel,
               slice - Shape::kKeySlices.slices, to, thread);
  }
  /// The same for the scales of a chunk.
  SORTIE_DEVICE void startScales(const char *head, int to, int thread) {
#pragma unroll
    for (int unit = thread; unit < kScalesBytes / kUnitBytes; unit += Threads)
      hw::copyAsync<kUnitBytes>(hw::sharedMemory<char>(to + unit * kUnitBytes),
                                head + unit * kUnitBytes);
  }

private:
  SORTIE_DEVICE void startSlice(const char *head, numerics::CacheRowsLayout rows,
                                SliceGeometry slices, int panel, int slice, int to, int thread) {
    const int first = slice * slices.sliceQuads;
    const int left = slices.quads - first;
    copy(head + rows.first + (panel * static_cast<int>(rows.panel) + first * kQuadBytes),
         static_cast<int>(rows.limb), left < slices.sliceQuads ? left : slices.sliceQuads, to,
         thread);
  }
  SORTIE_DEVICE void copy(const char *from, int limbBytes, int quads, int to, int thread) {
    static_assert(Threads % kWarp == 0 && kUnitsOfLines == kWarp);
    constexpr int kLines = kPieceLimbBytes / kLineBytes / 4; // four at a time
    // Not known to be small: then what is added to it stays in the instructions.
    const int unit = hw::recomputed(thread % kWarp);
    char *place = hw::sharedMemory<char>(to) + placeOfUnit(unit);
    const char *own = from + unit * kUnitBytes;
#pragma unroll
    for (int lines = thread / kWarp; lines < Shape::kCached * kLines; lines += Threads / kWarp) {
      const int units = lines % kLines * kUnitsOfLines;
      hw::copyAsyncIf<kUnitBytes>(unit + units < quads * kUnitsOfQuad,
                                  place + lines * kUnitsOfLines * kUnitBytes,
                                  own + (lines / kLines * limbBytes + units * kUnitBytes));
    }
  }
};

/// A ring of stages with `Together` pieces each. `Source::copyNext(to)` starts to copy the piece
/// after the one before, or does nothing when there are no more; `Source::wait()` waits for the
/// threads that read the ring.
template <typename Spec, int Stages, int Together> class PieceRing {
  static constexpr int kBytes = AttentionShape<Spec>::kPieceBytes;
  static constexpr int kStageBytes = Together * kBytes;
  static constexpr int kAhead = Stages - 1;
  static_assert(Stages >= 2);

public:
  /// `ring` is where it lies. The first stages are started.
  template <typename Source> SORTIE_MEMBER void start(int ring, Source &source) {
    first = ring;
    stage = ring + kAhead * kStageBytes; // next() goes to the first
    inStage = 0;
#pragma unroll 1
    for (int ahead = 0; ahead < kAhead; ++ahead)
      fill(source, ring + ahead * kStageBytes);
  }
  /// Where the next piece is. The one before has been read.
  template <typename Source> SORTIE_MEMBER int next(Source &source) {
    if (inStage == 0) {
      hw::waitForCopies<kAhead - 1>();
      source.wait();
      fill(source, stage);
      stage = stage == first + kAhead * kStageBytes ? first : stage + kStageBytes;
    }
    const int piece = stage + inStage * kBytes;
    inStage = (inStage + 1) % Together;
    return piece;
  }

private:
  template <typename Source> SORTIE_MEMBER void fill(Source &source, int to) {
#pragma unroll
    for (int piece = 0; piece < Together; ++piece)
      source.copyNext(to + piece * kBytes);
    hw::commitCopies();
  }

  int first;
  int stage;   ///< of the piece before
  int inStage; ///< number of the next piece in its stage
};

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_ATTENTION_PIECES_H
