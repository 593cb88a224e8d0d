// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What is chosen for products: chips by themselves, the fastest of the candidates.

#include "codegen/ProductPlan.h"

#include "gtest/gtest.h"

using namespace sortie::codegen;
using sortie::numerics::Format;
using sortie::numerics::RowKind;

namespace {

Product plain(int64_t rows, int64_t columns, Format format = Format::Q4_K) {
  return {.first = format,
          .second = format,
          .input = format == Format::F32 ? RowKind::F32 : RowKind::Int16,
          .output = RowKind::F32,
          .rows = rows,
          .columns = columns};
}

ProductPlan exact(const Product &product, llvm::StringRef chip = "sm_90a") {
  return plan(ProductFamily::Exact, product, *findChip(chip));
}

TEST(ProductPlanTest, LongRowsAreCutWhereBlocksAreFew) {
  EXPECT_EQ(exact(plain(4096, 14336)).slices, 4); // 16 blocks
  EXPECT_EQ(exact(plain(4096, 3072)).slices, 2);  // three chunks of K, so no more than three teams
  EXPECT_EQ(exact(plain(2048, 768)).slices, 1);   // one chunk
  EXPECT_EQ(exact(plain(4096, 14336), "sm_89").slices, 1) << "its shared memory is too small";
  EXPECT_EQ(exact(plain(256 * 132, 14336)).slices, 1)
      << "a block for each multiprocessor, all the same";
}

TEST(ProductPlanTest, GatedProductsAreNotCut) {
  Product product = plain(4096, 14336);
  product.isGated = true;
  EXPECT_EQ(candidates(ProductFamily::Exact, product, *findChip("sm_90a")).size(), 1u);
}

TEST(ProductPlanTest, HeadsCountAsTiles) {
  Product product = plain(512, 4096);
  product.heads = 16; // 32 blocks
  EXPECT_EQ(exact(product).slices, 4);
  product.heads = 64; // 128 blocks
  EXPECT_EQ(exact(product).slices, 1) << "the device would not take them for few tiles";
  EXPECT_EQ(exact(product).grid.columnBlocks, 2) << "of a head";
  const double seconds = exact(product).seconds;
  product.heads = 128;
  EXPECT_GT(exact(product).seconds, seconds) << "more bytes, more waves";
}

TEST(ProductPlanTest, EachChipHasItsOwnGrid) {
  EXPECT_EQ(exact(plain(4096, 14336)).grid.columnBlocks, 64);
  EXPECT_EQ(exact(plain(4096, 14336), "sm_89").grid.columnBlocks, 16);
}

TEST(ProductPlanTest, TheFastestCandidateIsTaken) {
  const Product product = plain(4096, 14336);
  const Chip &chip = *findChip("sm_90a");
  const auto all = candidates(ProductFamily::Exact, product, chip);
  ASSERT_EQ(all.size(), 3u); // 1, 2 and 4 slices
  for (const ProductPlan &candidate : all) {
    EXPECT_GE(candidate.seconds, plan(ProductFamily::Exact, product, chip).seconds);
    EXPECT_EQ(candidate.storage, Storage::Packed);
    EXPECT_GT(candidate.code.threads, 0);
  }
}

Product grouped(int64_t rows, int64_t columns, Format format = Format::Q4_K) {
  Product product = plain(rows, columns, format);
  product.isGrouped = true;
  product.experts = 128;
  return product;
}

bool usesWarpgroups(const Product &product, llvm::StringRef chip = "sm_90a") {
  const ProductPlan chosen =
      plan(ProductFamily::Exact, product, *findChip(chip), {.warpgroups = true});
  return chosen.code.headers.front() == "sm_90/WarpgroupProduct.h";
}

TEST(ProductPlanTest, WarpgroupsAreAnOption) {
  EXPECT_TRUE(usesWarpgroups(grouped(2048, 768)));
  EXPECT_FALSE(usesWarpgroups(grouped(2048, 768), "sm_90")) << "it has no wgmma";
  EXPECT_FALSE(usesWarpgroups(plain(2048, 768))) << "no experts";
  EXPECT_FALSE(usesWarpgroups(grouped(2048, 768, Format::Q6_K))) << "sub-blocks of 16";
  Product limbsApart = grouped(2048, 768, Format::Q5_K);
  EXPECT_FALSE(usesWarpgroups(limbsApart)) << "too few registers";
  limbsApart.input = RowKind::Int8;
  EXPECT_TRUE(usesWarpgroups(limbsApart));
  EXPECT_EQ(exact(grouped(2048, 768)).code.headers.front(), "exact/ExactProduct.h")
      << "nobody asked";
}

TEST(ProductPlanTest, WarpgroupsHaveTheGridOfOtherChips) {
  const Product product = grouped(4096, 14336);
  const ProductPlan with =
      plan(ProductFamily::Exact, product, *findChip("sm_90a"), {.warpgroups = true});
  EXPECT_EQ(with.grid.columnBlocks, exact(product).grid.columnBlocks);
  EXPECT_EQ(with.slices, exact(product).slices) << "few rows are multiplied in the same way";
  EXPECT_EQ(with.code.threads, exact(product).code.threads);
}

TEST(ProductPlanTest, FloatsAreReadAsTheyLie) {
  const Product product = plain(64, 2048, Format::F32);
  for (const ProductFamily family : {ProductFamily::Float, ProductFamily::Bf16}) {
    const ProductPlan chosen = plan(family, product, *findChip("sm_80"));
    EXPECT_EQ(chosen.storage, Storage::Raw);
    EXPECT_GT(chosen.seconds, 0);
  }
}

} // namespace
