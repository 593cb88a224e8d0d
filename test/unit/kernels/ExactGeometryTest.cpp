// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sizes and places in shared memory of exact products: all formats, lengths of rows and chips.

#include "codegen/kernels/exact/ExactGeometry.h"

#include "gtest/gtest.h"

#include <set>

namespace sortie::kernels {
namespace {

/// sm_90, sm_80, sm_86.
constexpr int kLimits[] = {232448, 166912, 101376};

struct Parameters {
  Format first;
  Format second;
  RowKind input;
  int64_t k;
  int limit;

  /// Plain products have one format, and may be cut where there are as many chunks.
  int slices() const { return first != second || k < 2048 ? 1 : k < 4096 ? 2 : 4; }
  ExactGeometry geometry() const { return exactGeometry(first, second, input, k, slices(), limit); }
};

std::ostream &operator<<(std::ostream &stream, const Parameters &p) {
  return stream << formatInfo(p.first).name << " " << formatInfo(p.second).name << ", "
                << limbCount(p.input) << " limbs, K = " << p.k << ", " << p.limit << " bytes";
}

/// Every combination that a product may have.
template <typename Body> void forAll(Body body) {
  for (const FormatInfo &first : numerics::kFormats)
    for (const FormatInfo &second : numerics::kFormats) {
      if (!isQuantized(first) || !isQuantized(second))
        continue;
      for (const RowKind input : {RowKind::Int16, RowKind::Int8})
        for (const int64_t k : {32, 256, 352, 768, 1024, 1408, 2048, 2880, 7168, 16384})
          for (const int limit : kLimits) {
            if (k % std::max(first.elements, second.elements) != 0)
              continue;
            ASSERT_NO_FATAL_FAILURE(body(Parameters{first.format, second.format, input, k, limit}));
          }
    }
}

/// What a warp copies of a panel for a stage.
int panelBytes(Format format) {
  const PackedSizes sizes = packedSizes(format);
  return sizes.sectionBytes + kPanelRows * (sizes.scaleBytes + sizes.tailBytes);
}

/// Whether the sums of `blocks` tokens and activation blocks for gate and up share no byte, or are
/// the same.
template <typename Geometry> bool areSumsApart(const Parameters &p, const Geometry &g, int blocks) {
  return g.secondSumsOffset >= g.firstSumsOffset + blocks * tokenSumBytes(p.first) ||
         (g.secondSumsOffset == g.firstSumsOffset && haveSameSums(p.first, p.second));
}

TEST(ExactGeometry, FitsEveryChip) {
  forAll([](const Parameters &p) {
    const ExactGeometry g = p.geometry();
    ASSERT_GE(g.stages, 2) << p;
    ASSERT_LE(g.stages, kMostStages) << p;
    ASSERT_LE(g.tokens, kTileRows) << p;
    ASSERT_LE(g.sharedBytes, p.limit) << p;
    ASSERT_TRUE(g.tokens > 0 && g.tokens % kTokensAtATime == 0) << p;
  });
}

TEST(ExactGeometry, PartsOfAStageDoNotOverlap) {
  forAll([](const Parameters &p) {
    const ExactGeometry g = p.geometry();
    const int tokens = g.tokens;
    ASSERT_GE(g.warpBytes, panelBytes(p.first)) << p;
    ASSERT_GE(g.warpBytes, panelBytes(p.second)) << p;
    ASSERT_GE(g.limbsOffset, kExactWarps * g.warpBytes) << p;
    ASSERT_GE(g.scalesOffset, g.limbsOffset + tokens * limbCount(p.input) * kColumnStride) << p;
    ASSERT_GE(g.firstSumsOffset, g.scalesOffset + tokens * 4) << p;
    ASSERT_GE(g.stageBytes, g.firstSumsOffset + tokens * tokenSumBytes(p.first)) << p;
    ASSERT_GE(g.stageBytes, g.secondSumsOffset + tokens * tokenSumBytes(p.second)) << p;
    ASSERT_TRUE(areSumsApart(p, g, tokens)) << p;
  });
}

/// Of a tile whose K is cut into `slices`.
void checkNarrowTile(const Parameters &p, const NarrowGeometry &g, int slices) {
  ASSERT_TRUE(g.stages >= 2 && g.stages <= kMostStages) << p;
  const int blocks = 8 * g.tokens; // of a chunk
  ASSERT_GE(g.warpBytes, packedSizes(p.first).blockBytes) << p;
  ASSERT_GE(g.warpBytes, packedSizes(p.second).blockBytes) << p;
  ASSERT_GE(g.firstSumsOffset, g.tokens * limbCount(p.input) * kChunkColumnStride) << p;
  ASSERT_GE(g.scalesOffset, g.firstSumsOffset + blocks * tokenSumBytes(p.first)) << p;
  ASSERT_GE(g.scalesOffset, g.secondSumsOffset + blocks * tokenSumBytes(p.second)) << p;
  ASSERT_TRUE(areSumsApart(p, g, blocks)) << p;
  ASSERT_GE(g.bufferBytes, g.scalesOffset + blocks * 4) << p;
  ASSERT_GE(g.totalsOffset, kTileTableBytes + 2 * slices * g.bufferBytes) << p;
  // A float for each output of the block, of each chunk where teams have different ones.
  const int64_t outputs = int64_t{g.tokens} * 16 * kExactWarps / slices;
  const int64_t totals = slices > 1 ? ceilDiv(p.k, 1024) : p.k > 1024 ? 1 : 0;
  ASSERT_GE(g.stagesOffset, g.totalsOffset + totals * outputs * 4) << p;
  ASSERT_GE(g.sharedBytes, g.stagesOffset + g.stages * kExactWarps * g.warpBytes) << p;
  ASSERT_GE(p.geometry().sharedBytes, g.sharedBytes) << p;
  for (const int bytes : {g.firstSumsOffset, g.secondSumsOffset, g.scalesOffset, g.totalsOffset})
    ASSERT_EQ(bytes % 16, 0) << p;
  for (const int bytes : {g.warpBytes, g.bufferBytes, g.stagesOffset})
    ASSERT_EQ(bytes % kLineBytes, 0) << p;
}

TEST(ExactGeometry, PartsOfANarrowTileDoNotOverlap) {
  forAll([](const Parameters &p) {
    const NarrowGeometry g = p.geometry().narrow;
    ASSERT_TRUE(g.tokens == 0 || g.tokens == 8 || g.tokens == 16) << p;
    if (g.tokens != 0)
      checkNarrowTile(p, g, 1);
  });
}

TEST(ExactGeometry, PartsOfASlicedTileDoNotOverlap) {
  forAll([](const Parameters &p) {
    const NarrowGeometry g = p.geometry().sliced;
    if (p.slices() == 1) {
      ASSERT_EQ(g.tokens, 0) << p;
    } else if (p.limit == kLimits[0] && packedSizes(p.first).blockBytes < 4096) {
      // Larger blocks may leave no room for the sums of long rows: these are not cut.
      ASSERT_EQ(g.tokens, 8 / limbCount(p.input)) << p;
    }
    if (g.tokens != 0)
      checkNarrowTile(p, g, p.slices());
  });
}

TEST(ExactGeometry, PartsOfABlockDoNotOverlap) {
  static_assert(kBarriersOffset >= int{sizeof(Tile)} + kTileRows * 4 && kBarriersOffset % 8 == 0);
  static_assert(kTileTableBytes >= kBarriersOffset + 2 * kMostStages * 8);
  forAll([](const Parameters &p) {
    const ExactGeometry g = p.geometry();
    const int totals = g.tokens * 16 * kExactWarps * 4;
    ASSERT_GE(g.totalsOffset, kTileTableBytes) << p;
    ASSERT_GE(g.stagesOffset, g.totalsOffset + (p.k > 1024 ? totals : 0)) << p;
    ASSERT_GE(g.sharedBytes, g.stagesOffset + g.stages * g.stageBytes) << p;
    // Outputs wait behind the table: 256 floats a token.
    ASSERT_GE(kValueStride, 256);
    ASSERT_GE(g.sharedBytes, kTileTableBytes + g.tokens * kValueStride * 4) << p;
  });
}

TEST(ExactGeometry, CopiesAreAligned) {
  forAll([](const Parameters &p) {
    const ExactGeometry g = p.geometry();
    for (const int bytes : {g.scalesOffset, g.firstSumsOffset, g.secondSumsOffset, g.totalsOffset})
      ASSERT_EQ(bytes % 16, 0) << p;
    for (const int bytes : {g.warpBytes, g.limbsOffset, g.stageBytes, g.stagesOffset})
      ASSERT_EQ(bytes % kLineBytes, 0) << p;
  });
  static_assert(kTileTableBytes % kLineBytes == 0 && kColumnStride % kLineBytes == 0 &&
                kChunkColumnStride % kLineBytes == 0);
}

TEST(ExactGeometry, EightColumnsOfAUnitLieInAllBanks) {
  for (int unit = 0; unit < kChunk / 16; ++unit) {
    std::set<int> banks;
    for (int column = 8; column < 16; ++column) {
      const int place = placeOfUnit(column, unit);
      ASSERT_EQ(place / kLineBytes, unit * 16 / kLineBytes) << "unit " << unit;
      banks.insert(place % kLineBytes / 16);
    }
    ASSERT_EQ(banks.size(), 8u) << "unit " << unit;
  }
}

TEST(ExactGeometry, UnitsOfAColumnDoNotOverlap) {
  for (int column = 0; column < 16; ++column) {
    std::set<int> places;
    for (int unit = 0; unit < 8; ++unit)
      places.insert(placeOfUnit(column, unit));
    ASSERT_EQ(places.size(), 8u) << "column " << column;
    ASSERT_EQ(*places.rbegin(), 7 * 16) << "column " << column;
  }
}

TEST(ExactGeometry, MoreMemoryIsNeverWorse) {
  forAll([](const Parameters &p) {
    for (const int limit : kLimits) {
      Parameters larger = p;
      larger.limit = std::max(limit, p.limit);
      ASSERT_GE(larger.geometry().tokens, p.geometry().tokens) << p;
    }
  });
}

TEST(ExactGeometry, SaysWhereMemoryIsTooSmall) {
  forAll([](Parameters p) {
    p.limit = 16 * 1024;
    ASSERT_EQ(p.geometry().stages, 0) << p;
  });
}

} // namespace
} // namespace sortie::kernels
