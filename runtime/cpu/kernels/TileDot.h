// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The exact product with a matrix unit for bytes (AMX-INT8): up to 16 activations times 16 rows of
// weights, over one sub-block at a time, since that is how far integers may be added before a
// sub-scale or a float scale comes in. A weight tile's levels [vector][row][4] are what the unit
// wants as its second operand, and row tiles are rows of its first one.
//
// `Simd::Tiles` wraps the unit. `configure` shapes its registers: 0 to 3 hold sums [rows][16], 4
// activations [rows][bytes], 5 weights [bytes / 4][64]. The unit tests put software in its place.

#ifndef SORTIE_RUNTIME_CPU_KERNELS_TILEDOT_H
#define SORTIE_RUNTIME_CPU_KERNELS_TILEDOT_H

#include "runtime/cpu/kernels/Dot.h"

namespace sortie::cpu {

template <typename Simd, TileConfig C, int Rows> struct TileDot {
  static_assert(!C.isWide && Rows <= 16);
  using Tiles = typename Simd::Tiles;
  using Ints = typename Simd::Ints;
  using Floats = typename Simd::Floats;
  using OneRow = RegisterTile<Simd, C, 1>;
  static constexpr int kSumTiles = 4;
  static constexpr int kSubBlockBytes = numerics::kActivationBlock / C.subBlocks();

  /// The sums over each sub-block, before sub-scales.
  struct alignas(64) Sums {
    int32_t sums[C.products][C.subBlocks()][Rows][kPanelRows];
  };

  /// Register `T` = product `p` of sub-block `s`.
  template <int T>
  SORTIE_KERNEL_INLINE static void multiplySubBlock(const WeightTile &weights,
                                                    const RowTile<C> *rows, int p, int s) {
    Tiles::loadActivations(rows[0].elements[p] + s * kSubBlockBytes, sizeof(RowTile<C>));
    Tiles::loadWeights(weights.levels[s * C.subBlockVectors()]);
    Tiles::template multiply<T>();
  }

  SORTIE_KERNEL_INLINE static void multiply(const WeightTile &weights, const RowTile<C> *rows,
                                            Sums &sums) {
    for (int p = 0; p < C.products; ++p)
      for (int first = 0; first < C.subBlocks(); first += kSumTiles) {
        multiplySubBlock<0>(weights, rows, p, first);
        multiplySubBlock<1>(weights, rows, p, first + 1);
        multiplySubBlock<2>(weights, rows, p, first + 2);
        multiplySubBlock<3>(weights, rows, p, first + 3);
        Tiles::template store<0>(sums.sums[p][first]);
        Tiles::template store<1>(sums.sums[p][first + 1]);
        Tiles::template store<2>(sums.sums[p][first + 2]);
        Tiles::template store<3>(sums.sums[p][first + 3]);
      }
  }

  /// The term t of one row.
  SORTIE_KERNEL_INLINE static Floats term(const WeightTile &weights, const RowTile<C> &row,
                                          const Sums &sums, int r) {
    Floats t;
    if constexpr (C.isGrouped())
      t = groupedTerm(weights, row, sums, r);
    else
      t = subScaledTerm(weights, row, sums, r);
    return t;
  }

  SORTIE_KERNEL_INLINE static Floats groupedTerm(const WeightTile &weights, const RowTile<C> &row,
                                                 const Sums &sums, int r) {
    Floats t = Simd::broadcast(0.0f);
    for (int g = 0; g < numerics::kGroupsPerBlock; ++g) {
      Ints run[C.products];
      for (int p = 0; p < C.products; ++p) {
        run[p] = Simd::loadInts(sums.sums[p][g][r]);
        if constexpr (C.isBiased)
          run[p] = Simd::addInts(run[p], Simd::broadcastInt(row.starts[p][g]));
      }
      const Floats d = Simd::load(weights.d[g]);
      const Floats value = OneRow::runValue(run);
      t = g == 0 ? Simd::mul(value, d) : Simd::fma(value, d, t);
    }
    if constexpr (C.minimum == numerics::Minimum::AddedFloat)
      for (int g = 0; g < numerics::kGroupsPerBlock; ++g)
        t = Simd::fma(Simd::broadcast(row.groupSums[g]), Simd::load(weights.m[g]), t);
    return t;
  }

  SORTIE_KERNEL_INLINE static Floats subScaledTerm(const WeightTile &weights, const RowTile<C> &row,
                                                   const Sums &sums, int r) {
    Ints run[C.products];
    for (int p = 0; p < C.products; ++p) {
      run[p] = Simd::zeroInts();
      if constexpr (C.isBiased)
        run[p] = OneRow::addBiases(run[p], DecodedBlock<Simd>{weights}, row, p);
      for (int s = 0; s < C.subBlocks(); ++s)
        run[p] = Simd::addScaledPiece(run[p], Simd::loadInts(sums.sums[p][s][r]),
                                      Simd::loadInts(weights.subScales[s]));
    }
    Floats t = Simd::mul(OneRow::runValue(run), Simd::load(weights.d[0]));
    if constexpr (C.minimum == numerics::Minimum::SubtractedInteger)
      t = OneRow::subtractMinimums(DecodedBlock<Simd>{weights}, row, t);
    return t;
  }

  /// Does what RegisterTile::dot does.
  static void dot(const WeightTile *weights, int blocks, const void *rowTiles, int blockStride,
                  float *sums) {
    const auto *rows = static_cast<const RowTile<C> *>(rowTiles);
    Tiles::configure(Rows, kSubBlockBytes);
    Sums products;
    for (int b = 0; b < blocks; ++b, rows += blockStride) {
      multiply(weights[b], rows, products);
      for (int r = 0; r < Rows; ++r)
        OneRow::addBlock(term(weights[b], rows[r], products, r), rows[r], sums + r * kPanelRows);
    }
  }
};

} // namespace sortie::cpu

#endif // SORTIE_RUNTIME_CPU_KERNELS_TILEDOT_H
