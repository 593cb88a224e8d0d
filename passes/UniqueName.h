// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Names that make way to those that are there.

#ifndef SORTIE_PASSES_UNIQUENAME_H
#define SORTIE_PASSES_UNIQUENAME_H

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringRef.h"

#include <string>

namespace sortie {

/// The first of `name`, `name_1`, `name_2`, ... that is not taken; numbers begin with `number`.
inline std::string uniqueName(llvm::StringRef name,
                              llvm::function_ref<bool(llvm::StringRef)> isTaken,
                              unsigned number = 1) {
  std::string unique = name.str();
  for (; isTaken(unique); ++number)
    unique = name.str() + "_" + std::to_string(number);
  return unique;
}

} // namespace sortie

#endif // SORTIE_PASSES_UNIQUENAME_H
