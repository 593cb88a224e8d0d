// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/RowOrder.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace sortie;

static moe::DispatchOp dispatchOf(Value resultOfDispatch) {
  return resultOfDispatch ? resultOfDispatch.getDefiningOp<moe::DispatchOp>() : moe::DispatchOp();
}

moe::DispatchOp sortie::rowOrderOf(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op)
    return {};
  return llvm::TypeSwitch<Operation *, moe::DispatchOp>(op)
      .Case([](moe::GatherOp gather) { return dispatchOf(gather.getPermutation()); })
      .Case<moe::GroupedMatmulOp, moe::GroupedGluOp>([](auto matmul) {
        // Without offsets (a dense product) the rows stay in the order of the input.
        return matmul.getOffsets() ? dispatchOf(matmul.getOffsets())
                                   : rowOrderOf(matmul.getInput());
      })
      .Case([](moe::GluOp glu) { return rowOrderOf(glu.getGate()); })
      .Case([](moe::AddOp add) { return rowOrderOf(add.getLhs()); })
      .Case([](moe::QuantizeOp quantize) { return rowOrderOf(quantize.getInput()); })
      .Case([](moe::RmsNormOp norm) { return rowOrderOf(norm.getInput()); })
      .Default(moe::DispatchOp());
}

bool sortie::isAvailable(Value value, Operation *user) {
  if (value.getParentBlock() != user->getBlock())
    return false;
  Operation *op = value.getDefiningOp();
  return !op || op->isBeforeInBlock(user);
}
