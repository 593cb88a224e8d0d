// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sizes and places in shared memory of exact products: all formats, lengths of rows and chips.

#include "codegen/kernels/ExactGeometry.h"

#include "gtest/gtest.h"

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

  ExactGeometry geometry() const { return exactGeometry(first, second, input, k, limit); }
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
int panelBytes(Format format, int elements) {
  const PackedSizes sizes = packedSizes(format);
  const int scales = kPanelRows * (sizes.scaleBytes + sizes.tailBytes);
  if (elements < sizes.blockElements)
    return sizes.halfBytes + scales;
  return elements / sizes.blockElements * (sizes.halves * sizes.halfBytes + scales);
}

TEST(ExactGeometry, FitsEveryChip) {
  forAll([](const Parameters &p) {
    const ExactGeometry g = p.geometry();
    ASSERT_GE(g.stages, 2) << p;
    ASSERT_LE(g.stages, 4) << p;
    ASSERT_GE(g.products, 1) << p;
    ASSERT_LE(g.products * kTokensPerProduct, kTileRows) << p;
    ASSERT_LE(g.sharedBytes, p.limit) << p;
    ASSERT_TRUE(g.elements == 128 || g.elements == 256) << p;
  });
}

TEST(ExactGeometry, PartsOfAStageDoNotOverlap) {
  forAll([](const Parameters &p) {
    const ExactGeometry g = p.geometry();
    const int tokens = g.products * kTokensPerProduct;
    ASSERT_GE(g.warpBytes, panelBytes(p.first, g.elements)) << p;
    ASSERT_GE(g.warpBytes, panelBytes(p.second, g.elements)) << p;
    ASSERT_GE(g.limbsOffset, kExactWarps * g.warpBytes) << p;
    ASSERT_GE(g.tokenStride, g.elements) << p;
    ASSERT_GE(g.limbStride, tokens * g.tokenStride) << p;
    ASSERT_GE(g.scalesOffset, g.limbsOffset + limbCount(p.input) * g.limbStride) << p;
    ASSERT_GE(g.stageBytes, g.scalesOffset + tokens * (g.elements / 128) * 4) << p;
  });
}

TEST(ExactGeometry, PartsOfABlockDoNotOverlap) {
  static_assert(kTileTableBytes >= int{sizeof(Tile)} + kTileRows * 4);
  forAll([](const Parameters &p) {
    const ExactGeometry g = p.geometry();
    const int sums = g.products * kExactThreads * 16;
    ASSERT_GE(g.totalsOffset, kTileTableBytes + sums) << p;
    ASSERT_GE(g.stagesOffset, g.totalsOffset + (p.k > 1024 ? sums : 0)) << p;
    ASSERT_GE(g.sharedBytes, g.stagesOffset + g.stages * g.stageBytes) << p;
    // Outputs wait where the stages were: 256 floats a token.
    ASSERT_GE(kValueStride, 256);
    ASSERT_GE(g.sharedBytes, g.stagesOffset + g.products * kTokensPerProduct * kValueStride * 4)
        << p;
  });
}

TEST(ExactGeometry, CopiesAreAligned) {
  forAll([](const Parameters &p) {
    const ExactGeometry g = p.geometry();
    for (const int bytes : {g.warpBytes, g.limbsOffset, g.tokenStride, g.limbStride, g.scalesOffset,
                            g.stageBytes, g.totalsOffset, g.stagesOffset})
      ASSERT_EQ(bytes % 16, 0) << p;
    ASSERT_EQ(g.tokenStride / 16 % 2, 1) << p << ": rows of a matrix share banks";
  });
}

TEST(ExactGeometry, ChunksEndWhereStagesDo) {
  forAll([](const Parameters &p) { ASSERT_EQ(1024 % p.geometry().elements, 0) << p; });
}

TEST(ExactGeometry, MoreMemoryIsNeverWorse) {
  forAll([](const Parameters &p) {
    for (const int limit : kLimits) {
      Parameters larger = p;
      larger.limit = std::max(limit, p.limit);
      ASSERT_GE(larger.geometry().products, p.geometry().products) << p;
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
