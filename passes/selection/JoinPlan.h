// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which operations of a function share a launch (docs/cuda.md, "Joined launches").

#ifndef SORTIE_PASSES_SELECTION_JOINPLAN_H
#define SORTIE_PASSES_SELECTION_JOINPLAN_H

#include "dialect/moert/MoertOps.h"

namespace sortie::selection {

/// Operations of one launch.
struct JoinedOps {
  enum class Kind {
    Products, ///< of one input; each is a part
    Rows,     ///< a thread block has a row
    Heads,    ///< a thread block has heads of a row
  };
  Kind kind;
  /// Operations of a part follow each other, parts do not depend on each other.
  llvm::SmallVector<llvm::SmallVector<mlir::Operation *>> parts;

  mlir::Operation *first() const { return parts.front().front(); }
  /// In the order of the function.
  mlir::Operation *last = nullptr;
};

/// Finds operations that one launch can do, and moves them, with the buffers that they write,
/// behind the first of them. Only what has at least two operations is in the result, in the order
/// of the function. Its memory is not planned yet.
llvm::SmallVector<JoinedOps> planJoins(moert::FuncOp function);

} // namespace sortie::selection

#endif // SORTIE_PASSES_SELECTION_JOINPLAN_H
