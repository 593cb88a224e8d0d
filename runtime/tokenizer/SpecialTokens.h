// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Special tokens in text: those whose text is a token wherever it stands, and is never split.

#ifndef SORTIE_RUNTIME_TOKENIZER_SPECIALTOKENS_H
#define SORTIE_RUNTIME_TOKENIZER_SPECIALTOKENS_H

#include "runtime/model/TokenizerData.h"

#include "llvm/ADT/DenseMap.h"

#include <array>
#include <vector>

namespace sortie::tokenizer {

/// Where a special token is in a text.
struct SpecialToken {
  size_t begin = 0;
  size_t length = 0; ///< in bytes, at least 1
  int32_t id = 0;
};

/// Finds tokens by an automaton (Aho and Corasick, 1975), in time that grows with the text and not
/// with how many tokens there are.
class SpecialTokens {
public:
  /// Finds the tokens of these types that have a text.
  SpecialTokens(const model::TokenizerData &data, llvm::ArrayRef<model::TokenType> types);

  /// The special tokens of `text` in their order; none overlap. Of those that would, the longest is
  /// taken, of equally long ones that with the lowest id, and then the leftmost. It is what
  /// llama.cpp finds, which looks for one token after the other, the longest first.
  std::vector<SpecialToken> find(llvm::StringRef text) const;

private:
  static constexpr uint32_t kRoot = 0;

  /// A state is a string that some token's text ends with, and the automaton reads texts backwards:
  /// its state says which tokens begin where it is.
  struct State {
    /// The state of the longest proper beginning that is a state, in the order of the text.
    uint32_t fallback = kRoot;
    /// The nearest fallback that is a token, or the root.
    uint32_t shorter = kRoot;
    int32_t token = -1;
    uint32_t length = 0;
  };

  void add(llvm::StringRef text, int32_t id);
  void linkStates();
  uint32_t next(uint32_t state, uint8_t byte) const;
  /// The longest token of at most `most` bytes that begins where the automaton is in `state`; the
  /// root if there is none.
  uint32_t findLongest(uint32_t state, size_t most) const;

  std::vector<State> states = {State()};
  llvm::DenseMap<std::pair<uint32_t, uint32_t>, uint32_t> transitions;
  std::array<uint32_t, 256> transitionsOfRoot = {};
};

} // namespace sortie::tokenizer

#endif // SORTIE_RUNTIME_TOKENIZER_SPECIALTOKENS_H
