// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A model with the caches of its sequences: tokens in, logits out, in as many runs as it takes. No
// bit of a row of logits depends on the other sequences, or on how tokens are cut into runs.

#ifndef SORTIE_RUNTIME_GENERATION_LANGUAGEMODEL_H
#define SORTIE_RUNTIME_GENERATION_LANGUAGEMODEL_H

#include "runtime/cache/CacheManager.h"
#include "runtime/generation/ForwardPass.h"
#include "runtime/generation/SavedSequence.h"

#include "llvm/ADT/STLFunctionalExtras.h"

#include <functional>
#include <memory>

namespace sortie::generation {

/// Tokens that continue a sequence.
struct Piece {
  uint32_t sequence;
  llvm::ArrayRef<int32_t> tokens;
  /// Logits are wanted of the tokens from this one on.
  size_t firstWanted;
};

/// Takes the logits after token `token` of piece `piece`; they are gone when it returns. Rows come
/// in the order of the pieces and of their tokens.
using LogitsSink =
    llvm::function_ref<llvm::Error(size_t piece, size_t token, llvm::ArrayRef<float> logits)>;

class LanguageModel {
public:
  /// A model for so many sequences at once, each of up to `context` positions. An error if the
  /// forward pass has no room for that.
  static llvm::Expected<LanguageModel> create(std::unique_ptr<ForwardPass> pass, int64_t sequences,
                                              int64_t context);

  /// A new sequence without tokens. An error if there are as many as can be.
  llvm::Expected<uint32_t> createSequence();
  /// A new sequence that begins with the tokens of another one. What they take of the cache is
  /// shared until one of both goes on. An error if there are as many sequences as can be.
  llvm::Expected<uint32_t> fork(uint32_t sequence);
  /// Ends a sequence and gives back its pages.
  llvm::Error removeSequence(uint32_t sequence) { return cache.remove(sequence); }
  /// How many tokens a sequence has, and which. They stay where they are until it changes.
  llvm::Expected<int64_t> length(uint32_t sequence) const { return cache.length(sequence); }
  llvm::Expected<llvm::ArrayRef<int32_t>> tokens(uint32_t sequence) const;
  /// Forgets the tokens of a sequence from `length` on.
  llvm::Error truncate(uint32_t sequence, int64_t length);

  /// Writes a sequence to a file. Errors of `out` are the caller's business.
  llvm::Error save(uint32_t sequence, llvm::raw_ostream &out);
  /// A new sequence that goes on where a saved one has ended. An error if the file is not one of
  /// this model, or if there is no room, changes nothing.
  llvm::Expected<uint32_t> load(llvm::StringRef bytes);
  llvm::Expected<uint32_t> load(const SavedSequence &saved);

  /// Continues sequences, each named once. An error if a piece is empty, if a token is not in the
  /// vocabulary, or if the context or the cache has no room, which says how many pages are needed.
  /// After an error, of a run or of `sink` as well, all sequences are as they were.
  llvm::Error extend(llvm::ArrayRef<Piece> pieces, LogitsSink sink);

  int64_t context() const { return contextLength; }
  int64_t vocabulary() const { return pass->shape().vocabulary; }

  /// Is told how many tokens of an extend() are done.
  std::function<void(uint64_t done, uint64_t total)> progress;

private:
  /// A token of a piece.
  struct Place {
    size_t piece;
    size_t token;
  };
  /// The arrays of a run, and whose its rows are.
  struct Run {
    std::vector<int32_t> tokens, positions, sequences, pages, rows;
    std::vector<Place> places; ///< of the rows
    uint32_t highest = 0;      ///< sequence
    void clear();
  };

  LanguageModel(std::unique_ptr<ForwardPass> pass, cache::CacheManager cache, int64_t context)
      : pass(std::move(pass)), cache(std::move(cache)), contextLength(context) {}

  std::vector<int32_t> &textOf(uint32_t sequence);

  /// An error if the program has no functions for pages.
  llvm::Error checkHasPages(const llvm::Twine &purpose) const;
  /// Makes the copies that forks need. Those that fail are made by the next call: nothing is run
  /// before they are.
  llvm::Error makeCopies();
  llvm::Error checkPieces(llvm::ArrayRef<Piece> pieces) const;
  llvm::Error runAll(llvm::ArrayRef<Piece> pieces, llvm::ArrayRef<int64_t> lengths,
                     LogitsSink sink);
  bool hasRoom(bool isWanted) const;
  void addToken(const Piece &piece, Place place, int64_t position);
  /// Runs what was collected, and gives its rows away.
  llvm::Error flush(LogitsSink sink);
  void fillPages();
  /// The pages of a sequence.
  llvm::ArrayRef<int32_t> pagesOf(uint32_t sequence, size_t tokens) const;
  llvm::Error writePages(const SavedSequence &saved, llvm::ArrayRef<int32_t> pages);

  std::unique_ptr<ForwardPass> pass;
  cache::CacheManager cache;
  int64_t contextLength;
  std::vector<cache::PageCopy> copies;     ///< that are still to be made
  std::vector<std::vector<int32_t>> texts; ///< the tokens of each sequence
  Run run;                                 ///< memory that is used again
  std::vector<float> logits;
};

} // namespace sortie::generation

#endif // SORTIE_RUNTIME_GENERATION_LANGUAGEMODEL_H
