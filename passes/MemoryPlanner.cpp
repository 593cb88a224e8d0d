// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/MemoryPlanner.h"

#include <algorithm>
#include <numeric>
#include <tuple>

using namespace sortie;

static int64_t roundUp(int64_t value, int64_t step) { return (value + step - 1) / step * step; }

AffineBytes sortie::alignUp(AffineBytes bytes) {
  return {roundUp(bytes.perToken, kArenaAlignment), roundUp(bytes.fixed, kArenaAlignment)};
}

size_t MemoryPlanner::addBuffer(AffineBytes size, int64_t first, int64_t last) {
  buffers.push_back({alignUp(size), first, last});
  return buffers.size() - 1;
}

bool MemoryPlanner::conflict(const Buffer &a, const Buffer &b) const {
  return a.first <= b.last && b.first <= a.last;
}

bool MemoryPlanner::notAbove(AffineBytes a, AffineBytes b) const {
  return a.at(0) <= b.at(0) && a.at(maxTokens) <= b.at(maxTokens);
}

AffineBytes MemoryPlanner::envelope(const std::vector<AffineBytes> &ends) const {
  AffineBytes bound;
  int64_t atMax = 0;
  for (AffineBytes end : ends) {
    bound.fixed = std::max(bound.fixed, end.fixed);
    atMax = std::max(atMax, end.at(maxTokens));
  }
  // A line from the highest start that reaches the highest end: all others lie below both.
  if (maxTokens > 0)
    bound.perToken = roundUp(roundUp(atMax - bound.fixed, maxTokens) / maxTokens, kArenaAlignment);
  return bound;
}

AffineBytes MemoryPlanner::bestFit(AffineBytes size, const std::vector<Slice> &taken) const {
  std::vector<AffineBytes> ends;
  for (const Slice &slice : taken)
    ends.push_back(slice.end);

  // A place on top of everything is always possible. A gap that starts at the bottom or at the end
  // of a buffer is better, the smaller the better.
  const AffineBytes top = envelope(ends);
  AffineBytes best = top;
  int64_t bestGap = INT64_MAX;
  ends.push_back({});
  for (AffineBytes offset : ends) {
    const AffineBytes end = offset + size;
    int64_t gap = INT64_MAX;
    bool fits = true;
    for (const Slice &slice : taken) {
      if (notAbove(slice.end, offset))
        continue;
      if (!notAbove(end, slice.offset)) {
        fits = false;
        break;
      }
      gap = std::min(gap, slice.offset.at(maxTokens) - end.at(maxTokens));
    }
    if (!fits)
      continue;
    const bool lower = offset.at(maxTokens) < best.at(maxTokens);
    if (gap < bestGap || (gap == bestGap && lower)) {
      best = offset;
      bestGap = gap;
    }
  }
  return best;
}

MemoryPlan MemoryPlanner::plan() const {
  std::vector<size_t> order(buffers.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    const int64_t sizeOfA = buffers[a].size.at(maxTokens);
    const int64_t sizeOfB = buffers[b].size.at(maxTokens);
    return std::tie(sizeOfB, a) < std::tie(sizeOfA, b); // larger ones first, then as they come
  });

  MemoryPlan plan;
  plan.offsets.resize(buffers.size());
  std::vector<size_t> placed;
  std::vector<AffineBytes> ends;
  for (size_t index : order) {
    std::vector<Slice> taken;
    for (size_t other : placed)
      if (conflict(buffers[index], buffers[other]))
        taken.push_back({plan.offsets[other], plan.offsets[other] + buffers[other].size});
    plan.offsets[index] = bestFit(buffers[index].size, taken);
    placed.push_back(index);
    ends.push_back(plan.offsets[index] + buffers[index].size);
  }
  plan.arena = envelope(ends);
  return plan;
}
