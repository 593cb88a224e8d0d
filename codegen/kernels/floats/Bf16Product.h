// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products in `bf16` arithmetic, with weights in F32, F16 and BF16 as they lie in the file.
// Operands are those of FloatProduct.h. All kernels have kBf16Threads threads and
// bf16SharedBytes(sizeof(Weight), quantized) bytes of shared memory.

#ifndef SORTIE_CODEGEN_KERNELS_FLOATS_BF16PRODUCT_H
#define SORTIE_CODEGEN_KERNELS_FLOATS_BF16PRODUCT_H

#include "codegen/kernels/floats/Bf16Tile.h"
#include "codegen/kernels/floats/FloatOperands.h"

namespace sortie::kernels {

/// Products of blocks of `Columns` columns out of N.
template <typename Weight, int K, int N, int Columns, bool IsQuantized> struct Bf16Block {
  /// Whether no column of a block is past the end. Then the compiler has one pointer for all of a
  /// thread's rows of weights, and checks nothing.
  static constexpr bool kAllExist = N % Columns == 0;
  using Tile = Bf16Tile<Weight, K, bf16Stages(sizeof(Weight), IsQuantized), kAllExist>;

  SORTIE_DEVICE bool exists(int column) { return kAllExist || column < N; }
  SORTIE_DEVICE const Weight *row(const Weight *w, int expert, int column) {
    return exists(column) ? w + (int64_t{expert} * N + column) * K : nullptr;
  }
};

//===- y = x . w ---------------------------------------------------------===//

/// Writes the thread's outputs in the columns from `first` on.
template <typename Block, int N, typename Rows>
SORTIE_DEVICE void storeBf16Outputs(const Bf16Sums &sums, const Rows &rows, int first,
                                    const Epilogue &epilogue, float *y) {
  const RowTile &tile = rows.tile;
  const Bf16Place at = Bf16Place::make();
  const auto columnOf = [&](int c, int i) {
    return first + at.column + c * kBf16MmaColumns + Bf16Place::columnOf(at, i);
  };
  float bias[Bf16Sums::kColumnTiles][2];
#pragma unroll
  for (int c = 0; c < Bf16Sums::kColumnTiles; ++c)
#pragma unroll
    for (int upper = 0; upper < 2; ++upper) {
      const int column = columnOf(c, 2 * upper);
      bias[c][upper] =
          Block::exists(column) ? biasOf(epilogue, int64_t{tile.expert} * N + column) : 0.0f;
    }
#pragma unroll
  for (int r = 0; r < Bf16Sums::kRowTiles; ++r)
#pragma unroll
    for (int odd = 0; odd < 2; ++odd) {
      const int row = Bf16Place::rowOf(at, r, odd);
      if (row >= tile.rows)
        continue;
      const float scale = rowScale(epilogue, tile.first + row);
      float *to = y + Rows::outputRow(rows, row) * N;
#pragma unroll
      for (int c = 0; c < Bf16Sums::kColumnTiles; ++c)
#pragma unroll
        for (int upper = 0; upper < 2; ++upper)
          if (const int column = columnOf(c, 2 * upper); Block::exists(column))
            to[column] = finishOutput(epilogue, sums.sum[c][r][2 * upper + odd], tile.expert,
                                      bias[c][upper], scale);
    }
}

/// The columns of this thread block for a tile of `rows`, TileRows or HeadRows.
template <typename Weight, int K, int N, typename Rows>
SORTIE_DEVICE void multiplyBf16Tile(const Rows &rows, const Weight *w, const Epilogue &epilogue,
                                    float *y) {
  using Block = Bf16Block<Weight, K, N, kBf16Columns, false>;
  const RowTile &tile = rows.tile;
  const int column = hw::blockIndexX() * kBf16Columns;
  const Bf16Sums sums = Block::Tile::multiply(
      hw::sharedMemory<char>(), tile.rows, [&](int r) { return Rows::at(rows, r); },
      [&](int c) { return Block::row(w, tile.expert, column + c); });
  storeBf16Outputs<Block, N>(sums, rows, column, epilogue, y);
}

/// floatGroupedMatmul in `bf16` arithmetic. Grid (bf16Blocks(N), as there).
template <typename Weight, int K, int N, int Slots, bool Gather, typename Tiles>
SORTIE_DEVICE void bf16GroupedMatmul(const float *x, Tiles tiles, const int32_t *permutation,
                                     const float *scale, float *y, const Weight *w,
                                     const float *bias, const float *expertScale = nullptr) {
  const RowTile tile = mappedTile(tiles, hw::blockIndexY());
  if (tile.rows == 0)
    return;
  multiplyBf16Tile<Weight, K, N>(TileRows<K, Slots>{x, Gather ? permutation : nullptr, tile}, w,
                                 {bias, scale, permutation, expertScale}, y);
}

/// floatHeadMatmul in `bf16` arithmetic. Grid (bf16Blocks(N), as there).
template <typename Weight, int K, int N, int Heads>
SORTIE_DEVICE void bf16HeadMatmul(const float *x, float *y, const Weight *w, const float *bias,
                                  int32_t rows) {
  const RowTile tile = headTile<Heads>(rows, hw::blockIndexZ(), hw::blockIndexY());
  multiplyBf16Tile<Weight, K, N>(HeadRows<K, Heads>{x, tile}, w, {bias, nullptr, nullptr}, y);
}

/// floatMatmul in `bf16` arithmetic. Grid (bf16Blocks(N), rows ceildiv kTileRows).
template <typename Weight, int K, int N>
SORTIE_DEVICE void bf16Matmul(const float *x, float *y, const Weight *w, const float *bias,
                              int32_t rows) {
  multiplyBf16Tile<Weight, K, N>(TileRows<K, 1>{x, nullptr, denseTile(rows, hw::blockIndexY())}, w,
                                 {bias, nullptr, nullptr}, y);
}

//===- y = glu(x . gate, x . up) -----------------------------------------===//

/// 64 columns from `first` on of a tile of rows. Each warp has 16 rows of gate and the same of up,
/// so both sums of an output are a thread's. `store(row, column, value)` takes the outputs.
template <typename Glu, typename Weight, int K, int Slots, typename Store>
SORTIE_DEVICE void multiplyBf16GluTile(const TileRows<K, Slots> &rows, const GluWeights<Weight> &w,
                                       int first, Store store) {
  static_assert(Bf16Sums::kColumnTiles == 2);
  constexpr int kN = Glu::kN;
  using Block = Bf16Block<Weight, K, kN, kBf16GluColumns, Glu::kIsQuantized>;
  const RowTile &tile = rows.tile;
  const Bf16Sums sums = Block::Tile::multiply(
      hw::sharedMemory<char>(), tile.rows, [&](int r) { return TileRows<K, Slots>::at(rows, r); },
      [&](int c) {
        const int column = c / kBf16WarpRows * kBf16MmaColumns + c % kBf16MmaColumns;
        return Block::row(c / kBf16MmaColumns % 2 == 0 ? w.gate : w.up, tile.expert,
                          first + column);
      });
  const Bf16Place at = Bf16Place::make();
#pragma unroll
  for (int r = 0; r < Bf16Sums::kRowTiles; ++r)
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int row = Bf16Place::rowOf(at, r, i);
      const int column = first + at.column / 2 + Bf16Place::columnOf(at, i);
      if (row < tile.rows && Block::exists(column))
        store(row, column,
              Glu::activate(sums.sum[0][r][i], sums.sum[1][r][i], w, tile.expert, column));
    }
}

/// The outputs of a tile of rows in the columns of block `block`, quantized: first the
/// columns, one half after the other, then the rows, of which each warp takes one at a time.
template <typename Glu, typename Weight, int K, int Slots>
SORTIE_DEVICE void bf16GluToQuantized(const TileRows<K, Slots> &rows, const GluWeights<Weight> &w,
                                      int block, void *y) {
  constexpr int kBlock = numerics::kActivationBlock;
  float *activations =
      hw::sharedMemory<float>(bf16SharedBytes(sizeof(Weight), true) - kBf16ActivationBytes);
  const int first = block * kBlock;
#pragma unroll 1
  for (int column = first; column < Glu::kN && column < first + kBlock; column += kBf16GluColumns)
    multiplyBf16GluTile<Glu, Weight, K, Slots>(rows, w, column, [&](int r, int at, float value) {
      activations[r * kBlock + at - first] = value;
    });
  hw::syncBlock();
  quantizeTile<Glu>(activations, rows.tile, block, y);
}

/// One thread block of a gated product.
template <typename Glu, typename Weight, int K, int Slots>
SORTIE_DEVICE void multiplyBf16Glu(const TileRows<K, Slots> &rows, const GluWeights<Weight> &w,
                                   void *y) {
  if constexpr (Glu::kIsQuantized)
    bf16GluToQuantized<Glu, Weight, K, Slots>(rows, w, hw::blockIndexX(), y);
  else
    multiplyBf16GluTile<Glu, Weight, K, Slots>(
        rows, w, hw::blockIndexX() * kBf16GluColumns, [&](int r, int column, float value) {
          static_cast<float *>(y)[int64_t{rows.tile.first + r} * Glu::kN + column] =
              numerics::canonicalNan(value);
        });
}

/// floatGroupedGlu in `bf16` arithmetic. Grid (bf16GluBlocks(N, quantized), as there).
template <typename Weight, int K, int N, int Slots, bool Gather, numerics::GluKind Kind,
          uint32_t AlphaBits, uint32_t LimitBits, numerics::RowKind Output, typename Tiles>
SORTIE_DEVICE void bf16GroupedGlu(const float *x, Tiles tiles, const int32_t *permutation, void *y,
                                  const Weight *gate, const Weight *up, const float *gateBias,
                                  const float *upBias, const float *gateScale = nullptr,
                                  const float *upScale = nullptr) {
  const RowTile tile = mappedTile(tiles, hw::blockIndexY());
  if (tile.rows == 0)
    return;
  multiplyBf16Glu<GluOutput<N, Kind, AlphaBits, LimitBits, Output>, Weight, K, Slots>(
      {x, Gather ? permutation : nullptr, tile}, {gate, up, gateBias, upBias, gateScale, upScale},
      y);
}

/// floatGlu in `bf16` arithmetic. Grid (bf16GluBlocks(N, quantized), rows ceildiv kTileRows).
template <typename Weight, int K, int N, numerics::GluKind Kind, uint32_t AlphaBits,
          uint32_t LimitBits, numerics::RowKind Output>
SORTIE_DEVICE void bf16Glu(const float *x, void *y, const Weight *gate, const Weight *up,
                           const float *gateBias, const float *upBias, int32_t rows) {
  multiplyBf16Glu<GluOutput<N, Kind, AlphaBits, LimitBits, Output>, Weight, K, 1>(
      {x, nullptr, denseTile(rows, hw::blockIndexY())}, {gate, up, gateBias, upBias}, y);
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_FLOATS_BF16PRODUCT_H
