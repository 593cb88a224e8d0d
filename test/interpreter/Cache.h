// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The values of attention caches.

#ifndef SORTIE_TEST_INTERPRETER_CACHE_H
#define SORTIE_TEST_INTERPRETER_CACHE_H

#include "dialect/lm/LmOps.h"

#include <map>
#include <memory>
#include <vector>

namespace sortie::interpreter {

inline constexpr int64_t kPagePositions = 128;

/// Where a cache has a row: a position within a page. Slots of sequences are numbered anew in each
/// run, pages are what stays.
struct CachePlace {
  int64_t page, position;
  auto operator<=>(const CachePlace &) const = default;
};

/// The keys and values of one position, of all heads. A cache of latents has these as keys, and as
/// values the part of keys that turns.
struct CacheRow {
  std::vector<double> keys, values;
};

/// A value of a cache: two arrays for each page, of which those rows are kept that this run
/// appended. All others hold numbers that are random and always the same, as if a run before had
/// left them.
class Cache {
public:
  Cache(llvm::StringRef name, uint64_t seed, lm::CacheType type);

  CacheRow at(CachePlace place) const;
  void set(CachePlace place, CacheRow row) { appended[place] = std::move(row); }

  const std::string &getName() const { return name; }
  const std::map<CachePlace, CacheRow> &getAppended() const { return appended; }

private:
  std::string name;
  uint64_t key; ///< of the numbers of an earlier run
  int64_t keyColumns, valueColumns;
  std::map<CachePlace, CacheRow> appended;
};

using CacheRef = std::shared_ptr<const Cache>;

} // namespace sortie::interpreter

#endif // SORTIE_TEST_INTERPRETER_CACHE_H
