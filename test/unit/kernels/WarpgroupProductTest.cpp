// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Exact products with warpgroups: every width of tiles, epilogue and class of formats.

#include "test/unit/kernels/WarpgroupKernels.h"

namespace sortie::kernels {

constexpr auto kQ4K = Encoding::Q4_K;
template <Encoding E, RowKind Input, int N, int K, int Experts>
using Plain = Warpgroups<PlainSpec<E, Input, N, K>, Experts>;

// N ends within a panel and within an item, K has two chunks. Blocks go through several items.
TEST(WarpgroupProduct, AllWidths) {
  using Spec = Plain<kQ4K, RowKind::Int16, 168, 1280, 4>;
  checkWarpgroups<Spec>({.rowsOfExpert = {8, 0, 16, 3}});
  checkWarpgroups<Spec>({.rowsOfExpert = {24, 31, 0, 33}});
  checkWarpgroups<Spec>({.rowsOfExpert = {64, 0, 1, 65}});
}

TEST(WarpgroupProduct, AllWidthsOfInt8) {
  using Spec = Plain<kQ4K, RowKind::Int8, 168, 1280, 4>;
  checkWarpgroups<Spec>({.rowsOfExpert = {16, 0, 31, 1}});
  checkWarpgroups<Spec>({.rowsOfExpert = {64, 40, 0, 66}});
}

/// Integers that reach their bounds, and scales that are anything.
template <Encoding E, RowKind Input> void checkEncodingOfWarpgroups() {
  using Spec = Plain<E, Input, 40, 512, 2>;
  checkWarpgroups<Spec>({.rowsOfExpert = {9, 1}});
  checkWarpgroups<Spec>({.rowsOfExpert = {12, 2}, .fill = Fill::Awkward});
  checkWarpgroups<Spec>({.rowsOfExpert = {0, 2}, .fill = Fill::AnyBits});
  for (const Fill fill : {Fill::Highest, Fill::Lowest, Fill::Signed})
    for (const Inputs inputs : {Inputs::Positive, Inputs::Negative, Inputs::Signs})
      checkWarpgroups<Spec>({.rowsOfExpert = {3, 0}, .fill = fill, .inputs = inputs});
}
template <Encoding E> void checkWidthsOfWarpgroups() {
  checkEncodingOfWarpgroups<E, RowKind::Int16>();
  checkEncodingOfWarpgroups<E, RowKind::Int8>();
}

TEST(WarpgroupProduct, Q4K) { checkWidthsOfWarpgroups<kQ4K>(); }
TEST(WarpgroupProduct, Q5K) { checkWidthsOfWarpgroups<Encoding::Q5_K>(); }
TEST(WarpgroupProduct, Iq4Xs) { checkWidthsOfWarpgroups<Encoding::IQ4_XS>(); }
TEST(WarpgroupProduct, Q80) { checkWidthsOfWarpgroups<Encoding::Q8_0>(); }
TEST(WarpgroupProduct, Q51) { checkWidthsOfWarpgroups<Encoding::Q5_1>(); }
TEST(WarpgroupProduct, Mxfp4) { checkWidthsOfWarpgroups<Encoding::MXFP4>(); }

TEST(WarpgroupProduct, GatheredAndScaled) {
  using Base = Scaled<Gathered<PlainSpec<kQ4K, RowKind::Int16, 128, 256>, 2>>;
  checkWarpgroups<Warpgroups<Base, 3>>({.rowsOfExpert = {9, 0, 20}, .hasBias = true});
  checkWarpgroups<Warpgroups<Base, 3>>({.rowsOfExpert = {1, 2, 4}, .hasExpertScale = true});
}

// Rows that end within an activation block.
TEST(WarpgroupProduct, ShortRows) {
  using Spec = Plain<Encoding::Q4_0, RowKind::Int16, 48, 1056, 1>;
  checkWarpgroups<Spec>({.rowsOfExpert = {11}});
}

TEST(WarpgroupProduct, Gated) {
  using Base = Gathered<PlainSpec<kQ4K, RowKind::Int16, 256, 1280>, 2>;
  checkWarpgroups<Warpgroups<Gated<Base, RowKind::Int16>, 2>>({.rowsOfExpert = {40, 3}});
  checkWarpgroups<Warpgroups<Gated<Base, RowKind::Int8>, 2>>(
      {.rowsOfExpert = {5, 9}, .hasBias = true, .hasExpertScale = true});
  using Short = PlainSpec<kQ4K, RowKind::Int8, 72, 256>;
  checkWarpgroups<Warpgroups<Clamped<Short, RowKind::F32>, 2>>(
      {.rowsOfExpert = {17, 2}, .hasBias = true});
}

TEST(WarpgroupProduct, GatedInTwoFormats) {
  using Base = Mixed<PlainSpec<kQ4K, RowKind::Int16, 128, 512>, Encoding::Q8_0>;
  checkWarpgroups<Warpgroups<Gated<Base, RowKind::Int16>, 2>>({.rowsOfExpert = {10, 30}});
}

// As on other chips, but for tiles of more rows than a narrow one, which take several passes.
TEST(WarpgroupProduct, FewRows) {
  using Spec = Plain<kQ4K, RowKind::Int16, 40, 1280, 3>;
  checkWarpgroups<Spec, Way::FewRows>({.rowsOfExpert = {1, 0, 1}});
  checkWarpgroups<Spec, Way::FewRows>({.rowsOfExpert = {16, 64, 37}});
  using Cut = Warpgroups<Sliced<PlainSpec<kQ4K, RowKind::Int16, 296, 2304>, 2>, 3>;
  checkWarpgroups<Cut, Way::FewRows>({.rowsOfExpert = {4, 0, 1}});
  checkWarpgroups<Cut, Way::FewRows>({.rowsOfExpert = {4, 20, 1}});
  checkWarpgroups<Cut>({.rowsOfExpert = {4, 20, 1}});
  using Glu = Warpgroups<Gated<PlainSpec<kQ4K, RowKind::Int16, 128, 512>, RowKind::Int16>, 2>;
  checkWarpgroups<Glu, Way::FewRows>({.rowsOfExpert = {3, 18}, .hasBias = true});
}

// More experts than a warp has lanes.
TEST(WarpgroupProduct, ManyExperts) {
  Ints rows(70, 0);
  rows[0] = rows[31] = rows[32] = 1;
  rows[63] = 2;
  rows[69] = 9;
  checkWarpgroups<Plain<kQ4K, RowKind::Int16, 160, 256, 70>>({.rowsOfExpert = rows});
}

TEST(WarpgroupGeometry, ColumnsHoldTheTokens) {
  for (int limbs = 1; limbs <= 2; ++limbs)
    for (int tokens = 1; tokens <= kTileRows; ++tokens) {
      EXPECT_GE(columnsFor(tokens, limbs), tokens * limbs);
      EXPECT_LE(columnsFor(tokens, limbs), tokens * limbs + 31);
    }
  EXPECT_EQ(columnsFor(kTileRows, 2), 128);
}

TEST(WarpgroupGeometry, RoomForTilesTellsHowManyRowsThereAre) {
  constexpr int kExperts = 128;
  EXPECT_LE(tileCount(8 * kExperts, kExperts), fewTileBlocks(kExperts));
  EXPECT_GT(tileCount(8 * kExperts + 64, kExperts), fewTileBlocks(kExperts));
}

} // namespace sortie::kernels
