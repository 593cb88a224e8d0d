// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What products with weights of floats have in common, in `float` and in `bf16` arithmetic: where
// the rows of a tile and their weights are, and what follows the sums.

#ifndef SORTIE_CODEGEN_KERNELS_FLOATS_FLOATOPERANDS_H
#define SORTIE_CODEGEN_KERNELS_FLOATS_FLOATOPERANDS_H

#include "codegen/kernels/rows/Elementwise.h"
#include "codegen/kernels/rows/Quantize.h"
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

/// kTileRows of the rows of a head, which has a matrix of its own. All heads have `rows` rows.
template <int Heads> SORTIE_DEVICE RowTile headTile(int32_t rows, int head, int index) {
  RowTile tile = denseTile(rows / Heads, index);
  tile.expert = head;
  return tile;
}

/// What stands in place of a tile map where all rows have one matrix.
struct DenseRows {
  int32_t count;
};
SORTIE_DEVICE RowTile mappedTile(DenseRows rows, int index) { return denseTile(rows.count, index); }

/// The weights of column `column` of an expert, or null past the last one.
template <typename Weight, int K, int N>
SORTIE_DEVICE const Weight *weightRow(const Weight *w, int expert, int column) {
  return column < N ? w + (int64_t{expert} * N + column) * K : nullptr;
}

/// Where the rows of activations are: row r of a tile is row first + r, or, gathered, row
/// permutation[first + r] / Slots.
template <int K, int Slots> struct TileRows {
  const float *x;
  const int32_t *permutation; ///< null: not gathered
  RowTile tile;

  SORTIE_DEVICE const float *at(const TileRows &rows, int r) {
    if (r >= rows.tile.rows)
      return nullptr;
    const int64_t sorted = rows.tile.first + r;
    return rows.x + (rows.permutation != nullptr ? rows.permutation[sorted] / Slots : sorted) * K;
  }
  SORTIE_DEVICE int64_t outputRow(const TileRows &rows, int r) {
    return int64_t{rows.tile.first + r};
  }
};

/// The rows of a head: row r of a tile is row (first + r) * Heads + head of activations and output.
template <int K, int Heads> struct HeadRows {
  const float *x;
  RowTile tile;

  SORTIE_DEVICE const float *at(const HeadRows &rows, int r) {
    return r < rows.tile.rows ? rows.x + outputRow(rows, r) * K : nullptr;
  }
  SORTIE_DEVICE int64_t outputRow(const HeadRows &rows, int r) {
    return int64_t{rows.tile.first + r} * Heads + rows.tile.expert;
  }
};

//===- y = x . w ---------------------------------------------------------===//

/// What follows a product, the expert's scale first. What is null is left out.
struct Epilogue {
  const float *bias;                  ///< [experts, N]
  const float *scale;                 ///< by slot
  const int32_t *permutation;         ///< the slot of each sorted row, where there is a scale
  const float *expertScale = nullptr; ///< [experts]
};

/// A sum times the scale of its expert; itself where `scales` is null.
SORTIE_DEVICE float scaledByExpert(float sum, const float *scales, int expert) {
  return scales != nullptr ? numerics::mul(scales[expert], sum) : sum;
}

/// The routing weight of a sorted row; nothing where there is none.
SORTIE_DEVICE float rowScale(const Epilogue &epilogue, int64_t row) {
  return epilogue.scale != nullptr ? epilogue.scale[epilogue.permutation[row]] : 0.0f;
}
/// The bias of column `at` of [experts, N]; nothing where there is none.
SORTIE_DEVICE float biasOf(const Epilogue &epilogue, int64_t at) {
  return epilogue.bias != nullptr ? epilogue.bias[at] : 0.0f;
}

/// One output from its sum.
SORTIE_DEVICE float finishOutput(const Epilogue &epilogue, float sum, int expert, float bias,
                                 float scale) {
  sum = scaledByExpert(sum, epilogue.expertScale, expert);
  if (epilogue.bias != nullptr)
    sum = numerics::add(sum, bias);
  if (epilogue.scale != nullptr)
    sum = numerics::weighted(scale, sum);
  return numerics::canonicalNan(sum);
}

//===- y = glu(x . gate, x . up) -----------------------------------------===//

/// The matrices of a gated product [experts, N, K], and, or null, their biases [experts, N] and
/// scales [experts].
template <typename Weight> struct GluWeights {
  const Weight *gate;
  const Weight *up;
  const float *gateBias;
  const float *upBias;
  const float *gateScale = nullptr;
  const float *upScale = nullptr;
};

/// What a gated product computes: N columns of fp32 or quantized rows.
template <int N, numerics::GluKind Kind, uint32_t AlphaBits, uint32_t LimitBits,
          numerics::RowKind Output>
struct GluOutput {
  static constexpr numerics::RowKind kKind = Output;
  static constexpr bool kIsQuantized = Output != numerics::RowKind::F32;
  static constexpr int kN = N;

  /// The activation of one output, column `column` of an expert, from its two sums.
  template <typename Weight>
  SORTIE_DEVICE float activate(float gate, float up, const GluWeights<Weight> &w, int expert,
                               int column) {
    const int64_t at = int64_t{expert} * N + column;
    gate = scaledByExpert(gate, w.gateScale, expert);
    up = scaledByExpert(up, w.upScale, expert);
    if (w.gateBias != nullptr)
      gate = numerics::add(gate, w.gateBias[at]);
    if (w.upBias != nullptr)
      up = numerics::add(up, w.upBias[at]);
    return applyGlu<Kind, AlphaBits, LimitBits>(gate, up);
  }
};

/// Quantizes block `block` of the tile's rows, which `activations` [tile.rows][kActivationBlock]
/// holds; each warp takes one row at a time.
template <typename Glu>
SORTIE_DEVICE void quantizeTile(const float *activations, const RowTile &tile, int block, void *y) {
  constexpr numerics::ActRowLayout kLayout = numerics::actRowLayout(Glu::kKind, Glu::kN);
  constexpr int kBlock = numerics::kActivationBlock;
  for (int r = hw::warpIndex(); r < tile.rows; r += hw::threadCount() / kWarp) {
    const auto *four =
        reinterpret_cast<const FourFloats *>(activations + r * kBlock) + hw::laneIndex();
    quantizeBlock128<Glu::kKind>(four->value, Glu::kN - block * kBlock,
                                 static_cast<char *>(y) + int64_t{tile.first + r} * kLayout.bytes,
                                 kLayout, block);
  }
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_FLOATS_FLOATOPERANDS_H
