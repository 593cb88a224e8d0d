// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Shapes of inputs and outputs, which depend on the value of their function's symbol.

#ifndef SORTIE_TOOLS_SORTIE_RUN_SHAPES_H
#define SORTIE_TOOLS_SORTIE_RUN_SHAPES_H

#include "runtime/include/sortie/sortie.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/raw_ostream.h"

#include <optional>

namespace sortie::tool {

/// The symbol that a value's shape depends on; `name` is empty and `max` 0 where it has none.
struct ValueSymbol {
  llvm::StringRef function;
  llvm::StringRef name;
  int64_t max;
};

/// The index of the symbol that the shape of a value depends on, or SIZE_MAX: it is constant.
size_t symbolOf(const sortie_value_info &info);

/// The symbol of an index that `symbolOf` gives; of SIZE_MAX one without a name, at most 0.
llvm::Expected<sortie_symbol_info> findSymbol(const sortie_program *program, size_t index);

/// Prints the extents of a value, as "tokens" and "256".
void printShape(const sortie_value_info &info, llvm::StringRef symbol, llvm::StringRef separator,
                llvm::raw_ostream &out);

/// The extents of a value where its symbol has this value, which is 0 to the symbol's maximum.
llvm::SmallVector<int64_t, 4> shapeAt(const sortie_value_info &info, int64_t symbol);

/// Whether the value has this shape for some value of the symbol, not negative, which is stored
/// where an extent depends on it.
bool matchShape(const sortie_value_info &info, llvm::ArrayRef<int64_t> shape,
                std::optional<int64_t> &symbol);

} // namespace sortie::tool

#endif // SORTIE_TOOLS_SORTIE_RUN_SHAPES_H
