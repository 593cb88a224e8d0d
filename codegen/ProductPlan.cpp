// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Candidates of each family of products, and their grids.

#include "codegen/ProductPlan.h"

#include "codegen/kernels/exact/ExactGeometry.h"
#include "codegen/kernels/floats/Bf16Geometry.h"
#include "codegen/kernels/floats/FloatGeometry.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/ErrorHandling.h"

using namespace llvm;

namespace sortie::codegen {

/// Bytes of one matrix of weights as the kernel reads it.
static int64_t matrixBytes(const Product &product, Storage storage) {
  if (storage == Storage::Packed)
    return kernels::panelsOf(product.rows) *
           kernels::packedPanelBytes(product.first, product.columns);
  return product.rows * product.columns * numerics::floatBytes(numerics::formatInfo(product.first));
}

/// What a product of one token does on a grid of so many blocks of columns.
static Work workOfToken(const Product &product, Work::Unit unit, Storage storage, int64_t blocks) {
  const int64_t groups = product.groups();
  const int64_t matrices = product.isGated ? 2 : groups;
  Work work;
  work.unit = unit;
  work.format = product.first;
  work.limbs = numerics::limbCount(product.input);
  work.rows = static_cast<double>(groups);
  work.tiles = static_cast<double>(groups);
  work.blocks = static_cast<double>(groups * blocks);
  work.multiplyAdds = static_cast<double>(matrices * product.rows * product.columns);
  work.bytes = static_cast<double>(matrices * matrixBytes(product, storage));
  return work;
}

//===----------------------------------------------------------------------===//
// Exact
//===----------------------------------------------------------------------===//

/// Whether K of a product can be cut into so many slices. Each team of warps has whole chunks of K,
/// and there are no fewer than teams; their sums need shared memory. Where the heads of a token are
/// more tiles than few, they never are cut.
static bool canCut(const Product &product, int slices, const Chip &chip) {
  if (product.isGated || slices * numerics::kChunk > product.columns ||
      product.groups() > fewTiles(chip, product.rows))
    return false;
  return kernels::exactGeometry(product.first, product.second, product.input, product.columns,
                                slices, chip.sharedLimit)
             .sliced.tokens != 0;
}

/// Without slices, and with as many as can be. One token is multiplied in the same way whether more
/// are with warpgroups or not.
static std::vector<ProductPlan> exactCandidates(const Product &product, const Chip &chip,
                                                const PlanOptions &options) {
  const bool hasWarpgroups = options.warpgroups && hasWarpgroupKernel(product, chip);
  std::vector<ProductPlan> plans;
  for (int slices = 1; slices == 1 || (slices <= 4 && canCut(product, slices, chip)); slices *= 2) {
    // Blocks of one slice cover the columns of a block that does not cut K.
    const int columns = exactColumns(product) / slices;
    const ProductGrid grid = {kernels::ceilDiv(product.rows, columns), kernels::kTileRows};
    const int64_t blocks = kernels::ceilDiv(product.rows, exactColumns(product)) * slices;
    const Work work = workOfToken(product, Work::Unit::Tensor, Storage::Packed, blocks);
    plans.push_back({Storage::Packed, grid,
                     hasWarpgroups ? warpgroupProductKernel(product, slices, chip)
                                   : exactProductKernel(product, slices, chip),
                     slices, predict(chip, work).seconds});
  }
  return plans;
}

//===----------------------------------------------------------------------===//
// Floats
//===----------------------------------------------------------------------===//

static ProductGrid floatGrid(const Product &product) {
  if (product.isGated)
    return {kernels::floatGluBlocks(product.rows, product.isOutputQuantized()), kernels::kTileRows};
  if (product.isMapped() || product.heads != 0)
    return {kernels::ceilDiv(product.rows, kernels::kFloatColumns), kernels::kTileRows};
  const kernels::FloatDense dense = kernels::floatDense(product.columns, product.rows);
  const int64_t columnBlocks = kernels::ceilDiv(product.rows, dense.columns);
  if (dense.maxBlocks == 0)
    return {columnBlocks, dense.rows};
  return {columnBlocks, dense.rows, dense.maxBlocks};
}

static ProductGrid bf16Grid(const Product &product) {
  return {product.isGated ? kernels::bf16GluBlocks(product.rows, product.isOutputQuantized())
                          : kernels::bf16Blocks(product.rows),
          kernels::kTileRows};
}

std::vector<ProductPlan> candidates(ProductFamily family, const Product &product, const Chip &chip,
                                    const PlanOptions &options) {
  const auto raw = [&](const ProductGrid &grid, KernelCode code, Work::Unit unit) {
    const Work work = workOfToken(product, unit, Storage::Raw, grid.columnBlocks);
    return ProductPlan{Storage::Raw, grid, std::move(code), /*slices=*/1,
                       predict(chip, work).seconds};
  };
  switch (family) {
  case ProductFamily::Exact:
    return exactCandidates(product, chip, options);
  case ProductFamily::Float:
    return {raw(floatGrid(product), floatProductKernel(product), Work::Unit::Fp32)};
  case ProductFamily::Bf16:
    return {raw(bf16Grid(product), bf16ProductKernel(product), Work::Unit::TensorBf16)};
  }
  llvm_unreachable("unknown family of products");
}

ProductPlan plan(ProductFamily family, const Product &product, const Chip &chip,
                 const PlanOptions &options) {
  const std::vector<ProductPlan> all = candidates(family, product, chip, options);
  return *llvm::min_element(
      all, [](const ProductPlan &a, const ProductPlan &b) { return a.seconds < b.seconds; });
}

} // namespace sortie::codegen
