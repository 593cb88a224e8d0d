// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The warps that multiply: a warpgroup has 64 rows of weights, which each warp decodes into
// registers from a panel of its own, and all tokens of the tile. A product is one group of 32
// elements and up to kUnitColumns columns (a *unit*). Two are under way, so that the sums of one
// are scaled while the next one multiplies; the product of the minimums goes with the last group's.

#ifndef SORTIE_CODEGEN_KERNELS_SM_90_WARPGROUPTILE_H
#define SORTIE_CODEGEN_KERNELS_SM_90_WARPGROUPTILE_H

#include "codegen/kernels/exact/ExactDot.h"
#include "codegen/kernels/sm_90/WarpgroupSums.h"

namespace sortie::kernels {

/// IfTrue or IfFalse.
template <bool, typename IfTrue, typename IfFalse> struct Choice {
  using Type = IfTrue;
};
template <typename IfTrue, typename IfFalse> struct Choice<false, IfTrue, IfFalse> {
  using Type = IfFalse;
};

/// What a warp holds of a panel and an activation block: levels of each group, scales of both rows.
template <Format F> struct WarpgroupPanel {
  static constexpr bool kHasSubScales = PackedLayout<F>::kHasSubScales;
  static constexpr int kGroups = kSectionElements / kGroup;

  uint32_t levels[kGroups][4]; ///< A of each group
  typename Choice<kHasSubScales, SubScales, GroupScales>::Type rows[2];

  /// Loads section `section` of a block: its planes, and the scales of the whole block.
  SORTIE_MEMBER void load(const char *planes, int section) {
    using Layout = PackedLayout<F>;
    const char *scales = planes + Layout::kSizes.sectionBytes;
    uint32_t decoded[kRegistersPerSection];
    decodeLevels<F>(loadPlane<Layout::kLowBits>(planes),
                    loadPlane<Layout::kHighBits>(planes + Layout::kLowBytes), decoded);
#pragma unroll
    for (int q = 0; q < kRegistersPerSection; ++q)
      levels[q / 4][q % 4] = decoded[q];
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      uint32_t words[kScaleWords<F>];
      loadScaleWords<F>(scales, section, hw::laneIndex() / 4 + 8 * r, words);
      if constexpr (kHasSubScales)
        rows[r] = decodeSubScales<F>(words, section);
      else
        rows[r] = decodeGroupScales<F>(words);
    }
  }
};

/// The product of a tile of `Columns` columns.
template <typename Spec, int Columns> class WarpgroupTile {
  using Block = WarpgroupBlock<Spec>;
  static constexpr WarpgroupGeometry kGeometry = Block::kGeometry;
  static constexpr int kLimbs = Block::kLimbs;
  using Lane = typename Block::Lane;
  static constexpr int kUnits = Columns > kUnitColumns ? 2 : 1;
  static constexpr int kWidth = Columns / kUnits;          ///< columns of a unit
  static constexpr int kUnitBlocks = kWidth / kMmaColumns; ///< eight columns each
  static constexpr int kBlocks = Columns / kMmaColumns;
  static constexpr int kGroups = kSectionElements / kGroup;

public:
  /// The lane's sums, by eight columns.
  using Sums = float[kBlocks][Lane::kOutputs];

  /// Multiplies all sections of pass `pass`.
  template <Format F> SORTIE_DEVICE void multiply(RingPlace &place, Sums &sums) {
#pragma unroll
    for (auto &block : sums)
#pragma unroll
      for (float &sum : block)
        sum = 0.0f;
#pragma unroll 1
    for (int section = 0; section < Block::kSections; ++section) {
      hw::waitForPhase(Block::isThere(place), place.turn);
      multiplySection<F>(Block::stageAt(place), section, sums);
      hw::syncWarp();
      if (hw::laneIndex() == 0)
        hw::arriveMbarrier(Block::isRead(place));
      Block::advance(place);
      if (section % kBlocksPerChunk == kBlocksPerChunk - 1 || section == Block::kSections - 1)
        endChunk(section, sums);
    }
  }

  //===- Sums that wait in shared memory ----------------------------------===//

  SORTIE_DEVICE typename Lane::Outputs &waitingSum(int offset, int block) {
    return hw::sharedMemory<typename Lane::Outputs>(
        offset)[block * kConsumerThreads + hw::threadIndexAnew()];
  }

private:
  //===- An activation block ----------------------------------------------===//

  template <Format F>
  SORTIE_DEVICE void multiplySection(const char *stage, int section, Sums &sums) {
    using Minimums = WarpgroupSums<F, kLimbs>;
    constexpr bool kHasProduct = Minimums::kAreUsed && !Minimums::kAreFloats;
    constexpr int kProducts = kUnits * kGroups;
    WarpgroupPanel<F> panel;
    panel.load(stage + kGeometry.weightsOffset + hw::warpIndex() * kGeometry.warpBytes,
               section % PackedLayout<F>::kSizes.sections);
    const uint32_t columns = hw::columnsAt(stage);
    [[maybe_unused]] const uint32_t digits = hw::columnsAt(stage + kGeometry.sumsOffset);
    int32_t products[2][kWidth / 2];
    [[maybe_unused]] float offsets[kHasProduct ? kWidth / 2 : 1];
    [[maybe_unused]] uint32_t minimums[4];
    if constexpr (kHasProduct)
      Minimums::makeOperand(panel.rows, minimums);
    const auto begin = [&](int product) {
      const int unit = product / kGroups;
      const int group = product % kGroups;
      hw::fenceProducts();
      hw::multiplyWarpgroup<kWidth, false>(
          products[product % 2], panel.levels[group],
          columns + static_cast<uint32_t>(unit * kWidth * kColumnStride / 16 + group * 2));
      if constexpr (kHasProduct)
        if (group == kGroups - 1)
          hw::multiplyHalves<kWidth, false, hw::Columns::Short>(
              offsets, minimums, digits + static_cast<uint32_t>(unit * kWidth));
      hw::commitProducts();
    };
    begin(0);
    Runs<F> runs;
#pragma unroll
    for (int product = 0; product < kProducts; ++product) {
      if (product + 1 < kProducts) {
        begin(product + 1);
        hw::waitForProducts<1>();
      } else {
        hw::waitForProducts<0>();
      }
      const int unit = product / kGroups;
      const int group = product % kGroups;
      hw::receive(products[product % 2]);
      runs.add(panel, group, products[product % 2]);
      if (group != kGroups - 1)
        continue;
      if constexpr (kHasProduct)
        hw::receive(offsets);
      addUnit<F>(panel, stage, unit, runs, offsets, sums);
    }
  }

  /// What a unit's groups have come to: an integer run of each output, or of each column where
  /// limbs may not be combined before; or t, where each group has a float scale.
  template <Format F> struct Runs {
    static constexpr bool kHasSubScales = PackedLayout<F>::kHasSubScales;
    static constexpr bool kIsEarly = isCombinable(formatInfo(F));
    static constexpr int kCount = kHasSubScales && !kIsEarly ? 4 : Lane::kOutputs;
    struct Integers {
      int32_t of[kUnitBlocks][kCount];
    };
    struct Floats {
      float of[kUnitBlocks][kCount];
    };
    typename Choice<kHasSubScales, Integers, Floats>::Type values;

    SORTIE_MEMBER void add(const WarpgroupPanel<F> &panel, int group,
                           const int32_t (&products)[kWidth / 2]) {
#pragma unroll
      for (int n = 0; n < kUnitBlocks; ++n) {
        const int32_t columns[4] = {products[4 * n], products[4 * n + 1], products[4 * n + 2],
                                    products[4 * n + 3]};
        addBlock(panel, group, columns, values.of[n]);
      }
    }

    SORTIE_DEVICE void addBlock(const WarpgroupPanel<F> &panel, int group,
                                const int32_t (&columns)[4], int32_t (&to)[kCount]) {
      const int32_t scales[2] = {subScale(panel.rows[0], group), subScale(panel.rows[1], group)};
      int32_t own[kCount];
      if constexpr (kIsEarly)
        combineColumns<kLimbs>(columns, own);
      else
#pragma unroll
        for (int i = 0; i < 4; ++i)
          own[i] = columns[i];
#pragma unroll
      for (int i = 0; i < kCount; ++i) {
        const int32_t scaled = scales[i / (kCount / 2)] * own[i];
        to[i] = group == 0 ? scaled : to[i] + scaled;
      }
    }

    SORTIE_DEVICE void addBlock(const WarpgroupPanel<F> &panel, int group,
                                const int32_t (&columns)[4], float (&to)[kCount]) {
      int32_t own[kCount];
      combineColumns<kLimbs>(columns, own);
#pragma unroll
      for (int o = 0; o < kCount; ++o) {
        const float d = panel.rows[Lane::whichRow(o)].d[group];
        to[o] = group == 0 ? firstRun(toFloat(own[o]), d) : addRun(toFloat(own[o]), d, to[o]);
      }
    }
  };

  /// Adds the unit's t to the chunk's sums.
  template <Format F, int Offsets>
  SORTIE_DEVICE void addUnit(const WarpgroupPanel<F> &panel, const char *stage, int unit,
                             const Runs<F> &runs, const float (&offsets)[Offsets], Sums &sums) {
    using Minimums = WarpgroupSums<F, kLimbs>;
    const auto *scales = reinterpret_cast<const float *>(stage + kGeometry.scalesOffset) +
                         hw::laneIndex() % 4 * Block::kScalesOfLane +
                         unit * kUnitBlocks * Lane::kTokensOfLane;
#pragma unroll
    for (int n = 0; n < kUnitBlocks; ++n) {
      float t[Lane::kOutputs];
      finish<F>(panel, runs.values.of[n], t);
      if constexpr (Minimums::kAreFloats) {
        const int token = (unit * kUnitBlocks + n) * Lane::kTokens;
        addMinimums<F>(panel, stage + kGeometry.sumsOffset + token * Minimums::kTokenBytes, t);
      } else if constexpr (Minimums::kAreUsed) {
#pragma unroll
        for (int o = 0; o < Lane::kOutputs; ++o)
          t[o] = Minimums::subtract(offsets + 4 * n, o,
                                    minimumScaleOf(panel.rows[Lane::whichRow(o)]), t[o]);
      }
#pragma unroll
      for (int o = 0; o < Lane::kOutputs; ++o) {
        float &sum = sums[unit * kUnitBlocks + n][o];
        sum = addBlock(t[o], scales[n * Lane::kTokensOfLane + o % Lane::kTokensOfLane], sum);
      }
    }
  }

  /// t of outputs without their minimums.
  template <Format F, int Count>
  SORTIE_DEVICE void finish(const WarpgroupPanel<F> &panel, const int32_t (&runs)[Count],
                            float (&t)[Lane::kOutputs]) {
#pragma unroll
    for (int o = 0; o < Lane::kOutputs; ++o) {
      float run;
      if constexpr (Runs<F>::kIsEarly || kLimbs == 1)
        run = toFloat(runs[o]);
      else
        run = combineLimbs(runs[2 * o + 1], runs[2 * o]);
      t[o] = firstRun(run, scaleOf<F>(panel.rows[Lane::whichRow(o)]));
    }
  }
  template <Format F>
  SORTIE_DEVICE void finish(const WarpgroupPanel<F> & /*panel*/,
                            const float (&runs)[Lane::kOutputs], float (&t)[Lane::kOutputs]) {
#pragma unroll
    for (int o = 0; o < Lane::kOutputs; ++o)
      t[o] = runs[o];
  }

  /// Adds the float minimums of the four groups to t; `tokens` has the sums of eight columns.
  template <Format F>
  SORTIE_DEVICE void addMinimums(const WarpgroupPanel<F> &panel, const char *tokens,
                                 float (&t)[Lane::kOutputs]) {
#pragma unroll
    for (int i = 0; i < Lane::kTokensOfLane; ++i) {
      const hw::Words4 ofToken = *reinterpret_cast<const hw::Words4 *>(
          tokens + Lane::tokenOf(i) * WarpgroupSums<F, kLimbs>::kTokenBytes);
#pragma unroll
      for (int g = 0; g < kGroups; ++g)
#pragma unroll
        for (int r = 0; r < 2; ++r) {
          float &sum = t[r * Lane::kTokensOfLane + i];
          sum = addMinimum(floatOf(ofToken.word[g]), panel.rows[r].m[g], sum);
        }
    }
  }

  //===- Chunks -----------------------------------------------------------===//

  /// Adds the chunk that ends with `section` to the totals of those before. After the last chunk
  /// `sums` are the totals.
  SORTIE_DEVICE void endChunk(int section, Sums &sums) {
    if constexpr (Block::kSections > kBlocksPerChunk) {
      const bool isFirst = section < kBlocksPerChunk;
      const bool isLast = section == Block::kSections - 1;
#pragma unroll
      for (int n = 0; n < kBlocks; ++n) {
        auto &total = waitingSum(kGeometry.totalsOffset, n);
        typename Lane::Outputs next = total;
#pragma unroll
        for (int o = 0; o < Lane::kOutputs; ++o) {
          next.value[o] = isFirst ? sums[n][o] : add(next.value[o], sums[n][o]);
          sums[n][o] = isLast ? next.value[o] : 0.0f;
        }
        total = next;
      }
    }
  }
};

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_SM_90_WARPGROUPTILE_H
