// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Byte-level byte pair encoding, as GPT-2 defined it: a text is split into words; the bytes of each
// are joined by the list of merges, the first in the list before the others.

#ifndef SORTIE_RUNTIME_TOKENIZER_BYTEPAIRENCODER_H
#define SORTIE_RUNTIME_TOKENIZER_BYTEPAIRENCODER_H

#include "runtime/tokenizer/Encoder.h"
#include "runtime/tokenizer/PreTokenizer.h"
#include "runtime/tokenizer/SymbolChain.h"
#include "runtime/tokenizer/TokenIndex.h"

#include <array>

namespace sortie::tokenizer {

class BytePairEncoder : public Encoder {
public:
  /// `data` is of kind BytePairs; its strings must stay. Errors name `file` and the key: a
  /// pre-tokenizer that is missing or unknown, a merge of or to something that is no token.
  static llvm::Expected<std::unique_ptr<BytePairEncoder>> create(const model::TokenizerData &data,
                                                                 llvm::StringRef file);

  const PreTokenizerRules &rules() const { return preTokenizer.rules(); }

  llvm::Error encode(const Fragment &fragment, std::vector<int32_t> &ids) const override;

private:
  explicit BytePairEncoder(PreTokenizer preTokenizer) : preTokenizer(std::move(preTokenizer)) {}

  llvm::Error addMerges(const model::TokenizerData &data, const TokenIndex &index,
                        llvm::StringRef file);
  /// The token that is all of `word`, where the pre-tokenizer takes such words whole.
  std::optional<int32_t> findWord(llvm::StringRef word) const;
  /// `offset` is that of `word` in the text.
  llvm::Error encodeWord(llvm::StringRef word, size_t offset, SymbolChain &chain,
                         std::vector<int32_t> &ids) const;

  PreTokenizer preTokenizer;
  std::array<int32_t, 256> tokenOfByte = {};
  llvm::DenseMap<std::pair<int32_t, int32_t>, Join> merges;
  TokenIndex wholeWords;
};

} // namespace sortie::tokenizer

#endif // SORTIE_RUNTIME_TOKENIZER_BYTEPAIRENCODER_H
