// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Growing is in two steps: count the pages that all sequences need, then take them.

#include "runtime/cache/CacheManager.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <limits>

using namespace llvm;

namespace sortie::cache {

Expected<CacheManager> CacheManager::create(CacheLimits limits, ArrayRef<CacheGroup> shapes) {
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  constexpr int64_t kMostPlaces = int64_t{1} << 28;
  if (limits.sequences < 1 || limits.sequences > kMost)
    return makeError("a cache for " + Twine(limits.sequences) +
                     " sequences: it needs room for 1 to 2147483647");
  if (limits.context < 1 || limits.context > kMost)
    return makeError("a cache for sequences of " + Twine(limits.context) +
                     " positions: they need room for 1 to 2147483647");
  const int64_t places = limits.sequences * pagesFor(limits.context);
  if (places > kMostPlaces)
    return makeError("a cache for " + Twine(limits.sequences) + " sequences of " +
                     Twine(limits.context) + " positions needs tables of " + Twine(places) +
                     " pages; at most " + Twine(kMostPlaces) + " are possible");
  std::vector<Group> groups;
  for (const CacheGroup &shape : shapes) {
    if (shape.pages < 1)
      return makeError("a cache of " + Twine(shape.pages) + " pages: it needs at least one");
    if (shape.window < 0)
      return makeError("a window of " + Twine(shape.window) + " positions: it needs at least one");
    groups.push_back({shape.window, PagePool(shape.pages),
                      std::vector<Page>(static_cast<size_t>(places), kNoPage)});
  }
  return CacheManager(limits, std::move(groups));
}

Error CacheManager::checkExists(uint32_t sequence) const {
  if (sequence < lengths.size() && lengths[sequence])
    return Error::success();
  return makeError("there is no sequence " + Twine(sequence));
}

Expected<int64_t> CacheManager::length(uint32_t sequence) const {
  if (Error error = checkExists(sequence))
    return error;
  return *lengths[sequence];
}

Expected<uint32_t> CacheManager::createSequence() {
  const auto free = find(lengths, std::nullopt);
  if (free == lengths.end())
    return makeError(
        "all " + Twine(limits.sequences) +
            " sequences of the cache are in use; end one, or make the session for more",
        std::errc::not_enough_memory);
  const auto sequence = static_cast<uint32_t>(free - lengths.begin());
  lengths[sequence] = 0;
  return sequence;
}

Expected<uint32_t> CacheManager::fork(uint32_t sequence) {
  if (Error error = checkExists(sequence))
    return error;
  Expected<uint32_t> copy = createSequence();
  if (!copy)
    return copy;
  lengths[*copy] = lengths[sequence];
  for (Group &group : groups) {
    std::copy_n(pagesOf(group, sequence).begin(), tablePages(), pagesOf(group, *copy).begin());
    for (const Page page : pagesOf(group, sequence))
      if (page != kNoPage)
        group.pool.share(page);
  }
  return copy;
}

int64_t CacheManager::firstPlace(const Group &group, int64_t position) {
  if (group.window == 0 || position < group.window)
    return 0;
  return (position - group.window + 1) / kPagePositions;
}

void CacheManager::release(Group &group, MutableArrayRef<Page> pages) {
  for (Page &page : pages)
    if (page != kNoPage)
      group.pool.release(std::exchange(page, kNoPage));
}

void CacheManager::releaseBehindWindow(Group &group, uint32_t sequence) {
  const int64_t first = firstPlace(group, *lengths[sequence]);
  release(group, pagesOf(group, sequence).take_front(static_cast<size_t>(first)));
}

Page CacheManager::begunPage(Group &group, uint32_t sequence) {
  const int64_t length = *lengths[sequence];
  if (length % kPagePositions == 0)
    return kNoPage;
  return pagesOf(group, sequence)[static_cast<size_t>(length / kPagePositions)];
}

int64_t CacheManager::pagesNeeded(Group &group, ArrayRef<Growth> growths) {
  int64_t needed = 0;
  DenseMap<Page, int32_t> writers; // of pages that are begun
  for (const Growth &growth : growths) {
    const int64_t length = *lengths[growth.sequence];
    needed += pagesFor(length + growth.tokens) - pagesFor(length);
    const Page begun = begunPage(group, growth.sequence);
    if (growth.tokens > 0 && begun != kNoPage)
      ++writers[begun];
  }
  // Of those who share a page, the last one to write may keep it.
  for (const auto &[page, count] : writers)
    needed += std::min(count, group.pool.ownersOf(page) - 1);
  return needed;
}

Error CacheManager::checkGrowth(const Growth &growth) const {
  if (Error error = checkExists(growth.sequence))
    return error;
  if (growth.tokens < 0)
    return makeError("sequence " + Twine(growth.sequence) + " cannot grow by " +
                     Twine(growth.tokens) + " tokens");
  const int64_t length = *lengths[growth.sequence];
  if (growth.tokens > limits.context - length)
    return makeError("sequence " + Twine(growth.sequence) + " has " + Twine(length) +
                     " positions and cannot grow by " + Twine(growth.tokens) + ": the context is " +
                     Twine(limits.context));
  return Error::success();
}

Error CacheManager::checkPages(uint32_t index, ArrayRef<Growth> growths) {
  Group &group = groups[index];
  const int64_t needed = pagesNeeded(group, growths);
  const int64_t available = group.pool.available();
  if (needed <= available)
    return Error::success();
  return makeError("the cache has no room: " + Twine(needed) + " pages of " +
                       Twine(kPagePositions) + " positions are needed, " + Twine(available) +
                       " are free; end or cut a sequence, or make the session with " +
                       Twine(needed - available) + " more pages",
                   std::errc::not_enough_memory);
}

void CacheManager::grow(uint32_t index, const Growth &growth) {
  Group &group = groups[index];
  const int64_t length = *lengths[growth.sequence];
  MutableArrayRef<Page> pages = pagesOf(group, growth.sequence);
  const Page begun = begunPage(group, growth.sequence);
  if (growth.tokens > 0 && begun != kNoPage && group.pool.ownersOf(begun) > 1) {
    const Page mine = group.pool.take();
    copies.push_back({index, begun, mine});
    pages[static_cast<size_t>(length / kPagePositions)] = mine;
    group.pool.release(begun);
  }
  for (int64_t place = pagesFor(length); place < pagesFor(length + growth.tokens); ++place)
    pages[static_cast<size_t>(place)] = group.pool.take();
}

Error CacheManager::extend(ArrayRef<Growth> growths) {
  std::vector<bool> isNamed(lengths.size());
  for (const Growth &growth : growths) {
    if (Error error = checkGrowth(growth))
      return error;
    if (isNamed[growth.sequence])
      return makeError("sequence " + Twine(growth.sequence) + " is named twice in one run");
    isNamed[growth.sequence] = true;
  }
  // What a window has passed is free whether or not the rest succeeds: nobody can see it.
  for (Group &group : groups)
    for (const Growth &growth : growths)
      releaseBehindWindow(group, growth.sequence);
  for (uint32_t index = 0; index < groups.size(); ++index)
    if (Error error = checkPages(index, growths))
      return error;
  for (uint32_t index = 0; index < groups.size(); ++index)
    for (const Growth &growth : growths)
      grow(index, growth);
  for (const Growth &growth : growths)
    *lengths[growth.sequence] += growth.tokens;
  return Error::success();
}

Error CacheManager::truncate(uint32_t sequence, int64_t length) {
  if (Error error = checkExists(sequence))
    return error;
  const int64_t old = *lengths[sequence];
  if (length < 0 || length > old)
    return makeError("sequence " + Twine(sequence) + " has " + Twine(old) +
                     " positions and cannot be cut to " + Twine(length));
  for (Group &group : groups) {
    const auto first = static_cast<size_t>(firstPlace(group, length));
    const auto last = static_cast<size_t>(pagesFor(length));
    if (first < last && pagesOf(group, sequence)[first] == kNoPage)
      return makeError("sequence " + Twine(sequence) + " cannot be cut to " + Twine(length) +
                       " positions: those before are gone, since layers with a window of " +
                       Twine(group.window) + " no longer need them");
  }
  for (Group &group : groups)
    release(group, pagesOf(group, sequence).drop_front(static_cast<size_t>(pagesFor(length))));
  lengths[sequence] = length;
  return Error::success();
}

Error CacheManager::remove(uint32_t sequence) {
  if (Error error = checkExists(sequence))
    return error;
  for (Group &group : groups)
    release(group, pagesOf(group, sequence));
  lengths[sequence] = std::nullopt;
  return Error::success();
}

} // namespace sortie::cache
