// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Exact products of few tokens, bound by the bytes of the weights: each warp has a pipeline of its
// own for its panel, and waits for the others only where a chunk of K ends. All warps share the
// tokens of a chunk; or, where K is cut into slices, those of a team, which has one of the slices.

#ifndef SORTIE_CODEGEN_KERNELS_EXACT_NARROWTILE_H
#define SORTIE_CODEGEN_KERNELS_EXACT_NARROWTILE_H

#include "codegen/kernels/exact/ExactDot.h"
#include "codegen/kernels/exact/ExactOutputs.h"
#include "codegen/kernels/exact/PendingSums.h"

namespace sortie::kernels {

/// The product of a tile of up to kTokens rows and the columns of a block, with K in `Slices`.
template <typename Spec, int Slices> class NarrowTile {
  using Block = ExactBlock<Spec>;
  static constexpr NarrowGeometry kGeometry =
      Slices == 1 ? Block::kGeometry.narrow : Block::kGeometry.sliced;
  using Lane = typename Block::Lane;
  static constexpr int kTokens = kGeometry.tokens;
  static constexpr int kGroups = kTokens / Lane::kTokens;
  static constexpr int kLimbs = Block::kLimbs;
  static constexpr int kSections = Block::kStageCount; ///< activation blocks of a row
  static constexpr ActRowLayout kRow = actRowLayout(Spec::kInput, Spec::kK);
  static constexpr int kAtOnce = kGroups < 2 ? 1 : 2;
  using Sums = float[kGroups][Lane::kOutputs];

  static constexpr int kTeamThreads = kExactThreads / Slices;
  static constexpr int kChunks = static_cast<int>(ceilDiv(kSections, kBlocksPerChunk));
  static constexpr int kTeamChunks = static_cast<int>(ceilDiv(kChunks, Slices));
  static constexpr int kTeamSections = kTeamChunks * kBlocksPerChunk;
  static_assert(Slices == 1 || kGroups == 1);
  static_assert(kBlocksPerChunk * kTokens <= kTeamThreads, "a thread copies one scale");

public:
  /// Multiplies the tile. The first weights are on their way when it calls `begin`.
  template <typename Begin>
  SORTIE_DEVICE void run(const ExactOperands &operands, const Tile &tile, Begin begin) {
    Block::withFormat([&]<Format F>() { multiply<F>(operands, tile, begin); });
  }

private:
  template <Format F, typename Begin>
  SORTIE_DEVICE void multiply(const ExactOperands &operands, const Tile &tile, Begin begin) {
    constexpr int kBlockSections = packedSizes(F).sections;
    constexpr int kChunkBlocks = kBlocksPerChunk / kBlockSections;
    constexpr int kBlocks = static_cast<int>(lesser(kSections, kTeamSections)) / kBlockSections;
    constexpr int kAhead = kGeometry.stages - 1;
    static_assert(kSections % kBlockSections == 0 && kAhead <= kChunkBlocks);
    const uint32_t panel = Block::template panelUnit<F, Slices>(tile.expert);
#pragma unroll
    for (int block = 0; block < kAhead; ++block)
      copyWeights<F>(operands, panel, slotAt(block), block);
    begin();
    Block::fillTable(operands, tile);
    hw::syncBlock();
    Pending pending;
    const auto *rows = static_cast<const char *>(operands.input);
    copyChunk(rows, firstSection(), pending);
    hw::commitCopies();
    hw::waitForCopies<0>();
    Sums sums = {};
    int slot = slotAt(0);
    int freed = slotAt(kAhead);
#pragma unroll 1
    for (int block = 0; block < kBlocks; ++block) {
      const int section = firstSection() + block * kBlockSections;
      hw::waitForCopies<kAhead - 1>();
      if (block % kChunkBlocks == 0)
        beginChunk(rows, section, pending);
      else
        hw::syncWarp();
      copyWeights<F>(operands, panel, freed, block + kAhead);
      if (isOwn(section) && Block::template hasPanel<Slices>())
        multiplyBlock<F>(slot, section, sums);
      freed = slot;
      slot = slot == slotAt(kAhead) ? slotAt(0) : slot + kStageBytes;
      if (block % kChunkBlocks == kChunkBlocks - 1 || block == kBlocks - 1)
        endChunk(section + kBlockSections - 1, sums);
    }
    hw::syncBlock();
    if constexpr (Slices > 1) {
      if (team() == 0)
        addChunks(sums);
      hw::syncBlock();
    }
    ExactOutputs<Spec, Slices>::store(operands, sums);
  }

  //===- Slices -----------------------------------------------------------===//

  SORTIE_DEVICE int teamThread() { return hw::threadIndexAnew() % kTeamThreads; }
  SORTIE_DEVICE int team() { return hw::threadIndexAnew() / kTeamThreads; }
  /// The first activation block of the team.
  SORTIE_DEVICE int firstSection() { return Slices == 1 ? 0 : team() * kTeamSections; }
  /// Whether the row has activation block `section`, from the team's first on, and the team has it.
  SORTIE_DEVICE bool isOwn(int section) {
    return section < kSections && (Slices == 1 || section < firstSection() + kTeamSections);
  }

  /// The lane's sums of a chunk, for all to add.
  SORTIE_DEVICE typename Lane::Outputs &chunkSums(int chunk) {
    return hw::sharedMemory<typename Lane::Outputs>(
        kGeometry.totalsOffset)[chunk * kTeamThreads + teamThread()];
  }

  /// Ends the chunk of which `section` is the last activation block.
  SORTIE_DEVICE void endChunk(int section, Sums &sums) {
    if constexpr (Slices == 1) {
      Block::endChunk(kGeometry.totalsOffset, section, sums);
    } else if (section / kBlocksPerChunk < kChunks) {
      typename Lane::Outputs &to = chunkSums(section / kBlocksPerChunk);
#pragma unroll
      for (int o = 0; o < Lane::kOutputs; ++o) {
        to.value[o] = sums[0][o];
        sums[0][o] = 0.0f;
      }
    }
  }

  /// The sums of all chunks in ascending order.
  SORTIE_DEVICE void addChunks(Sums &sums) {
#pragma unroll 1
    for (int chunk = 0; chunk < kChunks; ++chunk) {
      const typename Lane::Outputs next = chunkSums(chunk);
#pragma unroll
      for (int o = 0; o < Lane::kOutputs; ++o)
        sums[0][o] = chunk == 0 ? next.value[o] : add(sums[0][o], next.value[o]);
    }
  }

  //===- Weights ----------------------------------------------------------===//

  static constexpr int kStageBytes = kExactWarps * kGeometry.warpBytes;

  /// Where the warp's block of a stage is in shared memory.
  SORTIE_DEVICE int slotAt(int stage) {
    return kGeometry.stagesOffset + stage * kStageBytes + hw::warpIndex() * kGeometry.warpBytes;
  }

  /// Copies block `block` of the team's blocks. Each has a group of copies, also those past the
  /// last.
  template <Format F>
  SORTIE_DEVICE void copyWeights(const ExactOperands &operands, uint32_t panel, int slot,
                                 int block) {
    constexpr int kBlockSections = packedSizes(F).sections;
    const int section = firstSection() + block * kBlockSections;
    if (isOwn(section) && Block::template hasPanel<Slices>())
      copyBlock<F>(hw::sharedMemory<char>(slot + hw::laneIndex() * kLaneBytes),
                   Block::weights(operands, panel), section / kBlockSections);
    hw::commitCopies();
  }

  //===- Tokens -----------------------------------------------------------===//

  SORTIE_DEVICE int bufferAt(int section) {
    const int buffer = section / kBlocksPerChunk % 2 + (Slices == 1 ? 0 : 2 * team());
    return kTileTableBytes + buffer * kGeometry.bufferBytes;
  }

  /// Sums of tokens that a thread has loaded for the next chunk.
  using Pending = PendingSums<Spec, kBlocksPerChunk, kTokens, kTeamThreads>;

  /// The team's chunk from activation block `section` on becomes that of all its warps; the next
  /// one is started.
  SORTIE_DEVICE void beginChunk(const char *rows, int section, Pending &pending) {
    const int buffer = bufferAt(section);
    pending.store(buffer + kGeometry.firstSumsOffset, buffer + kGeometry.secondSumsOffset,
                  teamThread());
    hw::syncBlock(); // the chunk before has been read by all
    const int next = section + kBlocksPerChunk;
    if (isOwn(next))
      copyChunk(rows, next, pending);
  }

  /// Starts the copies of the tokens of the chunk that begins with activation block `section`.
  SORTIE_DEVICE void copyChunk(const char *rows, int section, Pending &pending) {
    const int buffer = bufferAt(section);
    const int left = kSections - section;
    const int sections = left < kBlocksPerChunk ? left : kBlocksPerChunk;
    copyLimbs(rows + kRow.limbs + section * kSectionElements, buffer, sections);
    copyScales(rows + kRow.scales + section * 4, buffer + kGeometry.scalesOffset, sections);
    pending.load(rows, section, teamThread());
  }

  SORTIE_DEVICE void copyLimbs(const char *rows, int to, int sections) {
    constexpr int kUnits = kChunk / 16;
    const int units = Block::groups() * kMmaColumns * kUnits;
#pragma unroll 1
    for (int i = teamThread(); i < units; i += kTeamThreads) {
      const int unit = i % kUnits;
      const int column = i / kUnits;
      if (unit * 16 < sections * kSectionElements)
        hw::copyAsync<16>(
            hw::sharedMemory<char>(to + column * kChunkColumnStride + placeOfUnit(column, unit)),
            rows + Block::rowTable()[column / kLimbs] * kRow.bytes +
                column % kLimbs * kRow.limbStride + unit * 16);
    }
  }

  /// Scales lie as [activation block][token].
  SORTIE_DEVICE void copyScales(const char *rows, int to, int sections) {
    const int token = teamThread() % kTokens;
    const int section = teamThread() / kTokens;
    if (section < sections)
      hw::copyAsync<4>(hw::sharedMemory<char>(to + (section * kTokens + token) * 4),
                       rows + Block::rowTable()[token] * kRow.bytes + section * 4);
  }

  //===- Products ---------------------------------------------------------===//

  /// Adds the products of a block of weights, whose first section is number `section` of the row.
  template <Format F> SORTIE_DEVICE void multiplyBlock(int slot, int section, Sums &sums) {
    constexpr PackedSizes kSizes = packedSizes(F);
    const char *block = hw::sharedMemory<char>(slot);
    const int count = Block::groups();
#pragma unroll
    for (int i = 0; i < kSizes.sections; ++i) {
      ExactPanel<F> panel;
      loadPanel<F>(block + i * kSizes.sectionBytes, block + PackedLayout<F>::kScalesOffset, i,
                   panel);
      const TokenBlock tokens = tokensAt<F>(section + i);
      addGroups<F, kLimbs, kAtOnce>(panel, tokens, count, sums);
    }
  }

  template <Format F> SORTIE_DEVICE TokenBlock tokensAt(int section) {
    constexpr int kSumsOffset = Block::sumsOffset(kGeometry, F);
    const int buffer = bufferAt(section);
    const int inChunk = section % kBlocksPerChunk;
    const int lane = laneOfColumns(kChunkColumnStride);
    const int sums = buffer + kSumsOffset + inChunk * kTokens * TokenSums<F>::kBytes;
    const int scales = buffer + kGeometry.scalesOffset + inChunk * kTokens * 4;
    return {buffer + inChunk * kSectionElements + lane, kChunkColumnStride,
            hw::sharedMemory<char>(sums), hw::sharedMemory<char>(scales)};
  }
};

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_EXACT_NARROWTILE_H
