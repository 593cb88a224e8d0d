// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every kind of kernel, every format: the sources compile for each generation of chips without a
// warning, and no kernel spills, uses local memory, or more shared memory than it may. Rows by
// themselves: test/passes/moert-select-kernels-rows.mlir.

#include "codegen/KernelSource.h"
#include "codegen/Compiler.h"
#include "codegen/CostModel.h"

#include "llvm/Support/ThreadPool.h"
#include "gtest/gtest.h"

#include <cstdlib>

using namespace llvm;
using namespace sortie::codegen;
using sortie::numerics::Format;
using sortie::numerics::RowKind;

namespace {

const StringRef kArchitectures[] = {"sm_80", "sm_89", "sm_90a", "compute_80"};
/// Chips for which NVRTC makes PTX of what it sees for `compute_80`, and assembles it: the headers
/// tell no chips before sm_90 apart.
constexpr StringLiteral kChipsWithThePtx[] = {"sm_80", "sm_89"};

const Compiler &compiler() {
  static const Compiler compiler = [] {
    Expected<Nvrtc> nvrtc = Nvrtc::load();
    if (!nvrtc)
      report_fatal_error(nvrtc.takeError());
    return Compiler(std::move(*nvrtc), std::nullopt);
  }();
  return compiler;
}

void expectFits(const KernelCode &code, const Chip &chip) {
  EXPECT_LE(code.shared, chip.sharedLimit) << code.kind << " " << chip.architecture;
  EXPECT_EQ(code.threads % 32, 0);
}

void expectCleanImage(const KernelCode &code, const Chip &chip) {
  const std::string source = writeSource(code, "kernel");
  Expected<CompiledImage> image = compiler().compile("kernel", source, chip.architecture);
  if (!image) {
    ADD_FAILURE() << toString(image.takeError()) << "\n" << source;
    return;
  }
  EXPECT_EQ(image->log.find("warning"), std::string::npos) << image->log << "\n" << source;
  if (isPtxArchitecture(chip.architecture))
    return;
  const std::optional<ResourceUsage> usage = parseResourceUsage(image->log, "kernel");
  ASSERT_TRUE(usage) << image->log;
  EXPECT_TRUE(usage->isClean()) << chip.architecture << ": " << usage->stack
                                << " bytes of local memory, " << usage->spillStores << " spilled, "
                                << usage->staticShared << " static shared\n"
                                << source;
}

void expectClean(const KernelCode &code, const Chip &chip) {
  expectFits(code, chip);
  expectCleanImage(code, chip);
}

/// What `code` gives for each chip compiles; chips at the same time. A source is not compiled to
/// PTX alone where a cubin is made of it.
template <typename Code>
void expectCleanEverywhere(Code code, ArrayRef<StringRef> architectures = kArchitectures) {
  DefaultThreadPool pool;
  for (StringRef architecture : architectures)
    pool.async([&, architecture] {
      const Chip *chip = findChip(architecture);
      const KernelCode own = code(*chip);
      expectFits(own, *chip);
      const auto hasSameSource = [&](StringRef other) {
        return writeSource(code(*findChip(other)), "kernel") == writeSource(own, "kernel");
      };
      if (!isPtxArchitecture(architecture) || none_of(kChipsWithThePtx, hasSameSource))
        expectCleanImage(own, *chip);
    });
  pool.wait();
}

void expectCleanEverywhere(const KernelCode &code) {
  expectCleanEverywhere([&](const Chip &) { return code; });
}

/// The chips for one of many kernels, the one with this number: of those before Hopper, which
/// differ in their shared memory and in how they are assembled, one or the other. All with
/// SORTIE_EXHAUSTIVE=1, as `scripts/test.sh --exhaustive` has it.
SmallVector<StringRef> architecturesFor(size_t number) {
  const char *exhaustive = std::getenv("SORTIE_EXHAUSTIVE");
  if (exhaustive && StringRef(exhaustive) == "1")
    return SmallVector<StringRef>(ArrayRef(kArchitectures));
  return {number % 2 == 0 ? "sm_80" : "sm_89", "sm_90a", "compute_80"};
}

//===----------------------------------------------------------------------===//
// Operands of cuBLAS
//===----------------------------------------------------------------------===//

TEST(KernelSourceTest, OperandsOfCublas) {
  expectCleanEverywhere(roundBf16Kernel(2048));
  expectCleanEverywhere(roundBf16Kernel(33));
  for (const Format format : {Format::F32, Format::F16})
    expectCleanEverywhere(packBf16Kernel(format, 768));
}

//===----------------------------------------------------------------------===//
// Routing
//===----------------------------------------------------------------------===//

TEST(KernelSourceTest, Route) {
  sortie::numerics::RouteParams params{.experts = 128, .selected = 8};
  expectCleanEverywhere(routeKernel(params, false));
  params.normalize = true;
  params.scoring = sortie::numerics::Scoring::SoftmaxAfterTopK;
  expectCleanEverywhere(routeKernel(params, true));
  params = {.experts = 256, .selected = 8, .groups = 8, .groupsUsed = 4};
  params.scoring = sortie::numerics::Scoring::Sigmoid;
  params.scale = 2.5f;
  expectCleanEverywhere(routeKernel(params, true));
  params = {.experts = 160, .selected = 6, .groups = 8, .groupsUsed = 3};
  params.groupScore = sortie::numerics::GroupScore::Best;
  expectCleanEverywhere(routeKernel(params, false));
  params = {.experts = 1024, .selected = 32, .groups = 64, .groupsUsed = 32};
  params.scoring = sortie::numerics::Scoring::Raw;
  expectCleanEverywhere(routeKernel(params, false));
}

TEST(KernelSourceTest, Dispatch) {
  for (const ExpertCounts &experts : {ExpertCounts{1, 1}, ExpertCounts{128, 128},
                                      ExpertCounts{1024, 256}, ExpertCounts{1024, 1024}}) {
    expectCleanEverywhere(dispatchCountKernel(experts));
    expectCleanEverywhere(dispatchScatterKernel(experts));
  }
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

class ExactTest : public testing::TestWithParam<Format> {
protected:
  /// Rows of 2048 elements are whole blocks in every format, and two chunks.
  static Product gated(Format second) {
    return {.first = GetParam(),
            .second = second,
            .input = RowKind::Int16,
            .output = RowKind::Int16,
            .rows = 768,
            .columns = 2048,
            .isGated = true,
            .isGrouped = true,
            .hasPermutation = true,
            .slots = 8};
  }
  static Product plain() {
    return {.first = GetParam(),
            .second = GetParam(),
            .input = RowKind::Int16,
            .output = RowKind::F32,
            .rows = 2048,
            .columns = 768,
            .isGrouped = true,
            .hasPermutation = true,
            .hasScale = true};
  }
  static void expectCleanProduct(const Product &product, int slices = 1) {
    expectCleanEverywhere(
        [&](const Chip &chip) { return exactProductKernel(product, slices, chip); },
        architecturesFor(static_cast<size_t>(GetParam())));
  }
};

TEST_P(ExactTest, Gated) { expectCleanProduct(gated(GetParam())); }

TEST_P(ExactTest, GatedInt8WithBiases) {
  Product product = gated(GetParam());
  product.input = RowKind::Int8;
  product.output = RowKind::Int8;
  product.hasFirstBias = product.hasSecondBias = true;
  product.glu = {sortie::numerics::GluKind::SwigluClamped, 1.702f, 7.0f};
  expectCleanProduct(product);
}

TEST_P(ExactTest, Plain) { expectCleanProduct(plain()); }

// Warpgroups multiply on sm_90a alone.
TEST_P(ExactTest, WithWarpgroups) {
  const Chip &chip = *findChip("sm_90a");
  for (Product product : {gated(GetParam()), plain()})
    for (const RowKind input : {RowKind::Int16, RowKind::Int8}) {
      product.experts = 128;
      product.input = input;
      product.hasFirstBias = product.hasFirstExpertScale = product.hasSettledTiles = true;
      if (hasWarpgroupKernel(product, chip))
        expectClean(warpgroupProductKernel(product, /*slices=*/1, chip), chip);
    }
}

TEST_P(ExactTest, GatedWithScalesByExpert) {
  Product product = gated(GetParam());
  product.hasFirstExpertScale = product.hasSecondExpertScale = true;
  expectCleanProduct(product);
}

TEST_P(ExactTest, PlainWithEverything) {
  Product product = plain();
  product.hasFirstExpertScale = product.hasFirstBias = true;
  expectCleanProduct(product);
}

TEST_P(ExactTest, Sliced) {
  Product product = plain();
  product.columns = 4096;
  product.hasSettledTiles = true;
  expectCleanProduct(product, /*slices=*/4);
}

TEST_P(ExactTest, OfHeads) {
  Product product = plain();
  product.isGrouped = product.hasPermutation = product.hasScale = false;
  product.heads = 16;
  product.rows = 128;
  product.columns = 512;
  expectCleanProduct(product);
  product.input = RowKind::Int8;
  product.heads = 3;
  product.rows = 200;
  product.columns = 4096;
  expectCleanProduct(product, /*slices=*/4);
}

TEST_P(ExactTest, DenseInt8WithBias) {
  Product product = plain();
  product.input = RowKind::Int8;
  product.isGrouped = product.hasPermutation = product.hasScale = false;
  product.hasFirstBias = true;
  expectCleanProduct(product);
}

/// The formats that products compute with, in the order of the table.
std::vector<Format> quantizedFormats() {
  std::vector<Format> formats;
  for (const sortie::numerics::FormatInfo &info : sortie::numerics::kFormats)
    if (sortie::numerics::isQuantized(info))
      formats.push_back(info.format);
  return formats;
}

INSTANTIATE_TEST_SUITE_P(Formats, ExactTest, testing::ValuesIn(quantizedFormats()),
                         [](const testing::TestParamInfo<Format> &info) {
                           return std::string(sortie::numerics::formatInfo(info.param).name);
                         });

TEST(KernelSourceTest, PacksEveryEncoding) {
  for (const sortie::numerics::EncodingInfo &info : sortie::numerics::kEncodings) {
    if (!sortie::numerics::isQuantized(info))
      continue;
    SCOPED_TRACE(info.name);
    expectCleanEverywhere(packKernel(info.encoding, 768, 2048));
    EXPECT_EQ(panelBytes(info.format, 4096), 2 * panelBytes(info.format, 2048));
  }
}

TEST(KernelSourceTest, ExactOfTwoFormats) {
  Product product{.first = Format::Q4_K,
                  .second = Format::Q6_K,
                  .input = RowKind::Int16,
                  .output = RowKind::F32,
                  .rows = 300,
                  .columns = 512,
                  .isGated = true};
  expectCleanEverywhere(
      [&](const Chip &chip) { return exactProductKernel(product, /*slices=*/1, chip); });
}

TEST(KernelSourceTest, SlicedWithWarpgroups) {
  const Product product{.first = Format::Q4_K,
                        .second = Format::Q4_K,
                        .input = RowKind::Int16,
                        .output = RowKind::F32,
                        .rows = 4096,
                        .columns = 14336,
                        .isGrouped = true,
                        .experts = 8};
  const Chip &chip = *findChip("sm_90a");
  expectClean(warpgroupProductKernel(product, /*slices=*/4, chip), chip);
}

TEST(KernelSourceTest, FloatProducts) {
  for (const Format format : {Format::F32, Format::F16, Format::BF16}) {
    Product router{.first = format,
                   .second = format,
                   .input = RowKind::F32,
                   .output = RowKind::F32,
                   .rows = 128,
                   .columns = 2048};
    expectCleanEverywhere(floatProductKernel(router));
    Product wide = router;
    wide.rows = 2048;
    wide.hasFirstBias = true;
    expectCleanEverywhere(floatProductKernel(wide));
    Product heads = router;
    heads.columns = 512;
    heads.heads = 16;
    expectCleanEverywhere(floatProductKernel(heads));
    Product grouped = router;
    grouped.isGrouped = grouped.hasPermutation = grouped.hasScale = true;
    expectCleanEverywhere(floatProductKernel(grouped));
    grouped.hasFirstExpertScale = grouped.hasFirstBias = true;
    expectCleanEverywhere(floatProductKernel(grouped));
    Product glu = router;
    glu.isGated = glu.isGrouped = glu.hasPermutation = true;
    glu.slots = 8;
    glu.output = RowKind::Int16;
    expectCleanEverywhere(floatProductKernel(glu));
    glu.hasFirstExpertScale = glu.hasSecondExpertScale = true;
    expectCleanEverywhere(floatProductKernel(glu));
    Product denseGlu = router;
    denseGlu.isGated = denseGlu.hasFirstBias = denseGlu.hasSecondBias = true;
    expectCleanEverywhere(floatProductKernel(denseGlu));
  }
}

// Rows that end inside of a stage, inside of a step, and in a second chunk.
TEST(KernelSourceTest, FloatProductsOfAnyLength) {
  for (const int64_t columns : {96, 416, 448, 1440, 2880, 100}) {
    Product router{.first = Format::F32,
                   .second = Format::F32,
                   .input = RowKind::F32,
                   .output = RowKind::F32,
                   .rows = 32,
                   .columns = columns,
                   .hasFirstBias = true};
    expectCleanEverywhere(floatProductKernel(router));
    Product grouped = router;
    grouped.first = grouped.second = Format::BF16;
    grouped.rows = 256;
    grouped.isGrouped = grouped.hasPermutation = grouped.hasScale = true;
    expectCleanEverywhere(floatProductKernel(grouped));
  }
}

TEST(KernelSourceTest, Bf16Products) {
  for (const Format format : {Format::F32, Format::F16, Format::BF16}) {
    Product dense{.first = format,
                  .second = format,
                  .input = RowKind::F32,
                  .output = RowKind::F32,
                  .rows = 2048,
                  .columns = 2048,
                  .hasFirstBias = true};
    expectCleanEverywhere(bf16ProductKernel(dense));
    Product heads = dense;
    heads.rows = 512;
    heads.columns = 128;
    heads.heads = 16;
    heads.hasFirstBias = false;
    expectCleanEverywhere(bf16ProductKernel(heads));
    Product grouped = dense;
    grouped.isGrouped = grouped.hasPermutation = grouped.hasScale = true;
    expectCleanEverywhere(bf16ProductKernel(grouped));
    grouped.hasFirstExpertScale = true;
    expectCleanEverywhere(bf16ProductKernel(grouped));
    Product glu = dense;
    glu.isGated = glu.isGrouped = glu.hasPermutation = glu.hasSecondBias = true;
    glu.slots = 8;
    expectCleanEverywhere(bf16ProductKernel(glu));
    glu.output = RowKind::Int16;
    expectCleanEverywhere(bf16ProductKernel(glu));
    glu.hasFirstExpertScale = glu.hasSecondExpertScale = true;
    expectCleanEverywhere(bf16ProductKernel(glu));
    Product denseGlu = dense;
    denseGlu.isGated = denseGlu.hasSecondBias = true;
    denseGlu.glu = {sortie::numerics::GluKind::SwigluClamped, 1.702f, 7.0f};
    expectCleanEverywhere(bf16ProductKernel(denseGlu));
  }
}

// Rows that end inside of a stage, of a step and of a piece of 16 bytes.
TEST(KernelSourceTest, Bf16ProductsOfAnyLength) {
  for (const Format format : {Format::F32, Format::BF16})
    for (const int64_t columns : {48, 100, 1033, 2880}) {
      Product product{.first = format,
                      .second = format,
                      .input = RowKind::F32,
                      .output = RowKind::F32,
                      .rows = 200,
                      .columns = columns,
                      .isGrouped = true};
      expectCleanEverywhere(bf16ProductKernel(product));
    }
}

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

constexpr auto kInt8 = sortie::numerics::ActivationWidth::Int8;
constexpr auto kInt16 = sortie::numerics::ActivationWidth::Int16;

/// Four queries for each head of keys.
Attention attentionOf(sortie::numerics::ActivationWidth own,
                      sortie::numerics::ActivationWidth cached, int64_t key, int64_t value) {
  return {.own = own,
          .cached = cached,
          .heads = 16,
          .kvHeads = 4,
          .key = key,
          .value = value,
          .scale = 0.125f,
          .pages = 320,
          .splitTokens = 64};
}

void expectCleanAttention(const Attention &attention) {
  for (const auto code : {attendSpansKernel, attendKernel})
    expectCleanEverywhere([&](const Chip &chip) { return code(attention, chip); });
}

TEST(KernelSourceTest, AttentionInAllWidths) {
  for (const auto own : {kInt8, kInt16})
    for (const auto cached : {kInt8, kInt16})
      expectCleanAttention(attentionOf(own, cached, 128, 128));
}

TEST(KernelSourceTest, AttentionWithHeadsOfAnySize) {
  for (const int64_t elements : {64, 80, 256})
    expectCleanAttention(attentionOf(kInt16, kInt16, elements, elements));
  Attention odd = attentionOf(kInt16, kInt8, 192, 33);
  odd.window = 128;
  odd.hasSinks = true;
  expectCleanAttention(odd);
  odd.key = odd.value = 1024;
  expectCleanAttention(odd);
}

TEST(KernelSourceTest, AttentionOfLatents) {
  for (const auto cached : {kInt8, kInt16}) {
    Attention latent = attentionOf(kInt16, cached, 512, 512);
    latent.heads = 128;
    latent.kvHeads = 1;
    latent.rotated = 64;
    expectCleanAttention(latent);
  }
}

/// 64 tokens of an ordinary model at a usual context; fewer where their results would take too much
/// memory, but one at least.
TEST(KernelSourceTest, ResultsOfSpansTakeLimitedMemory) {
  Attention attention = attentionOf(kInt16, kInt16, 128, 128);
  EXPECT_EQ(attention.tilesOfToken(), 1);
  EXPECT_EQ(attention.spans(), 80);
  EXPECT_EQ(attention.resultFloats(), 4 * 80 * (8 * 128 + 16));
  EXPECT_EQ(attention.chooseSplitTokens(512), 64);
  EXPECT_EQ(attention.chooseSplitTokens(8), 8);
  attention.pages = 1280;
  EXPECT_EQ(attention.chooseSplitTokens(512), 25);
  attention.heads = 512;
  attention.pages = 1 << 20;
  EXPECT_EQ(attention.chooseSplitTokens(512), 1);
}

//===----------------------------------------------------------------------===//
// Texts
//===----------------------------------------------------------------------===//

TEST(KernelSourceTest, EqualKernelsHaveEqualCode) {
  EXPECT_EQ(packBf16Kernel(Format::F32, 2048), packBf16Kernel(Format::F32, 2048));
  EXPECT_FALSE(packBf16Kernel(Format::F32, 2048) == packBf16Kernel(Format::F16, 2048));
  EXPECT_FALSE(packBf16Kernel(Format::F32, 2048) == packBf16Kernel(Format::F32, 4096));
}

// A model without scales by expert and with the usual score of groups has the sources it always
// had.
TEST(KernelSourceTest, WhatAModelDoesNotHaveIsNotInItsSource) {
  Product product{.first = Format::Q8_0,
                  .second = Format::Q8_0,
                  .input = RowKind::Int16,
                  .output = RowKind::F32,
                  .rows = 64,
                  .columns = 64,
                  .isGrouped = true,
                  .hasFirstBias = true};
  const Chip &chip = *findChip("sm_80");
  EXPECT_EQ(exactProductKernel(product, /*slices=*/1, chip).call,
            "exactProduct<Spec>({r0, r2, nullptr, nullptr, w0, g0, nullptr, g1, nullptr, 0}, [] "
            "{})");
  product.hasFirstExpertScale = true;
  EXPECT_EQ(exactProductKernel(product, /*slices=*/1, chip).call,
            "exactProduct<Spec>({r0, r2, nullptr, nullptr, w0, g0, nullptr, g1, nullptr, 0, g2}, "
            "[] {})");
  product.isGated = true;
  product.hasSecondExpertScale = true;
  EXPECT_EQ(exactProductKernel(product, /*slices=*/1, chip).call,
            "exactProduct<Spec>({r0, r2, nullptr, nullptr, w0, g0, g1, g2, nullptr, 0, g3, g4}, "
            "[] {})");
  EXPECT_EQ(exactProductKernel(product, /*slices=*/1, chip).declarations.find("kHeads"),
            std::string::npos);
  const sortie::numerics::RouteParams params{.experts = 8, .selected = 2};
  EXPECT_EQ(routeKernel(params, false).call.find("GroupScore"), std::string::npos);
}

TEST(KernelSourceTest, FloatsAreExact) {
  const Product product{.first = Format::Q8_0,
                        .second = Format::Q8_0,
                        .input = RowKind::Int16,
                        .output = RowKind::F32,
                        .rows = 64,
                        .columns = 64,
                        .isGated = true,
                        .glu = {sortie::numerics::GluKind::SwigluClamped, 1.702f, 7.0f}};
  EXPECT_NE(exactProductKernel(product, /*slices=*/1, *findChip("sm_80"))
                .declarations.find("SwigluClamped, 0x1.b3b646p+0f, 0x1.cp+2f"),
            std::string::npos);
}

} // namespace
