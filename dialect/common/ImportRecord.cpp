// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/common/ImportRecord.h"

#include "dialect/common/TextRules.h"

#include "mlir/IR/BuiltinAttributes.h"

using namespace mlir;
using namespace sortie;

/// Names, and at least one.
static bool areNames(Attribute value) {
  return isArrayOfDistinctNames(value) && !cast<ArrayAttr>(value).empty();
}

static bool isWord(Attribute value) {
  const auto word = dyn_cast<StringAttr>(value);
  return word && isIdentifier(word.getValue());
}

static bool isCount(Attribute value) {
  const auto count = dyn_cast<IntegerAttr>(value);
  return count && count.getType().isSignlessInteger(64) && count.getInt() >= 1;
}

LogicalResult import_record::verify(EmitError emitError, StringRef name, Attribute value) {
  const auto entries = dyn_cast<DictionaryAttr>(value);
  if (!entries || entries.empty())
    return emitError() << "'" << name << "' must be a dictionary that is not empty";
  for (const NamedAttribute entry : entries) {
    const StringRef key = entry.getName();
    const Attribute content = entry.getValue();
    if (key == kIgnoredTensors || key == kIgnoredKeys) {
      if (!areNames(content))
        return emitError() << "'" << key << "' of '" << name
                           << "' must hold strings that are not empty and all different";
    } else if (key == kGating) {
      if (!isWord(content))
        return emitError() << "'" << key << "' of '" << name << "' must be a word";
    } else if (key == kExpertsUsed || key == kContext) {
      if (!isCount(content))
        return emitError() << "'" << key << "' of '" << name << "' must be an i64 of at least 1";
    } else {
      return emitError() << "'" << name << "' has the unknown entry '" << key << "'";
    }
  }
  return success();
}
