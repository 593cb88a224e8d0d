// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From the text of a token to its id.

#ifndef SORTIE_RUNTIME_TOKENIZER_TOKENINDEX_H
#define SORTIE_RUNTIME_TOKENIZER_TOKENINDEX_H

#include "runtime/model/TokenizerData.h"

#include "llvm/ADT/DenseMap.h"

namespace sortie::tokenizer {

using TokenIndex = llvm::DenseMap<llvm::StringRef, int32_t>;

/// The tokens of these types, but empty ones, which stand for no text. Of tokens with the same text
/// it has the first.
TokenIndex indexTokens(const model::TokenizerData &data, llvm::ArrayRef<model::TokenType> types);

/// The token with this text; nothing if there is none.
std::optional<int32_t> findToken(const TokenIndex &index, llvm::StringRef text);

} // namespace sortie::tokenizer

#endif // SORTIE_RUNTIME_TOKENIZER_TOKENINDEX_H
