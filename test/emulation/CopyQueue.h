// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The asynchronous copies that a thread has begun. Bytes arrive when their group is waited for and
// not earlier, and until then the destination holds garbage, so that a missing wait shows.

#ifndef SORTIE_TEST_EMULATION_COPYQUEUE_H
#define SORTIE_TEST_EMULATION_COPYQUEUE_H

#include <cstring>
#include <vector>

namespace sortie::emulation {

class CopyQueue {
public:
  /// Reads `valid` bytes at `from`; the other ones of `bytes` (at most 16) become zeros.
  void begin(char *to, const void *from, int bytes, int valid, const char *garbage) {
    Copy copy = {to, bytes, group, {}};
    if (valid > 0)
      std::memcpy(copy.data, from, static_cast<size_t>(valid));
    std::memcpy(to, garbage, static_cast<size_t>(bytes));
    copies.push_back(copy);
  }

  void commit() { ++group; }

  /// Lets all but the `groups` last committed groups arrive.
  void wait(int groups) {
    while (first < copies.size() && copies[first].group < group - groups) {
      const Copy &copy = copies[first++];
      std::memcpy(copy.to, copy.data, static_cast<size_t>(copy.bytes));
    }
    if (first == copies.size())
      clear();
  }

  /// Forgets the copies on their way.
  void clear() {
    copies.clear();
    first = 0;
  }

private:
  struct Copy {
    char *to;
    int bytes;
    int group;
    char data[16];
  };
  std::vector<Copy> copies; ///< from `first` on, in the order of their beginning
  size_t first = 0;
  int group = 0; ///< groups committed so far; also the group that new copies belong to
};

} // namespace sortie::emulation

#endif // SORTIE_TEST_EMULATION_COPYQUEUE_H
