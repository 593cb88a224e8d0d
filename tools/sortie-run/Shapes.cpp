// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Extents that are affine in a symbol; a shape has at most one.

#include "tools/sortie-run/Shapes.h"

#include "tools/sortie-run/Api.h"

#include "llvm/ADT/STLExtras.h"

using namespace llvm;

namespace sortie::tool {

static ArrayRef<sortie_extent> extentsOf(const sortie_value_info &info) {
  return {info.shape, info.rank};
}

size_t symbolOf(const sortie_value_info &info) {
  const ArrayRef symbols(info.shape_symbols, info.rank);
  const auto *found = find_if(symbols, [](size_t symbol) { return symbol != SIZE_MAX; });
  return found == symbols.end() ? SIZE_MAX : *found;
}

Expected<sortie_symbol_info> findSymbol(const sortie_program *program, size_t index) {
  sortie_symbol_info symbol = SORTIE_INIT(sortie_symbol_info);
  symbol.name = "";
  if (index != SIZE_MAX)
    if (Error error = toError(sortie_program_get_symbol(program, index, &symbol)))
      return error;
  return symbol;
}

void printShape(const sortie_value_info &info, StringRef symbol, StringRef separator,
                raw_ostream &out) {
  auto print = [&](const sortie_extent &extent) {
    if (extent.per_symbol == 0) {
      out << extent.constant;
      return;
    }
    if (extent.per_symbol != 1)
      out << extent.per_symbol << '*';
    out << symbol;
    if (extent.constant != 0)
      out << '+' << extent.constant;
  };
  interleave(extentsOf(info), out, print, separator);
}

SmallVector<int64_t, 4> shapeAt(const sortie_value_info &info, int64_t symbol) {
  SmallVector<int64_t, 4> shape;
  for (const sortie_extent &extent : extentsOf(info))
    shape.push_back(extent.per_symbol * symbol + extent.constant);
  return shape;
}

bool matchShape(const sortie_value_info &info, ArrayRef<int64_t> shape,
                std::optional<int64_t> &symbol) {
  if (shape.size() != info.rank)
    return false;
  for (auto [extent, given] : zip_equal(extentsOf(info), shape)) {
    const int64_t rest = given - extent.constant;
    if (extent.per_symbol == 0) {
      if (rest != 0)
        return false;
      continue;
    }
    if (rest < 0 || rest % extent.per_symbol != 0)
      return false;
    const int64_t value = rest / extent.per_symbol;
    if (symbol && *symbol != value)
      return false;
    symbol = value;
  }
  return true;
}

} // namespace sortie::tool
