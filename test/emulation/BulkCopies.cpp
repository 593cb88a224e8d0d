// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Copies from their beginning to the moment at which their bytes are there.

#include "test/emulation/BulkCopies.h"

#include <algorithm>
#include <cstring>

namespace sortie::emulation {

void BulkCopies::clear() {
  onTheirWay.clear();
  landed.clear();
}

BulkCopy &BulkCopies::begin(char *to, int bytes, const void *barrier, const char *garbage,
                            Site site) {
  const auto count = static_cast<size_t>(bytes);
  for (size_t i = 0; i < count; i += 16)
    std::memcpy(to + i, garbage, 16);
  return onTheirWay.emplace_back(BulkCopy{to, barrier, site, std::vector<char>(count)});
}

void BulkCopies::land(int index, uint32_t phase) {
  const auto copy = onTheirWay.begin() + index;
  copy->phase = phase;
  landed.push_back(std::move(*copy));
  onTheirWay.erase(copy);
}

void BulkCopies::observe(const void *barrier, uint32_t phase) {
  std::erase_if(landed, [=](const BulkCopy &copy) {
    const bool isSeen = copy.barrier == barrier && copy.phase < phase;
    if (isSeen)
      std::memcpy(copy.to, copy.data.data(), copy.data.size());
    return isSeen;
  });
}

template <typename Condition> const BulkCopy *BulkCopies::find(Condition condition) const {
  for (const std::vector<BulkCopy> *copies : {&onTheirWay, &landed}) {
    const auto at = std::find_if(copies->begin(), copies->end(), condition);
    if (at != copies->end())
      return &*at;
  }
  return nullptr;
}

const BulkCopy *BulkCopies::findAny() const {
  return find([](const BulkCopy &) { return true; });
}

const BulkCopy *BulkCopies::findAt(const char *to, int bytes) const {
  return find(
      [=](const BulkCopy &copy) { return to < copy.to + copy.bytes() && copy.to < to + bytes; });
}

const BulkCopy *BulkCopies::findOf(const void *barrier) const {
  return find([=](const BulkCopy &copy) { return copy.barrier == barrier; });
}

} // namespace sortie::emulation
