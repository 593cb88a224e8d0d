// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/moert/OpRules.h"

#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace sortie;
using namespace sortie::moert;

static std::string printShape(ArrayRef<ExtentAttr> shape) {
  std::string text = "[";
  llvm::raw_string_ostream os(text);
  llvm::interleaveComma(shape, os, [&](ExtentAttr dim) { os << toString(dim); });
  return text + "]";
}

LogicalResult moert::verifyRank(Operation *op, StringRef what, Value value, unsigned rank) {
  if (getBuffer(value).getRank() == rank)
    return success();
  return op->emitOpError() << what << " must have rank " << rank << ", got " << value.getType();
}

LogicalResult moert::verifyShape(Operation *op, StringRef what, Value value,
                                 ArrayRef<ExtentAttr> shape) {
  if (!value || getBuffer(value).getShape() == shape)
    return success();
  if (llvm::is_contained(shape, ExtentAttr()))
    return op->emitOpError() << what << " would be too large";
  return op->emitOpError() << what << " must be " << printShape(shape) << ", got "
                           << value.getType();
}

FailureOr<WeightOp> moert::lookupWeight(Operation *op, SymbolTableCollection &symbols,
                                        FlatSymbolRefAttr name) {
  auto weight = symbols.lookupNearestSymbolFrom<WeightOp>(op, name);
  if (!weight)
    return op->emitOpError() << "there is no moert.weight " << name;
  return weight;
}

LogicalResult moert::verifyVector(Operation *op, SymbolTableCollection &symbols,
                                  FlatSymbolRefAttr name, ArrayRef<int64_t> shape) {
  if (!name)
    return success();
  FailureOr<WeightOp> weight = lookupWeight(op, symbols, name);
  if (failed(weight))
    return failure();
  if (weight->getShape() == shape && weight->getFormat() == "f32")
    return success();
  std::string expected;
  for (int64_t dim : shape)
    expected += llvm::itostr(dim) + "x";
  return op->emitOpError() << "weight " << name << " must be " << expected << "f32";
}

FailureOr<int64_t> moert::getColumns(Operation *op, StringRef what, Value value) {
  ExtentAttr last = getBuffer(value).getShape().back();
  if (!last.isConstant())
    return op->emitOpError() << "the last dimension of " << what << " must be constant, got "
                             << value.getType();
  return last.getConstant();
}

LogicalResult moert::verifySameShape(Operation *op, Value first, ArrayRef<NamedValue> others) {
  for (const auto &[what, value] : others)
    if (failed(verifyShape(op, what, value, getBuffer(first).getShape())))
      return failure();
  return success();
}
