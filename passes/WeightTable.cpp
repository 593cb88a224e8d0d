// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/WeightTable.h"

#include "passes/UniqueName.h"

using namespace mlir;
using namespace sortie;

/// What the program calls a weight: as its tensor, the first of several, and where its part begins.
static std::string symbolName(const WeightTensors &tensors) {
  std::string name = tensors.names.front().str();
  if (tensors.names.size() > 1)
    name += "...";
  if (tensors.rows)
    name += ("[" + llvm::Twine(tensors.rows.first) + ":]").str();
  if (tensors.columns)
    name += ("[:," + llvm::Twine(tensors.columns.first) + ":]").str();
  return name;
}

WeightTable::WeightTable(Operation *previous) : builder(previous->getContext()), last(previous) {
  auto module = previous->getParentOfType<ModuleOp>();
  for (Operation &op : *module.getBody())
    if (auto name = op.getAttrOfType<StringAttr>(SymbolTable::getSymbolAttrName()))
      symbols.insert(name.getValue());
  module.walk([&](moe::WeightOp weight) { wanted.insert(symbolName(weight.getTensors())); });
}

std::string WeightTable::makeSymbol(const std::string &name) {
  std::string symbol = uniqueName(name, [&](StringRef candidate) {
    return symbols.contains(candidate) || (candidate != name && wanted.contains(candidate));
  });
  symbols.insert(symbol);
  return symbol;
}

FlatSymbolRefAttr WeightTable::lookup(Operation *user, Value value) {
  auto weight = value.getDefiningOp<moe::WeightOp>();
  if (!weight) {
    user->emitOpError("has a weight that is computed; it must be a moe.weight");
    return {};
  }
  const RankedTensorType type = weight.getType();
  const WeightTensors tensors = weight.getTensors();
  auto found = entries.find(weight.getSource());
  if (found != entries.end()) {
    if (found->second.type == type)
      return found->second.symbol;
    InFlightDiagnostic error = weight.emitOpError("reads tensor '")
                               << tensors.names.front().getValue() << "' as " << type;
    error.attachNote(found->second.location) << "it is read as " << found->second.type << " here";
    return {};
  }
  const numerics::Encoding encoding = *moe::getWeightEncoding(type.getElementType());
  builder.setInsertionPointAfter(last);
  const std::string name = makeSymbol(symbolName(tensors));
  last = moert::WeightOp::create(builder, weight.getLoc(), name,
                                 tensors.to<moert::TensorsAttr>(builder.getContext()),
                                 type.getShape(), numerics::encodingInfo(encoding).name,
                                 /*pack=*/nullptr, /*packs=*/nullptr);
  auto symbol = FlatSymbolRefAttr::get(builder.getContext(), name);
  entries.try_emplace(weight.getSource(), Entry{weight.getLoc(), type, symbol});
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
