// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What attention and appending to a cache work on. The files compiled for an instruction set
// include this header, so all its functions are inlined (Kernels.h says why).

#ifndef SORTIE_RUNTIME_CPU_ATTENTIONOPERANDS_H
#define SORTIE_RUNTIME_CPU_ATTENTIONOPERANDS_H

#include "runtime/cpu/Operands.h"
#include "runtime/numerics/cache.h"

namespace sortie::cpu {

/// Where the positions of sequences lie in a cache. Page tables have been checked.
struct CachePlaces {
  const int32_t *positions; ///< [tokens]
  const int32_t *sequences; ///< [tokens]
  const int32_t *pages;     ///< [sequences, pagesOfSequence]
  int64_t pagesOfSequence;
  std::byte *cache; ///< [pages, pageBytes]
  int64_t pageBytes;
  numerics::ActivationWidth width;
  int64_t kvHeads;
  int64_t key, value; ///< elements of a head
  int64_t rotated;    ///< of the second part of keys, whose first part is the value; 0: of one part
  numerics::CachePageLayout layout;

  /// What page number `index` of a sequence has for a head of keys.
  SORTIE_KERNEL_INLINE std::byte *page(int64_t sequence, int64_t index, int64_t kvHead) const {
    const int64_t number = pages[sequence * pagesOfSequence + index];
    return cache + number * pageBytes + kvHead * layout.headBytes;
  }
};

struct AppendOperands : CachePlaces {
  int64_t tokens;
  const float *keys;        ///< [tokens, kvHeads * key]
  const float *values;      ///< [tokens, kvHeads * value]; null where keys have two parts
  const float *rotatedKeys; ///< [tokens, kvHeads * rotated]; null where they have one

  SORTIE_KERNEL_INLINE const float *keyRow(int64_t token, int64_t kvHead) const {
    return keys + (token * kvHeads + kvHead) * key;
  }
  SORTIE_KERNEL_INLINE const float *valueRow(int64_t token, int64_t kvHead) const {
    return values + (token * kvHeads + kvHead) * value;
  }
  SORTIE_KERNEL_INLINE const float *rotatedRow(int64_t token, int64_t kvHead) const {
    return rotatedKeys + (token * kvHeads + kvHead) * rotated;
  }
  /// The page of a token, for a head of keys.
  SORTIE_KERNEL_INLINE std::byte *page(int64_t token, int64_t kvHead) const {
    return CachePlaces::page(sequences[token], positions[token] / numerics::kAttentionChunk,
                             kvHead);
  }
};

struct AttendOperands : CachePlaces {
  int64_t heads;
  const float *queries;               ///< [tokens, heads * key]
  const float *rotatedQueries;        ///< [tokens, heads * rotated]; null where keys have one part
  float *outputs;                     ///< [tokens, heads * value]
  const float *sinks;                 ///< [heads], or null
  float scale;                        ///< kappa
  int64_t window;                     ///< positions that a query sees; 0: all
  numerics::ActivationWidth ownWidth; ///< of queries and weights

  struct Place {
    int64_t token;
    int64_t head;
  };
  /// Queries of a head of keys are counted token by token.
  SORTIE_KERNEL_INLINE Place place(int64_t kvHead, int64_t query) const {
    const int64_t group = heads / kvHeads;
    return {query / group, kvHead * group + query % group};
  }
  SORTIE_KERNEL_INLINE const float *query(int64_t token, int64_t head) const {
    return queries + (token * heads + head) * key;
  }
  SORTIE_KERNEL_INLINE const float *rotatedQuery(int64_t token, int64_t head) const {
    return rotatedQueries + (token * heads + head) * rotated;
  }
  SORTIE_KERNEL_INLINE float *output(int64_t token, int64_t head) const {
    return outputs + (token * heads + head) * value;
  }
};

/// The rows that tokens [first, first + count) append for a head of keys.
struct AppendUnit {
  int64_t kvHead;
  int64_t first;
  int64_t count;
};

/// Queries [first, first + count) of a head of keys.
struct AttentionUnit {
  int64_t kvHead;
  int64_t first;
  int64_t count;
};

} // namespace sortie::cpu

#endif // SORTIE_RUNTIME_CPU_ATTENTIONOPERANDS_H
