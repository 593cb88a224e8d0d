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

  /// The narrow product of sub-block `Part` of a step, added to `runs`.
  template <int Part, typename Weights>
  SORTIE_KERNEL_INLINE static void addNarrow(const Weights &weights, const RowTile<C> *rows,
                                             int step, Runs &runs) {
    constexpr int kVectors = C.subBlockVectors();
    constexpr int kLimit = Simd::pieceVectors(C.levelLimit);
    constexpr int kPiece = kLimit < kVectors ? kLimit : kVectors;
    unrolled<kVectors / kPiece>([&](auto piece) SORTIE_KERNEL_LAMBDA {
      addPiece<Part * kVectors + piece * kPiece, kPiece>(weights, rows, step, runs);
    });
  }

  /// The narrow product of `Vectors` vectors of a step, from vector `First` on.
  template <int First, int Vectors, typename Weights>
  SORTIE_KERNEL_INLINE static void addPiece(const Weights &weights, const RowTile<C> *rows,
                                            int step, Runs &runs) {
    constexpr bool kContinuesRun = C.isGrouped() && Simd::kPieceIsInts;
    typename Simd::Piece pieces[Rows][kProducts];
    forEachRun([&](int r, int p) SORTIE_KERNEL_LAMBDA {
      if constexpr (kContinuesRun)
        pieces[r][p] = runs.run[r][p];
      else
        pieces[r][p] = Simd::zeroPiece();
    });
    unrolled<Vectors>([&](auto i) SORTIE_KERNEL_LAMBDA {
      const auto levels = weights.template levels<First + i>(step);
      const int vector = step * kStepVectors + First + i;
      forEachRun([&](int r, int p) SORTIE_KERNEL_LAMBDA {
        const int8_t *quad = rows[r].elements[p] + vector * kVectorElements;
        pieces[r][p] = Simd::dotBytes(pieces[r][p], levels, quad);
      });
    });
    forEachRun([&](int r, int p) SORTIE_KERNEL_LAMBDA {
      Ints &run = runs.run[r][p];
      if constexpr (!C.isGrouped())
        run = Simd::addScaledPiece(
            run, pieces[r][p],
            weights.subScale(step * C.stepSubBlocks() + First / C.subBlockVectors()));
      else if constexpr (kContinuesRun)
        run = pieces[r][p];
      else
        run = Simd::addPiece(run, pieces[r][p]);
    });
  }

  /// The wide product of sub-block `Part` of a step, added to `runs`.
  template <int Part, typename Weights>
  SORTIE_KERNEL_INLINE static void addWide(const Weights &weights, const RowTile<C> *rows, int step,
                                           Runs &runs) {
    constexpr int kVectors = C.subBlockVectors();
    constexpr int kHalf = kVectorBytes / kVectorElements; // vectors of 64 elements
    const int first = step * kStepVectors + Part * kVectors;
    const int offset = first / kHalf * 2 * kVectorBytes + first % kHalf * kVectorElements;
    const Ints scale = weights.pairScale(step * C.stepSubBlocks() + Part);
    unrolled<kVectors>([&](auto i) SORTIE_KERNEL_LAMBDA {
      unrolled<2>([&](auto half) SORTIE_KERNEL_LAMBDA {
        const Ints pairs = weights.template weights<Part * kVectors + i, half>(step, scale);
        forEachRun([&](int r, int p) SORTIE_KERNEL_LAMBDA {
          const int8_t *lane =
              rows[r].elements[p] + offset + half * kVectorBytes + i * kVectorElements;
          runs.run[r][p] =
              Simd::dotPairs(runs.run[r][p], pairs, Simd::broadcastInt(loadLane(lane)));
        });
      });
    });
  }

  template <typename Weights>
  SORTIE_KERNEL_INLINE static void addStep(const Weights &weights, const RowTile<C> *rows, int step,
                                           Runs &runs) {
    unrolled<C.stepSubBlocks()>([&](auto part) SORTIE_KERNEL_LAMBDA {
      if constexpr (C.isWide)
        addWide<part>(weights, rows, step, runs);
      else
        addNarrow<part>(weights, rows, step, runs);
    });
  }

  /// sum + the pairs of factors (biases or minimums) times the sums of limb `limb` over the
  /// sub-blocks.
  template <typename FactorsAt>
  SORTIE_KERNEL_INLINE static Ints addSums(Ints sum, FactorsAt factorsAt, const RowTile<C> &row,
                                           int limb) {
    unrolled<C.subBlocks() / 2>([&](int pair) SORTIE_KERNEL_LAMBDA {
      sum = Simd::dotPairs(sum, factorsAt(pair),
                           Simd::broadcastInt(loadLane(&row.sums[limb][2 * pair])));
    });
    return sum;
  }

  template <typename Weights>
  SORTIE_KERNEL_INLINE static Ints addBiases(Ints sum, const Weights &weights,
                                             const RowTile<C> &row, int limb) {
    return addSums(
        sum, [&](int pair) SORTIE_KERNEL_LAMBDA { return weights.biases(pair); }, row, limb);
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

  /// The runs of group `g`, which is a step.
  template <typename Weights>
  SORTIE_KERNEL_INLINE static Runs groupRuns(const Weights &weights, const RowTile<C> *rows,
                                             int g) {
    static_assert(numerics::kGroupsPerBlock == kBlockSteps);
    Runs runs;
    forEachRun([&](int r, int p) SORTIE_KERNEL_LAMBDA {
      if constexpr (C.isBiased)
        runs.run[r][p] = Simd::broadcastInt(rows[r].starts[p][g]);
      else
        runs.run[r][p] = Simd::zeroInts();
    });
    addStep(weights, rows, g, runs);
    return runs;
  }

  template <typename Weights>
  SORTIE_KERNEL_INLINE static void groupedBlock(const Weights &weights, const RowTile<C> *rows,
                                                float *sums) {
    Floats t[Rows];
    // What is added to -0.0 keeps its bits.
    unrolled<Rows>([&](int r) SORTIE_KERNEL_LAMBDA { t[r] = Simd::broadcast(-0.0f); });
    for (int g = 0; g < numerics::kGroupsPerBlock; ++g) {
      const Runs runs = groupRuns(weights, rows, g);
      unrolled<Rows>([&](int r) SORTIE_KERNEL_LAMBDA {
        t[r] = Simd::fma(runValue(runs.run[r]), weights.d(g), t[r]);
      });
    }
    if constexpr (C.minimum == numerics::Minimum::AddedFloat)
      for (int g = 0; g < numerics::kGroupsPerBlock; ++g)
        unrolled<Rows>([&](int r) SORTIE_KERNEL_LAMBDA {
          t[r] = Simd::fma(Simd::broadcast(rows[r].groupSums[g]), weights.m(g), t[r]);
        });
    unrolled<Rows>([&](int r)
                       SORTIE_KERNEL_LAMBDA { addBlock(t[r], rows[r], sums + r * kPanelRows); });
  }

  template <typename Weights>
  SORTIE_KERNEL_INLINE static void subScaledBlock(const Weights &weights, const RowTile<C> *rows,
                                                  float *sums) {
    Runs runs;
    forEachRun([&](int r, int p) SORTIE_KERNEL_LAMBDA {
      runs.run[r][p] = Simd::zeroInts();
      if constexpr (C.isBiased)
        runs.run[r][p] = addBiases(runs.run[r][p], weights, rows[r], p);
    });
    for (int step = 0; step < kBlockSteps; ++step)
      addStep(weights, rows, step, runs);
    unrolled<Rows>([&](int r) SORTIE_KERNEL_LAMBDA {
      Floats t = Simd::mul(runValue(runs.run[r]), weights.d(0));
      if constexpr (C.minimum == numerics::Minimum::SubtractedInteger)
        t = subtractMinimums(weights, rows[r], t);
      addBlock(t, rows[r], sums + r * kPanelRows);
    });
  }

  template <typename Weights>
  SORTIE_KERNEL_INLINE static Floats subtractMinimums(const Weights &weights, const RowTile<C> &row,
                                                      Floats t) {
    const auto minimums = [&](int pair) SORTIE_KERNEL_LAMBDA { return weights.minimums(pair); };
    Ints sum = addSums(Simd::zeroInts(), minimums, row, 0);
    if constexpr (C.sumLimbs() == 2) {
      const Ints high = addSums(Simd::zeroInts(), minimums, row, 1);
      sum = Simd::addInts(sum, Simd::template shiftLeft<7>(high));
    }
    return Simd::fnma(Simd::toFloats(sum), weights.m(0), t);
  }

  /// Adds a block of a panel to sums [Rows][16].
  template <typename Weights>
  SORTIE_KERNEL_INLINE static void addBlock(const Weights &weights, const RowTile<C> *rows,
                                            float *sums) {
    if constexpr (C.isGrouped())
      groupedBlock(weights, rows, sums);
    else
      subScaledBlock(weights, rows, sums);
  }

  /// Adds `blocks` blocks of a panel to sums [Rows][16]. The row tiles of consecutive blocks are
  /// `blockStride` tiles apart.
  static void dot(const WeightTile *weights, int blocks, const void *rowTiles, int blockStride,
                  float *sums) {
    const auto *rows = static_cast<const RowTile<C> *>(rowTiles);
    for (int b = 0; b < blocks; ++b, rows += blockStride) {
      addBlock(DecodedBlock<Simd>{weights[b]}, rows, sums);
    }
  }

  /// The same of blocks [first, first + blocks) of a packed panel, decoded as they are read: where
  /// few rows share a block, keeping it decoded would take longer than decoding it.
  template <typename Packed>
  static void dotPacked(const std::byte *panel, int64_t first, int blocks, const void *rowTiles,
                        int blockStride, float *sums) {
    const auto *rows = static_cast<const RowTile<C> *>(rowTiles);
    for (int b = 0; b < blocks; ++b, rows += blockStride) {
      addBlock(Packed(panel, first + b), rows, sums);
    }
  }
};

} // namespace sortie::cpu

#endif // SORTIE_RUNTIME_CPU_KERNELS_DOT_H
