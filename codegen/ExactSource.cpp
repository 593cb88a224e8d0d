// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sources of exact products, and of the kernels that pack their weights.

#include "codegen/CostModel.h"
#include "codegen/KernelSource.h"
#include "codegen/SourceText.h"
#include "codegen/kernels/ExactGeometry.h"
#include "runtime/numerics/decode.h"

#include "llvm/Support/MathExtras.h"

using namespace llvm;
using sortie::numerics::Format;
using sortie::numerics::RowKind;

namespace sortie::codegen {

//===----------------------------------------------------------------------===//
// Values that are template arguments in the kernels
//===----------------------------------------------------------------------===//

/// Calls `function` with the format as std::integral_constant.
template <typename Function> static auto withFormat(Format format, Function function) {
  switch (format) {
#define SORTIE_FORMAT(name)                                                                        \
  case Format::name:                                                                               \
    return function(std::integral_constant<Format, Format::name>());
    SORTIE_FORMAT(Q8_0)
    SORTIE_FORMAT(Q4_0)
    SORTIE_FORMAT(Q4_1)
    SORTIE_FORMAT(Q5_0)
    SORTIE_FORMAT(Q5_1)
    SORTIE_FORMAT(IQ4_NL)
    SORTIE_FORMAT(MXFP4)
    SORTIE_FORMAT(Q2_K)
    SORTIE_FORMAT(Q3_K)
    SORTIE_FORMAT(Q4_K)
    SORTIE_FORMAT(Q5_K)
    SORTIE_FORMAT(Q6_K)
    SORTIE_FORMAT(IQ4_XS)
#undef SORTIE_FORMAT
  case Format::F32:
  case Format::F16:
  case Format::BF16:
    break;
  }
  llvm_unreachable("floats are not packed");
}

/// The enumerator, which has its name from GGUF.
static std::string nameOf(Format format) {
  return "Format::" + StringRef(numerics::formatInfo(format).name).upper();
}

namespace {

/// The tile that a chip's shared memory allows.
struct ExactPlan {
  int tokens; ///< of the widest tile
  int stages; ///< of the pipeline at that width
  int shared; ///< bytes
};

} // namespace

/// Columns of the output of a thread block.
static int blockColumns(const Product &product) {
  return product.isGated ? kernels::kGatedColumns : kernels::kPlainColumns;
}

static ExactPlan planExact(const Product &product, int sharedLimit) {
  return withFormat(product.first, [&](auto first) {
    return withFormat(product.second, [&](auto second) {
      const auto plan = [&](auto stage) {
        using Stage = decltype(stage);
        const int products = kernels::exactProducts<Stage>(sharedLimit);
        return ExactPlan{
            products * kernels::kTokensPerProduct, kernels::exactStages<Stage>(products, sharedLimit),
            kernels::exactSharedBytes<Stage>(blockColumns(product), sharedLimit)};
      };
      constexpr Format kFirst = decltype(first)::value;
      constexpr Format kSecond = decltype(second)::value;
      return product.input == RowKind::Int16
                 ? plan(kernels::ExactStage<kFirst, kSecond, RowKind::Int16>())
                 : plan(kernels::ExactStage<kFirst, kSecond, RowKind::Int8>());
    });
  });
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

ProductGrid exactProductGrid(const Product &product) {
  return {static_cast<int64_t>(divideCeil(product.rows, blockColumns(product))), kernels::kTileRows};
}

static StringRef toText(bool value) { return value ? "true" : "false"; }

/// The struct of constants that ExactProduct.h describes.
static std::string writeSpec(const Product &product) {
  const numerics::Glu &glu = product.glu;
  return formatv("struct Spec {{\n"
                 "  static constexpr Format kFirst = {0}, kSecond = {1};\n"
                 "  static constexpr RowKind kInput = {2}, kOutput = {3};\n"
                 "  static constexpr int kRows = {4}, kColumns = {5}, kSlots = {6};\n"
                 "  static constexpr bool kIsGated = {7}, kIsGrouped = {8}, kHasScale = {9};\n"
                 "  static constexpr Glu kGlu = {{{10}, {11}, {12}};\n"
                 "};\n\n",
                 nameOf(product.first), nameOf(product.second), nameOf(product.input),
                 nameOf(product.output), product.rows, product.columns, product.slots,
                 toText(product.isGated), toText(product.isGrouped), toText(product.hasScale),
                 nameOf(glu.kind), literal(glu.alpha), literal(glu.limit));
}

KernelCode exactProductKernel(const Product &product, const Chip &chip) {
  Parameters parameters;
  const std::string input = parameters.read("const void *");
  parameters.readIf(product.isGrouped, "const int32_t *"); // offsets
  const std::string tiles = parameters.readIf(product.isGrouped, "const Tile *");
  const std::string permutation = parameters.readIf(product.hasPermutation, "const int32_t *");
  const std::string scale = parameters.readIf(product.hasScale, "const float *");
  const std::string output = parameters.write("void *");
  const std::string first = parameters.weight("const void *");
  const std::string second = parameters.weightIf(product.isGated, "const void *");
  const std::string firstBias = parameters.weightIf(product.hasFirstBias, "const float *");
  const std::string secondBias = parameters.weightIf(product.hasSecondBias, "const float *");
  const std::string rows = product.isGrouped ? "0" : parameters.extent();

  const ExactPlan plan = planExact(product, chip.sharedLimit);
  KernelCode code;
  code.kind = product.isGated ? "glu_matmul" : "matmul";
  code.header = "ExactProduct.h";
  code.definitions = formatv("#define SORTIE_SHARED_LIMIT {0}\n", chip.sharedLimit);
  code.declarations = writeSpec(product);
  code.parameters = parameters.list;
  code.call = formatv("exactProduct<Spec>({{{0}, {1}, {2}, {3}, {4}, {5}, {6}, {7}, {8}, {9}})",
                      input, tiles, permutation, scale, output, first, second, firstBias,
                      secondBias, rows);
  code.threads = kernels::kExactThreads;
  code.shared = plan.shared;
  code.schedule = formatv("tile {0} x {1}, {2} stages", blockColumns(product), plan.tokens,
                          plan.stages);
  return code;
}

//===----------------------------------------------------------------------===//
// Packing
//===----------------------------------------------------------------------===//

int64_t panelRows() { return kernels::kPanelRows; }

int64_t panelBytes(Format format, int64_t columns) {
  return withFormat(format, [&](auto constant) {
    return kernels::PackedLayout<decltype(constant)::value>::panelBytes(columns);
  });
}

KernelCode packKernel(Format format, int64_t rows, int64_t columns) {
  const int fileBlocks = withFormat(format, [](auto constant) {
    using Layout = kernels::PackedLayout<decltype(constant)::value>;
    return Layout::kBlockElements / Layout::kInfo.elements;
  });
  KernelCode code;
  code.kind = formatv("pack_{0}", numerics::formatInfo(format).name);
  code.header = "Pack.h";
  code.parameters = {"const void *r0", "void *w0", "int32_t e0", "int32_t e1"};
  code.call = formatv("packPanels<{0}, {1}, {2}>(r0, w0, e0, e1)", nameOf(format), rows, columns);
  code.threads = 256;
  code.shared = static_cast<int>(sizeof(numerics::DecodedBlock)) * kernels::kPanelRows * fileBlocks;
  return code;
}

} // namespace sortie::codegen
