// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The routing of one token, as `moe.route` states it.

#ifndef SORTIE_TEST_INTERPRETER_ROUTING_H
#define SORTIE_TEST_INTERPRETER_ROUTING_H

#include "dialect/moe/MoeOps.h"

#include "llvm/ADT/SmallVector.h"

namespace sortie::interpreter {

/// The selected experts of a token, best first, and their weights.
struct Selection {
  llvm::SmallVector<int64_t> ids;
  llvm::SmallVector<double> weights;
  /// Two scores that decide are so close that rounding may exchange them.
  bool isNearlyTied = false;
};

/// Routes one token by its `logits` [E]; `bias` [E] is empty where there is none.
Selection route(moe::RouteOp op, llvm::ArrayRef<double> logits, llvm::ArrayRef<double> bias);

} // namespace sortie::interpreter

#endif // SORTIE_TEST_INTERPRETER_ROUTING_H
