// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products in `float` arithmetic with weights in F32, F16 and BF16 as they lie in the file:
// row-major and aligned to 16 bytes at the start. `Weight` is float, numerics::Half or
// numerics::BFloat16. Optional operands are literal null pointers where a model has none; calls are
// inlined, so that costs nothing. All kernels have kFloatThreads threads.

#ifndef SORTIE_CODEGEN_KERNELS_FLOATS_FLOATPRODUCT_H
#define SORTIE_CODEGEN_KERNELS_FLOATS_FLOATPRODUCT_H

#include "codegen/kernels/floats/FloatOperands.h"
#include "codegen/kernels/floats/FloatSplit.h"
#include "codegen/kernels/floats/FloatTile.h"

namespace sortie::kernels {

//===- y = x . w ---------------------------------------------------------===//

/// The columns from `column` on of a tile of `rows`, TileRows or HeadRows.
template <typename Tile, typename Weight, int K, int N, typename Rows>
SORTIE_DEVICE void multiplyTile(const Rows &rows, const Weight *w, int column,
                                const Epilogue &epilogue, float *y) {
  const RowTile &tile = rows.tile;
  const float *sums = Tile::template multiply<kFloatRingBytes>(
      hw::sharedMemory<char>(), [&](int r) { return Rows::at(rows, r); },
      [&](int c) { return weightRow<Weight, K, N>(w, tile.expert, column + c); });
  const int c = hw::threadIndex() % Tile::kColumns;
  if (column + c >= N)
    return;
  for (int r = hw::threadIndex() / Tile::kColumns; r < tile.rows;
       r += kFloatThreads / Tile::kColumns)
    y[Rows::outputRow(rows, r) * N + column + c] =
        finishOutput(epilogue, sums[r * Tile::kSumStride + c], tile.expert,
                     biasOf(epilogue, int64_t{tile.expert} * N + column + c),
                     rowScale(epilogue, tile.first + r));
}

/// function.template operator()<Tile>(part) for each part of up to kFloatTileRows rows of a tile.
template <typename Weight, int K, typename Function>
SORTIE_DEVICE void withFloatTiles(const RowTile &tile, Function function) {
#pragma unroll 1
  for (int done = 0; done < tile.rows; done += kFloatTileRows) {
    if (done != 0)
      hw::syncBlock(); // the sums of the part before have been read
    const RowTile part = {tile.expert, tile.first + done,
                          static_cast<int>(lesser(tile.rows - done, kFloatTileRows))};
    withFloatTile<Weight, K>(part.rows,
                             [&]<typename Tile>() { function.template operator()<Tile>(part); });
  }
}

/// y[r] = x[row(r)] . w[expert(r)], with the expert's scale, bias and routing weight. Row r is
/// permutation[r] / Slots where `Gather`, else r. x [T or slots, K], tiles, permutation (or null,
/// when there is neither gather nor scale), scale [slots] or null, y [slots, N], w [experts, N, K],
/// bias [experts, N] or null, expertScale [experts] or null. `tiles` is a tile map, or DenseRows
/// where there is one matrix. Grid (N ceildiv kFloatColumns, entries of `tiles` or rows ceildiv
/// kTileRows), floatSharedBytes(false) bytes.
template <typename Weight, int K, int N, int Slots, bool Gather, typename Tiles>
SORTIE_DEVICE void floatGroupedMatmul(const float *x, Tiles tiles, const int32_t *permutation,
                                      const float *scale, float *y, const Weight *w,
                                      const float *bias, const float *expertScale = nullptr) {
  const RowTile tile = mappedTile(tiles, hw::blockIndexY());
  if (tile.rows == 0)
    return;
  const Epilogue epilogue = {bias, scale, permutation, expertScale};
  withFloatTiles<Weight, K>(tile, [&]<typename Tile>(const RowTile &part) {
    const TileRows<K, Slots> rows = {x, Gather ? permutation : nullptr, part};
    multiplyTile<Tile, Weight, K, N>(rows, w, hw::blockIndexX() * kFloatColumns, epilogue, y);
  });
}

/// y[t, h] = x[t, h] . w[h]: x [tokens, Heads, K], y [tokens, Heads, N], w [Heads, N, K], bias
/// [Heads, N] or null; `rows` is tokens * Heads. Grid (N ceildiv kFloatColumns, tokens ceildiv
/// kTileRows, Heads), floatSharedBytes(false) bytes.
template <typename Weight, int K, int N, int Heads>
SORTIE_DEVICE void floatHeadMatmul(const float *x, float *y, const Weight *w, const float *bias,
                                   int32_t rows) {
  const RowTile tile = headTile<Heads>(rows, hw::blockIndexZ(), hw::blockIndexY());
  withFloatTiles<Weight, K>(tile, [&]<typename Tile>(const RowTile &part) {
    multiplyTile<Tile, Weight, K, N>(HeadRows<K, Heads>{x, part}, w,
                                     hw::blockIndexX() * kFloatColumns, {bias, nullptr, nullptr},
                                     y);
  });
}

/// A narrow product whose tiles the thread blocks share.
template <typename Tile, typename Weight, int K, int N>
SORTIE_DEVICE void multiplyNarrow(const float *x, float *y, const Weight *w, const float *bias,
                                  int32_t rows, int blocksY) {
  constexpr int kColumnTiles = static_cast<int>(ceilDiv(N, Tile::kColumns));
  const int64_t count = ceilDiv(rows, Tile::kRows) * kColumnTiles;
  const int64_t blocks = int64_t{blocksY} * hw::gridCountX();
  for (int64_t index = int64_t{hw::blockIndexY()} * hw::gridCountX() + hw::blockIndexX();
       index < count; index += blocks) {
    const auto first = static_cast<int>(index / kColumnTiles * Tile::kRows);
    const TileRows<K, 1> tileRows = {
        x, nullptr, {0, first, static_cast<int>(lesser(rows - first, Tile::kRows))}};
    multiplyTile<Tile, Weight, K, N>(tileRows, w,
                                     static_cast<int>(index % kColumnTiles) * Tile::kColumns,
                                     {bias, nullptr, nullptr}, y);
  }
}

/// function.template operator()<Tile>() with the smallest tile that does not give the
/// multiprocessors more than one each: the larger a tile, the less work for each of its outputs.
/// The smallest split K.
template <typename Weight, int K, int N, int Streams, typename Function>
SORTIE_DEVICE void withNarrowTile(int32_t rows, Function function) {
  constexpr int64_t kBusy = 128;
  constexpr int64_t kColumnTiles = ceilDiv(N, kFloatColumns);
  const int64_t units = ceilDiv(rows, 8) * ceilDiv(N, kFloatColumns / Streams);
  if constexpr (Streams > 1) {
    if (units <= kBusy)
      function.template operator()<FloatTile8<Weight, K, Streams>>();
    else
      withNarrowTile<Weight, K, N, Streams / 2>(rows, function);
  } else if (units <= kBusy) {
    function.template operator()<FloatTile8<Weight, K>>();
  } else if (ceilDiv(rows, 16) * kColumnTiles <= kBusy) {
    function.template operator()<FloatTile16<Weight, K>>();
  } else if (ceilDiv(rows, 32) * kColumnTiles <= kBusy) {
    function.template operator()<FloatTile32<Weight, K>>();
  } else {
    function.template operator()<FloatTile64<Weight, K>>();
  }
}

/// y = x . w: x [rows, K], y [rows, N], w [N, K], bias [N] or null. With D = floatDense(K, N): grid
/// (N ceildiv D.columns, rows ceildiv D.rows, at most D.maxBlocks), floatSharedBytes(false) bytes.
template <typename Weight, int K, int N>
SORTIE_DEVICE void floatMatmul(const float *x, float *y, const Weight *w, const float *bias,
                               int32_t rows) {
  constexpr FloatDense kDense = floatDense(K, N);
  if constexpr (!kDense.isNarrow) {
    const RowTile tile = denseTile(rows, hw::blockIndexY());
    withFloatTiles<Weight, K>(tile, [&]<typename Tile>(const RowTile &part) {
      multiplyTile<Tile, Weight, K, N>(TileRows<K, 1>{x, nullptr, part}, w,
                                       hw::blockIndexX() * kFloatColumns, {bias, nullptr, nullptr},
                                       y);
    });
  } else {
    const auto blocksY = static_cast<int>(lesser(ceilDiv(rows, kDense.rows), kDense.maxBlocks));
    if (rows <= kDense.splitRows) {
      splitMatmul<Weight, K, N>(x, y, w, bias, rows, blocksY);
      return;
    }
    if constexpr (N >= kFloatColumns)
      withNarrowTile<Weight, K, N, kDense.streams>(rows, [&]<typename Tile>() {
        multiplyNarrow<Tile, Weight, K, N>(x, y, w, bias, rows, blocksY);
      });
  }
}

//===- y = glu(x . gate, x . up) -----------------------------------------===//

/// Bytes of the stages of a gated product.
template <typename Glu>
constexpr int kFloatGluRingBytes = Glu::kIsQuantized ? kFloatSmallRingBytes : kFloatRingBytes;

/// 16 columns from `column` on of a tile of rows. `store(row, column, value)` takes the outputs.
template <typename Tile, typename Glu, typename Weight, int K, int N, int Slots, typename Store>
SORTIE_DEVICE void multiplyGluTile(const TileRows<K, Slots> &rows, const GluWeights<Weight> &w,
                                   int column, Store store) {
  const RowTile &tile = rows.tile;
  const float *sums = Tile::template multiply<kFloatGluRingBytes<Glu>>(
      hw::sharedMemory<char>(), [&](int r) { return TileRows<K, Slots>::at(rows, r); },
      [&](int c) {
        return weightRow<Weight, K, N>(c < kFloatGluColumns ? w.gate : w.up, tile.expert,
                                       column + c % kFloatGluColumns);
      });
  const int c = hw::threadIndex() % kFloatGluColumns;
  if (column + c >= N)
    return;
  for (int r = hw::threadIndex() / kFloatGluColumns; r < tile.rows;
       r += kFloatThreads / kFloatGluColumns) {
    const float *sum = sums + r * Tile::kSumStride + c;
    store(r, column + c, Glu::activate(sum[0], sum[kFloatGluColumns], w, tile.expert, column + c));
  }
}

/// The outputs of a tile of rows in the columns of block `block`, as fp32.
template <typename Tile, typename Glu, typename Weight, int K, int N, int Slots>
SORTIE_DEVICE void gluToFloats(const TileRows<K, Slots> &rows, const GluWeights<Weight> &w,
                               int block, float *y) {
  multiplyGluTile<Tile, Glu, Weight, K, N, Slots>(
      rows, w, block * kFloatGluColumns, [&](int r, int column, float value) {
        y[int64_t{rows.tile.first + r} * N + column] = numerics::canonicalNan(value);
      });
}

/// The same, quantized: first the columns of activation block `block`, 16 at a time, then the rows,
/// of which each warp takes one at a time.
template <typename Tile, typename Glu, typename Weight, int K, int N, int Slots>
SORTIE_DEVICE void gluToQuantized(const TileRows<K, Slots> &rows, const GluWeights<Weight> &w,
                                  int block, void *y) {
  constexpr int kBlock = numerics::kActivationBlock;
  float *activations = hw::sharedMemory<float>(kFloatSmallRingBytes);
  const int first = block * kBlock;
  for (int column = first; column < N && column < first + kBlock; column += kFloatGluColumns)
    multiplyGluTile<Tile, Glu, Weight, K, N, Slots>(
        rows, w, column,
        [&](int r, int at, float value) { activations[r * kBlock + at - first] = value; });
  hw::syncBlock();
  quantizeTile<Glu>(activations, rows.tile, block, y);
}

/// One thread block of a gated product.
template <typename Weight, int K, int N, int Slots, numerics::GluKind Kind, uint32_t AlphaBits,
          uint32_t LimitBits, numerics::RowKind Output>
SORTIE_DEVICE void multiplyGlu(const TileRows<K, Slots> &rows, const GluWeights<Weight> &w,
                               void *y) {
  using Glu = GluOutput<N, Kind, AlphaBits, LimitBits, Output>;
  withFloatTiles<Weight, K>(rows.tile, [&]<typename Tile>(const RowTile &part) {
    const TileRows<K, Slots> partRows = {rows.x, rows.permutation, part};
    if constexpr (Glu::kIsQuantized)
      gluToQuantized<Tile, Glu, Weight, K, N, Slots>(partRows, w, hw::blockIndexX(), y);
    else
      gluToFloats<Tile, Glu, Weight, K, N, Slots>(partRows, w, hw::blockIndexX(),
                                                  static_cast<float *>(y));
  });
}

/// y[r] = glu(x[row(r)] . gate[expert(r)], x[row(r)] . up[expert(r)]), rows of N floats or
/// quantized as `Output` says. Operands as in floatGroupedMatmul; permutation may be null unless
/// `Gather`. Grid (floatGluBlocks(N, quantized), as in floatGroupedMatmul),
/// floatSharedBytes(quantized) bytes.
template <typename Weight, int K, int N, int Slots, bool Gather, numerics::GluKind Kind,
          uint32_t AlphaBits, uint32_t LimitBits, numerics::RowKind Output, typename Tiles>
SORTIE_DEVICE void floatGroupedGlu(const float *x, Tiles tiles, const int32_t *permutation, void *y,
                                   const Weight *gate, const Weight *up, const float *gateBias,
                                   const float *upBias, const float *gateScale = nullptr,
                                   const float *upScale = nullptr) {
  const RowTile tile = mappedTile(tiles, hw::blockIndexY());
  if (tile.rows == 0)
    return;
  const TileRows<K, Slots> rows = {x, Gather ? permutation : nullptr, tile};
  multiplyGlu<Weight, K, N, Slots, Kind, AlphaBits, LimitBits, Output>(
      rows, {gate, up, gateBias, upBias, gateScale, upScale}, y);
}

/// The same for rows that share one pair of matrices [N, K]. Grid (floatGluBlocks(N, quantized),
/// rows ceildiv kTileRows), floatSharedBytes(quantized) bytes.
template <typename Weight, int K, int N, numerics::GluKind Kind, uint32_t AlphaBits,
          uint32_t LimitBits, numerics::RowKind Output>
SORTIE_DEVICE void floatGlu(const float *x, void *y, const Weight *gate, const Weight *up,
                            const float *gateBias, const float *upBias, int32_t rows) {
  const TileRows<K, 1> tileRows = {x, nullptr, denseTile(rows, hw::blockIndexY())};
  multiplyGlu<Weight, K, N, 1, Kind, AlphaBits, LimitBits, Output>(tileRows,
                                                                   {gate, up, gateBias, upBias}, y);
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_FLOATS_FLOATPRODUCT_H
