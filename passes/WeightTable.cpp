// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/WeightTable.h"

using namespace mlir;
using namespace sortie;

FlatSymbolRefAttr WeightTable::lookup(Operation *user, Value value) {
  auto weight = value.getDefiningOp<moe::WeightOp>();
  if (!weight) {
    user->emitOpError("has a weight that is computed; it must be a moe.weight");
    return {};
  }
  const RankedTensorType type = weight.getType();
  auto found = entries.find(weight.getSourceAttr());
  if (found != entries.end()) {
    if (found->second.type == type)
      return found->second.symbol;
    InFlightDiagnostic error = weight.emitOpError("reads tensor '")
                               << weight.getSource() << "' as " << type;
    error.attachNote(found->second.location) << "it is read as " << found->second.type << " here";
    return {};
  }
  const numerics::Format format = *moe::getWeightFormat(type.getElementType());
  builder.setInsertionPointAfter(last);
  last =
      moert::WeightOp::create(builder, weight.getLoc(), weight.getSource(), weight.getSource(),
                              type.getShape(), numerics::formatInfo(format).name, /*pack=*/nullptr);
  auto symbol = FlatSymbolRefAttr::get(weight.getSourceAttr());
  entries.try_emplace(weight.getSourceAttr(), Entry{weight.getLoc(), type, symbol});
  return symbol;
}

FailureOr<FlatSymbolRefAttr> WeightTable::lookupOptional(Operation *user, Value value) {
  if (!value)
    return FlatSymbolRefAttr();
  FlatSymbolRefAttr symbol = lookup(user, value);
  if (!symbol)
    return failure();
  return symbol;
}

FailureOr<SmallVector<FlatSymbolRefAttr>> WeightTable::lookupOptionals(Operation *user,
                                                                       ArrayRef<Value> values) {
  SmallVector<FlatSymbolRefAttr> symbols;
  for (Value value : values) {
    FailureOr<FlatSymbolRefAttr> symbol = lookupOptional(user, value);
    if (failed(symbol))
      return failure();
    symbols.push_back(*symbol);
  }
  return symbols;
}
