// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// SentencePiece's byte pair encoding: the characters of a text are joined by the scores of the
// tokens that they become, the highest first. A space is U+2581 in tokens. What no token has
// becomes its bytes, or the unknown token.

#ifndef SORTIE_RUNTIME_TOKENIZER_SENTENCEPIECEENCODER_H
#define SORTIE_RUNTIME_TOKENIZER_SENTENCEPIECEENCODER_H

#include "runtime/tokenizer/Encoder.h"
#include "runtime/tokenizer/SymbolChain.h"
#include "runtime/tokenizer/TokenIndex.h"

#include "llvm/ADT/DenseSet.h"

#include <array>

namespace sortie::tokenizer {

/// The space of tokens, U+2581.
inline constexpr llvm::StringLiteral kSpaceCharacter = "\xe2\x96\x81";

/// The byte that a token of type Byte stands for; nothing if its text is not like "<0x0A>".
std::optional<uint8_t> byteOfToken(llvm::StringRef text);

class SentencePieceEncoder : public Encoder {
public:
  /// `data` is of kind SentencePiece; its strings must stay. Errors name `file` and the key: a
  /// token of type Byte that names none.
  static llvm::Expected<std::unique_ptr<SentencePieceEncoder>>
  create(const model::TokenizerData &data, llvm::StringRef file);

  llvm::Error encode(const Fragment &fragment, std::vector<int32_t> &ids) const override;

private:
  SentencePieceEncoder() = default;

  void orderByScores(const model::TokenizerData &data);
  void addPairs();
  llvm::Error addBytes(const model::TokenizerData &data, llvm::StringRef file);
  /// The text with the spaces of tokens, one put before it and extra ones removed, as the file
  /// says.
  std::string normalize(const Fragment &fragment) const;
  /// How long the first part of `text` is that no token goes beyond.
  size_t findPart(llvm::StringRef text) const;
  llvm::Error encodePart(llvm::StringRef text, SymbolChain &chain, std::vector<int32_t> &ids) const;
  /// Adds the tokens of `text`, an unused token being taken apart again. `splits` has for the texts
  /// of such tokens how long the left of the two halves was.
  llvm::Error addTokens(llvm::StringRef text,
                        const llvm::DenseMap<llvm::StringRef, uint32_t> &splits,
                        std::vector<int32_t> &ids) const;
  /// Adds tokens for a character that is none.
  llvm::Error addCharacter(llvm::StringRef character, std::vector<int32_t> &ids) const;

  bool addsSpacePrefix = true;
  bool removesExtraSpaces = false;
  std::optional<int32_t> unknown;
  TokenIndex index;
  size_t longestToken = 0;
  /// Characters that follow one another in some token. Two others are never joined, so the text can
  /// be cut between them, and joining the parts is faster: its symbols stay in the cache.
  llvm::DenseSet<std::pair<uint32_t, uint32_t>> pairs;
  /// Of each token, the place of its score among all scores; the highest is 0.
  std::vector<uint32_t> orders;
  std::vector<bool> isUnused;
  std::array<int32_t, 256> tokenOfByte = {};
};

} // namespace sortie::tokenizer

#endif // SORTIE_RUNTIME_TOKENIZER_SENTENCEPIECEENCODER_H
