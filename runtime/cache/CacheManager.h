// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which pages of a session's caches belong to which sequence. A page holds 128 positions, the chunk
// of exact attention, so it cannot show in any bit which page a position lies in. This is host
// memory alone: whoever runs a program hands its tables to the device, and copies the pages that it
// names (docs/whole-models.md).

#ifndef SORTIE_RUNTIME_CACHE_CACHEMANAGER_H
#define SORTIE_RUNTIME_CACHE_CACHEMANAGER_H

#include "runtime/cache/PagePool.h"
#include "runtime/support/Error.h"

#include "llvm/ADT/ArrayRef.h"

#include <optional>
#include <utility>

namespace sortie::cache {

/// Positions in a page.
constexpr int64_t kPagePositions = 128;

/// What is decided when a session is created.
struct CacheLimits {
  int64_t sequences; ///< at once
  int64_t context;   ///< positions of a sequence
};

/// Layers whose caches have the same pages: those with one window.
struct CacheGroup {
  int32_t pages;
  int64_t window = 0; ///< positions that a query sees; 0: all
};

/// A sequence that grows by some tokens in one run.
struct Growth {
  uint32_t sequence;
  int64_t tokens;
};

/// A page whose contents must be copied before the next run.
struct PageCopy {
  uint32_t group;
  Page from;
  Page to;
};

class CacheManager {
public:
  /// An error if a limit is below 1, if a group has no page, or if the tables would have more than
  /// 2^28 places.
  static llvm::Expected<CacheManager> create(CacheLimits limits, llvm::ArrayRef<CacheGroup> groups);

  /// A new sequence without positions. An error if there are as many as can be.
  llvm::Expected<uint32_t> createSequence();
  /// A new sequence that begins as `sequence` is. Its pages are shared until one of both grows into
  /// them.
  llvm::Expected<uint32_t> fork(uint32_t sequence);
  /// Positions for more tokens, for all of these sequences or, with an error, for none: it says how
  /// many pages are missing. Each sequence is named once. What must be copied before the run is
  /// added to takeCopies(). Pages that lie wholly behind a window are given back.
  llvm::Error extend(llvm::ArrayRef<Growth> growths);
  /// Forgets the positions from `length` on. An error if the sequence is shorter, or if a window
  /// has given back what position `length` would see.
  llvm::Error truncate(uint32_t sequence, int64_t length);
  /// Ends a sequence and gives back its pages.
  llvm::Error remove(uint32_t sequence);

  /// The positions of a sequence that exists.
  llvm::Expected<int64_t> length(uint32_t sequence) const;

  /// The pages of a group for each sequence, [sequences, tablePages()], kNoPage where there is
  /// none.
  llvm::ArrayRef<Page> table(uint32_t group) const { return groups[group].table; }
  /// Places of a sequence in a table: place i is of the positions from i * kPagePositions on.
  int64_t tablePages() const { return pagesFor(limits.context); }
  int64_t availablePages(uint32_t group) const { return groups[group].pool.available(); }

  /// Copies that have not been taken yet, in the order in which they must be made.
  std::vector<PageCopy> takeCopies() { return std::exchange(copies, {}); }

  static int64_t pagesFor(int64_t positions) {
    return (positions + kPagePositions - 1) / kPagePositions;
  }

private:
  struct Group {
    int64_t window;
    PagePool pool;
    std::vector<Page> table;
  };

  CacheManager(CacheLimits limits, std::vector<Group> groups)
      : limits(limits), groups(std::move(groups)), lengths(static_cast<size_t>(limits.sequences)) {}

  llvm::MutableArrayRef<Page> pagesOf(Group &group, uint32_t sequence) {
    return llvm::MutableArrayRef<Page>(group.table)
        .slice(sequence * static_cast<size_t>(tablePages()), static_cast<size_t>(tablePages()));
  }
  llvm::Error checkExists(uint32_t sequence) const;
  llvm::Error checkGrowth(const Growth &growth) const;
  llvm::Error checkPages(uint32_t index, llvm::ArrayRef<Growth> growths);
  /// The first place of a table that position `position` or a later one sees.
  static int64_t firstPlace(const Group &group, int64_t position);
  /// Gives back these pages of a sequence.
  static void release(Group &group, llvm::MutableArrayRef<Page> pages);
  /// Gives back what the next position does not see.
  void releaseBehindWindow(Group &group, uint32_t sequence);
  /// The page into which the next token of a sequence goes; kNoPage: it begins one.
  Page begunPage(Group &group, uint32_t sequence);
  /// The pages that growths take together, after releaseBehindWindow().
  int64_t pagesNeeded(Group &group, llvm::ArrayRef<Growth> growths);
  void grow(uint32_t index, const Growth &growth);

  CacheLimits limits;
  std::vector<Group> groups;
  std::vector<std::optional<int64_t>> lengths; ///< of each sequence; nothing: the slot is free
  std::vector<PageCopy> copies;
};

} // namespace sortie::cache

#endif // SORTIE_RUNTIME_CACHE_CACHEMANAGER_H
