// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A work unit of a matrix product: up to 64 rows of activations, all of one expert, times up to 128
// columns, with what follows (scale of the expert, bias, routing weight, gated activation,
// quantization). As many chunks of K as fit the scratch, most often the whole row, are worked on at
// once: for these, each panel is read from its first byte to its last, decoded half a chunk at a
// time to the first-level cache, and used for all the rows.

#ifndef SORTIE_RUNTIME_CPU_KERNELS_PRODUCT_H
#define SORTIE_RUNTIME_CPU_KERNELS_PRODUCT_H

#include "runtime/cpu/Kernels.h"
#include "runtime/cpu/kernels/Decode.h"
#include "runtime/cpu/kernels/Dot.h"
#include "runtime/cpu/kernels/Elementwise.h"
#include "runtime/cpu/kernels/FloatDot.h"
#include "runtime/cpu/kernels/Rows.h"
#include "runtime/cpu/kernels/TileDot.h"

#include <type_traits>
#include <utility>

namespace sortie::cpu {

/// Blocks decoded before they are used.
inline constexpr int kDecodedBlocks = 4;

/// How many blocks ahead of the decoder panels are fetched to the second-level cache. Panels follow
/// each other in memory, so it goes on where a panel ends; fetching past the last one does no harm.
inline constexpr int kFetchedBlocks = 2 * kDecodedBlocks;

/// What a product needs of a format and a kind of activations, behind function pointers.
struct ExactPlan {
  using Decode = void (*)(const std::byte *panel, int64_t first, int count, WeightTile *tiles);
  using Place = void (*)(const std::byte *const *rows, int rowCount, int64_t columns, int64_t first,
                         int count, int bias, void *to);
  using Dot = void (*)(const WeightTile *weights, int blocks, const void *rowTiles, int blockStride,
                       float *sums);
  using DotPacked = void (*)(const std::byte *panel, int64_t first, int blocks,
                             const void *rowTiles, int blockStride, float *sums);
  int bias;
  int64_t blockBytes; ///< of a packed panel, heads of records included
  size_t rowTileBytes;
  int maxRows;      ///< of a register tile
  const Dot *dots;  ///< [maxRows], for 1 row and up
  DotPacked dotOne; ///< for a single row, without `decode`
  Decode decode;
  Place place;
};

struct FloatPlan {
  using Dot = void (*)(const std::byte *weights, int steps, const float *x, int64_t stride,
                       float *sums);
  int maxRows;
  const Dot *dots;
};

template <typename Simd> struct Plans {
  template <TileConfig C> static constexpr int registerRows() {
    if constexpr (!std::is_void_v<typename Simd::Tiles>)
      return 16;
    else if constexpr (C.isWide)
      return (Simd::kWideRows + C.products - 1) / C.products;
    else
      return C.products == 2 ? Simd::kLimbRows : Simd::kNarrowRows;
  }

  /// With a matrix unit, what a few rows take is a vector product all the same.
  static constexpr int kMinTileRows = 5;

  template <TileConfig C, int Rows> static constexpr ExactPlan::Dot dot() {
    if constexpr (!std::is_void_v<typename Simd::Tiles> && Rows >= kMinTileRows)
      return &TileDot<Simd, C, Rows>::dot;
    else
      return &RegisterTile<Simd, C, Rows>::dot;
  }

  template <TileConfig C> struct Dots {
    static constexpr int kCount = registerRows<C>();
    template <int... R> static constexpr auto make(std::integer_sequence<int, R...>) {
      struct Table {
        ExactPlan::Dot dots[kCount];
      };
      return Table{{dot<C, R + 1>()...}};
    }
    static constexpr auto kTable = make(std::make_integer_sequence<int, kCount>());
  };

  template <numerics::Format F, numerics::RowKind Kind> static ExactPlan exactPlan(int rows) {
    using Packed = PackedBlock<Simd, F>;
    constexpr TileConfig kShared = sharedTileConfig<Simd, F, Kind>();
    constexpr TileConfig kSingle = singleTileConfig<Simd, F, Kind>();
    const bool isSingle = rows == 1;
    return {Packed::kBias,
            Packed::kLayout.recordBytes / Packed::kLayout.blocksPerRecord,
            isSingle ? sizeof(RowTile<kSingle>) : sizeof(RowTile<kShared>),
            registerRows<kShared>(),
            Dots<kShared>::kTable.dots,
            &RegisterTile<Simd, kSingle, 1>::template dotPacked<Packed>,
            &Decoder<Simd, F, Kind>::decode,
            isSingle ? &RowTiler<Simd, kSingle>::place : &RowTiler<Simd, kShared>::place};
  }

  /// For `rows` rows of one expert.
  static ExactPlan exactPlan(numerics::Format format, numerics::RowKind kind, int rows) {
    return numerics::visitQuantized(format, [kind, rows]<numerics::Format F>() {
      return kind == numerics::RowKind::Int16 ? exactPlan<F, numerics::RowKind::Int16>(rows)
                                              : exactPlan<F, numerics::RowKind::Int8>(rows);
    });
  }

  template <numerics::Format F> struct FloatDots {
    template <int... R> static constexpr auto make(std::integer_sequence<int, R...>) {
      struct Table {
        FloatPlan::Dot dots[Simd::kFloatTokens];
      };
      return Table{{&FloatProduct<Simd>::template dot<F, R + 1>...}};
    }
    static constexpr auto kTable = make(std::make_integer_sequence<int, Simd::kFloatTokens>());
  };

  template <numerics::Format F> static FloatPlan floatPlan() {
    return {Simd::kFloatTokens, FloatDots<F>::kTable.dots};
  }

  static FloatPlan floatPlan(numerics::Format format) {
    if (format == numerics::Format::F16)
      return floatPlan<numerics::Format::F16>();
    if (format == numerics::Format::BF16)
      return floatPlan<numerics::Format::BF16>();
    return floatPlan<numerics::Format::F32>();
  }
};

template <typename Simd> struct Product {
  using Floats = typename Simd::Floats;
  static constexpr int kMaxMatrices = 2;
  static constexpr int64_t kRowFloats = kPanelRows;

  /// The scratch of a worker while it runs a unit.
  struct alignas(64) Scratch {
    float totals[kMaxMatrices][kUnitPanels][kUnitRows][kPanelRows];
    float sums[kUnitRows][kPanelRows];
    union {
      WeightTile weights[kDecodedBlocks];
      /// In `bf16` arithmetic: a chunk of a panel of wider floats.
      numerics::BFloat16 roundedWeights[kPanelRows * numerics::kChunk];
    };
    /// Row tiles of some chunks (of one at least), or the floats of one [kUnitRows][kChunk].
    alignas(64) std::byte rows[768 << 10];
  };

  static_assert(sizeof(Scratch) <= kScratchBytes);

  const ProductOp &op;
  const ProductUnit &unit;
  Scratch &scratch;
  int64_t columns; ///< K
  int64_t outputs; ///< N
  const std::byte *inputRows[kUnitRows];

  /// rows in [first, first + count) that a register tile takes.
  template <typename Function> void forEachRegisterTile(int maxRows, Function function) const {
    const int tiles = (unit.rows + maxRows - 1) / maxRows;
    for (int tile = 0; tile < tiles; ++tile) {
      const int first = unit.rows * tile / tiles;
      function(first, unit.rows * (tile + 1) / tiles - first);
    }
  }

  const std::byte *panelAt(const Matrix &matrix, int panel) const {
    const numerics::FormatInfo info = numerics::formatInfo(matrix.shape.format);
    const int64_t index = unit.expert * panelCount(outputs) + unit.firstPanel + panel;
    return matrix.packed + index * panelBytes(info, columns);
  }

  /// Where a row lies among those of all heads; `row` itself where there are none.
  int64_t ownRow(int64_t row) const {
    return op.map.heads != 0 ? row * op.map.heads + unit.expert : row;
  }

  void findRows() {
    const int64_t stride = numerics::actRowBytes(op.inputKind, columns);
    for (int r = 0; r < unit.rows; ++r) {
      const int64_t sorted = unit.firstRow + r;
      const int64_t row =
          op.map.gather ? op.map.permutation[sorted] / op.map.slots : ownRow(sorted);
      inputRows[r] = static_cast<const std::byte *>(op.input) + row * stride;
    }
  }

  /// Where the sums of a chunk go: the first chunk's are the totals.
  float *chunkSums(int matrix, int panel, bool isFirst) {
    return isFirst ? &scratch.totals[matrix][panel][0][0] : &scratch.sums[0][0];
  }

  void addToTotals(int matrix, int panel) {
    for (int r = 0; r < unit.rows; ++r) {
      float *total = scratch.totals[matrix][panel][r];
      Simd::store(total, Simd::add(Simd::load(total), Simd::load(scratch.sums[r])));
    }
  }

  static void fetch(const std::byte *from, int64_t begin, int64_t end) {
    for (int64_t line = begin / kVectorBytes * kVectorBytes; line < end; line += kVectorBytes)
      Simd::prefetch(from + line);
  }

  /// The sums of `blocks` blocks of a panel, from block `firstBlock` of the row on, which is block
  /// `placed` of the row tiles.
  ///
  /// A single row reads panels from their first byte to their last, which the processor's own
  /// prefetching follows best. With several it gives up in the products between two decodings, so
  /// each register tile fetches its share of what will be decoded: all at once would have to wait.
  void exactChunk(const ExactPlan &plan, const std::byte *panel, int64_t firstBlock, int64_t placed,
                  int blocks, float *sums) {
    std::memset(sums, 0, static_cast<size_t>(unit.rows) * sizeof scratch.sums[0]);
    if (unit.rows == 1)
      return plan.dotOne(panel, firstBlock, blocks,
                         scratch.rows + static_cast<size_t>(placed) * plan.rowTileBytes,
                         /*blockStride=*/1, sums);
    for (int b = 0; b < blocks; b += kDecodedBlocks) {
      const int count = blocks - b < kDecodedBlocks ? blocks - b : kDecodedBlocks;
      plan.decode(panel, firstBlock + b, count, scratch.weights);
      const std::byte *next = panel + (firstBlock + b + kFetchedBlocks) * plan.blockBytes;
      const int64_t nextBytes = count * plan.blockBytes;
      forEachRegisterTile(plan.maxRows, [&](int first, int rows) {
        fetch(next, nextBytes * first / unit.rows, nextBytes * (first + rows) / unit.rows);
        const auto tile = static_cast<size_t>((placed + b) * unit.rows + first);
        plan.dots[rows - 1](scratch.weights, count, scratch.rows + tile * plan.rowTileBytes,
                            unit.rows, sums + first * kRowFloats);
      });
    }
  }

  /// Chunks whose row tiles fit the scratch at the same time, one at least.
  int64_t chunksAtOnce(const ExactPlan &plan) const {
    const size_t perChunk =
        plan.rowTileBytes * static_cast<size_t>(unit.rows * numerics::kBlocksPerChunk);
    return static_cast<int64_t>(sizeof scratch.rows / perChunk);
  }

  /// The products of blocks [firstBlock, firstBlock + blocks) of all panels of a matrix, chunk by
  /// chunk. Row tiles are placed already.
  void exactPanels(const ExactPlan &plan, int matrix, int64_t firstBlock, int64_t blocks) {
    for (int p = 0; p < unit.panels; ++p) {
      const std::byte *panel = panelAt(op.matrices[matrix], p);
      for (int64_t b = 0; b < blocks; b += numerics::kBlocksPerChunk) {
        const bool isFirst = firstBlock + b == 0;
        const int64_t left = blocks - b;
        const int count =
            static_cast<int>(left < numerics::kBlocksPerChunk ? left : numerics::kBlocksPerChunk);
        exactChunk(plan, panel, firstBlock + b, b, count, chunkSums(matrix, p, isFirst));
        if (!isFirst)
          addToTotals(matrix, p);
      }
    }
  }

  void exactProducts() {
    ExactPlan plans[kMaxMatrices];
    int64_t chunks = 1 << 20;
    for (int m = 0; m < op.matrixCount; ++m) {
      plans[m] = Plans<Simd>::exactPlan(op.matrices[m].shape.format, op.inputKind, unit.rows);
      const int64_t fitting = chunksAtOnce(plans[m]);
      chunks = fitting < chunks ? fitting : chunks;
    }
    const int64_t allBlocks = numerics::activationBlocks(columns);
    const int64_t step = chunks * numerics::kBlocksPerChunk;
    for (int64_t block = 0; block < allBlocks; block += step) {
      const int64_t blocks = allBlocks - block < step ? allBlocks - block : step;
      for (int m = 0; m < op.matrixCount; ++m) {
        const ExactPlan &plan = plans[m];
        const bool arePlaced = m > 0 && plans[0].place == plan.place && plans[0].bias == plan.bias;
        if (!arePlaced)
          plan.place(inputRows, unit.rows, columns, block, static_cast<int>(blocks), plan.bias,
                     scratch.rows);
        exactPanels(plan, m, block, blocks);
      }
    }
  }

  /// `count` floats of each row from `first` on, padded with zeros to whole vectors.
  float *placeFloats(int64_t first, int64_t count) {
    auto *tile = reinterpret_cast<float *>(scratch.rows);
    for (int r = 0; r < unit.rows; ++r) {
      float *to = tile + r * numerics::kChunk;
      const auto *from = reinterpret_cast<const float *>(inputRows[r]) + first;
      std::memcpy(to, from, static_cast<size_t>(count) * sizeof(float));
      if (op.isBf16)
        for (int64_t i = 0; i < count; ++i)
          to[i] = numerics::widen(numerics::toBFloat16(to[i]));
      for (int64_t i = count; i % kFloatStep != 0; ++i)
        to[i] = 0.0f;
    }
    return tile;
  }

  template <typename Weight> const std::byte *roundWeights(const std::byte *from, int64_t count) {
    const auto *weights = reinterpret_cast<const Weight *>(from);
    for (int64_t i = 0; i < count; ++i)
      scratch.roundedWeights[i] = numerics::toBFloat16(numerics::widen(weights[i]));
    return reinterpret_cast<const std::byte *>(scratch.roundedWeights);
  }

  /// `count` weights of a panel as bfloat16.
  const std::byte *roundWeights(numerics::Format format, const std::byte *from, int64_t count) {
    if (format == numerics::Format::F32)
      return roundWeights<float>(from, count);
    if (format == numerics::Format::F16)
      return roundWeights<numerics::Half>(from, count);
    return from;
  }

  void floatProducts() {
    for (int64_t first = 0; first < columns; first += numerics::kChunk) {
      const int64_t left = columns - first;
      const int64_t count = left < numerics::kChunk ? left : numerics::kChunk;
      const int steps = static_cast<int>((count + kFloatStep - 1) / kFloatStep);
      const float *x = placeFloats(first, count);
      for (int m = 0; m < op.matrixCount; ++m) {
        const numerics::Format format = op.matrices[m].shape.format;
        const int64_t firstByte =
            first * kPanelRows * numerics::floatBytes(numerics::formatInfo(format));
        const FloatPlan plan = Plans<Simd>::floatPlan(op.isBf16 ? numerics::Format::BF16 : format);
        for (int p = 0; p < unit.panels; ++p) {
          const std::byte *weights = panelAt(op.matrices[m], p) + firstByte;
          if (op.isBf16)
            weights = roundWeights(format, weights, steps * kFloatStep * kPanelRows);
          float *sums = chunkSums(m, p, first == 0);
          forEachRegisterTile(plan.maxRows, [&](int row, int rows) {
            plan.dots[rows - 1](weights, steps, x + row * numerics::kChunk, numerics::kChunk,
                                sums + row * kRowFloats);
          });
          if (first != 0)
            addToTotals(m, p);
        }
      }
    }
  }

  /// The total of a row and panel with the scale of the expert and the bias. `count` columns exist.
  Floats biased(int matrix, int row, int panel, int count) const {
    Floats y = Simd::load(scratch.totals[matrix][panel][row]);
    if (op.expertScales[matrix] != nullptr)
      y = Simd::mul(Simd::broadcast(op.expertScales[matrix][unit.expert]), y);
    if (op.biases[matrix] == nullptr)
      return y;
    const float *bias =
        op.biases[matrix] + unit.expert * outputs + (unit.firstPanel + panel) * kPanelRows;
    return Simd::add(y, Elementwise<Simd>::loadSome(bias, count));
  }

  /// Columns of the matrix in a panel of the unit.
  int panelColumns(int panel) const {
    const int64_t left = outputs - (unit.firstPanel + panel) * kPanelRows;
    return static_cast<int>(left < kPanelRows ? left : kPanelRows);
  }

  void storeProduct() const {
    auto *output = static_cast<float *>(op.output);
    for (int r = 0; r < unit.rows; ++r) {
      const int64_t sorted = unit.firstRow + r;
      float *to = output + ownRow(sorted) * outputs + unit.firstPanel * kPanelRows;
      const bool isScaled = op.scale != nullptr;
      const Floats scale = Simd::broadcast(isScaled ? op.scale[op.map.permutation[sorted]] : 0.0f);
      for (int p = 0; p < unit.panels; ++p) {
        const int count = panelColumns(p);
        Floats y = biased(0, r, p, count);
        if (isScaled)
          y = Simd::mul(scale, y);
        Elementwise<Simd>::storeSome(to + p * kPanelRows, Simd::canonicalNan(y), count);
      }
    }
  }

  void storeGlu() const {
    const numerics::ActRowLayout layout = numerics::actRowLayout(op.outputKind, outputs);
    const int64_t stride = numerics::actRowBytes(op.outputKind, outputs);
    const int64_t firstColumn = unit.firstPanel * kPanelRows;
    for (int r = 0; r < unit.rows; ++r) {
      auto *row = static_cast<std::byte *>(op.output) + (unit.firstRow + r) * stride;
      alignas(64) float values[kUnitColumns];
      int total = 0;
      for (int p = 0; p < unit.panels; ++p) {
        const int count = panelColumns(p);
        const Floats y =
            Elementwise<Simd>::applyGlu(op.glu, biased(0, r, p, count), biased(1, r, p, count));
        Simd::store(values + p * kPanelRows, Simd::canonicalNan(y));
        total += count;
      }
      if (op.outputKind == numerics::RowKind::F32)
        std::memcpy(row + firstColumn * 4, values, static_cast<size_t>(total) * sizeof(float));
      else
        Elementwise<Simd>::quantizeSome(values, total, op.outputKind, layout,
                                        firstColumn / numerics::kActivationBlock, row);
    }
  }

  static void run(const ProductOp &op, const ProductUnit &unit, std::byte *scratch) {
    const MatrixShape &shape = op.matrices[0].shape;
    Product product{op, unit, *reinterpret_cast<Scratch *>(scratch), shape.columns, shape.rows, {}};
    product.findRows();
    if (op.inputKind == numerics::RowKind::F32)
      product.floatProducts();
    else
      product.exactProducts();
    if constexpr (!std::is_void_v<typename Simd::Tiles>)
      Simd::Tiles::release();
    if (op.matrixCount == 1)
      product.storeProduct();
    else
      product.storeGlu();
  }
};

} // namespace sortie::cpu

#endif // SORTIE_RUNTIME_CPU_KERNELS_PRODUCT_H
