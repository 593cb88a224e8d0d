// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What is wrong with numbers that a caller passes, as kernels tell the host.

#ifndef SORTIE_RUNTIME_NUMERICS_STATUS_H
#define SORTIE_RUNTIME_NUMERICS_STATUS_H

#include "runtime/numerics/contract.h"

namespace sortie::numerics {

/// What a number is none of. Kernels in compiled programs write these values.
enum class IndexFault : int32_t {
  None = 0,
  Row = 1,      ///< a row of a table
  Sequence = 2, ///< a sequence of the page table
  Position = 3, ///< a position that the page table has a place for
  Page = 4,     ///< a page of the cache
  Place = 5,    ///< a place in the cache that no other token has
  Expert = 6,   ///< an expert; kernels tell of these in another way (`moert.check_ids`)
};

/// Words of a status.
constexpr int kStatusWords = 4;

/// The first fault among the numbers of an operation. All that `moert.check_places` reads.
struct IndexStatus {
  int32_t fault;    ///< an IndexFault
  int32_t position; ///< of the number among the numbers; of a token, which one
  int32_t index;    ///< the number; of a place, the last token that has it, too
  int32_t bound;    ///< numbers are 0 to bound - 1; of a place, how many tokens there are
};

/// Whether `index` is one of `bound` things.
SORTIE_NUMERICS_CONSTEXPR bool isBelow(int32_t index, int32_t bound) {
  return static_cast<uint32_t>(index) < static_cast<uint32_t>(bound);
}

} // namespace sortie::numerics

#endif // SORTIE_RUNTIME_NUMERICS_STATUS_H
