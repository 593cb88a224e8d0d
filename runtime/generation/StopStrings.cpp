// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every end of the text is looked at, since a stop string may end inside a piece.

#include "runtime/generation/StopStrings.h"

#include <algorithm>

using namespace llvm;

namespace sortie::generation {

Expected<StopStrings> StopStrings::create(std::vector<std::string> strings) {
  if (std::find(strings.begin(), strings.end(), "") != strings.end())
    return makeError("a stop string is empty, so that no text could begin; leave it out");
  return StopStrings(std::move(strings));
}

size_t StopStrings::stopAtEnd(StringRef text) const {
  size_t longest = 0;
  for (const std::string &string : strings)
    if (text.ends_with(string))
      longest = std::max(longest, string.size());
  return longest;
}

size_t StopStrings::beginningAtEnd(StringRef text) const {
  size_t longest = 0;
  for (const StringRef string : strings)
    for (size_t length = std::min(string.size() - 1, text.size()); length > longest; --length)
      if (text.ends_with(string.take_front(length)))
        longest = length;
  return longest;
}

std::string StopStrings::push(StringRef piece) {
  if (found)
    return {};
  size_t end = held.size();
  held += piece;
  while (end < held.size()) {
    ++end;
    const size_t stop = stopAtEnd(StringRef(held).take_front(end));
    if (stop == 0)
      continue;
    found = true;
    std::string text = held.substr(0, end - stop);
    held.clear();
    return text;
  }
  std::string text = held.substr(0, held.size() - beginningAtEnd(held));
  held.erase(0, text.size());
  return text;
}

} // namespace sortie::generation
