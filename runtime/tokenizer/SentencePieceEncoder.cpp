// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// SentencePiece encoding. Neighbours lie side by side in the text, so what they would become is a
// part of it.

#include "runtime/tokenizer/SentencePieceEncoder.h"

#include "runtime/support/Error.h"
#include "runtime/tokenizer/Utf8.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace sortie;
using namespace sortie::tokenizer;
using llvm::DenseMap;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;
using llvm::Twine;
using model::TokenType;

std::optional<uint8_t> tokenizer::byteOfToken(StringRef text) {
  uint8_t byte = 0;
  if (text.size() != 6 || !text.consume_front("<0x") || !text.consume_back(">") ||
      text.getAsInteger(16, byte))
    return std::nullopt;
  return byte;
}

Expected<std::unique_ptr<SentencePieceEncoder>>
SentencePieceEncoder::create(const model::TokenizerData &data, StringRef file) {
  std::unique_ptr<SentencePieceEncoder> encoder(new SentencePieceEncoder);
  encoder->addsSpacePrefix = data.addsSpacePrefix.value_or(true);
  encoder->removesExtraSpaces = data.removesExtraSpaces.value_or(false);
  encoder->unknown = data.unknown;
  // Text never becomes a control token: those are found before, or are not wanted.
  encoder->index =
      indexTokens(data, {TokenType::Normal, TokenType::UserDefined, TokenType::Unused});
  for (const auto &[text, id] : encoder->index)
    encoder->longestToken = std::max(encoder->longestToken, text.size());
  for (const TokenType type : data.types)
    encoder->isUnused.push_back(type == TokenType::Unused);
  encoder->addPairs();
  encoder->orderByScores(data);
  if (Error error = encoder->addBytes(data, file))
    return error;
  return encoder;
}

/// The character at the front of `text`, as a number; no two are the same. Files may have tokens
/// that are no UTF-8, so it may be cut short.
static uint32_t takeCharacter(StringRef &text) {
  uint32_t number = 0;
  const StringRef character = text.take_front(characterBytes(text.front()));
  for (const char byte : character)
    number = number << 8 | static_cast<uint8_t>(byte);
  text = text.drop_front(character.size());
  return number;
}

void SentencePieceEncoder::addPairs() {
  for (const auto &[text, id] : index) {
    // No text has such a token.
    if (findInvalidUtf8(text))
      continue;
    StringRef rest = text;
    for (uint32_t previous = takeCharacter(rest); !rest.empty();) {
      const uint32_t character = takeCharacter(rest);
      pairs.insert({previous, character});
      previous = character;
    }
  }
}

size_t SentencePieceEncoder::findPart(StringRef text) const {
  StringRef rest = text;
  uint32_t previous = takeCharacter(rest);
  while (!rest.empty()) {
    StringRef after = rest;
    const uint32_t character = takeCharacter(after);
    if (!pairs.contains({previous, character}))
      break;
    previous = character;
    rest = after;
  }
  return text.size() - rest.size();
}

void SentencePieceEncoder::orderByScores(const model::TokenizerData &data) {
  std::vector<float> scores = data.scores;
  llvm::sort(scores, std::greater<>());
  scores.erase(std::unique(scores.begin(), scores.end()), scores.end());
  for (const float score : data.scores)
    orders.push_back(llvm::lower_bound(scores, score, std::greater<>()) - scores.begin());
}

Error SentencePieceEncoder::addBytes(const model::TokenizerData &data, StringRef file) {
  tokenOfByte.fill(kNoToken);
  for (const auto &[id, text] : llvm::enumerate(data.tokens)) {
    if (data.types[id] != TokenType::Byte)
      continue;
    const std::optional<uint8_t> byte = byteOfToken(text);
    if (!byte)
      return makeError(file + ": metadata key 'tokenizer.ggml.tokens' is '" + text +
                       "' for token " + Twine(id) +
                       ", which is of type 6 (byte), but names none like '<0x0A>' does; the file "
                       "is damaged or was converted wrongly, so convert the model again");
    if (tokenOfByte[*byte] == kNoToken)
      tokenOfByte[*byte] = static_cast<int32_t>(id);
  }
  return Error::success();
}

std::string SentencePieceEncoder::normalize(const Fragment &fragment) const {
  StringRef text = fragment.text;
  if (removesExtraSpaces && fragment.isFirst)
    text = text.ltrim(' ');
  std::string normalized;
  if (text.empty())
    return normalized;
  if (addsSpacePrefix)
    normalized += kSpaceCharacter;
  char previous = '\0';
  for (const char character : text) {
    if (character != ' ')
      normalized += character;
    else if (!removesExtraSpaces || previous != ' ')
      normalized += kSpaceCharacter;
    previous = character;
  }
  if (removesExtraSpaces && fragment.isLast)
    while (StringRef(normalized).ends_with(kSpaceCharacter))
      normalized.resize(normalized.size() - kSpaceCharacter.size());
  return normalized;
}

Error SentencePieceEncoder::addCharacter(StringRef character, std::vector<int32_t> &ids) const {
  const auto byteToken = [&](char byte) { return tokenOfByte[static_cast<uint8_t>(byte)]; };
  if (llvm::none_of(character, [&](char byte) { return byteToken(byte) == kNoToken; })) {
    llvm::append_range(ids, llvm::map_range(character, byteToken));
    return Error::success();
  }
  if (!unknown)
    return makeError("the text has the character '" + character +
                     "', which the vocabulary has no token for, nor tokens for its bytes or for "
                     "what is unknown; leave it out, or convert the model again");
  // Of several in a row SentencePiece makes one.
  if (ids.empty() || ids.back() != *unknown)
    ids.push_back(*unknown);
  return Error::success();
}

Error SentencePieceEncoder::addTokens(StringRef text, const DenseMap<StringRef, uint32_t> &splits,
                                      std::vector<int32_t> &ids) const {
  // Instead of recursion, which could be as deep as a token is long.
  std::vector<StringRef> parts = {text};
  while (!parts.empty()) {
    const StringRef part = parts.back();
    parts.pop_back();
    const std::optional<int32_t> token = findToken(index, part);
    if (!token) {
      if (Error error = addCharacter(part, ids))
        return error;
      continue;
    }
    const auto split = isUnused[*token] ? splits.find(part) : splits.end();
    if (split == splits.end()) {
      ids.push_back(*token);
      continue;
    }
    parts.push_back(part.drop_front(split->second));
    parts.push_back(part.take_front(split->second));
  }
  return Error::success();
}

Error SentencePieceEncoder::encodePart(StringRef text, SymbolChain &chain,
                                       std::vector<int32_t> &ids) const {
  chain.clear();
  for (size_t begin = 0; begin < text.size();) {
    const size_t length = characterBytes(text[begin]);
    chain.add({static_cast<uint32_t>(begin), static_cast<uint32_t>(length), kNoToken});
    begin += length;
  }
  DenseMap<StringRef, uint32_t> splits;
  chain.join([&](const Symbol &left, const Symbol &right) -> std::optional<Join> {
    const StringRef joined = text.substr(left.begin, left.length + right.length);
    if (joined.size() > longestToken)
      return std::nullopt;
    const std::optional<int32_t> token = findToken(index, joined);
    if (!token)
      return std::nullopt;
    if (isUnused[*token])
      splits[joined] = left.length;
    return Join{orders[*token], *token};
  });
  Error error = Error::success();
  chain.forEach([&](const Symbol &symbol) {
    if (!error)
      error = addTokens(text.substr(symbol.begin, symbol.length), splits, ids);
  });
  return error;
}

Error SentencePieceEncoder::encode(const Fragment &fragment, std::vector<int32_t> &ids) const {
  const std::string normalized = normalize(fragment);
  SymbolChain chain;
  for (StringRef rest = normalized; !rest.empty();) {
    const StringRef part = rest.take_front(findPart(rest));
    if (Error error = encodePart(part, chain, ids))
      return error;
    rest = rest.drop_front(part.size());
  }
  return Error::success();
}
