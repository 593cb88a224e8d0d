// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The exact product of weight tiles (16 rows of a matrix) with row tiles (activations): lanes are
// rows of the matrix, activations are broadcast. `Rows` activations share each load of weights.
// Integer sums are exact in any order; the floating-point operations are those of
// numerics/dot.h, in its order.

#ifndef SORTIE_RUNTIME_CPU_KERNELS_DOT_H
#define SORTIE_RUNTIME_CPU_KERNELS_DOT_H

#include "runtime/cpu/kernels/Tile.h"
#include "runtime/cpu/kernels/Unroll.h"

#include <cstring>

namespace sortie::cpu {

/// Cache lines to fetch during a product.
struct PrefetchRange {
  const std::byte *from;
  int lines;
};

/// A 32-bit lane of a row tile.
SORTIE_KERNEL_INLINE static int32_t loadLane(const void *from) {
  int32_t lane;
  std::memcpy(&lane, from, sizeof lane);
  return lane;
}

/// The integer products of one register tile.
template <typename Simd, TileConfig C, int Rows> struct RegisterTile {
  using Ints = typename Simd::Ints;
  using Floats = typename Simd::Floats;
  static constexpr int kProducts = C.products;

  /// The runs of each row and product.
  struct Runs {
    Ints run[Rows][kProducts];
  };

  /// function(row, product) for all of the tile.
  template <typename Function> SORTIE_KERNEL_INLINE static void forEachRun(Function function) {
    unrolled<Rows>([&](int r) SORTIE_KERNEL_LAMBDA {
      unrolled<kProducts>([&](int p) SORTIE_KERNEL_LAMBDA { function(r, p); });
    });
  }

  /// The narrow product of sub-block `s`, added to `runs`.
  SORTIE_KERNEL_INLINE static void addNarrow(const WeightTile &weights, const RowTile<C> *rows,
                                             int s, Runs &runs) {
    constexpr int kVectors = C.subBlockVectors();
    constexpr int kLimit = Simd::pieceVectors(C.levelLimit);
    constexpr int kPiece = kLimit < kVectors ? kLimit : kVectors;
    unrolled<kVectors / kPiece>([&](int piece) SORTIE_KERNEL_LAMBDA {
      addPiece<kPiece>(weights, rows, s, s * kVectors + piece * kPiece, runs);
    });
  }

  /// The narrow product of `Vectors` vectors of sub-block `s`, from vector `first` on.
  template <int Vectors>
  SORTIE_KERNEL_INLINE static void addPiece(const WeightTile &weights, const RowTile<C> *rows,
                                            int s, int first, Runs &runs) {
    constexpr bool kContinuesRun = C.isGrouped() && Simd::kPieceIsInts;
    typename Simd::Piece pieces[Rows][kProducts];
    forEachRun([&](int r, int p) SORTIE_KERNEL_LAMBDA {
      if constexpr (kContinuesRun)
        pieces[r][p] = runs.run[r][p];
      else
        pieces[r][p] = Simd::zeroPiece();
    });
    unrolled<Vectors>([&](int i) SORTIE_KERNEL_LAMBDA {
      const auto levels = Simd::loadBytes(weights.levels[first + i]);
      forEachRun([&](int r, int p) SORTIE_KERNEL_LAMBDA {
        const int8_t *quad = rows[r].elements[p] + (first + i) * kVectorElements;
        pieces[r][p] = Simd::dotBytes(pieces[r][p], levels, quad);
      });
    });
    forEachRun([&](int r, int p) SORTIE_KERNEL_LAMBDA {
      Ints &run = runs.run[r][p];
      if constexpr (!C.isGrouped())
        run = Simd::addScaledPiece(run, pieces[r][p], Simd::loadInts(weights.subScales[s]));
      else if constexpr (kContinuesRun)
        run = pieces[r][p];
      else
        run = Simd::addPiece(run, pieces[r][p]);
    });
  }

  /// The wide product of sub-block `s`, added to `runs`.
  SORTIE_KERNEL_INLINE static void addWide(const WeightTile &weights, const RowTile<C> *rows, int s,
                                           Runs &runs) {
    constexpr int kVectors = C.subBlockVectors();
    constexpr int kHalf = kVectorBytes / kVectorElements; // vectors of 64 elements
    const int first = s * kVectors;
    const int offset = first / kHalf * 2 * kVectorBytes + first % kHalf * kVectorElements;
    unrolled<kVectors>([&](int i) SORTIE_KERNEL_LAMBDA {
      unrolled<2>([&](int half) SORTIE_KERNEL_LAMBDA {
        const Ints pairs = Simd::loadInts(weights.weights[first + i][half]);
        forEachRun([&](int r, int p) SORTIE_KERNEL_LAMBDA {
          const int8_t *lane =
              rows[r].elements[p] + offset + half * kVectorBytes + i * kVectorElements;
          runs.run[r][p] =
              Simd::dotPairs(runs.run[r][p], pairs, Simd::broadcastInt(loadLane(lane)));
        });
      });
    });
  }

  SORTIE_KERNEL_INLINE static void addSubBlock(const WeightTile &weights, const RowTile<C> *rows,
                                               int s, Runs &runs) {
    if constexpr (C.isWide)
      addWide(weights, rows, s, runs);
    else
      addNarrow(weights, rows, s, runs);
  }

  /// sum + the pairs of `factors` times the sums of limb `limb` over the sub-blocks.
  SORTIE_KERNEL_INLINE static Ints addSums(Ints sum, const int16_t (*factors)[kPanelRows][2],
                                           const RowTile<C> &row, int limb) {
    unrolled<C.subBlocks() / 2>([&](int pair) SORTIE_KERNEL_LAMBDA {
      sum = Simd::dotPairs(sum, Simd::loadInts(factors[pair]),
                           Simd::broadcastInt(loadLane(&row.sums[limb][2 * pair])));
    });
    return sum;
  }

  /// F of an integer run.
  SORTIE_KERNEL_INLINE static Floats runValue(const Ints (&run)[kProducts]) {
    const Floats low = Simd::toFloats(run[0]);
    if constexpr (kProducts == 1)
      return low;
    else
      return Simd::fma(Simd::broadcast(numerics::kLimbBase), Simd::toFloats(run[1]), low);
  }

  /// acc = fma(t, d_a, acc) for a row.
  SORTIE_KERNEL_INLINE static void addBlock(Floats t, const RowTile<C> &row, float *sums) {
    Simd::store(sums, Simd::fma(t, Simd::broadcast(row.scale), Simd::load(sums)));
  }

  /// The runs of group `g`.
  SORTIE_KERNEL_INLINE static Runs groupRuns(const WeightTile &weights, const RowTile<C> *rows,
                                             int g) {
    Runs runs;
    forEachRun([&](int r, int p) SORTIE_KERNEL_LAMBDA {
      if constexpr (C.isBiased)
        runs.run[r][p] = Simd::broadcastInt(rows[r].starts[p][g]);
      else
        runs.run[r][p] = Simd::zeroInts();
    });
    addSubBlock(weights, rows, g, runs);
    return runs;
  }

  SORTIE_KERNEL_INLINE static void groupedBlock(const WeightTile &weights, const RowTile<C> *rows,
                                                float *sums) {
    Floats t[Rows];
    const Runs firstRuns = groupRuns(weights, rows, 0);
    unrolled<Rows>([&](int r) SORTIE_KERNEL_LAMBDA {
      t[r] = Simd::mul(runValue(firstRuns.run[r]), Simd::load(weights.d[0]));
    });
    for (int g = 1; g < numerics::kGroupsPerBlock; ++g) {
      const Runs runs = groupRuns(weights, rows, g);
      unrolled<Rows>([&](int r) SORTIE_KERNEL_LAMBDA {
        t[r] = Simd::fma(runValue(runs.run[r]), Simd::load(weights.d[g]), t[r]);
      });
    }
    if constexpr (C.minimum == numerics::Minimum::AddedFloat)
      for (int g = 0; g < numerics::kGroupsPerBlock; ++g)
        unrolled<Rows>([&](int r) SORTIE_KERNEL_LAMBDA {
          t[r] = Simd::fma(Simd::broadcast(rows[r].groupSums[g]), Simd::load(weights.m[g]), t[r]);
        });
    unrolled<Rows>([&](int r)
                       SORTIE_KERNEL_LAMBDA { addBlock(t[r], rows[r], sums + r * kPanelRows); });
  }

  SORTIE_KERNEL_INLINE static void subScaledBlock(const WeightTile &weights, const RowTile<C> *rows,
                                                  float *sums) {
    Runs runs;
    forEachRun([&](int r, int p) SORTIE_KERNEL_LAMBDA {
      runs.run[r][p] = Simd::zeroInts();
      if constexpr (C.isBiased)
        runs.run[r][p] = addSums(runs.run[r][p], weights.biases, rows[r], p);
    });
    for (int s = 0; s < C.subBlocks(); ++s)
      addSubBlock(weights, rows, s, runs);
    unrolled<Rows>([&](int r) SORTIE_KERNEL_LAMBDA {
      Floats t = Simd::mul(runValue(runs.run[r]), Simd::load(weights.d[0]));
      if constexpr (C.minimum == numerics::Minimum::SubtractedInteger)
        t = subtractMinimums(weights, rows[r], t);
      addBlock(t, rows[r], sums + r * kPanelRows);
    });
  }

  SORTIE_KERNEL_INLINE static Floats subtractMinimums(const WeightTile &weights,
                                                      const RowTile<C> &row, Floats t) {
    Ints sum = addSums(Simd::zeroInts(), weights.minimums, row, 0);
    if constexpr (C.sumLimbs() == 2) {
      const Ints high = addSums(Simd::zeroInts(), weights.minimums, row, 1);
      sum = Simd::addInts(sum, Simd::template shiftLeft<7>(high));
    }
    return Simd::fnma(Simd::toFloats(sum), Simd::load(weights.m[0]), t);
  }

  /// Fetches what falls to block `b` of `blocks`.
  SORTIE_KERNEL_INLINE static void prefetchShare(PrefetchRange next, int b, int blocks) {
    for (int line = next.lines * b / blocks; line < next.lines * (b + 1) / blocks; ++line)
      Simd::prefetch(next.from + line * kVectorBytes);
  }

  /// Adds `blocks` blocks of a panel to sums [Rows][16]. The row tiles of consecutive blocks are
  /// `blockStride` tiles apart. Meanwhile fetches what will be decoded next.
  static void dot(const WeightTile *weights, int blocks, const void *rowTiles, int blockStride,
                  float *sums, PrefetchRange next) {
    const auto *rows = static_cast<const RowTile<C> *>(rowTiles);
    for (int b = 0; b < blocks; ++b, rows += blockStride) {
      prefetchShare(next, b, blocks);
      if constexpr (C.isGrouped())
        groupedBlock(weights[b], rows, sums);
      else
        subScaledBlock(weights[b], rows, sums);
    }
  }
};

} // namespace sortie::cpu

#endif // SORTIE_RUNTIME_CPU_KERNELS_DOT_H
