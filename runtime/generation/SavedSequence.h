// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A sequence as a file: its tokens, and its pages of all caches. Equal sequences of one model have
// equal files. docs/whole-models.md has the format.

#ifndef SORTIE_RUNTIME_GENERATION_SAVEDSEQUENCE_H
#define SORTIE_RUNTIME_GENERATION_SAVEDSEQUENCE_H

#include "runtime/generation/ForwardPass.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/BLAKE3.h"
#include "llvm/Support/raw_ostream.h"

namespace sortie::generation {

/// The seal is BLAKE3, 128 bits, of all bytes before it. It guards against damage, not malice.
using SequenceSeal = llvm::TruncatedBLAKE3<16>;

/// Pages that a sequence of so many tokens has.
size_t pagesOfTokens(size_t tokens);

/// Clears the positions of a page from `first` on.
void clearPositions(const CacheLayout &cache, llvm::MutableArrayRef<int32_t> page, int64_t first);

/// A saved sequence that has been checked. It refers to the bytes of the file.
class SavedSequence {
public:
  /// An error that says what is wrong if these are not the bytes of a sequence, if one of them is
  /// damaged, or if a program of this origin and vocabulary cannot go on with them.
  static llvm::Expected<SavedSequence> read(llvm::StringRef bytes, const CacheOrigin &origin,
                                            int64_t vocabulary);

  llvm::ArrayRef<int32_t> tokens() const { return ids; }
  /// Of its pages those from number `first` on, as ForwardPass::writePages() takes them.
  void getPages(size_t first, size_t count, llvm::MutableArrayRef<int32_t> words) const;

private:
  SavedSequence(std::vector<int32_t> ids, llvm::StringRef pages, llvm::ArrayRef<CacheLayout> caches)
      : ids(std::move(ids)), pages(pages) {
    for (const CacheLayout &cache : caches)
      wordsOfCache.push_back(static_cast<size_t>(cache.words()));
  }

  std::vector<int32_t> ids;
  llvm::StringRef pages;
  std::vector<size_t> wordsOfCache; ///< of a page
};

/// Writes a file piece by piece.
class SequenceWriter {
public:
  /// Writes what stands before the pages.
  SequenceWriter(llvm::raw_ostream &out, const CacheOrigin &origin, llvm::ArrayRef<int32_t> tokens);

  /// The next pages, as ForwardPass::readPages() has given them; positions that no token has are
  /// cleared.
  void addPages(size_t count, llvm::MutableArrayRef<int32_t> words);
  /// To be called after all pages.
  void finish();

private:
  void write(llvm::StringRef bytes);
  template <typename T> void writeNumber(T value);
  void writeText(llvm::StringRef text);

  llvm::raw_ostream &out;
  const CacheOrigin &origin;
  SequenceSeal seal;
  int64_t tokensLeft; ///< those whose pages are still to come
};

} // namespace sortie::generation

#endif // SORTIE_RUNTIME_GENERATION_SAVEDSEQUENCE_H
