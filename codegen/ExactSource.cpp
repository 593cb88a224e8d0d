// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sources of exact products, and of the kernels that pack their weights.

#include "codegen/CostModel.h"
#include "codegen/KernelSource.h"
#include "codegen/SourceText.h"
#include "codegen/kernels/common/Geometry.h"
#include "codegen/kernels/exact/ExactGeometry.h"
#include "codegen/kernels/packing/PackGeometry.h"
#include "codegen/kernels/sm_90/WarpgroupGeometry.h"

using namespace llvm;
using sortie::numerics::Encoding;
using sortie::numerics::Format;

namespace sortie::codegen {

/// The enumerator, which is the name in capitals.
static std::string nameOf(Format format) {
  return "Format::" + StringRef(numerics::formatInfo(format).name).upper();
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

int exactColumns(const Product &product) {
  return product.isGated ? kernels::kGatedColumns : kernels::kPlainColumns;
}

static StringRef toText(bool value) { return value ? "true" : "false"; }

/// The struct of constants that ExactProduct.h describes, and `more` members.
static std::string writeSpec(const Product &product, int slices, const Chip &chip,
                             StringRef more = {}) {
  const numerics::Glu &glu = product.glu;
  const std::string heads = product.heads == 0
                                ? std::string()
                                : formatv("  static constexpr int kHeads = {0};\n", product.heads);
  return formatv("struct Spec {{\n"
                 "  static constexpr Format kFirst = {0}, kSecond = {1};\n"
                 "  static constexpr RowKind kInput = {2}, kOutput = {3};\n"
                 "  static constexpr int kN = {4}, kK = {5}, kSlots = {6};\n"
                 "  static constexpr int kSlices = {13}, kFewTiles = {14};\n"
                 "  static constexpr bool kIsGated = {7}, kIsGrouped = {8}, kHasScale = {9};\n"
                 "  static constexpr Glu kGlu = {{{10}, {11}, {12}};\n"
                 "{15}"
                 "};\n\n",
                 nameOf(product.first), nameOf(product.second), nameOf(product.input),
                 nameOf(product.output), product.rows, product.columns, product.slots,
                 toText(product.isGated), toText(product.isGrouped), toText(product.hasScale),
                 nameOf(glu.kind), literal(glu.alpha), literal(glu.limit), slices,
                 fewTiles(chip, product.rows), heads + more.str());
}

namespace {
/// The parameters of an exact product, and which of them are whose.
struct ExactArguments {
  Parameters parameters;
  std::string operands; ///< those of ExactOperands, in braces
  std::string offsets;
};
} // namespace

static ExactArguments exactArguments(const Product &product) {
  ExactArguments all;
  Parameters &parameters = all.parameters;
  std::vector<std::string> arguments;
  arguments.push_back(parameters.read("const void *"));
  all.offsets = parameters.readIf(product.isGrouped, "const int32_t *");
  arguments.push_back(parameters.readIf(product.isGrouped, "const Tile *"));
  arguments.push_back(parameters.readIf(product.hasPermutation, "const int32_t *"));
  arguments.push_back(parameters.readIf(product.hasScale, "const float *"));
  arguments.push_back(parameters.write("void *"));
  arguments.push_back(parameters.weight("const void *"));
  arguments.push_back(parameters.weightIf(product.isGated, "const void *"));
  arguments.push_back(parameters.weightIf(product.hasFirstBias, "const float *"));
  arguments.push_back(parameters.weightIf(product.hasSecondBias, "const float *"));
  const std::string expertScales = expertScaleArguments(product, parameters);
  arguments.push_back(product.isGrouped ? "0" : parameters.extent());
  all.operands = "{" + join(arguments, ", ") + expertScales + "}";
  return all;
}

/// What kernels of exact products have in common.
static KernelCode exactCode(const Product &product, const ExactArguments &arguments,
                            const Chip &chip) {
  KernelCode code;
  code.kind = kindOf(product);
  code.definitions = formatv("#define SORTIE_SHARED_LIMIT {0}\n", chip.sharedLimit);
  code.parameters = arguments.parameters.list;
  code.beginsItself = !product.isGrouped || product.hasSettledTiles;
  if (product.isGrouped && product.hasSettledTiles)
    code.early = {2}; // the tile map
  code.threads = kernels::kExactThreads;
  return code;
}

static kernels::ExactGeometry geometryOf(const Product &product, int slices, const Chip &chip) {
  return kernels::exactGeometry(product.first, product.second, product.input, product.columns,
                                slices, chip.sharedLimit);
}

KernelCode exactProductKernel(const Product &product, int slices, const Chip &chip) {
  const ExactArguments arguments = exactArguments(product);
  const kernels::ExactGeometry geometry = geometryOf(product, slices, chip);
  KernelCode code = exactCode(product, arguments, chip);
  code.headers = {"exact/ExactProduct.h"};
  code.declarations = writeSpec(product, slices, chip);
  code.call = "exactProduct<Spec>(" + arguments.operands + ", " +
              (code.beginsItself ? "begin" : "[] {}") + ")";
  code.shared = geometry.sharedBytes;
  code.schedule = formatv("tile {0} x {1}, {2} stages", exactColumns(product), geometry.tokens,
                          geometry.stages);
  return code;
}

//===----------------------------------------------------------------------===//
// Products with warpgroups
//===----------------------------------------------------------------------===//

static kernels::WarpgroupGeometry warpgroupGeometryOf(const Product &product, const Chip &chip) {
  return kernels::warpgroupGeometry(product.first, product.second, product.input, product.columns,
                                    product.isGated, static_cast<int>(product.experts),
                                    chip.sharedLimit);
}

bool hasWarpgroupKernel(const Product &product, const Chip &chip) {
  return chip.architecture == StringRef("sm_90a") && product.isGrouped &&
         kernels::isForWarpgroups(product.first, product.input) &&
         kernels::isForWarpgroups(product.second, product.input) &&
         geometryOf(product, /*slices=*/1, chip).narrow.tokens != 0 &&
         warpgroupGeometryOf(product, chip).stages != 0;
}

KernelCode warpgroupProductKernel(const Product &product, int slices, const Chip &chip) {
  const ExactArguments arguments = exactArguments(product);
  const kernels::WarpgroupGeometry geometry = warpgroupGeometryOf(product, chip);
  KernelCode code = exactCode(product, arguments, chip);
  code.headers = {"sm_90/WarpgroupProduct.h"};
  code.declarations = writeSpec(product, slices, chip,
                                formatv("  static constexpr int kExperts = {0}, kBlocks = {1};\n",
                                        product.experts, chip.multiprocessors)
                                    .str());
  code.call = "warpgroupProduct<Spec>(" + arguments.operands + ", " + arguments.offsets + ", " +
              (code.beginsItself ? "begin" : "[] {}") + ")";
  code.shared = std::max(geometryOf(product, slices, chip).sharedBytes, geometry.sharedBytes);
  code.schedule = formatv("warpgroups, tile {0} x {1}, {2} stages", kernels::kItemColumns,
                          geometry.tokens, geometry.stages);
  return code;
}

//===----------------------------------------------------------------------===//
// Packing
//===----------------------------------------------------------------------===//

int64_t panelRows() { return kernels::kPanelRows; }

int64_t panelBytes(Format format, int64_t columns) {
  return kernels::packedPanelBytes(format, columns);
}

KernelCode packKernel(Encoding encoding, int64_t rows, int64_t columns) {
  const StringRef name = numerics::encodingInfo(encoding).name;
  KernelCode code;
  code.kind = ("pack_" + name).str();
  code.headers = {"packing/Pack.h"};
  code.parameters = {"const void *r0", "void *w0", "int32_t e0", "int32_t e1"};
  code.call =
      formatv("packPanels<Encoding::{0}, {1}, {2}>(r0, w0, e0, e1)", name.upper(), rows, columns);
  code.threads = 256;
  code.shared = kernels::packSharedBytes(encoding);
  return code;
}

} // namespace sortie::codegen
