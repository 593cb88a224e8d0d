// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the two kinds of warpgroups of an exact product share: its items, the ring of its stages.
//
// An item is a tile of tokens times kItemColumns columns of the output. They are numbered by
// expert, then columns, then tile: blocks that work at the same time read the same weights. Block b
// of kBlocks has the items b, b + kBlocks and so on; both kinds of warpgroups go through them by
// themselves.

#ifndef SORTIE_CODEGEN_KERNELS_SM_90_WARPGROUPBLOCK_H
#define SORTIE_CODEGEN_KERNELS_SM_90_WARPGROUPBLOCK_H

#include "codegen/kernels/exact/ExactBlock.h"
#include "codegen/kernels/sm_90/WarpgroupGeometry.h"

#include <sortie_hardware_sm90.h>

namespace sortie::kernels {

/// Some tokens of an expert and some columns.
struct WarpgroupItem {
  int expert;
  int firstRow; ///< sorted
  int rows;
  int firstPanel;
};

/// A place in the ring.
struct RingPlace {
  int stage;
  int turn; ///< parity of the number of turns before
};

template <typename Spec> struct WarpgroupBlock {
  static constexpr WarpgroupGeometry kGeometry =
      warpgroupGeometry(Spec::kFirst, Spec::kSecond, Spec::kInput, Spec::kK, Spec::kIsGated,
                        Spec::kExperts, SORTIE_SHARED_LIMIT);
  static_assert(kGeometry.stages >= 2, "the block's shared memory is too small");
  static constexpr int kLimbs = limbCount(Spec::kInput);
  using Lane = ProductLane<kLimbs>;
  static constexpr int kSections = static_cast<int>(ceilDiv(Spec::kK, kSectionElements));
  static constexpr int kPanels = static_cast<int>(panelsOf(Spec::kN)); ///< of an expert
  static constexpr int kColumnItems = static_cast<int>(ceilDiv(Spec::kN, kItemColumns));
  static constexpr int kPasses = Spec::kIsGated ? 2 : 1;

  //===- Items ------------------------------------------------------------===//

  SORTIE_DEVICE int32_t *itemsBefore() { return hw::sharedMemory<int32_t>(kGeometry.itemsOffset); }
  SORTIE_DEVICE int32_t *rowsBefore() { return hw::sharedMemory<int32_t>(kGeometry.rowsOffset); }

  /// Fills both tables; one warp does it.
  SORTIE_DEVICE void makeTables(const int32_t *offsets) {
    int before = 0;
#pragma unroll 1
    for (int first = 0; first <= Spec::kExperts; first += kWarp) {
      const int expert = first + hw::laneIndex();
      const bool exists = expert < Spec::kExperts;
      const int begin = expert <= Spec::kExperts ? hw::loadReadOnly(offsets + expert) : 0;
      const int end = exists ? hw::loadReadOnly(offsets + expert + 1) : begin;
      int items = tilesOf(end - begin) * kColumnItems;
      const int own = items;
#pragma unroll
      for (int delta = 1; delta < kWarp; delta *= 2) {
        const int below = hw::shuffleUp(items, delta);
        items += hw::laneIndex() >= delta ? below : 0;
      }
      if (expert <= Spec::kExperts) {
        itemsBefore()[expert] = before + items - own;
        rowsBefore()[expert] = begin;
      }
      before += hw::shuffle(items, kWarp - 1);
    }
  }

  SORTIE_DEVICE int itemCount() { return itemsBefore()[Spec::kExperts]; }

  /// Item `index`, of an expert from `expert` on. All lanes of a warp take part.
  SORTIE_DEVICE WarpgroupItem itemAt(int index, int expert) {
    uint32_t past;
    do {
      const int next = expert + hw::laneIndex() + 1;
      past = hw::ballot(next < Spec::kExperts && itemsBefore()[next] <= index);
      expert += hw::countBits(past);
    } while (past == ~0u);
    const int first = rowsBefore()[expert];
    const int rows = rowsBefore()[expert + 1] - first;
    const int tiles = tilesOf(rows);
    const int inExpert = index - itemsBefore()[expert];
    const int skipped = inExpert % tiles * kTileRows;
    const int left = rows - skipped;
    return {expert, first + skipped, left < kTileRows ? left : kTileRows,
            inExpert / tiles * kConsumerWarps};
  }

  /// Calls `body` with each item of the block.
  template <typename Body> SORTIE_DEVICE void forEachItem(Body body) {
    int expert = 0;
#pragma unroll 1
    for (int index = blockNumber(); index < itemCount(); index += blockCount()) {
      const WarpgroupItem item = itemAt(index, expert);
      expert = item.expert;
      body(item);
    }
  }

  /// Blocks beyond kBlocks have nothing to do. Recomputed, or all warps would keep one copy of it
  /// in local memory.
  SORTIE_DEVICE int blockNumber() {
    return hw::recomputed(hw::blockIndexY()) * hw::gridCountX() + hw::blockIndexX();
  }
  SORTIE_DEVICE int blockCount() {
    const int all = hw::gridCountX() * hw::gridCountY();
    return all < Spec::kBlocks ? all : Spec::kBlocks;
  }

  //===- The ring ---------------------------------------------------------===//

  SORTIE_DEVICE hw::Mbarrier *isThere(RingPlace place) {
    return hw::sharedMemory<hw::Mbarrier>(kGeometry.barriersOffset) + place.stage;
  }
  SORTIE_DEVICE hw::Mbarrier *isRead(RingPlace place) { return isThere(place) + kGeometry.stages; }
  SORTIE_DEVICE char *stageAt(RingPlace place) {
    return hw::sharedMemory<char>(kGeometry.stagesOffset + place.stage * kGeometry.stageBytes);
  }
  SORTIE_DEVICE void advance(RingPlace &place) {
    if (++place.stage == kGeometry.stages)
      place = {0, place.turn ^ 1};
  }

  /// Its turn does not matter.
  SORTIE_DEVICE RingPlace before(RingPlace place) {
    return {place.stage == 0 ? kGeometry.stages - 1 : place.stage - 1, 0};
  }

  /// One thread makes the barriers. A warp arrives once: those that copy tokens, and the one that
  /// copies weights; or those that multiply.
  SORTIE_DEVICE void makeBarriers() {
    for (int stage = 0; stage < kGeometry.stages; ++stage) {
      hw::initMbarrier(isThere({stage, 0}), kTokenWarps + 1);
      hw::initMbarrier(isRead({stage, 0}), kConsumerWarps);
    }
    hw::publishMbarriers();
  }

  //===- Operands ---------------------------------------------------------===//

  /// Calls `body` with the format of gate, or of the only matrix, or with that of up.
  template <typename Body> SORTIE_DEVICE void withFormatOf(int pass, Body body) {
    if constexpr (Spec::kFirst != Spec::kSecond) {
      if (pass == 1) {
        body.template operator()<Spec::kSecond>();
        return;
      }
    }
    body.template operator()<Spec::kFirst>();
  }

  /// Where the scale of a token is among those of a stage: those of a lane lie together, as it has
  /// them in its outputs.
  static constexpr int kScalesOfLane = kTileRows / 4;
  SORTIE_DEVICE constexpr int placeOfScale(int token) {
    const int group = token / Lane::kTokens;
    const int inGroup = token % Lane::kTokens;
    return inGroup / Lane::kTokensOfLane * kScalesOfLane + group * Lane::kTokensOfLane +
           inGroup % Lane::kTokensOfLane;
  }
};

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_SM_90_WARPGROUPBLOCK_H
