// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What is chosen for a product on a chip. Each family of kernels gives candidates with their cost;
// chips need not agree. Nothing here can change a bit of a result.

#ifndef SORTIE_CODEGEN_PRODUCTPLAN_H
#define SORTIE_CODEGEN_PRODUCTPLAN_H

#include "codegen/CostModel.h"
#include "codegen/KernelSource.h"

namespace sortie::codegen {

/// Kernels of one arithmetic.
enum class ProductFamily : uint8_t { Exact, Float, Bf16 };

/// How a kernel reads its weights: the same in all plans of a family.
enum class Storage : uint8_t {
  Packed, ///< in panels (packKernel())
  Raw,    ///< as they lie in the file
};

/// The grid of a product: blocks of columns, then tiles of a grouped one, else rows divided by
/// `rowsOfBlock` and at most `maxRowBlocks`; of a product of heads tokens are rows, and heads come
/// last.
struct ProductGrid {
  int64_t columnBlocks;
  int64_t rowsOfBlock;
  std::optional<int64_t> maxRowBlocks = std::nullopt;
};

/// A way to compute a product.
struct ProductPlan {
  Storage storage;
  ProductGrid grid;
  KernelCode code; ///< with its threads, its shared memory, and tile and stages in words
  int slices = 1;  ///< into which few tokens cut K (NarrowTile.h)
  double seconds;  ///< predicted for one token
};

/// What a plan may use.
struct PlanOptions {
  bool warpgroups = false; ///< sm_90a's products of warpgroups
};

/// The ways that a family has on a chip, one or more. Formats of products that are not `Exact` are
/// those of floats, and equal.
std::vector<ProductPlan> candidates(ProductFamily family, const Product &product, const Chip &chip,
                                    const PlanOptions &options = {});

/// The fastest of them; of equal ones the first.
ProductPlan plan(ProductFamily family, const Product &product, const Chip &chip,
                 const PlanOptions &options = {});

} // namespace sortie::codegen

#endif // SORTIE_CODEGEN_PRODUCTPLAN_H
