// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The pages of a cache: which are free, and how many sequences share each of the others.

#ifndef SORTIE_RUNTIME_CACHE_PAGEPOOL_H
#define SORTIE_RUNTIME_CACHE_PAGEPOOL_H

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace sortie::cache {

/// Number of a page; kNoPage where there is none.
using Page = int32_t;
constexpr Page kNoPage = -1;

class PagePool {
public:
  /// `pages` free pages.
  explicit PagePool(int32_t pages) : owners(static_cast<size_t>(pages)) {
    for (Page page = pages - 1; page >= 0; --page)
      free.push_back(page);
  }

  int64_t available() const { return static_cast<int64_t>(free.size()); }
  /// How many sequences have a page.
  int32_t ownersOf(Page page) const { return owners[static_cast<size_t>(page)]; }

  /// A free page, which has one owner then. There must be one.
  Page take() {
    assert(!free.empty() && "the caller has asked available()");
    const Page page = free.back();
    free.pop_back();
    owners[static_cast<size_t>(page)] = 1;
    return page;
  }
  void share(Page page) { ++owners[static_cast<size_t>(page)]; }
  /// One owner less. The last one gives the page back.
  void release(Page page) {
    assert(owners[static_cast<size_t>(page)] > 0 && "nobody owns the page");
    if (--owners[static_cast<size_t>(page)] == 0)
      free.push_back(page);
  }

private:
  std::vector<Page> free; ///< the next to be taken last
  std::vector<int32_t> owners;
};

} // namespace sortie::cache

#endif // SORTIE_RUNTIME_CACHE_PAGEPOOL_H
