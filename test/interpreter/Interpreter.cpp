// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/interpreter/Interpreter.h"

using namespace mlir;
using namespace sortie;
using namespace sortie::interpreter;

const MeaningTable &sortie::interpreter::meanings() {
  static const MeaningTable table = [] {
    MeaningTable result;
    addSemanticOps(result);
    addDispatchOps(result);
    addLanguageModelOps(result);
    return result;
  }();
  return table;
}

const Meaning *MeaningTable::find(Operation *op) const {
  const auto entry = table.find(op->getName().getStringRef());
  if (entry != table.end())
    return &entry->second;
  op->emitOpError("is not known to the interpreter; say what it means in test/interpreter");
  return nullptr;
}

/// Checks the operands of an op against its relations, whose results are not there yet.
static LogicalResult checkOperands(Operation *op, const Relations &relations, const Frame &frame) {
  for (const SizeRelation &relation : relations.sizes) {
    if (relation.whole.value.getDefiningOp() == op || relation.part.value.getDefiningOp() == op)
      continue;
    const int64_t whole = frame[relation.whole.value].shape[relation.whole.index];
    const int64_t part = frame[relation.part.value].shape[relation.part.index];
    if (whole != relation.factor * part)
      return op->emitOpError() << "has an operand of size " << whole << " where " << relation.factor
                               << " times " << part << " is needed";
  }
  return success();
}

/// Checks the results against their types.
static LogicalResult checkResults(Operation *op, const Frame &frame) {
  for (const OpResult result : op->getResults()) {
    const auto type = dyn_cast<RankedTensorType>(result.getType());
    if (!type) // A cache: its type says all sizes.
      continue;
    for (auto [declared, size] : llvm::zip_equal(type.getShape(), frame[result].shape))
      if (!ShapedType::isDynamic(declared) && declared != size)
        return op->emitOpError() << "has a result of size " << size << " where its type says "
                                 << declared;
  }
  return success();
}

static LogicalResult interpretOp(Operation *op, Frame &frame) {
  const Meaning *meaning = meanings().find(op);
  if (!meaning)
    return failure();
  Relations relations;
  meaning->relate(op, relations);
  if (failed(checkOperands(op, relations, frame)) || failed(meaning->interpret(op, frame)))
    return failure();
  return checkResults(op, frame);
}

static void recordNames(Operation *op, const Frame &frame, Outcome &outcome) {
  const auto names = op->getAttrOfType<ArrayAttr>(moe::MoeDialect::kNamesName);
  if (!names)
    return;
  for (auto [name, result] : llvm::zip_equal(names.getAsRange<StringAttr>(), op->getResults()))
    outcome.named[name.str()] = frame.share(result);
}

FailureOr<Outcome> sortie::interpreter::interpret(func::FuncOp function, ArrayRef<TensorRef> inputs,
                                                  Weights &weights) {
  if (!llvm::hasSingleElement(function.getBody()))
    return emitError(function.getLoc(), "the interpreter takes functions with one block");
  if (function.getNumArguments() != inputs.size())
    return emitError(function.getLoc(), "has ")
           << function.getNumArguments() << " arguments where " << inputs.size() << " are given";
  Frame frame(weights);
  for (auto [argument, input] : llvm::zip_equal(function.getArguments(), inputs))
    frame.set(argument, input);
  Outcome outcome;
  for (Operation &op : function.getBody().front().without_terminator()) {
    if (failed(interpretOp(&op, frame)))
      return failure();
    recordNames(&op, frame, outcome);
  }
  for (const Value result : function.getBody().front().getTerminator()->getOperands()) {
    if (!isa<RankedTensorType>(result.getType()))
      return emitError(function.getLoc())
             << "the interpreter returns no values of " << result.getType();
    outcome.results.push_back(frame.share(result));
  }
  outcome.kept = std::move(frame.kept);
  return outcome;
}
