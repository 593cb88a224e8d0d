// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What generation needs of a compiled model: a function of tokens of any number of sequences to
// logits, and those for pages of its caches. SessionForward.h runs a program's; tests have others.

#ifndef SORTIE_RUNTIME_GENERATION_FORWARDPASS_H
#define SORTIE_RUNTIME_GENERATION_FORWARDPASS_H

#include "runtime/numerics/cache.h"
#include "runtime/support/Error.h"

#include "llvm/ADT/ArrayRef.h"

#include <string>
#include <vector>

namespace sortie::generation {

/// What runs may have at most, and how large the tables are.
struct ForwardShape {
  int64_t tokens = 0;     ///< of a run, T
  int64_t rows = 0;       ///< of logits of a run, R
  int64_t sequences = 0;  ///< at once, S
  int64_t tablePages = 0; ///< places of a sequence in the table of pages, P
  int64_t pages = 0;      ///< of the cache
  int64_t vocabulary = 0; ///< logits of a row, V
  int64_t copies = 0;     ///< pages that are copied, read or written in one call
};

/// The inputs of a run, as docs/whole-models.md has them.
struct ForwardInputs {
  llvm::ArrayRef<int32_t> tokens;    ///< [T]
  llvm::ArrayRef<int32_t> positions; ///< [T], ascending for each sequence
  llvm::ArrayRef<int32_t> sequences; ///< [T]
  llvm::ArrayRef<int32_t> pages;     ///< [S, P], of the sequences 0 to S - 1
  llvm::ArrayRef<int32_t> rows;      ///< [R]
};

/// A cache of a layer, whose pages runtime/numerics/cache.h lays out.
struct CacheLayout {
  std::string name;
  int64_t heads = 0;   ///< of keys
  int64_t key = 0;     ///< elements of a head
  int64_t value = 0;   ///< likewise
  int64_t rotated = 0; ///< elements of the second part of keys; 0: they have one
  numerics::ActivationWidth width = numerics::ActivationWidth::Int16;

  int bits() const { return width == numerics::ActivationWidth::Int16 ? 16 : 8; }
  /// 32-bit words of a page.
  int64_t words() const { return numerics::cachePageWords(width, heads, key, value, rotated); }
  bool operator==(const CacheLayout &) const = default;
};

/// What the caches of a program are, and what their contents depend on beside the tokens.
struct CacheOrigin {
  uint32_t numerics = 0;        ///< version of the contract
  uint32_t fingerprintRule = 0; ///< 0: the program does not know its model
  uint64_t fingerprint = 0;
  std::string importOptions;    ///< where the program is not what the model file says
  uint32_t activationBits = 16; ///< of activations: 8, 16, or 24 if there are both
  std::vector<CacheLayout> caches;

  /// Words of so many pages of all caches.
  size_t words(size_t pages) const {
    size_t words = 0;
    for (const CacheLayout &cache : caches)
      words += pages * static_cast<size_t>(cache.words());
    return words;
  }
};

class ForwardPass {
public:
  virtual ~ForwardPass() = default;
  virtual const ForwardShape &shape() const = 0;
  /// Writes the logits [R, V] of the wanted rows.
  virtual llvm::Error run(const ForwardInputs &inputs, llvm::MutableArrayRef<float> logits) = 0;
  /// Makes page `to[i]` of each cache equal to page `from[i]`; all are read before one is written.
  /// At least one, and at most shape().copies.
  virtual llvm::Error copyPages(llvm::ArrayRef<int32_t> from, llvm::ArrayRef<int32_t> to) = 0;

  virtual const CacheOrigin &origin() const = 0;
  /// Copies pages out of each cache, and into it. `words` are those of all of these pages of the
  /// first cache, then those of the next one. As many pages as copyPages() takes.
  virtual llvm::Error readPages(llvm::ArrayRef<int32_t> index,
                                llvm::MutableArrayRef<int32_t> words) = 0;
  virtual llvm::Error writePages(llvm::ArrayRef<int32_t> index, llvm::ArrayRef<int32_t> words) = 0;
};

} // namespace sortie::generation

#endif // SORTIE_RUNTIME_GENERATION_FORWARDPASS_H
