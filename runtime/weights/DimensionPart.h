// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A part of a tensor's dimension, as dialects, importer and runtime say it.

#ifndef SORTIE_RUNTIME_WEIGHTS_DIMENSIONPART_H
#define SORTIE_RUNTIME_WEIGHTS_DIMENSIONPART_H

#include "llvm/ADT/Hashing.h"

#include <cstdint>

namespace sortie {

/// The part of a dimension from `first` on, of `total`; all of the dimension when `total` is 0. How
/// long the part is, the weight's shape says.
struct DimensionPart {
  int64_t first = 0;
  int64_t total = 0;

  explicit operator bool() const { return total != 0; }
  bool operator==(const DimensionPart &) const = default;
};
// NOLINTNEXTLINE(readability-identifier-naming): LLVM finds it by this name
inline llvm::hash_code hash_value(DimensionPart part) {
  return llvm::hash_combine(part.first, part.total);
}

} // namespace sortie

#endif // SORTIE_RUNTIME_WEIGHTS_DIMENSIONPART_H
