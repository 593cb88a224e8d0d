// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Places of tokens in caches, which appends and attention have checked before they use them.

#ifndef SORTIE_PASSES_SELECTION_CACHEKERNELS_H
#define SORTIE_PASSES_SELECTION_CACHEKERNELS_H

#include "passes/selection/FunctionSelection.h"

namespace sortie::selection {

/// The status of the places of all tokens in `cache`, i32 [4] (runtime/numerics/status.h): its
/// first word is 0 where all are good, and a kernel does nothing where it is not. If no operation
/// before `op` has asked for the same, its kernels are launched in front of `op`, and the host
/// looks at the status when the run is complete.
///
/// A token sees the last `window` positions up to its own; 0: all. Where `op` appends, it sees its
/// own alone, and no two tokens may have one place. Null, with an error on `op`, if the kernels
/// cannot be launched.
mlir::Value getPlacesStatus(FunctionSelection &selection, mlir::Operation *op,
                            mlir::Value positions, mlir::Value sequences, mlir::Value pages,
                            mlir::Value cache, int64_t window);

} // namespace sortie::selection

#endif // SORTIE_PASSES_SELECTION_CACHEKERNELS_H
