// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rules of text.

#include "dialect/common/TextRules.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;

namespace sortie {

bool isHexDigits(StringRef text, size_t count) {
  auto isHex = [](char c) { return llvm::isDigit(c) || (c >= 'a' && c <= 'f'); };
  return text.size() == count && llvm::all_of(text, isHex);
}

bool areDistinctNames(ArrayRef<StringAttr> names) {
  llvm::StringSet<> seen;
  return llvm::all_of(
      names, [&](StringAttr name) { return !name.empty() && seen.insert(name.getValue()).second; });
}

bool isArrayOfDistinctNames(Attribute attribute) {
  const auto array = dyn_cast<ArrayAttr>(attribute);
  return array && llvm::all_of(array, llvm::IsaPred<StringAttr>) &&
         areDistinctNames(llvm::to_vector(array.getAsRange<StringAttr>()));
}

bool isIdentifier(StringRef text) {
  return !text.empty() && !llvm::isDigit(text.front()) &&
         llvm::all_of(text, [](char c) { return llvm::isAlnum(c) || c == '_'; });
}

} // namespace sortie
