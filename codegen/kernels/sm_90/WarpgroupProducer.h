// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The warps that copy for an exact product with warpgroups. One copies weights, a panel of each
// warp that multiplies, by bulk copies. Four copy rows of tokens, which are anywhere, 16 bytes at a
// time into lines that products read swizzled, and the tokens' sums through registers; they
// announce a stage while they copy the next one. Their instructions are at the expense of those
// that multiply, so there are no more of these warps.

#ifndef SORTIE_CODEGEN_KERNELS_SM_90_WARPGROUPPRODUCER_H
#define SORTIE_CODEGEN_KERNELS_SM_90_WARPGROUPPRODUCER_H

#include "codegen/kernels/sm_90/WarpgroupSums.h"

namespace sortie::kernels {

/// The warp that copies weights.
template <typename Spec> class WeightProducer {
  using Block = WarpgroupBlock<Spec>;
  static constexpr WarpgroupGeometry kGeometry = Block::kGeometry;

public:
  SORTIE_DEVICE void run(const ExactOperands &operands) {
    RingPlace place = {0, 0};
    Block::forEachItem([&](const WarpgroupItem &item) {
#pragma unroll 1
      for (int pass = 0; pass < Block::kPasses; ++pass)
        Block::withFormatOf(pass, [&]<Format F>() {
          const void *matrix = pass == 0 ? operands.first : operands.second;
          copyPanels<F>(static_cast<const char *>(matrix), item, place);
        });
    });
  }

private:
  /// All sections of the item's panels, a lane for each panel.
  template <Format F>
  SORTIE_DEVICE void copyPanels(const char *matrix, const WarpgroupItem &item, RingPlace &place) {
    using Layout = PackedLayout<F>;
    constexpr PackedSizes kSizes = Layout::kSizes;
    constexpr int kBytes = kSizes.sectionBytes + Layout::kAllScaleBytes;
    const int left = Block::kPanels - item.firstPanel;
    const int panels = left < kConsumerWarps ? left : kConsumerWarps;
    const char *block =
        matrix + (int64_t{item.expert} * Block::kPanels + item.firstPanel + hw::laneIndex()) *
                     packedPanelBytes(F, Spec::kK);
#pragma unroll 1
    for (int section = 0; section < Block::kSections; ++section) {
      hw::waitForPhase(Block::isRead(place), place.turn ^ 1);
      hw::Mbarrier *isThere = Block::isThere(place);
      if (hw::laneIndex() == 0)
        hw::arriveExpecting(isThere, panels * kBytes);
      hw::syncWarp();
      const int inBlock = section % kSizes.sections;
      if (hw::laneIndex() < panels) {
        char *to =
            Block::stageAt(place) + kGeometry.weightsOffset + hw::laneIndex() * kGeometry.warpBytes;
        hw::copyBulk(to, block + inBlock * kSizes.sectionBytes, kSizes.sectionBytes, isThere);
        hw::copyBulk(to + kSizes.sectionBytes, block + Layout::kScalesOffset,
                     Layout::kAllScaleBytes, isThere);
      }
      if (inBlock == kSizes.sections - 1)
        block += kSizes.blockBytes;
      Block::advance(place);
    }
  }
};

/// A warp that copies tokens.
template <typename Spec> class TokenProducer {
  using Block = WarpgroupBlock<Spec>;
  static constexpr WarpgroupGeometry kGeometry = Block::kGeometry;
  static constexpr int kLimbs = Block::kLimbs;
  static constexpr ActRowLayout kRow = actRowLayout(Spec::kInput, Spec::kK);
  static_assert(kRow.bytes % 16 == 0 && kRow.limbs % 16 == 0 && kRow.limbStride % 16 == 0);

  static constexpr int kThreads = kTokenWarps * kWarp;
  /// A thread copies one unit of 16 bytes of every kColumnStep-th column.
  static constexpr int kUnitBytes = 16;
  static constexpr int kUnits = kSectionElements / kUnitBytes;
  static constexpr int kColumnStep = kThreads / kUnits;
  static constexpr int kCopies = kTileRows * kLimbs / kColumnStep;
  static_assert(kColumnStep % kMmaColumns == 0, "all of them are swizzled alike");
  /// A thread has one sum of every kSumStep-th token; the first of those of a token has its scale.
  static constexpr int kGroups = kSectionElements / kGroup;
  static constexpr int kSumStep = kThreads / kGroups;
  static constexpr int kSums = kTileRows / kSumStep;

public:
  SORTIE_MEMBER explicit TokenProducer(const ExactOperands &operands) : operands(operands) {}

  SORTIE_MEMBER void run() {
    Block::forEachItem([&](const WarpgroupItem &item) {
      prepare(item);
#pragma unroll 1
      for (int pass = 0; pass < Block::kPasses; ++pass)
#pragma unroll 1
        for (int section = 0; section < Block::kSections; ++section) {
          hw::waitForPhase(Block::isRead(place), place.turn ^ 1);
          copyTokens(section);
          hw::commitCopies();
          announce<1>();
          Block::withFormatOf(pass, [&]<Format F>() { loadSums<F>(section); });
          pending = {pass, tokens};
          Block::advance(place);
        }
    });
    announce<0>();
  }

private:
  /// The stage before `place`, if it has been copied and not yet announced.
  struct Pending {
    int pass;
    int tokens; ///< or 0: there is none
  };

  //===- Tokens -----------------------------------------------------------===//

  // What follows from the thread is computed anew in each stage: it would take too many registers.
  SORTIE_DEVICE int thread() { return hw::threadIndexAnew() - kConsumerThreads; }
  SORTIE_DEVICE int unit(int thread) { return thread % kUnits; }
  SORTIE_DEVICE int firstColumn(int thread) { return thread / kUnits; }
  SORTIE_DEVICE int firstOfSum(int thread) { return thread / kGroups; }

  /// The row of a token of an item; past its end, that of the last one. In units of 16 bytes from
  /// the start of the input: addresses would take twice the registers.
  SORTIE_MEMBER uint32_t rowOf(const WarpgroupItem &item, int token) const {
    int row = item.firstRow + (token < item.rows ? token : item.rows - 1);
    if constexpr (Spec::kSlots != 0)
      row = hw::loadReadOnly(operands.permutation + row) / Spec::kSlots;
    return static_cast<uint32_t>(row) * static_cast<uint32_t>(kRow.bytes / kUnitBytes);
  }
  SORTIE_MEMBER const char *at(uint32_t units) const {
    return static_cast<const char *>(operands.input) + int64_t{units} * kUnitBytes;
  }

  SORTIE_MEMBER void prepare(const WarpgroupItem &item) {
    const int own = thread();
    tokens = columnsFor(item.rows, kLimbs) / kLimbs;
#pragma unroll
    for (int i = 0; i < kCopies; ++i)
      ofLimbs[i] = rowOf(item, (firstColumn(own) + i * kColumnStep) / kLimbs);
#pragma unroll
    for (int i = 0; i < kSums; ++i)
      ofSum[i] = rowOf(item, firstOfSum(own) + i * kSumStep);
  }

  SORTIE_MEMBER void copyTokens(int section) const {
    const int own = thread();
    char *stage = Block::stageAt(place);
    const int column = firstColumn(own);
    char *to = stage + column * kColumnStride + placeOfUnit(column, unit(own));
    const int inRow = static_cast<int>(kRow.limbs) +
                      column % kLimbs * static_cast<int>(kRow.limbStride) + unit(own) * kUnitBytes +
                      section * kSectionElements;
#pragma unroll
    for (int i = 0; i < kCopies; ++i)
      if (i * kColumnStep < tokens * kLimbs)
        hw::copyAsync<kUnitBytes>(to + i * kColumnStep * kColumnStride, at(ofLimbs[i]) + inRow);
#pragma unroll
    for (int i = 0; i < kSums; ++i)
      if (own % kGroups == 0 && i * kSumStep < tokens)
        hw::copyAsync<4>(stage + kGeometry.scalesOffset +
                             Block::placeOfScale(firstOfSum(own) + i * kSumStep) * 4,
                         at(ofSum[i]) + kRow.scales + section * 4);
  }

  //===- Their sums -------------------------------------------------------===//

  template <Format F> SORTIE_MEMBER void loadSums(int section) {
    if constexpr (WarpgroupSums<F, kLimbs>::kAreUsed) {
      const int own = thread();
#pragma unroll
      for (int i = 0; i < kSums; ++i)
        if (i * kSumStep < tokens)
          sums[i] = TokenSums<F>::template load<Spec::kInput, Spec::kK>(at(ofSum[i]), section,
                                                                        own % kGroups);
    }
  }

  template <Format F> SORTIE_MEMBER void storeSums() const {
    using Sums = WarpgroupSums<F, kLimbs>;
    if constexpr (Sums::kAreUsed) {
      const int own = thread();
      char *stage = Block::stageAt(Block::before(place)) + kGeometry.sumsOffset;
#pragma unroll
      for (int i = 0; i < kSums; ++i)
        if (i * kSumStep < pending.tokens)
          Sums::store(stage + (firstOfSum(own) + i * kSumStep) * Sums::kTokenBytes, own % kGroups,
                      sums[i]);
    }
  }

  /// The stage before is there, if there is one: all copies but those of `Younger` groups have
  /// come.
  template <int Younger> SORTIE_MEMBER void announce() const {
    if (pending.tokens == 0)
      return;
    Block::withFormatOf(pending.pass, [&]<Format F>() { storeSums<F>(); });
    hw::waitForCopies<Younger>();
    hw::fenceBeforeCopies(); // products read what the thread has written as copies do
    hw::syncWarp();
    if (hw::laneIndex() == 0)
      hw::arriveMbarrier(Block::isThere(Block::before(place)));
  }

  const ExactOperands &operands;
  RingPlace place = {0, 0};
  Pending pending = {};
  int tokens = 0; ///< of the item's tile, with those that fill it up
  uint32_t ofLimbs[kCopies];
  uint32_t ofSum[kSums];
  RawSum<kLimbs> sums[kSums] = {};
};

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_SM_90_WARPGROUPPRODUCER_H
