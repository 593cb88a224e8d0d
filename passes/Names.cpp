// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/Names.h"

using namespace mlir;
using namespace sortie;

StringRef sortie::nameOf(Value value) {
  auto result = dyn_cast<OpResult>(value);
  if (!result)
    return "";
  auto names = result.getOwner()->getAttrOfType<ArrayAttr>(moe::MoeDialect::kNamesName);
  return names ? cast<StringAttr>(names[result.getResultNumber()]).getValue() : "";
}

bool sortie::mustStore(Value value, Materialize materialize) {
  return materialize == Materialize::All && !nameOf(value).empty();
}

void sortie::copyNames(Operation *from, Operation *to) {
  if (Attribute names = from->getAttr(moe::MoeDialect::kNamesName))
    to->setAttr(moe::MoeDialect::kNamesName, names);
}
