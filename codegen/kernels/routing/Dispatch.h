// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The stable counting sort of slots by expert, and the tile map that products follow. Slots lie in
// segments of 2048, one for each thread block; a warp handles 128 neighbouring slots, 32 at a time.
// Ranks come from votes of the warp and from sums in order, never from atomics.

#ifndef SORTIE_CODEGEN_KERNELS_ROUTING_DISPATCH_H
#define SORTIE_CODEGEN_KERNELS_ROUTING_DISPATCH_H

#include "codegen/kernels/routing/RoutingGeometry.h"

#include <sortie_hardware.h>

namespace sortie::kernels {

/// `Experts` experts of Total, from one that a launch names as `first` on, as the kernels of one
/// dispatch count them.
template <int Experts, int Total> struct Dispatch {
  static constexpr int kColumns = dispatchColumns(Experts);
  static constexpr int kPadded = dispatchPadded(Experts);
  static constexpr int kPieces = kPadded / kWarp;
  /// In place of an expert: the slot belongs to none of these.
  static constexpr int kElsewhere = Experts;

  /// What a thread knows of its slots of a segment, one in each round.
  struct Slots {
    int expert[kDispatchRounds];
    int rank[kDispatchRounds]; ///< among the warp's slots of this expert
  };

  /// Counts of each warp [kDispatchWarps][kPadded], and behind them ~(first slot with a bad id) or
  /// 0 of each warp.
  SORTIE_DEVICE uint16_t *warpCounts() { return hw::sharedMemory<uint16_t>(); }
  SORTIE_DEVICE uint32_t *warpBad() {
    return hw::sharedMemory<uint32_t>(kDispatchWarps * kPadded * 2);
  }

  SORTIE_DEVICE int64_t slotOf(int segment, int round) {
    return int64_t{segment} * kDispatchSegment +
           (hw::warpIndex() * kDispatchRounds + round) * kWarp + hw::laneIndex();
  }

  /// The number of the expert here; a bad id counts as expert 0.
  SORTIE_DEVICE int localExpert(int32_t id, int32_t first) {
    const int32_t expert = static_cast<uint32_t>(id) < static_cast<uint32_t>(Total) ? id : 0;
    const int32_t local = expert - first;
    return static_cast<uint32_t>(local) < static_cast<uint32_t>(Experts) ? local : kElsewhere;
  }

  /// A bit for each lane that has the same expert: a vote for each bit of its number, which is
  /// faster than matching when lanes have many different ones.
  SORTIE_DEVICE uint32_t lanesWith(int expert) {
    uint32_t same = ~0u;
#pragma unroll
    for (int bit = 1; bit <= kElsewhere; bit *= 2) {
      const uint32_t votes = hw::ballot((expert & bit) != 0);
      same &= (expert & bit) != 0 ? votes : ~votes;
    }
    return same;
  }

  /// The thread's slots of a segment, with warpCounts() and warpBad(). Begins and ends with all
  /// threads in step.
  SORTIE_DEVICE Slots countSegment(const int32_t *ids, int segment, int32_t slots, int32_t first) {
    Slots mine;
    uint32_t bad = 0;
#pragma unroll
    for (int round = 0; round < kDispatchRounds; ++round) {
      const int64_t slot = slotOf(segment, round);
      mine.expert[round] = kElsewhere;
      if (slot < slots) {
        const int32_t id = ids[slot];
        mine.expert[round] = localExpert(id, first);
        const bool isBad = static_cast<uint32_t>(id) >= static_cast<uint32_t>(Total);
        bad = isBad && bad == 0 ? ~static_cast<uint32_t>(slot) : bad;
      }
    }
    hw::syncBlock();
    auto *words = reinterpret_cast<uint32_t *>(warpCounts());
    for (int i = hw::threadIndex(); i < kDispatchWarps * kPadded / 2; i += kDispatchThreads)
      words[i] = 0;
    hw::syncBlock();

    uint16_t *counts = warpCounts() + hw::warpIndex() * kPadded;
    const uint32_t lower = (1u << hw::laneIndex()) - 1;
#pragma unroll
    for (int round = 0; round < kDispatchRounds; ++round) {
      const int expert = mine.expert[round];
      const bool isHere = expert != kElsewhere;
      mine.rank[round] = 0;
      if (hw::ballot(isHere) == 0)
        continue;
      const uint32_t same = lanesWith(expert);
      const int before = isHere ? counts[expert] : 0;
      const int rank = hw::countBits(same & lower);
      hw::syncWarp();
      if (isHere && rank == 0)
        counts[expert] = static_cast<uint16_t>(before + hw::countBits(same));
      hw::syncWarp();
      mine.rank[round] = before + rank;
    }
    bad = hw::reduceMax(bad);
    if (hw::laneIndex() == 0)
      warpBad()[hw::warpIndex()] = bad;
    hw::syncBlock();
    return mine;
  }

  /// The slots of an expert in the segment; the counts of its warps become their first ranks.
  SORTIE_DEVICE uint32_t sumWarps(int expert) {
    uint32_t sum = 0;
#pragma unroll
    for (int warp = 0; warp < kDispatchWarps; ++warp) {
      uint16_t &count = warpCounts()[warp * kPadded + expert];
      const uint32_t next = sum + count;
      count = static_cast<uint16_t>(sum);
      sum = next;
    }
    return sum;
  }

  /// ~(first slot with a bad id) of the segment or 0, in warp 0.
  SORTIE_DEVICE uint32_t firstBad() {
    return hw::reduceMax(hw::laneIndex() < kDispatchWarps ? warpBad()[hw::laneIndex()] : 0u);
  }

  //===- Shared memory of the scatter -------------------------------------===//

  /// Word `index` behind the counts; see dispatchScatterSharedBytes.
  SORTIE_DEVICE uint32_t *scatterWords(int index) {
    return hw::sharedMemory<uint32_t>(dispatchCountSharedBytes(Experts)) + index;
  }
  /// Rows of each expert, then tiles of each expert.
  SORTIE_DEVICE uint32_t *counts() { return scatterWords(0); }
  /// Where the rows of each expert start, then where its tiles do.
  SORTIE_DEVICE uint32_t *starts() { return scatterWords(2 * kPadded); }
  /// The row of the segment's first slot of each expert.
  SORTIE_DEVICE uint32_t *segmentRows() { return scatterWords(4 * kPadded); }
  SORTIE_DEVICE uint32_t *pieceSums() { return scatterWords(5 * kPadded); }

  SORTIE_DEVICE uint32_t sumUpToLane(uint32_t value) {
#pragma unroll
    for (int delta = 1; delta < kWarp; delta *= 2) {
      const uint32_t below = hw::shuffleUp(value, delta);
      value += hw::laneIndex() >= delta ? below : 0;
    }
    return value;
  }

  /// starts() from counts(): a warp sums pieces of 32, then one warp each the pieces of both lists.
  SORTIE_DEVICE void sumCounts() {
    hw::syncBlock();
    for (int piece = hw::warpIndex(); piece < 2 * kPieces; piece += kDispatchWarps) {
      const int at = piece * kWarp + hw::laneIndex();
      const uint32_t sum = sumUpToLane(counts()[at]);
      starts()[at] = sum - counts()[at];
      if (hw::laneIndex() == kWarp - 1)
        pieceSums()[piece / kPieces * kWarp + piece % kPieces] = sum;
    }
    hw::syncBlock();
    if (hw::warpIndex() < 2) {
      uint32_t *sums = pieceSums() + hw::warpIndex() * kWarp;
      const uint32_t value = hw::laneIndex() < kPieces ? sums[hw::laneIndex()] : 0;
      const uint32_t sum = sumUpToLane(value);
      hw::syncWarp();
      sums[hw::laneIndex()] = sum - value;
    }
    hw::syncBlock();
    for (int i = hw::threadIndex(); i < 2 * kPadded; i += kDispatchThreads)
      starts()[i] += pieceSums()[i / kPadded * kWarp + i % kPadded / kWarp];
    hw::syncBlock();
  }

  /// counts() and segmentRows() from the histogram, the last segment (counts() has it where this
  /// is another one) and this segment (as counted).
  SORTIE_DEVICE void sumSegments(const int32_t *histogram, int segment, int last) {
    for (int expert = hw::threadIndex(); expert < kPadded; expert += kDispatchThreads) {
      uint32_t before = 0;
      uint32_t all = 0;
      if (expert < Experts) {
        const uint32_t own = sumWarps(expert);
        all = segment == last ? own : counts()[expert];
#pragma unroll 8
        for (int other = 0; other < last; ++other) {
          const auto rows = static_cast<uint32_t>(histogram[int64_t{other} * kColumns + expert]);
          all += rows;
          before += other < segment ? rows : 0;
        }
      }
      counts()[expert] = all;
      counts()[kPadded + expert] = (all + kTileRows - 1) / kTileRows;
      segmentRows()[expert] = before;
    }
  }

  /// The entries of the tile map, dealt out to the thread blocks.
  SORTIE_DEVICE void writeTiles(int32_t *tiles, int32_t maxTiles) {
    const uint32_t *tileStarts = starts() + kPadded;
    const auto count =
        static_cast<int32_t>(tileStarts[Experts - 1] + counts()[kPadded + Experts - 1]);
    for (int64_t tile = int64_t{hw::blockIndexX()} * kDispatchThreads + hw::threadIndex();
         tile < maxTiles; tile += int64_t{hw::gridCountX()} * kDispatchThreads) {
      hw::Words4 entry{};
      if (tile < count) {
        // The last expert that starts no later: those before it with the same start are empty.
        int expert = 0;
#pragma unroll
        for (int step = numerics::kMaxExperts / 2; step > 0; step /= 2)
          if (expert + step < Experts && tileStarts[expert + step] <= tile)
            expert += step;
        const uint32_t first = (static_cast<uint32_t>(tile) - tileStarts[expert]) * kTileRows;
        entry.word[0] = static_cast<uint32_t>(expert);
        entry.word[1] = starts()[expert] + first;
        entry.word[2] = static_cast<uint32_t>(lesser(counts()[expert] - first, kTileRows));
      }
      reinterpret_cast<hw::Words4 *>(tiles)[tile] = entry;
    }
  }

  /// status[0]: the first slot with a bad id or -1; status[1]: that id. `bad` is that of the first
  /// and of the last segment. Warp 0 of one block.
  SORTIE_DEVICE void writeStatus(const int32_t *ids, const int32_t *histogram, int last,
                                 uint32_t bad, int32_t *status) {
    for (int segment = hw::laneIndex(); segment < last; segment += kWarp) {
      const auto other = static_cast<uint32_t>(histogram[int64_t{segment} * kColumns + Experts]);
      bad = other > bad ? other : bad;
    }
    bad = hw::reduceMax(bad);
    if (hw::laneIndex() == 0) {
      status[0] = bad != 0 ? static_cast<int32_t>(~bad) : -1;
      status[1] = bad != 0 ? ids[~bad] : -1;
    }
  }
};

/// histogram[segment] from ids [slots]. Grid (slots floordiv kDispatchSegment): the row of the last
/// segment is not needed, so that few slots need no such launch. kDispatchThreads threads,
/// dispatchCountSharedBytes(Experts) bytes.
template <int Experts, int Total>
SORTIE_DEVICE void dispatchCount(const int32_t *ids, int32_t *histogram, int32_t slots,
                                 int32_t first) {
  using D = Dispatch<Experts, Total>;
  D::countSegment(ids, hw::blockIndexX(), slots, first);
  int32_t *row = histogram + int64_t{hw::blockIndexX()} * D::kColumns;
  for (int expert = hw::threadIndex(); expert < Experts; expert += kDispatchThreads)
    row[expert] = static_cast<int32_t>(D::sumWarps(expert));
  if (hw::warpIndex() == 0) {
    const uint32_t bad = D::firstBad();
    if (hw::laneIndex() == 0)
      row[Experts] = static_cast<int32_t>(bad);
  }
}

/// permutation [slots] (0 past the last row), inverse [slots] (-1: elsewhere), offsets
/// [Experts + 1], tiles [maxTiles][4] = {expert, first row, rows, 0}, status [2]. `maxTiles` is at
/// least the number of tiles: tileCount(slots, Experts). Grid (slots + 1 ceildiv kDispatchSegment),
/// so that there is a block for no slots, too; kDispatchThreads threads,
/// dispatchScatterSharedBytes(Experts) bytes.
template <int Experts, int Total>
SORTIE_DEVICE void dispatchScatter(const int32_t *ids, const int32_t *histogram,
                                   int32_t *permutation, int32_t *inverse, int32_t *offsets,
                                   int32_t *tiles, int32_t *status, int32_t slots, int32_t maxTiles,
                                   int32_t first) {
  using D = Dispatch<Experts, Total>;
  const int segment = hw::blockIndexX();
  const int last = slots == 0 ? 0 : (slots - 1) / kDispatchSegment;
  uint32_t bad = 0;
  if (segment != last) {
    D::countSegment(ids, last, slots, first);
    bad = D::firstBad();
    for (int expert = hw::threadIndex(); expert < Experts; expert += kDispatchThreads)
      D::counts()[expert] = D::sumWarps(expert);
  }
  const typename D::Slots mine = D::countSegment(ids, segment, slots, first);
  const uint32_t ownBad = D::firstBad();
  bad = bad > ownBad ? bad : ownBad;
  D::sumSegments(histogram, segment, last);
  D::sumCounts();

#pragma unroll
  for (int round = 0; round < kDispatchRounds; ++round) {
    const int64_t slot = D::slotOf(segment, round);
    const int expert = mine.expert[round];
    if (slot >= slots)
      break;
    if (expert == D::kElsewhere) {
      inverse[slot] = -1;
      continue;
    }
    const uint32_t row = D::starts()[expert] + D::segmentRows()[expert] +
                         D::warpCounts()[hw::warpIndex() * D::kPadded + expert] +
                         static_cast<uint32_t>(mine.rank[round]);
    inverse[slot] = static_cast<int32_t>(row);
    permutation[row] = static_cast<int32_t>(slot);
  }

  const uint32_t rows = D::starts()[Experts - 1] + D::counts()[Experts - 1];
  for (int64_t row = rows + int64_t{segment} * kDispatchThreads + hw::threadIndex(); row < slots;
       row += int64_t{hw::gridCountX()} * kDispatchThreads)
    permutation[row] = 0;
  D::writeTiles(tiles, maxTiles);
  if (segment != 0)
    return;
  for (int expert = hw::threadIndex(); expert < Experts; expert += kDispatchThreads)
    offsets[expert] = static_cast<int32_t>(D::starts()[expert]);
  if (hw::threadIndex() == 0)
    offsets[Experts] = static_cast<int32_t>(rows);
  if (hw::warpIndex() == 0)
    D::writeStatus(ids, histogram, last, bad, status);
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_ROUTING_DISPATCH_H
