// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What generation needs of a compiled model: a function of tokens of any number of sequences to
// logits, and those for pages of its caches. SessionForward.h runs a program's; tests have others.

#ifndef SORTIE_RUNTIME_GENERATION_FORWARDPASS_H
#define SORTIE_RUNTIME_GENERATION_FORWARDPASS_H

#include "runtime/support/Error.h"

#include "llvm/ADT/ArrayRef.h"

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

class ForwardPass {
public:
  virtual ~ForwardPass() = default;
  virtual const ForwardShape &shape() const = 0;
  /// Writes the logits [R, V] of the wanted rows.
  virtual llvm::Error run(const ForwardInputs &inputs, llvm::MutableArrayRef<float> logits) = 0;
  /// Makes page `to[i]` of each cache equal to page `from[i]`; all are read before one is written.
  /// At least one, and at most shape().copies.
  virtual llvm::Error copyPages(llvm::ArrayRef<int32_t> from, llvm::ArrayRef<int32_t> to) = 0;
};

} // namespace sortie::generation

#endif // SORTIE_RUNTIME_GENERATION_FORWARDPASS_H
