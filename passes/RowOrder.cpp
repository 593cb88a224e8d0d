// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/RowOrder.h"

using namespace mlir;
using namespace sortie;

moe::DispatchOp sortie::rowOrderOf(Value value) {
  while (auto op = value.getDefiningOp<moe::RuntimeOpInterface>()) {
    const moe::RowOrder order = op.getRowOrder();
    switch (order.kind) {
    case moe::RowOrder::Kind::Tokens:
      return {};
    case moe::RowOrder::Kind::Sorted:
      return order.operand.getDefiningOp<moe::DispatchOp>();
    case moe::RowOrder::Kind::AsOperand:
      value = order.operand;
    }
  }
  return {};
}

bool sortie::isAvailable(Value value, Operation *user) {
  if (value.getParentBlock() != user->getBlock())
    return false;
  Operation *op = value.getDefiningOp();
  return !op || op->isBeforeInBlock(user);
}
