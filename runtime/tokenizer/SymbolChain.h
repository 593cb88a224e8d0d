// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Joining of neighbours, which both kinds of vocabulary encode by: of all neighbours that can
// become one symbol, the best pair does, the leftmost of equal ones, until none can.

#ifndef SORTIE_RUNTIME_TOKENIZER_SYMBOLCHAIN_H
#define SORTIE_RUNTIME_TOKENIZER_SYMBOLCHAIN_H

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace sortie::tokenizer {

/// No token.
inline constexpr int32_t kNoToken = -1;

/// A part of the text.
struct Symbol {
  uint32_t begin;
  /// In bytes; 0 once the symbol before it has it.
  uint32_t length;
  int32_t token; ///< or kNoToken
};

/// What two neighbours become.
struct Join {
  /// The lowest is the best.
  uint32_t order;
  int32_t token;
};

/// Symbols that are linked to their neighbours. Joining n of them takes O(n log n) steps. One chain
/// serves any number of words, so that its memory is allocated once.
class SymbolChain {
public:
  void clear() { links.clear(); }

  /// Adds the symbol after the last, of at least one byte.
  void add(Symbol symbol) {
    const auto number = static_cast<int32_t>(links.size());
    links.push_back({symbol, number - 1, kEnd});
    if (number > 0)
      links[number - 1].next = number;
  }

  /// Joins what `find` joins: it gets two neighbours and gives a std::optional<Join>.
  template <typename Find> void join(Find find) {
    queue.clear();
    for (int32_t i = 0; i + 1 < static_cast<int32_t>(links.size()); ++i)
      if (const std::optional<Candidate> candidate = consider(find, i))
        queue.push_back(*candidate);
    std::make_heap(queue.begin(), queue.end(), std::greater<>());
    while (!queue.empty()) {
      std::pop_heap(queue.begin(), queue.end(), std::greater<>());
      const Candidate best = queue.back();
      queue.pop_back();
      if (!isCurrent(best))
        continue;
      apply(best);
      enqueue(find, links[best.left].previous);
      enqueue(find, best.left);
    }
  }

  /// Calls `visit` with each symbol that is left, in their order.
  template <typename Visit> void forEach(Visit visit) const {
    for (int32_t i = links.empty() ? kEnd : 0; i != kEnd; i = links[i].next)
      visit(links[i].symbol);
  }

private:
  static constexpr int32_t kEnd = -1;

  struct Link {
    Symbol symbol;
    int32_t previous;
    int32_t next;
  };

  /// A symbol that can be joined with its next, as both were when it was found.
  struct Candidate {
    uint32_t order;
    int32_t left;
    uint32_t length; ///< of both
    int32_t token;
    bool operator>(const Candidate &other) const {
      return order != other.order ? order > other.order : left > other.left;
    }
  };

  template <typename Find> std::optional<Candidate> consider(Find &find, int32_t left) {
    if (left == kEnd || links[left].next == kEnd)
      return std::nullopt;
    const Symbol &first = links[left].symbol;
    const Symbol &second = links[links[left].next].symbol;
    const std::optional<Join> join = find(first, second);
    if (!join)
      return std::nullopt;
    return Candidate{join->order, left, first.length + second.length, join->token};
  }

  template <typename Find> void enqueue(Find &find, int32_t left) {
    const std::optional<Candidate> candidate = consider(find, left);
    if (!candidate)
      return;
    queue.push_back(*candidate);
    std::push_heap(queue.begin(), queue.end(), std::greater<>());
  }

  /// Symbols only grow, so the two are as they were if they are as long together.
  bool isCurrent(const Candidate &candidate) const {
    const Link &left = links[candidate.left];
    return left.symbol.length != 0 && left.next != kEnd &&
           left.symbol.length + links[left.next].symbol.length == candidate.length;
  }

  void apply(const Candidate &candidate) {
    Link &left = links[candidate.left];
    Link &right = links[left.next];
    left.symbol.length = candidate.length;
    left.symbol.token = candidate.token;
    left.next = right.next;
    right.symbol.length = 0;
    if (left.next != kEnd)
      links[left.next].previous = candidate.left;
  }

  std::vector<Link> links;
  std::vector<Candidate> queue;
};

} // namespace sortie::tokenizer

#endif // SORTIE_RUNTIME_TOKENIZER_SYMBOLCHAIN_H
