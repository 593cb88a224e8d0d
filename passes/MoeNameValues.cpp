// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// moe-name-values: every semantic value has a name, and every function a list of its names.

#include "passes/Names.h"
#include "passes/UniqueName.h"

#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringMap.h"

using namespace mlir;

namespace sortie {
#define GEN_PASS_DEF_MOENAMEVALUES
#include "passes/Passes.h.inc"

namespace {

class MoeNameValues : public impl::MoeNameValuesBase<MoeNameValues> {
public:
  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      if (failed(collectNames(function)))
        return signalPassFailure();
      nameUnnamed(function);
      listNames(function);
    }
  }

private:
  /// Fills `taken`; a name that two values of a function have is an error.
  LogicalResult collectNames(func::FuncOp function);
  void nameUnnamed(func::FuncOp function);
  void listNames(func::FuncOp function);
  /// `base`, or `base_2`, `base_3`, … if that is taken.
  StringAttr makeUnique(const Twine &base);

  llvm::StringMap<Operation *> taken;
};

LogicalResult MoeNameValues::collectNames(func::FuncOp function) {
  taken.clear();
  WalkResult result = function.walk([&](Operation *op) {
    for (OpResult value : op->getResults()) {
      StringRef name = nameOf(value);
      if (name.empty())
        continue;
      auto [entry, isNew] = taken.try_emplace(name, op);
      if (isNew)
        continue;
      InFlightDiagnostic error = op->emitOpError("has the name '") << name << "', which is taken";
      error.attachNote(entry->second->getLoc()) << "by this op";
      return WalkResult::interrupt();
    }
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

StringAttr MoeNameValues::makeUnique(const Twine &base) {
  auto isTaken = [&](StringRef name) { return taken.contains(name); };
  return StringAttr::get(&getContext(), uniqueName(base.str(), isTaken, /*number=*/2));
}

void MoeNameValues::nameUnnamed(func::FuncOp function) {
  function.walk([&](moe::SemanticOpInterface op) {
    if (op->hasAttr(moe::MoeDialect::kNamesName))
      return;
    SmallVector<Attribute> names;
    for (StringRef description : op.getValueNames()) {
      StringAttr name = makeUnique(function.getSymName() + "." + description);
      taken[name] = op;
      names.push_back(name);
      ++named;
    }
    op->setAttr(moe::MoeDialect::kNamesName, ArrayAttr::get(&getContext(), names));
  });
}

void MoeNameValues::listNames(func::FuncOp function) {
  llvm::SetVector<Attribute> names;
  if (auto values = function->getAttrOfType<ArrayAttr>(moe::MoeDialect::kValuesName))
    names.insert_range(values);
  function.walk([&](Operation *op) {
    if (auto own = op->getAttrOfType<ArrayAttr>(moe::MoeDialect::kNamesName))
      names.insert_range(own);
  });
  function->setAttr(moe::MoeDialect::kValuesName,
                    ArrayAttr::get(&getContext(), names.getArrayRef()));
}

} // namespace
} // namespace sortie
