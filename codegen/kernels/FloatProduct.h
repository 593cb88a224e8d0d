// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products in `float` arithmetic with weights in F32, F16 and BF16 as they lie in the file:
// row-major and aligned to 16 bytes at the start. `Weight` is float, numerics::Half or
// numerics::BFloat16. Optional operands are literal null pointers where a model has none; calls are
// inlined, so that costs nothing. All kernels have kFloatThreads threads.

#ifndef SORTIE_CODEGEN_KERNELS_FLOATPRODUCT_H
#define SORTIE_CODEGEN_KERNELS_FLOATPRODUCT_H

#include "codegen/kernels/Elementwise.h"
#include "codegen/kernels/FloatSplit.h"
#include "codegen/kernels/FloatTile.h"
#include "codegen/kernels/Quantize.h"
#include "runtime/numerics/combine.h"

namespace sortie::kernels {

/// Rows of activations that one expert multiplies: [first, first + rows) in sorted order.
struct RowTile {
  int expert;
  int first;
  int rows;
};

/// An entry of the tile map.
SORTIE_DEVICE RowTile mappedTile(const int32_t *tiles, int index) {
  const int32_t *entry = tiles + int64_t{index} * 4;
  return {entry[0], entry[1], entry[2]};
}
/// kTileRows of `rows` rows that all have one matrix.
SORTIE_DEVICE RowTile denseTile(int32_t rows, int index) {
  const int first = index * kTileRows;
  return {0, first, static_cast<int>(lesser(rows - first, kTileRows))};
}

/// Columns [`first`, N) of an expert's matrix, as the tile's rows of weights.
template <typename Weight, int K, int N>
SORTIE_DEVICE const Weight *weightRow(const Weight *w, int expert, int column) {
  return column < N ? w + (int64_t{expert} * N + column) * K : nullptr;
}

/// Where the rows of activations are: row r of a tile is row first + r, or, gathered, row
/// permutation[first + r] / Slots.
template <int K, int Slots> struct FloatRows {
  const float *x;
  const int32_t *permutation; ///< null: not gathered
  RowTile tile;

  SORTIE_DEVICE const float *at(const FloatRows &rows, int r) {
    if (r >= rows.tile.rows)
      return nullptr;
    const int64_t sorted = rows.tile.first + r;
    return rows.x + (rows.permutation != nullptr ? rows.permutation[sorted] / Slots : sorted) * K;
  }
};

//===- y = x . w ----------------------------------------------------------===//

/// What follows a product, in this order; each null for none.
struct FloatEpilogue {
  const float *bias;          ///< [experts, N]
  const float *scale;         ///< by slot
  const int32_t *permutation; ///< the slot of each sorted row, where there is a scale
};

/// One output of the product.
template <int N>
SORTIE_DEVICE void storeOutput(const FloatEpilogue &epilogue, int expert, int64_t row, int column,
                               float sum, float *y) {
  if (epilogue.bias != nullptr)
    sum = numerics::add(sum, epilogue.bias[int64_t{expert} * N + column]);
  if (epilogue.scale != nullptr)
    sum = numerics::weighted(epilogue.scale[epilogue.permutation[row]], sum);
  y[row * N + column] = numerics::canonicalNan(sum);
}

/// The columns from `column` on of a tile of rows.
template <typename Tile, typename Weight, int K, int N, int Slots>
SORTIE_DEVICE void multiplyTile(const FloatRows<K, Slots> &rows, const Weight *w, int column,
                                const FloatEpilogue &epilogue, float *y) {
  const RowTile &tile = rows.tile;
  const float *sums = Tile::template multiply<kFloatRingBytes>(
      hw::sharedMemory<char>(), [&](int r) { return FloatRows<K, Slots>::at(rows, r); },
      [&](int c) { return weightRow<Weight, K, N>(w, tile.expert, column + c); });
  const int c = hw::threadIndex() % Tile::kColumns;
  if (column + c >= N)
    return;
  for (int r = hw::threadIndex() / Tile::kColumns; r < tile.rows;
       r += kFloatThreads / Tile::kColumns)
    storeOutput<N>(epilogue, tile.expert, tile.first + r, column + c,
                   sums[r * Tile::kSumStride + c], y);
}

/// y[r] = x[row(r)] . w[expert(r)], with bias and routing weight. Row r is permutation[r] / Slots
/// where `Gather`, else r. x [T or slots, K], tiles, permutation (or null, when there is neither
/// gather nor scale), scale [slots] or null, y [slots, N], w [experts, N, K], bias [experts, N] or
/// null. Grid (N ceildiv kFloatColumns, entries of `tiles`), floatSharedBytes(false) bytes.
template <typename Weight, int K, int N, int Slots, bool Gather>
SORTIE_DEVICE void floatGroupedMatmul(const float *x, const int32_t *tiles,
                                      const int32_t *permutation, const float *scale, float *y,
                                      const Weight *w, const float *bias) {
  const RowTile tile = mappedTile(tiles, hw::blockIndexY());
  if (tile.rows == 0)
    return;
  const FloatRows<K, Slots> rows = {x, Gather ? permutation : nullptr, tile};
  const FloatEpilogue epilogue = {bias, scale, permutation};
  withFloatTile<Weight, K>(tile.rows, [&]<typename Tile>() {
    multiplyTile<Tile, Weight, K, N, Slots>(rows, w, hw::blockIndexX() * kFloatColumns, epilogue,
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
    const FloatRows<K, 1> tileRows = {
        x, nullptr, {0, first, static_cast<int>(lesser(rows - first, Tile::kRows))}};
    multiplyTile<Tile, Weight, K, N, 1>(tileRows, w,
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
/// (N ceildiv D.columns, rows ceildiv D.rows max D.maxBlocks), floatSharedBytes(false) bytes.
template <typename Weight, int K, int N>
SORTIE_DEVICE void floatMatmul(const float *x, float *y, const Weight *w, const float *bias,
                               int32_t rows) {
  constexpr FloatDense kDense = floatDense(K, N);
  if constexpr (!kDense.isNarrow) {
    const FloatRows<K, 1> tileRows = {x, nullptr, denseTile(rows, hw::blockIndexY())};
    withFloatTile<Weight, K>(tileRows.tile.rows, [&]<typename Tile>() {
      multiplyTile<Tile, Weight, K, N, 1>(tileRows, w, hw::blockIndexX() * kFloatColumns,
                                          {bias, nullptr, nullptr}, y);
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

//===- y = glu(x . gate, x . up) ------------------------------------------===//

/// What a gated product computes: N columns of fp32 or quantized rows.
template <int N, numerics::GluKind Kind, uint32_t AlphaBits, uint32_t LimitBits,
          numerics::RowKind Output>
struct FloatGlu {
  static constexpr bool kIsQuantized = Output != numerics::RowKind::F32;
  static constexpr int kRingBytes = kIsQuantized ? kFloatSmallRingBytes : kFloatRingBytes;
  static constexpr int kBlockColumns = kIsQuantized ? numerics::kActivationBlock : kFloatGluColumns;

  /// The activation of one output from its two sums.
  SORTIE_DEVICE float activate(float gate, float up, const float *gateBias, const float *upBias,
                               int64_t at) {
    if (gateBias != nullptr)
      gate = numerics::add(gate, gateBias[at]);
    if (upBias != nullptr)
      up = numerics::add(up, upBias[at]);
    return applyGlu<Kind, AlphaBits, LimitBits>(gate, up);
  }
};

/// The matrices of a gated product and their biases or null, [experts, N, K] and [experts, N].
template <typename Weight> struct FloatGluWeights {
  const Weight *gate;
  const Weight *up;
  const float *gateBias;
  const float *upBias;
};

/// 16 columns from `column` on of a tile of rows. `store(row, column, value)` takes the outputs.
template <typename Tile, typename Glu, typename Weight, int K, int N, int Slots, typename Store>
SORTIE_DEVICE void multiplyGluTile(const FloatRows<K, Slots> &rows,
                                   const FloatGluWeights<Weight> &w, int column, Store store) {
  const RowTile &tile = rows.tile;
  const float *sums = Tile::template multiply<Glu::kRingBytes>(
      hw::sharedMemory<char>(), [&](int r) { return FloatRows<K, Slots>::at(rows, r); },
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
    store(r, column + c,
          Glu::activate(sum[0], sum[kFloatGluColumns], w.gateBias, w.upBias,
                        int64_t{tile.expert} * N + column + c));
  }
}

/// The outputs of a tile of rows in the columns of block `block`, as fp32.
template <typename Tile, typename Glu, typename Weight, int K, int N, int Slots>
SORTIE_DEVICE void gluToFloats(const FloatRows<K, Slots> &rows, const FloatGluWeights<Weight> &w,
                               int block, float *y) {
  multiplyGluTile<Tile, Glu, Weight, K, N, Slots>(
      rows, w, block * kFloatGluColumns, [&](int r, int column, float value) {
        y[int64_t{rows.tile.first + r} * N + column] = numerics::canonicalNan(value);
      });
}

/// The same, quantized: 16 columns after another of activation block `block`, then a warp a row.
template <typename Tile, typename Glu, numerics::RowKind Output, typename Weight, int K, int N,
          int Slots>
SORTIE_DEVICE void gluToQuantized(const FloatRows<K, Slots> &rows, const FloatGluWeights<Weight> &w,
                                  int block, void *y) {
  constexpr numerics::ActRowLayout kLayout = numerics::actRowLayout(Output, N);
  constexpr int kBlock = numerics::kActivationBlock;
  float *activations = hw::sharedMemory<float>(kFloatSmallRingBytes);
  const int first = block * kBlock;
  for (int column = first; column < N && column < first + kBlock; column += kFloatGluColumns)
    multiplyGluTile<Tile, Glu, Weight, K, N, Slots>(
        rows, w, column,
        [&](int r, int at, float value) { activations[r * kBlock + at - first] = value; });
  hw::syncBlock();
  for (int r = hw::warpIndex(); r < rows.tile.rows; r += kFloatThreads / kWarp) {
    const auto *four =
        reinterpret_cast<const FourFloats *>(activations + r * kBlock) + hw::laneIndex();
    quantizeBlock128<Output>(four->value, N - first,
                             static_cast<char *>(y) + int64_t{rows.tile.first + r} * kLayout.bytes,
                             kLayout, block);
  }
}

/// One thread block of a gated product.
template <typename Weight, int K, int N, int Slots, numerics::GluKind Kind, uint32_t AlphaBits,
          uint32_t LimitBits, numerics::RowKind Output>
SORTIE_DEVICE void multiplyGlu(const FloatRows<K, Slots> &rows, const FloatGluWeights<Weight> &w,
                               void *y) {
  using Glu = FloatGlu<N, Kind, AlphaBits, LimitBits, Output>;
  withFloatTile<Weight, K>(rows.tile.rows, [&]<typename Tile>() {
    if constexpr (Glu::kIsQuantized)
      gluToQuantized<Tile, Glu, Output, Weight, K, N, Slots>(rows, w, hw::blockIndexX(), y);
    else
      gluToFloats<Tile, Glu, Weight, K, N, Slots>(rows, w, hw::blockIndexX(),
                                                  static_cast<float *>(y));
  });
}

/// y[r] = glu(x[row(r)] . gate[expert(r)], x[row(r)] . up[expert(r)]), rows of N floats or
/// quantized as `Output` says. Operands as in floatGroupedMatmul; permutation may be null unless
/// `Gather`. Grid (floatGluBlocks(N, quantized), entries of `tiles`), floatSharedBytes(quantized)
/// bytes.
template <typename Weight, int K, int N, int Slots, bool Gather, numerics::GluKind Kind,
          uint32_t AlphaBits, uint32_t LimitBits, numerics::RowKind Output>
SORTIE_DEVICE void floatGroupedGlu(const float *x, const int32_t *tiles, const int32_t *permutation,
                                   void *y, const Weight *gate, const Weight *up,
                                   const float *gateBias, const float *upBias) {
  const RowTile tile = mappedTile(tiles, hw::blockIndexY());
  if (tile.rows == 0)
    return;
  const FloatRows<K, Slots> rows = {x, Gather ? permutation : nullptr, tile};
  multiplyGlu<Weight, K, N, Slots, Kind, AlphaBits, LimitBits, Output>(
      rows, {gate, up, gateBias, upBias}, y);
}

/// The same for rows that share one pair of matrices [N, K]. Grid (floatGluBlocks(N, quantized),
/// rows ceildiv kTileRows), floatSharedBytes(quantized) bytes.
template <typename Weight, int K, int N, numerics::GluKind Kind, uint32_t AlphaBits,
          uint32_t LimitBits, numerics::RowKind Output>
SORTIE_DEVICE void floatGlu(const float *x, void *y, const Weight *gate, const Weight *up,
                            const float *gateBias, const float *upBias, int32_t rows) {
  const FloatRows<K, 1> tileRows = {x, nullptr, denseTile(rows, hw::blockIndexY())};
  multiplyGlu<Weight, K, N, 1, Kind, AlphaBits, LimitBits, Output>(tileRows,
                                                                   {gate, up, gateBias, upBias}, y);
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_FLOATPRODUCT_H
