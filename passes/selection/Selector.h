// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which operations become launches, and by what. Each family of kernels has a table: a row for each
// operation.

#ifndef SORTIE_PASSES_SELECTION_SELECTOR_H
#define SORTIE_PASSES_SELECTION_SELECTOR_H

#include "mlir/IR/Operation.h"

namespace sortie::selection {

class FunctionSelection;

/// How an operation that is one launch may share it (JoinPlan.h).
enum class Sharing {
  None,
  Products,  ///< beside products of the same input
  Rows,      ///< where a thread block has a row, of which alone it reads what others wrote
  FirstRows, ///< likewise, but it reads other rows: it follows nothing that it reads from
  Heads,     ///< where a thread block has heads of a row
};

struct Selector {
  llvm::StringLiteral op;
  /// Puts launches in front of the operation that do the same. Fails with an error on it.
  mlir::LogicalResult (*select)(FunctionSelection &selection, mlir::Operation *op);
  Sharing sharing;
};

/// The row of an operation whose selector is a function of its class.
template <typename Op, mlir::LogicalResult (*Select)(FunctionSelection &, Op)>
constexpr Selector selector(Sharing sharing = Sharing::None) {
  return {Op::getOperationName(),
          [](FunctionSelection &selection, mlir::Operation *op) {
            return Select(selection, mlir::cast<Op>(op));
          },
          sharing};
}

/// The row of an operation. Null if it is the same for every device: a copy, a checkpoint.
const Selector *findSelector(llvm::StringRef op);

llvm::ArrayRef<Selector> rowSelectors();
llvm::ArrayRef<Selector> headSelectors();
llvm::ArrayRef<Selector> indexedRowSelectors();
llvm::ArrayRef<Selector> cacheSelectors();
llvm::ArrayRef<Selector> attentionSelectors();
llvm::ArrayRef<Selector> routingSelectors();
llvm::ArrayRef<Selector> productSelectors();

} // namespace sortie::selection

#endif // SORTIE_PASSES_SELECTION_SELECTOR_H
