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

/// The struct of constants that ExactProduct.h describes.
static std::string writeSpec(const Product &product, int slices, const Chip &chip) {
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
                 fewTiles(chip, product.rows), heads);
}

KernelCode exactProductKernel(const Product &product, int slices, const Chip &chip) {
  Parameters parameters;
  std::vector<std::string> arguments;
  arguments.push_back(parameters.read("const void *"));
  parameters.readIf(product.isGrouped, "const int32_t *"); // offsets
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

  const kernels::ExactGeometry geometry = kernels::exactGeometry(
      product.first, product.second, product.input, product.columns, slices, chip.sharedLimit);
  KernelCode code;
  code.kind = kindOf(product);
  code.header = "exact/ExactProduct.h";
  code.definitions = formatv("#define SORTIE_SHARED_LIMIT {0}\n", chip.sharedLimit);
  code.declarations = writeSpec(product, slices, chip);
  code.parameters = parameters.list;
  code.beginsItself = !product.isGrouped || product.hasSettledTiles;
  if (product.isGrouped && product.hasSettledTiles)
    code.early = {2}; // the tile map
  code.call = "exactProduct<Spec>({" + join(arguments, ", ") + expertScales + "}, " +
              (code.beginsItself ? "begin" : "[] {}") + ")";
  code.threads = kernels::kExactThreads;
  code.shared = geometry.sharedBytes;
  code.schedule = formatv("tile {0} x {1}, {2} stages", exactColumns(product), geometry.tokens,
                          geometry.stages);
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
  code.header = "packing/Pack.h";
  code.parameters = {"const void *r0", "void *w0", "int32_t e0", "int32_t e1"};
  code.call =
      formatv("packPanels<Encoding::{0}, {1}, {2}>(r0, w0, e0, e1)", name.upper(), rows, columns);
  code.threads = 256;
  code.shared = kernels::packSharedBytes(encoding);
  return code;
}

} // namespace sortie::codegen
