// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The index of tokens.

#include "runtime/tokenizer/TokenIndex.h"

#include "llvm/ADT/STLExtras.h"

using namespace sortie;
using namespace sortie::tokenizer;
using llvm::ArrayRef;
using llvm::StringRef;

TokenIndex tokenizer::indexTokens(const model::TokenizerData &data,
                                  ArrayRef<model::TokenType> types) {
  TokenIndex index;
  for (const auto &[id, text] : llvm::enumerate(data.tokens))
    if (!text.empty() && llvm::is_contained(types, data.types[id]))
      index.try_emplace(text, static_cast<int32_t>(id));
  return index;
}

std::optional<int32_t> tokenizer::findToken(const TokenIndex &index, StringRef text) {
  const auto it = index.find(text);
  if (it == index.end())
    return std::nullopt;
  return it->second;
}
