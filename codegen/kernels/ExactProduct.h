// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products of quantized weights and quantized rows, `exact` arithmetic: grouped by expert through
// the tile map, or dense; plain, or gate and up with their activation. docs/cuda.md has the
// picture.
//
// A kernel is exactProduct<Spec>(operands), where Spec is a struct of constants:
//   Format kFirst, kSecond;   of gate and up; equal in a plain product
//   RowKind kInput, kOutput;  Int16 or Int8; the output of a gated product may be F32, too
//   int kRows, kColumns;      N and K of an expert
//   bool kIsGated, kIsGrouped;
//   int kSlots;               0: input row = sorted row; else permutation[sorted row] / kSlots
//   bool kHasScale;           y = RN(scale[permutation[sorted row]] * y), plain products only
//   Glu kGlu;                 gated products only
// Grid: x = ceil(kRows / columns of a block), y = tiles (grouped) or ceil(rows / kTileRows).
// kExactThreads threads, exactGeometry().sharedBytes of shared memory; SORTIE_SHARED_LIMIT is what
// a block may have.

#ifndef SORTIE_CODEGEN_KERNELS_EXACTPRODUCT_H
#define SORTIE_CODEGEN_KERNELS_EXACTPRODUCT_H

#include "codegen/kernels/ExactDot.h"
#include "codegen/kernels/ExactGeometry.h"
#include "codegen/kernels/Quantize.h"
#include "runtime/numerics/activation.h"
#include "runtime/numerics/combine.h"

namespace sortie::kernels {

/// Operands of a launch. What a Spec does not use is null.
struct ExactOperands {
  const void *input;          ///< rows of quantized activations (layout.h)
  const Tile *tiles;          ///< grouped: the tile map
  const int32_t *permutation; ///< [sorted rows]
  const float *scale;         ///< [slots]
  void *output;               ///< [sorted rows, kRows]
  const void *first;          ///< packed weights, of gate or of the only matrix
  const void *second;         ///< packed weights of up
  const float *firstBias;     ///< [experts, kRows], or null
  const float *secondBias;
  int rows; ///< dense: rows of the input
};

/// The product of one tile and the columns of a block.
template <typename Spec> class ExactTile {
  static constexpr ExactGeometry kGeometry =
      exactGeometry(Spec::kFirst, Spec::kSecond, Spec::kInput, Spec::kColumns, SORTIE_SHARED_LIMIT);
  static_assert(kGeometry.stages >= 2, "the block's shared memory is too small");
  static constexpr int kStages = kGeometry.stages;
  static constexpr int kHalves = kGeometry.elements / kHalfElements; ///< of a stage
  static constexpr int kStageCount = static_cast<int>(ceilDiv(Spec::kColumns, kGeometry.elements));
  static constexpr int kLimbs = limbCount(Spec::kInput);
  static constexpr int kBlockColumns = Spec::kIsGated ? kGatedColumns : kPlainColumns;
  static constexpr int kPanels = static_cast<int>(panelsOf(Spec::kRows));
  static constexpr ActRowLayout kRow = actRowLayout(Spec::kInput, Spec::kColumns);

public:
  /// Most rows of a tile.
  static constexpr int kTokens = kGeometry.products * kTokensPerProduct;

  SORTIE_DEVICE void run(const ExactOperands &operands, const Tile &tile) {
    Copies copies{};
    copies.slot = slotAt(0);
    copies.weights = findPanel(operands, tile.expert);
    copyWeights(copies); // on their way while the rows are looked up
    fillTable(operands, tile);
    hw::syncBlock();
    findTokens(operands, copies);
    copyTokens(copies);
    endStage(copies);
    multiply(copies);
    hw::waitForCopies<0>();
    hw::syncBlock();
    placeOutputs(operands);
    hw::syncBlock();
    storeOutputs(operands);
  }

private:
  //===- What the block multiplies: in shared memory, not in scarce registers -===//

  SORTIE_DEVICE const Tile &tile() { return *hw::sharedMemory<Tile>(); }
  /// The input row of each token of the tile; of its first row for tokens past its end.
  SORTIE_DEVICE const int32_t *rowTable() { return hw::sharedMemory<int32_t>(sizeof(Tile)); }
  /// mma columns that the tile needs.
  SORTIE_DEVICE int products() { return (tile().rows + kTokensPerProduct - 1) / kTokensPerProduct; }

  SORTIE_DEVICE void fillTable(const ExactOperands &operands, const Tile &given) {
    const int token = hw::threadIndex();
    const int rows = given.rows < kTokens ? given.rows : kTokens;
    if (token == 0)
      *hw::sharedMemory<Tile>() = {given.expert, given.firstRow, rows, 0};
    if (token >= kTokens)
      return;
    const int sorted = given.firstRow + (token < rows ? token : 0);
    int row = sorted;
    if constexpr (Spec::kSlots != 0)
      row = hw::loadReadOnly(operands.permutation + sorted) / Spec::kSlots;
    hw::sharedMemory<int32_t>(sizeof(Tile))[token] = row;
  }

  //===- What a warp multiplies -------------------------------------------===//

  /// Whether the warp has a panel of up.
  SORTIE_DEVICE bool isSecond() { return Spec::kIsGated && hw::warpIndex() >= kExactWarps / 2; }
  /// The warp's panel among those of an expert.
  SORTIE_DEVICE int panelIndex() {
    constexpr int kBlockPanels = kBlockColumns / kPanelRows;
    return hw::blockIndexX() * kBlockPanels + hw::warpIndex() % kBlockPanels;
  }
  /// Calls `body` with the format of the warp's panel.
  template <typename Body> SORTIE_DEVICE void withFormat(Body body) {
    if constexpr (Spec::kFirst != Spec::kSecond) {
      if (isSecond()) {
        body.template operator()<Spec::kSecond>();
        return;
      }
    }
    body.template operator()<Spec::kFirst>();
  }

  //===- Copies -----------------------------------------------------------===//

  /// Threads that copy a token's limbs of a stage, 16 bytes each.
  static constexpr int kUnits = kGeometry.elements / 16;
  static constexpr int kTokensAtOnce = kExactThreads / (kLimbs * kUnits);
  static constexpr int kCopies = static_cast<int>(ceilDiv(kTokens, kTokensAtOnce));

  /// What a thread copies, stage by stage.
  struct Copies {
    const char *weights; ///< the warp's panel; null where the matrix has ended
    const char *input;   ///< all rows
    uint32_t
        limbs[kCopies]; ///< in the input, of every kTokensAtOnce-th token, in units of 16 bytes
    int next;           ///< the first stage that has not been started
    char *slot;         ///< its place
  };

  SORTIE_DEVICE char *slotAt(int stage) {
    return hw::sharedMemory<char>(kGeometry.stagesOffset) + stage % kStages * kGeometry.stageBytes;
  }

  SORTIE_DEVICE const char *findPanel(const ExactOperands &operands, int expert) {
    const char *panel = nullptr;
    withFormat([&]<Format F>() {
      const void *matrix = isSecond() ? operands.second : operands.first;
      panel = static_cast<const char *>(matrix) +
              (int64_t{expert} * kPanels + panelIndex()) * packedPanelBytes(F, Spec::kColumns);
    });
    return panelIndex() < kPanels ? panel : nullptr;
  }

  /// After the tile's table has been filled.
  SORTIE_DEVICE void findTokens(const ExactOperands &operands, Copies &copies) {
    static_assert(kRow.bytes % 16 == 0 && kRow.limbs % 16 == 0 && kRow.limbStride % 16 == 0);
    const int thread = hw::threadIndex();
    const int64_t inRow =
        (kRow.limbs + thread / kUnits % kLimbs * kRow.limbStride) / 16 + thread % kUnits;
    copies.input = static_cast<const char *>(operands.input);
#pragma unroll
    for (int i = 0; i < kCopies; ++i) {
      const int token = thread / (kUnits * kLimbs) + i * kTokensAtOnce;
      const int row = rowTable()[token < kTokens ? token : 0];
      copies.limbs[i] = static_cast<uint32_t>(row * (kRow.bytes / 16) + inRow);
    }
  }

  /// Copies `Bytes` bytes with the lanes of a warp; of them, `valid` exist.
  template <int Bytes>
  SORTIE_DEVICE void copyWithWarp(char *to, const char *from, int valid = Bytes) {
#pragma unroll
    for (int i = 0; i < static_cast<int>(ceilDiv(Bytes, 16 * kWarp)); ++i) {
      const int at = (i * kWarp + hw::laneIndex()) * 16;
      if (at < Bytes && at < valid)
        hw::copyAsync<16>(to + at, from + at);
    }
  }

  /// The warp's part of a stage: whole blocks, or the planes of a half and the scales of its block.
  template <Format F> SORTIE_DEVICE void copyPanel(const Copies &copies) {
    using Layout = PackedLayout<F>;
    constexpr PackedSizes kSizes = Layout::kSizes;
    char *to = copies.slot + hw::warpIndex() * kGeometry.warpBytes;
    if constexpr (kGeometry.elements >= kSizes.blockElements) {
      constexpr int kBytes = kGeometry.elements / kSizes.blockElements * kSizes.blockBytes;
      constexpr int kPanelBytes = static_cast<int>(packedPanelBytes(F, Spec::kColumns));
      const int first = copies.next * kBytes;
      copyWithWarp<kBytes>(to, copies.weights + first,
                           kPanelBytes % kBytes == 0 ? kBytes : kPanelBytes - first);
    } else {
      const char *block = copies.weights + copies.next / kSizes.halves * kSizes.blockBytes;
      copyWithWarp<kSizes.halfBytes>(to, block + copies.next % kSizes.halves * kSizes.halfBytes);
      copyWithWarp<Layout::kAllScaleBytes>(to + kSizes.halfBytes, block + Layout::kScalesOffset);
    }
  }

  SORTIE_DEVICE void copyWeights(const Copies &copies) {
    if (copies.weights != nullptr)
      withFormat([&]<Format F>() { copyPanel<F>(copies); });
  }

  /// Limbs of the tokens, and their scales. Tokens past the end of the tile become zeros.
  SORTIE_DEVICE void copyTokens(const Copies &copies) {
    constexpr int kScaleBytes = kHalves * 4;
    const int thread = hw::threadIndex();
    const int rows = tile().rows;
    const int tokens = products() * kTokensPerProduct;
    const int first = thread / (kUnits * kLimbs);
    char *to = copies.slot + kGeometry.limbsOffset +
               thread / kUnits % kLimbs * kGeometry.limbStride + first * kGeometry.tokenStride +
               thread % kUnits * 16;
#pragma unroll
    for (int i = 0; i < kCopies; ++i) {
      const int token = first + i * kTokensAtOnce;
      if (token < tokens)
        hw::copyAsync<16>(to + i * kTokensAtOnce * kGeometry.tokenStride,
                          copies.input + int64_t{copies.limbs[i]} * 16 +
                              copies.next * kGeometry.elements,
                          token < rows ? 16 : 0);
    }
    if (thread < tokens)
      hw::copyAsync<kScaleBytes>(copies.slot + kGeometry.scalesOffset + thread * kScaleBytes,
                                 copies.input + rowTable()[thread] * kRow.bytes + kRow.scales +
                                     copies.next * kScaleBytes,
                                 thread < rows ? kScaleBytes : 0);
  }

  /// Ends the copies of a stage; there is a group for each, even past the last.
  SORTIE_DEVICE void endStage(Copies &copies) {
    hw::commitCopies();
    ++copies.next;
    copies.slot = slotAt(copies.next);
  }

  SORTIE_DEVICE void copyStage(Copies &copies) {
    if (copies.next < kStageCount) {
      copyWeights(copies);
      copyTokens(copies);
    }
    endStage(copies);
  }

  //===- Products ---------------------------------------------------------===//

  SORTIE_DEVICE void multiply(Copies &copies) {
    startSums();
#pragma unroll
    for (int i = 1; i < kStages - 1; ++i)
      copyStage(copies);
    for (int stage = 0; stage < kStageCount; ++stage) {
      hw::waitForCopies<kStages - 2>();
      // What arrived is everybody's now, and the stage before has been read by all.
      hw::syncBlock();
      copyStage(copies);
      if (copies.weights != nullptr)
        withFormat([&]<Format F>() { multiplyStage<F>(stage); });
    }
  }

  template <Format F> SORTIE_DEVICE void multiplyStage(int stage) {
#pragma unroll 1 // two halves at a time would need twice the registers
    for (int half = 0; half < kHalves; ++half)
      multiplyHalf<F>(stage, half);
    if constexpr (Spec::kColumns > kChunk) {
      constexpr int kChunkStages = kChunk / kGeometry.elements;
      if (stage == kStageCount - 1 || stage % kChunkStages == kChunkStages - 1)
        endChunk(stage < kChunkStages);
    }
  }

  /// The warp's panel, half `half` of a stage.
  template <Format F>
  SORTIE_DEVICE void loadHalf(const char *slot, int stage, int half, ExactPanel<F> &panel) {
    using Layout = PackedLayout<F>;
    constexpr PackedSizes kSizes = Layout::kSizes;
    const char *at = slot + hw::warpIndex() * kGeometry.warpBytes;
    if constexpr (kGeometry.elements >= kSizes.blockElements) {
      at += half / kSizes.halves * kSizes.blockBytes;
      const int ofBlock = half % kSizes.halves;
      loadPanel<F>(at + ofBlock * kSizes.halfBytes, at + Layout::kScalesOffset, ofBlock, panel);
    } else {
      loadPanel<F>(at, at + kSizes.halfBytes, stage % kSizes.halves, panel);
    }
  }

  template <Format F> SORTIE_DEVICE void multiplyHalf(int stage, int half) {
    ExactPanel<F> panel;
    loadHalf<F>(slotAt(stage), stage, half, panel);
    const int count = products();
    int n = 0;
    if constexpr (kAreRegistersForTwo<F>) {
#pragma unroll 1
      for (; n + 1 < count; n += 2) {
        float t[2][4];
        blockTerm<F>(panel, tokensAt(slotAt(stage), half, n), t[0]);
        blockTerm<F>(panel, tokensAt(slotAt(stage), half, n + 1), t[1]);
        addToSums(slotAt(stage), half, n, t[0]);
        addToSums(slotAt(stage), half, n + 1, t[1]);
      }
    }
#pragma unroll 1
    for (; n < count; ++n) {
      float t[4];
      blockTerm<F>(panel, tokensAt(slotAt(stage), half, n), t);
      addToSums(slotAt(stage), half, n, t);
    }
  }

  /// Two products at a time hide each other's latencies, in formats that leave registers for it.
  template <Format F>
  static constexpr bool kAreRegistersForTwo =
      formatInfo(F).minimum == Minimum::None && (kLimbs == 1 || isCombinable(formatInfo(F)));

  SORTIE_DEVICE void addToSums(const char *slot, int half, int n, const float (&t)[4]) {
    const auto *scales = reinterpret_cast<const float *>(slot + kGeometry.scalesOffset);
    const int token = n * kTokensPerProduct + hw::laneIndex() % 4 * 2;
    const float two[2] = {scales[token * kHalves + half], scales[(token + 1) * kHalves + half]};
    hw::Words4 sum = sumsAt(kTileTableBytes, n);
#pragma unroll
    for (int e = 0; e < 4; ++e)
      sum.word[e] = numerics::bitsOf(addBlock(t[e], two[e % 2], floatOf(sum.word[e])));
    sumsAt(kTileTableBytes, n) = sum;
  }

  SORTIE_DEVICE TokenBlock<kLimbs> tokensAt(const char *slot, int half, int n) {
    return {slot + kGeometry.limbsOffset + n * kTokensPerProduct * kGeometry.tokenStride +
                half * kHalfElements,
            kGeometry.tokenStride, kGeometry.limbStride};
  }

  //===- Sums -------------------------------------------------------------===//

  /// The four outputs of this thread in mma column `n`; no other thread sees them.
  SORTIE_DEVICE hw::Words4 &sumsAt(int offset, int n) {
    return hw::sharedMemory<hw::Words4>(offset)[n * kExactThreads + hw::threadIndex()];
  }

  SORTIE_DEVICE void startSums() {
    for (int n = 0; n < products(); ++n)
      sumsAt(kTileTableBytes, n) = {};
  }

  /// Adds the chunk's sums to the totals.
  SORTIE_DEVICE void endChunk(bool isFirst) {
    for (int n = 0; n < products(); ++n) {
      hw::Words4 &sum = sumsAt(kTileTableBytes, n);
      hw::Words4 &total = sumsAt(kGeometry.totalsOffset, n);
#pragma unroll
      for (int e = 0; e < 4; ++e)
        total.word[e] = isFirst
                            ? sum.word[e]
                            : numerics::bitsOf(add(floatOf(total.word[e]), floatOf(sum.word[e])));
      sum = {};
    }
  }

  //===- Outputs ----------------------------------------------------------===//

  /// What a token waits with for the threads that store it: a float a column, or of gate and then
  /// of up.
  SORTIE_DEVICE float *valuesAt(int token) {
    return hw::sharedMemory<float>(kGeometry.stagesOffset) + token * kValueStride;
  }

  SORTIE_DEVICE void placeOutputs(const ExactOperands &operands) {
    constexpr int kResults = Spec::kColumns > kChunk ? kGeometry.totalsOffset : kTileTableBytes;
    const int lane = hw::laneIndex();
    const float *bias = isSecond() ? operands.secondBias : operands.firstBias;
    if (panelIndex() >= kPanels)
      return;
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      const int row = lane / 4 + 8 * (e / 2);
      const int column = panelIndex() * kPanelRows + row;
      const bool isBiased = bias != nullptr && column < Spec::kRows;
      const float b =
          isBiased ? hw::loadReadOnly(bias + int64_t{tile().expert} * Spec::kRows + column) : 0.0f;
      for (int n = 0; n < products(); ++n) {
        const float y = floatOf(sumsAt(kResults, n).word[e]);
        const int token = n * kTokensPerProduct + lane % 4 * 2 + e % 2;
        valuesAt(token)[hw::warpIndex() * kPanelRows + row] = isBiased ? add(y, b) : y;
      }
    }
  }

  SORTIE_DEVICE void storeOutputs(const ExactOperands &operands) {
    const int firstColumn = hw::blockIndexX() * kBlockColumns;
    const int left = Spec::kRows - firstColumn;
    const int columns = left < kBlockColumns ? left : kBlockColumns;
    for (int token = hw::warpIndex(); token < tile().rows; token += kExactWarps) {
      const int64_t sorted = tile().firstRow + token;
      if constexpr (!Spec::kIsGated)
        storePlain(operands, sorted, firstColumn, columns, valuesAt(token));
      else
        storeGated(operands, sorted, firstColumn, columns, valuesAt(token));
    }
  }

  SORTIE_DEVICE void storePlain(const ExactOperands &operands, int64_t sorted, int firstColumn,
                                int columns, const float *values) {
    float *to = static_cast<float *>(operands.output) + sorted * Spec::kRows + firstColumn;
    float scale = 1.0f;
    if constexpr (Spec::kHasScale)
      scale = hw::loadReadOnly(operands.scale + hw::loadReadOnly(operands.permutation + sorted));
    for (int column = hw::laneIndex(); column < columns; column += hw::kWarpSize) {
      const float y = Spec::kHasScale ? weighted(scale, values[column]) : values[column];
      to[column] = canonicalNan(y);
    }
  }

  /// A lane has four neighbouring columns: an activation block is the columns of a warp.
  SORTIE_DEVICE void storeGated(const ExactOperands &operands, int64_t sorted, int firstColumn,
                                int columns, const float *values) {
    constexpr Glu kGlu = Spec::kGlu;
    constexpr ActRowLayout kLayout = actRowLayout(Spec::kOutput, Spec::kRows);
    float four[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int column = 4 * hw::laneIndex() + i;
      four[i] = canonicalNan(applyGlu(kGlu, values[column], values[kGatedColumns + column]));
    }
    if constexpr (Spec::kOutput == RowKind::F32) {
      float *to = static_cast<float *>(operands.output) + sorted * Spec::kRows + firstColumn;
#pragma unroll
      for (int i = 0; i < 4; ++i)
        if (4 * hw::laneIndex() + i < columns)
          to[4 * hw::laneIndex() + i] = four[i];
    } else {
      char *row = static_cast<char *>(operands.output) + sorted * kLayout.bytes;
      quantizeBlock128<Spec::kOutput>(four, columns, row, kLayout, hw::blockIndexX());
    }
  }
};

/// What is left of the block's tile after `done` rows.
template <typename Spec> SORTIE_DEVICE Tile tileAfter(const ExactOperands &operands, int done) {
  Tile tile{0, hw::blockIndexY() * kTileRows, 0, 0};
  if constexpr (Spec::kIsGrouped) {
    tile = operands.tiles[hw::blockIndexY()];
  } else {
    const int left = operands.rows - tile.firstRow;
    tile.rows = left < kTileRows ? left : kTileRows;
  }
  tile.firstRow += done;
  tile.rows -= done;
  return tile;
}

template <typename Spec> SORTIE_DEVICE void exactProduct(const ExactOperands &operands) {
  for (int done = 0; done < kTileRows; done += ExactTile<Spec>::kTokens) {
    const Tile tile = tileAfter<Spec>(operands, done);
    if (tile.rows <= 0)
      return;
    if (done != 0)
      hw::syncBlock(); // this pass writes where the outputs of the one before waited
    ExactTile<Spec>::run(operands, tile);
  }
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_EXACTPRODUCT_H
