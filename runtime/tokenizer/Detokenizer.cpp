// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Decoding of tokens.

#include "runtime/tokenizer/Detokenizer.h"

#include "runtime/support/Error.h"
#include "runtime/tokenizer/Utf8.h"

#include "llvm/Support/JSON.h"

using namespace sortie;
using namespace sortie::tokenizer;
using llvm::ArrayRef;
using llvm::Expected;
using llvm::StringRef;
using llvm::Twine;
using model::TokenType;

static std::string replaceInvalid(StringRef bytes) {
  return llvm::json::isUTF8(bytes) ? bytes.str() : llvm::json::fixUTF8(bytes);
}

Detokenizer::Detokenizer(const Tokenizer &tokenizer, const DecodeOptions &options)
    : tokenizer(tokenizer), options(options),
      followsSpacePrefix(tokenizer.addsSpacePrefix() && !options.continuesText) {}

Expected<std::string> Detokenizer::push(int32_t id) {
  if (id < 0 || static_cast<size_t>(id) >= tokenizer.tokenCount())
    return makeError("there is no token " + Twine(id) + "; the tokens of this model are 0 to " +
                     Twine(tokenizer.tokenCount() - 1));
  const TokenType type = tokenizer.data().types[id];
  const bool isText =
      type == TokenType::Normal || type == TokenType::Byte || type == TokenType::UserDefined;
  const std::string bytes = isText || options.showsSpecial ? tokenizer.bytesOf(id) : "";
  StringRef added = bytes;
  // Encoding puts a space after each token that it found in the text by its name.
  if (type == TokenType::Control || type == TokenType::UserDefined)
    followsSpacePrefix = tokenizer.addsSpacePrefix();
  else if (isText && std::exchange(followsSpacePrefix, false))
    added.consume_front(" ");
  pending += added;
  const StringRef complete = StringRef(pending).drop_back(incompleteBytes(pending));
  std::string text = replaceInvalid(complete);
  pending.erase(0, complete.size());
  return text;
}

std::string Detokenizer::finish() { return replaceInvalid(std::exchange(pending, std::string())); }

Expected<std::string> tokenizer::decode(const Tokenizer &tokenizer, ArrayRef<int32_t> ids,
                                        const DecodeOptions &options) {
  Detokenizer detokenizer(tokenizer, options);
  std::string text;
  for (const int32_t id : ids) {
    Expected<std::string> part = detokenizer.push(id);
    if (!part)
      return part.takeError();
    text += *part;
  }
  text += detokenizer.finish();
  return text;
}
