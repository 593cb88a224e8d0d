// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products that cuBLAS computes.

#ifndef SORTIE_PASSES_SELECTION_CUBLASPRODUCTS_H
#define SORTIE_PASSES_SELECTION_CUBLASPRODUCTS_H

#include "passes/selection/FunctionSelection.h"

namespace sortie::selection {

/// Whether the library has a product in this arithmetic: a dense one in `bf16`, without bias.
bool isForCublas(Arithmetic arithmetic, const codegen::Product &product);

mlir::LogicalResult selectCublas(FunctionSelection &selection, moert::MatmulOp op);
mlir::LogicalResult selectCublas(FunctionSelection &selection, moert::GluMatmulOp op);

} // namespace sortie::selection

#endif // SORTIE_PASSES_SELECTION_CUBLASPRODUCTS_H
