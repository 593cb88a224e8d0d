// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/interpreter/PassJudge.h"
#include "test/interpreter/Inputs.h"

#include "mlir/IR/SymbolTable.h"
#include "mlir/Pass/Pass.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace sortie::interpreter;

static SmallVector<func::FuncOp> functionsIn(Operation *op) {
  SmallVector<func::FuncOp> result;
  op->walk([&](func::FuncOp function) {
    if (!function.isExternal())
      result.push_back(function);
  });
  return result;
}

static std::string textOf(func::FuncOp function) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  function->print(stream);
  return text;
}

/// MLIR runs passes on functions through a pass of its own.
static bool isAdaptor(Pass *pass) { return pass->getName().ends_with("OpToOpPassAdaptor"); }

bool PassJudge::observe(func::FuncOp function, Snapshot &snapshot) {
  std::string text = textOf(function);
  if (text == snapshot.text)
    return true;
  snapshot.isPublic = function.isPublic();
  snapshot.text = std::move(text);
  snapshot.outcomes.clear();
  for (auto [run, tokens] : llvm::enumerate(options.tokens)) {
    if (snapshot.inputs.size() == run) {
      FailureOr<std::vector<TensorRef>> inputs = makeInputs(function, tokens, options.seed);
      if (failed(inputs))
        return false;
      snapshot.inputs.push_back(std::move(*inputs));
    }
    FailureOr<Outcome> outcome = interpret(function, snapshot.inputs[run], weights);
    if (failed(outcome))
      return false;
    snapshot.outcomes.push_back(std::move(*outcome));
  }
  return true;
}

void PassJudge::runBeforePass(Pass *pass, Operation *op) {
  if (isAdaptor(pass))
    return;
  for (const func::FuncOp function : functionsIn(op))
    verdict.isGood &= observe(function, snapshots[SymbolTable::getSymbolName(function)]);
}

void PassJudge::runAfterPass(Pass *pass, Operation *op) {
  if (isAdaptor(pass))
    return;
  const StringRef name = pass->getArgument();
  if (isa<ModuleOp>(op))
    judgeRemoved(name, op);
  for (const func::FuncOp function : functionsIn(op))
    judge(name, function);
}

void PassJudge::judge(StringRef pass, func::FuncOp function) {
  Snapshot &snapshot = snapshots[SymbolTable::getSymbolName(function)];
  const Snapshot before = snapshot;
  const auto line = [&]() -> raw_ostream & {
    return os << pass << " @" << function.getSymName() << ": ";
  };
  verdict.isGood &= observe(function, snapshot);
  if (!isKnown(before) || !isKnown(snapshot))
    return; // An error has been emitted.
  if (before.text == snapshot.text) {
    line() << "unchanged\n";
    return;
  }
  Compared compared;
  for (auto [tokens, was, is] :
       llvm::zip_equal(options.tokens, before.outcomes, snapshot.outcomes)) {
    compared.values = 0; // The same ones in each run.
    if (auto difference = findDifference(was, is, options.tolerance, compared)) {
      verdict.isGood = false;
      emitError(function.getLoc()) << pass << " changes what @" << function.getSymName()
                                   << " means: " << *difference << ", with " << tokens << " tokens";
      return;
    }
  }
  if (compared.numbers == 0) {
    verdict.isGood = false;
    emitError(function.getLoc()) << pass << " changes @" << function.getSymName()
                                 << ", of which nothing can be compared";
    return;
  }
  line() << "changed, " << compared.values
         << (compared.values == 1 ? " value agrees\n" : " values agree\n");
}

void PassJudge::judgeRemoved(StringRef pass, Operation *module) {
  for (auto &[name, snapshot] : snapshots) {
    if (!snapshot.isPublic || SymbolTable::lookupSymbolIn(module, name))
      continue;
    snapshot.isPublic = false; // Once is enough.
    verdict.isGood = false;
    emitError(module->getLoc()) << pass << " removes @" << name.getValue() << ", which is public";
  }
}
