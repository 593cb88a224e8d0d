// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Launches of row kernels that other families need between their own.

#ifndef SORTIE_PASSES_SELECTION_ROWKERNELS_H
#define SORTIE_PASSES_SELECTION_ROWKERNELS_H

#include "passes/selection/FunctionSelection.h"

namespace sortie::selection {

mlir::LogicalResult launchGlu(FunctionSelection &selection, mlir::Operation *op,
                              const numerics::Glu &glu, mlir::Value gate, mlir::Value up,
                              mlir::Value output);

mlir::LogicalResult launchQuantize(FunctionSelection &selection, mlir::Operation *op,
                                   mlir::Value input, mlir::Value output);

} // namespace sortie::selection

#endif // SORTIE_PASSES_SELECTION_ROWKERNELS_H
