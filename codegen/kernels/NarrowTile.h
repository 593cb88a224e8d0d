// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Exact products of few tokens, bound by the bytes of the weights: each warp has a pipeline of its
// own for its panel, and waits for the others only where a chunk of K ends. All warps share the
// tokens of a chunk.

#ifndef SORTIE_CODEGEN_KERNELS_NARROWTILE_H
#define SORTIE_CODEGEN_KERNELS_NARROWTILE_H

#include "codegen/kernels/ExactDot.h"
#include "codegen/kernels/ExactOutputs.h"

namespace sortie::kernels {

/// The product of a tile of up to kTokens rows and the columns of a block.
template <typename Spec> class NarrowTile {
  using Block = ExactBlock<Spec>;
  static constexpr NarrowGeometry kGeometry = Block::kGeometry.narrow;
  using Product = typename Block::Product;
  static constexpr int kTokens = kGeometry.tokens;
  static constexpr int kGroups = kTokens / Product::kTokens;
  static constexpr int kLimbs = Block::kLimbs;
  static constexpr int kHalves = Block::kStageCount; ///< activation blocks of a row
  static constexpr ActRowLayout kRow = actRowLayout(Spec::kInput, Spec::kColumns);
  static constexpr int kAtOnce = kGroups < 2 ? 1 : 2;
  using Sums = float[kGroups][Product::kOutputs];

public:
  SORTIE_DEVICE void run(const ExactOperands &operands, const Tile &tile) {
    Block::withFormat([&]<Format F>() { multiply<F>(operands, tile); });
  }

private:
  template <Format F> SORTIE_DEVICE void multiply(const ExactOperands &operands, const Tile &tile) {
    constexpr int kBlockHalves = packedSizes(F).halves;
    constexpr int kBlocks = kHalves / kBlockHalves;
    constexpr int kChunkBlocks = kBlocksPerChunk / kBlockHalves;
    constexpr int kAhead = kGeometry.stages - 1;
    static_assert(kHalves % kBlockHalves == 0 && kAhead <= kChunkBlocks);
    const uint32_t panel = Block::template panelUnit<F>(tile.expert);
    // Weights are on their way while the rows are looked up.
#pragma unroll
    for (int block = 0; block < kAhead; ++block)
      copyWeights<F>(operands, panel, slotAt(block), block);
    Block::fillTable(operands, tile);
    hw::syncBlock();
    PendingSums pending;
    const auto *rows = static_cast<const char *>(operands.input);
    copyChunk(rows, 0, pending);
    hw::commitCopies();
    hw::waitForCopies<0>();
    Sums sums = {};
    int slot = slotAt(0);
    int freed = slotAt(kAhead);
#pragma unroll 1
    for (int block = 0; block < kBlocks; ++block) {
      hw::waitForCopies<kAhead - 1>();
      if (block % kChunkBlocks == 0)
        beginChunk(rows, block * kBlockHalves, pending);
      else
        hw::syncWarp();
      copyWeights<F>(operands, panel, freed, block + kAhead);
      if (Block::hasPanel())
        addBlock<F>(slot, block * kBlockHalves, sums);
      freed = slot;
      slot = slot == slotAt(kAhead) ? slotAt(0) : slot + kStageBytes;
      if (block % kChunkBlocks == kChunkBlocks - 1 || block == kBlocks - 1)
        Block::endChunk(kGeometry.totalsOffset, block * kBlockHalves + kBlockHalves - 1, sums);
    }
    hw::syncBlock();
    ExactOutputs<Spec>::store(operands, sums);
  }

  //===- Weights -----------------------------------------------------------===//

  static constexpr int kStageBytes = kExactWarps * kGeometry.warpBytes;

  /// Where the warp's block of a stage is in shared memory.
  SORTIE_DEVICE int slotAt(int stage) {
    return kGeometry.stagesOffset + stage * kStageBytes + hw::warpIndex() * kGeometry.warpBytes;
  }

  /// Each block has a group of copies, also those past the last.
  template <Format F>
  SORTIE_DEVICE void copyWeights(const ExactOperands &operands, uint32_t panel, int slot,
                                 int block) {
    if (block * packedSizes(F).halves < kHalves && Block::hasPanel())
      copyBlock<F>(hw::sharedMemory<char>(slot + hw::laneIndex() * kLaneBytes),
                   Block::weights(operands, panel), block);
    hw::commitCopies();
  }

  //===- Tokens ------------------------------------------------------------===//

  SORTIE_DEVICE int bufferAt(int half) {
    return kTileTableBytes + half / kBlocksPerChunk % 2 * kGeometry.bufferBytes;
  }

  /// Sums of tokens that a thread has loaded for the next chunk.
  template <Format F>
  static constexpr int kSumsOfThread =
      static_cast<int>(ceilDiv(kBlocksPerChunk * kTokens * TokenSums<F>::kCount, kExactThreads));
  struct PendingSums {
    RawSum<kLimbs> first[kSumsOfThread<Spec::kFirst>];
    RawSum<kLimbs> second[kSumsOfThread<Spec::kSecond>];
  };

  /// The chunk from activation block `half` on becomes everybody's; the next one is started.
  SORTIE_DEVICE void beginChunk(const char *rows, int half, PendingSums &pending) {
    Block::forEachSums([&]<Format F, int I>() {
      const int to = bufferAt(half) + Block::template sumsOffset<F>(kGeometry);
      if constexpr (I == 0)
        storeSums<F>(to, pending.first);
      else
        storeSums<F>(to, pending.second);
    });
    hw::syncBlock(); // the chunk before has been read by all
    if (half + kBlocksPerChunk < kHalves)
      copyChunk(rows, half + kBlocksPerChunk, pending);
  }

  /// Starts the copies of the tokens of the chunk that begins with activation block `half`.
  SORTIE_DEVICE void copyChunk(const char *rows, int half, PendingSums &pending) {
    const int buffer = bufferAt(half);
    const int left = kHalves - half;
    const int halves = left < kBlocksPerChunk ? left : kBlocksPerChunk;
    copyLimbs(rows + kRow.limbs + half * kHalfElements, buffer, halves);
    copyScales(rows + kRow.scales + half * 4, buffer + kGeometry.scalesOffset, halves);
    Block::forEachSums([&]<Format F, int I>() {
      if constexpr (I == 0)
        loadSums<F>(rows, half, pending.first);
      else
        loadSums<F>(rows, half, pending.second);
    });
  }

  SORTIE_DEVICE void copyLimbs(const char *rows, int to, int halves) {
    constexpr int kUnits = kChunk / 16;
    const int units = Block::groups() * kMmaColumns * kUnits;
#pragma unroll 1
    for (int i = hw::threadIndexAnew(); i < units; i += kExactThreads) {
      const int unit = i % kUnits;
      const int column = i / kUnits;
      if (unit * 16 < halves * kHalfElements)
        hw::copyAsync<16>(hw::sharedMemory<char>(to + column * kChunkColumnStride + unit * 16),
                          rows + Block::rowTable()[column / kLimbs] * kRow.bytes +
                              column % kLimbs * kRow.limbStride + unit * 16);
    }
  }

  /// Scales lie as [activation block][token].
  SORTIE_DEVICE void copyScales(const char *rows, int to, int halves) {
    const int token = hw::threadIndexAnew() % kTokens;
    const int half = hw::threadIndexAnew() / kTokens;
    if (half < halves)
      hw::copyAsync<4>(hw::sharedMemory<char>(to + (half * kTokens + token) * 4),
                       rows + Block::rowTable()[token] * kRow.bytes + half * 4);
  }

  /// Sums lie as [activation block][token], too.
  template <Format F>
  SORTIE_DEVICE void loadSums(const char *rows, int first,
                              RawSum<kLimbs> (&sums)[kSumsOfThread<F>]) {
    constexpr int kCount = TokenSums<F>::kCount;
#pragma unroll
    for (int n = 0; n < kSumsOfThread<F>; ++n) {
      const int i = n * kExactThreads + hw::threadIndexAnew();
      const int half = first + i / kCount / kTokens;
      sums[n] = TokenSums<F>::template load<Spec::kInput, Spec::kColumns>(
          rows + Block::rowTable()[i / kCount % kTokens] * kRow.bytes,
          half < kHalves ? half : kHalves - 1, i % kCount);
    }
  }

  template <Format F>
  SORTIE_DEVICE void storeSums(int to, const RawSum<kLimbs> (&sums)[kSumsOfThread<F>]) {
    constexpr int kCount = TokenSums<F>::kCount;
#pragma unroll
    for (int n = 0; n < kSumsOfThread<F>; ++n) {
      const int i = n * kExactThreads + hw::threadIndexAnew();
      if (i < kBlocksPerChunk * kTokens * kCount)
        TokenSums<F>::store(hw::sharedMemory<char>(to + i / kCount * TokenSums<F>::kBytes),
                            i % kCount, sums[n]);
    }
  }

  //===- Products ----------------------------------------------------------===//

  /// The products of a block of weights, whose first half is number `half` of the row.
  template <Format F> SORTIE_DEVICE void addBlock(int slot, int half, Sums &sums) {
    constexpr PackedSizes kSizes = packedSizes(F);
    const char *block = hw::sharedMemory<char>(slot);
    const int count = Block::groups();
#pragma unroll
    for (int i = 0; i < kSizes.halves; ++i) {
      ExactPanel<F> panel;
      loadPanel<F>(block + i * kSizes.halfBytes, block + PackedLayout<F>::kScalesOffset, i, panel);
      const TokenBlock tokens = tokensAt<F>(half + i);
      addGroups<F, kLimbs, kAtOnce>(panel, tokens, count, sums);
    }
  }

  template <Format F> SORTIE_DEVICE TokenBlock tokensAt(int half) {
    constexpr int kSumsOffset = Block::template sumsOffset<F>(kGeometry);
    const int buffer = bufferAt(half);
    const int inChunk = half % kBlocksPerChunk;
    const int lane = laneOfColumns(kChunkColumnStride);
    const int sums = buffer + kSumsOffset + inChunk * kTokens * TokenSums<F>::kBytes;
    const int scales = buffer + kGeometry.scalesOffset + inChunk * kTokens * 4;
    return {buffer + inChunk * kHalfElements + lane, kChunkColumnStride,
            hw::sharedMemory<char>(sums), hw::sharedMemory<char>(scales)};
  }
};

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_NARROWTILE_H
