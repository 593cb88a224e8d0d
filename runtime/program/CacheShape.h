// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the pages of a state hold, if it is a cache of attention.

#ifndef SORTIE_RUNTIME_PROGRAM_CACHESHAPE_H
#define SORTIE_RUNTIME_PROGRAM_CACHESHAPE_H

#include "runtime/program/Program.h"

namespace sortie {

/// The numbers by which runtime/numerics/cache.h lays a page out.
struct CacheShape {
  int64_t heads; ///< of keys
  int64_t key;   ///< elements of a head
  int64_t value; ///< likewise
  int bits;      ///< of an element: 8 or 16
};

/// As the functions have it that append to the state; nothing if none does.
std::optional<CacheShape> cacheShapeOf(const Program &program, uint32_t state);

} // namespace sortie

#endif // SORTIE_RUNTIME_PROGRAM_CACHESHAPE_H
