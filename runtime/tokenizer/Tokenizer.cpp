// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The tokenizer of a model.

#include "runtime/tokenizer/Tokenizer.h"

#include "runtime/support/Error.h"
#include "runtime/tokenizer/ByteAlphabet.h"
#include "runtime/tokenizer/BytePairEncoder.h"
#include "runtime/tokenizer/SentencePieceEncoder.h"
#include "runtime/tokenizer/Utf8.h"

#include "llvm/ADT/StringExtras.h"

using namespace sortie;
using namespace sortie::tokenizer;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;
using llvm::Twine;
using model::TokenizerData;
using model::TokenizerKind;
using model::TokenType;

Tokenizer::Tokenizer(TokenizerData data, std::unique_ptr<Encoder> encoder, bool addsBeginOfText)
    : source(std::move(data)), encoder(std::move(encoder)),
      special(source, {TokenType::Control, TokenType::UserDefined, TokenType::Unknown}),
      userDefined(source, {TokenType::UserDefined}), addsBeginOfText(addsBeginOfText) {}

Expected<std::unique_ptr<Tokenizer>> Tokenizer::create(const gguf::Model &model) {
  Expected<TokenizerData> data = model::readTokenizerData(model);
  if (!data)
    return data.takeError();
  return create(std::move(*data), model.name());
}

Expected<std::unique_ptr<Tokenizer>> Tokenizer::create(TokenizerData data, StringRef file) {
  std::unique_ptr<Encoder> encoder;
  bool addsBeginOfText = true;
  if (data.kind == TokenizerKind::BytePairs) {
    auto bytePairs = BytePairEncoder::create(data, file);
    if (!bytePairs)
      return bytePairs.takeError();
    addsBeginOfText = (*bytePairs)->rules().addsBeginOfText;
    encoder = std::move(*bytePairs);
  } else {
    auto sentencePiece = SentencePieceEncoder::create(data, file);
    if (!sentencePiece)
      return sentencePiece.takeError();
    encoder = std::move(*sentencePiece);
  }
  // What a name stands for by itself needs the token; only a flag can ask for one that is missing.
  addsBeginOfText = data.addsBeginOfText.value_or(addsBeginOfText && data.beginOfText);
  std::unique_ptr<Tokenizer> tokenizer(
      new Tokenizer(std::move(data), std::move(encoder), addsBeginOfText));
  if (Error error = tokenizer->checkFlags(file))
    return error;
  return tokenizer;
}

Error Tokenizer::checkFlags(StringRef file) const {
  const auto check = [&](std::optional<bool> flag, std::optional<int32_t> token,
                         StringRef name) -> Error {
    if (!flag.value_or(false) || token)
      return Error::success();
    return makeError(file + ": metadata key 'tokenizer.ggml.add_" + name +
                     "_token' is true, but 'tokenizer.ggml." + name +
                     "_token_id' is missing; convert the model again");
  };
  if (Error error = check(source.addsBeginOfText, source.beginOfText, "bos"))
    return error;
  return check(source.addsEndOfText, source.endOfText, "eos");
}

bool Tokenizer::addsSpacePrefix() const {
  return source.kind == TokenizerKind::SentencePiece && source.addsSpacePrefix.value_or(true);
}

std::string Tokenizer::bytesOf(int32_t id) const {
  const StringRef text = source.tokens[id];
  const TokenType type = source.types[id];
  if (type == TokenType::Byte)
    if (const std::optional<uint8_t> byte = byteOfToken(text))
      return {static_cast<char>(*byte)};
  if (type != TokenType::Normal)
    return text.str();
  if (source.kind == TokenizerKind::BytePairs)
    return bytesOfCharacters(text);
  std::string bytes;
  for (StringRef rest = text; !rest.empty();) {
    const auto [before, after] = rest.split(kSpaceCharacter);
    bytes += before;
    if (before.size() != rest.size())
      bytes += ' ';
    rest = after;
  }
  return bytes;
}

static Error checkText(StringRef text) {
  if (text.size() > kMaxTextBytes)
    return makeError("the text has " + Twine(text.size()) + " bytes, at most " +
                     Twine(kMaxTextBytes) + " are supported; encode it in parts");
  const std::optional<size_t> invalid = findInvalidUtf8(text);
  if (!invalid)
    return Error::success();
  return makeError("byte " + Twine(*invalid) + " of the text (0x" +
                   llvm::utohexstr(static_cast<uint8_t>(text[*invalid]), /*LowerCase=*/true,
                                   /*Width=*/2) +
                   ") is not UTF-8; convert the text to UTF-8");
}

Error Tokenizer::encodeFragments(StringRef text, llvm::ArrayRef<SpecialToken> found,
                                 std::vector<int32_t> &ids) const {
  size_t end = 0;
  const auto encodeUpTo = [&](size_t begin) -> Error {
    if (begin == end)
      return Error::success();
    return encoder->encode({text.slice(end, begin), end, end == 0, begin == text.size()}, ids);
  };
  for (const SpecialToken &token : found) {
    if (Error error = encodeUpTo(token.begin))
      return error;
    ids.push_back(token.id);
    end = token.begin + token.length;
  }
  return encodeUpTo(text.size());
}

Expected<std::vector<int32_t>> Tokenizer::encode(StringRef text,
                                                 const EncodeOptions &options) const {
  if (Error error = checkText(text))
    return error;
  std::vector<int32_t> ids;
  if (options.addsSpecial && addsBeginOfText)
    ids.push_back(*source.beginOfText);
  const SpecialTokens &tokens = options.parsesSpecial ? special : userDefined;
  if (Error error = encodeFragments(text, tokens.find(text), ids))
    return error;
  if (options.addsSpecial && source.addsEndOfText.value_or(false))
    ids.push_back(*source.endOfText);
  return ids;
}

std::vector<SpecialToken> Tokenizer::findTokens(StringRef text,
                                                llvm::ArrayRef<TextPart> parts) const {
  std::vector<SpecialToken> found;
  size_t end = 0; // of what has been searched
  const auto searchUpTo = [&](size_t begin) {
    for (SpecialToken token : userDefined.find(text.slice(end, begin))) {
      token.begin += end;
      found.push_back(token);
    }
  };
  size_t begin = 0; // of the part
  for (const TextPart &part : parts) {
    if (part.parsesSpecial)
      for (SpecialToken token : special.find(part.text)) {
        if (source.types[token.id] == TokenType::UserDefined)
          continue;
        token.begin += begin;
        searchUpTo(token.begin);
        found.push_back(token);
        end = token.begin + token.length;
      }
    begin += part.text.size();
  }
  searchUpTo(text.size());
  return found;
}

Expected<std::vector<int32_t>> Tokenizer::encodeParts(llvm::ArrayRef<TextPart> parts) const {
  std::string text;
  for (const TextPart &part : parts)
    text += part.text;
  if (Error error = checkText(text))
    return error;
  std::vector<int32_t> ids;
  if (Error error = encodeFragments(text, findTokens(text, parts), ids))
    return error;
  return ids;
}
