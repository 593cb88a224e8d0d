// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The automaton of special tokens, and which of the tokens that it finds are taken.

#include "runtime/tokenizer/SpecialTokens.h"

#include "llvm/ADT/STLExtras.h"

#include <map>
#include <queue>
#include <tuple>

using namespace sortie;
using namespace sortie::tokenizer;
using llvm::ArrayRef;
using llvm::StringRef;

SpecialTokens::SpecialTokens(const model::TokenizerData &data, ArrayRef<model::TokenType> types) {
  for (const auto &[id, text] : llvm::enumerate(data.tokens))
    if (llvm::is_contained(types, data.types[id]))
      add(text, static_cast<int32_t>(id));
  linkStates();
}

void SpecialTokens::add(StringRef text, int32_t id) {
  if (text.empty())
    return;
  uint32_t state = kRoot;
  for (const char character : llvm::reverse(text)) {
    const auto byte = static_cast<uint8_t>(character);
    const auto [it, isNew] = transitions.try_emplace({state, byte}, states.size());
    if (isNew) {
      states.emplace_back();
      states.back().length = states[state].length + 1;
    }
    state = it->second;
  }
  // Of tokens with the same text the first is meant, as everywhere.
  if (states[state].token == -1)
    states[state].token = id;
}

void SpecialTokens::linkStates() {
  struct Edge {
    uint32_t from;
    uint8_t byte;
    uint32_t to;
  };
  std::vector<Edge> edges;
  for (const auto &[from, to] : transitions) {
    edges.push_back({from.first, static_cast<uint8_t>(from.second), to});
    if (from.first == kRoot)
      transitionsOfRoot[from.second] = to;
  }
  // A fallback is shorter than its state, so shorter states come first.
  llvm::sort(edges, [&](const Edge &a, const Edge &b) {
    return std::tuple(states[a.to].length, a.to) < std::tuple(states[b.to].length, b.to);
  });
  for (const Edge &edge : edges) {
    State &state = states[edge.to];
    state.fallback = edge.from == kRoot ? kRoot : next(states[edge.from].fallback, edge.byte);
    const State &fallback = states[state.fallback];
    state.shorter = fallback.token != -1 ? state.fallback : fallback.shorter;
  }
}

uint32_t SpecialTokens::next(uint32_t state, uint8_t byte) const {
  for (; state != kRoot; state = states[state].fallback)
    if (const auto it = transitions.find({state, byte}); it != transitions.end())
      return it->second;
  return transitionsOfRoot[byte];
}

uint32_t SpecialTokens::findLongest(uint32_t state, size_t most) const {
  while (state != kRoot && (states[state].token == -1 || states[state].length > most))
    state = states[state].shorter;
  return state;
}

namespace {

/// A token that could be taken. The best is the last in a priority queue's order.
struct Choice {
  size_t begin;
  uint32_t state;
  uint32_t length;
  int32_t id;
  bool operator<(const Choice &other) const {
    return std::tuple(length, other.id, other.begin) < std::tuple(other.length, id, begin);
  }
};

} // namespace

std::vector<SpecialToken> SpecialTokens::find(StringRef text) const {
  std::vector<Choice> found;
  const auto addChoice = [&](auto add, size_t begin, uint32_t state, size_t most) {
    const uint32_t longest = findLongest(state, most);
    if (longest != kRoot)
      add(Choice{begin, longest, states[longest].length, states[longest].token});
  };
  uint32_t state = kRoot;
  for (size_t i = text.size(); i-- > 0;) {
    state = next(state, static_cast<uint8_t>(text[i]));
    addChoice([&](Choice choice) { found.push_back(choice); }, i, state, text.size());
  }

  std::priority_queue<Choice> choices(std::less<Choice>(), std::move(found));
  std::map<size_t, SpecialToken> taken;
  while (!choices.empty()) {
    const Choice choice = choices.top();
    choices.pop();
    const auto after = taken.lower_bound(choice.begin);
    if (after != taken.begin()) {
      const SpecialToken &before = std::prev(after)->second;
      if (before.begin + before.length > choice.begin)
        continue;
    }
    const size_t room = (after == taken.end() ? text.size() : after->first) - choice.begin;
    if (choice.length <= room)
      taken.emplace_hint(after, choice.begin, SpecialToken{choice.begin, choice.length, choice.id});
    else
      addChoice([&](Choice shorter) { choices.push(shorter); }, choice.begin, choice.state, room);
  }
  std::vector<SpecialToken> tokens;
  for (const auto &[begin, token] : taken)
    tokens.push_back(token);
  return tokens;
}
