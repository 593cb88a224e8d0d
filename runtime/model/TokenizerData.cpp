// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reading of a tokenizer's data, key by key.

#include "runtime/model/TokenizerData.h"

#include "runtime/gguf/Cursor.h"
#include "runtime/support/Error.h"

#include <cmath>

using namespace sortie;
using namespace sortie::model;
using llvm::Error;
using llvm::Expected;
using llvm::StringLiteral;
using llvm::StringRef;
using llvm::Twine;

static constexpr StringLiteral kModel = "tokenizer.ggml.model";
static constexpr StringLiteral kPreTokenizer = "tokenizer.ggml.pre";
static constexpr StringLiteral kTokens = "tokenizer.ggml.tokens";
static constexpr StringLiteral kTypes = "tokenizer.ggml.token_type";
static constexpr StringLiteral kScores = "tokenizer.ggml.scores";
static constexpr StringLiteral kMerges = "tokenizer.ggml.merges";
static constexpr StringLiteral kChatTemplate = "tokenizer.chat_template";

namespace {

/// A key and the member that has its value.
template <typename T> struct Key {
  StringLiteral name;
  std::optional<T> TokenizerData::*member;
};

} // namespace

static constexpr Key<int32_t> kIds[] = {
    {"tokenizer.ggml.bos_token_id", &TokenizerData::beginOfText},
    {"tokenizer.ggml.eos_token_id", &TokenizerData::endOfText},
    {"tokenizer.ggml.eot_token_id", &TokenizerData::endOfTurn},
    {"tokenizer.ggml.eom_token_id", &TokenizerData::endOfMessage},
    {"tokenizer.ggml.unknown_token_id", &TokenizerData::unknown},
    // Files have it with this spelling.
    {"tokenizer.ggml.seperator_token_id", &TokenizerData::separator},
    {"tokenizer.ggml.padding_token_id", &TokenizerData::padding},
};

static constexpr Key<bool> kFlags[] = {
    {"tokenizer.ggml.add_bos_token", &TokenizerData::addsBeginOfText},
    {"tokenizer.ggml.add_eos_token", &TokenizerData::addsEndOfText},
    {"tokenizer.ggml.add_space_prefix", &TokenizerData::addsSpacePrefix},
    {"tokenizer.ggml.remove_extra_whitespaces", &TokenizerData::removesExtraSpaces},
};

static constexpr Key<StringRef> kStrings[] = {
    {kPreTokenizer, &TokenizerData::preTokenizer},
    {kChatTemplate, &TokenizerData::chatTemplate},
};

static constexpr StringLiteral kConvertAgain = "; the file is damaged or was converted wrongly, so "
                                               "convert the model again";

namespace {

/// Fills a TokenizerData, part by part.
class TokenizerReader {
public:
  explicit TokenizerReader(const gguf::Model &model) : model(model), metadata(model.metadata()) {}

  Expected<TokenizerData> read();

private:
  Error readKind();
  Error readTokens();
  Error readTypes();
  Error readScores();
  Error readMerges();
  Error readIds();
  Error readFlags();
  Error readStrings();

  /// The array of a key that must be there, with elements that `isWanted` takes, at most `most` of
  /// them. `wanted` names them.
  Expected<const gguf::Value *> getArray(StringRef key, bool (*isWanted)(gguf::ValueType),
                                         StringRef wanted, uint64_t most) const;
  /// The array of a key that the file may have, one element a token. Null if it does not.
  Expected<const gguf::Value *> findArrayOfTokens(StringRef key, bool (*isWanted)(gguf::ValueType),
                                                  StringRef wanted) const;
  /// An array of strings of at most `most` bytes each.
  Expected<std::vector<StringRef>> getStrings(StringRef key, uint64_t most) const;

  Error makeError(StringRef key, const Twine &problem) const {
    return sortie::makeError(model.name() + ": metadata key '" + key + "' " + problem);
  }

  const gguf::Model &model;
  const gguf::Metadata &metadata;
  TokenizerData data;
};

bool isString(gguf::ValueType type) { return type == gguf::ValueType::String; }

bool isFloat(gguf::ValueType type) {
  return type == gguf::ValueType::Float32 || type == gguf::ValueType::Float64;
}

bool isInteger(gguf::ValueType type) {
  return gguf::scalarBytes(type) != 0 && !isFloat(type) && type != gguf::ValueType::Bool;
}

/// Element `number` of an array of scalars.
gguf::Value elementOf(const gguf::Value &array, uint64_t number) {
  const uint64_t bytes = gguf::scalarBytes(array.elementType());
  return {array.elementType(), array.encoded().substr(number * bytes, bytes)};
}

Expected<const gguf::Value *> TokenizerReader::getArray(StringRef key,
                                                        bool (*isWanted)(gguf::ValueType),
                                                        StringRef wanted, uint64_t most) const {
  const gguf::Value *value = metadata.find(key);
  if (!value)
    return makeError(key, "is missing; an array of " + wanted +
                              " is needed. Convert the model again, with its tokenizer");
  if (value->type() != gguf::ValueType::Array || !isWanted(value->elementType()))
    return makeError(key, "is " + value->describeType() + ", an array of " + wanted + " is needed");
  if (value->elementCount() > most)
    return makeError(key, "has " + Twine(value->elementCount()) + " elements, at most " +
                              Twine(most) + " are supported");
  return value;
}

Expected<const gguf::Value *> TokenizerReader::findArrayOfTokens(StringRef key,
                                                                 bool (*isWanted)(gguf::ValueType),
                                                                 StringRef wanted) const {
  if (!metadata.find(key))
    return nullptr;
  Expected<const gguf::Value *> array = getArray(key, isWanted, wanted, kMaxTokens);
  if (!array)
    return array;
  if ((*array)->elementCount() != data.tokens.size())
    return makeError(key, "has " + Twine((*array)->elementCount()) +
                              " elements, one for each of the " + Twine(data.tokens.size()) +
                              " tokens is needed" + kConvertAgain);
  return array;
}

Expected<std::vector<StringRef>> TokenizerReader::getStrings(StringRef key, uint64_t most) const {
  Expected<const gguf::Value *> array = getArray(key, isString, "strings", kMaxTokens);
  if (!array)
    return array.takeError();
  std::vector<StringRef> strings;
  strings.reserve((*array)->elementCount());
  gguf::Cursor cursor((*array)->encoded(), model.name());
  for (uint64_t i = 0; i < (*array)->elementCount(); ++i) {
    // The bytes were walked in the same way when the file was opened, so this cannot fail.
    const StringRef string = llvm::cantFail(cursor.readString(UINT64_MAX, "a string"));
    if (string.size() > most)
      return makeError(key, "has " + Twine(string.size()) + " bytes in string " + Twine(i) +
                                ", at most " + Twine(most) + " are supported");
    strings.push_back(string);
  }
  return strings;
}

Error TokenizerReader::readKind() {
  if (!metadata.find(kModel))
    return makeError(kModel, "is missing, so the file has no tokenizer; convert the model again, "
                             "with its tokenizer");
  Expected<StringRef> name = metadata.getString(kModel);
  if (!name)
    return name.takeError();
  if (*name == "gpt2")
    data.kind = TokenizerKind::BytePairs;
  else if (*name == "llama")
    data.kind = TokenizerKind::SentencePiece;
  else
    return makeError(kModel, "is '" + *name +
                                 "'; this version knows 'gpt2' (byte pairs) and 'llama' "
                                 "(SentencePiece)");
  return Error::success();
}

Error TokenizerReader::readTokens() {
  Expected<std::vector<StringRef>> tokens = getStrings(kTokens, kMaxTokenBytes);
  if (!tokens)
    return tokens.takeError();
  if (tokens->empty())
    return makeError(kTokens, "has no elements" + Twine(kConvertAgain));
  data.tokens = std::move(*tokens);
  return Error::success();
}

Error TokenizerReader::readTypes() {
  data.types.assign(data.tokens.size(), TokenType::Normal);
  Expected<const gguf::Value *> types = findArrayOfTokens(kTypes, isInteger, "integers");
  if (!types)
    return types.takeError();
  if (!*types)
    return Error::success();
  constexpr auto kFirst = static_cast<uint64_t>(TokenType::Normal);
  constexpr auto kLast = static_cast<uint64_t>(TokenType::Byte);
  for (uint64_t id = 0; id < data.tokens.size(); ++id) {
    const std::optional<uint64_t> type = elementOf(**types, id).asUnsigned();
    if (!type || *type < kFirst || *type > kLast)
      return makeError(kTypes, "is " + (type ? Twine(*type) : Twine("negative")) + " for token " +
                                   Twine(id) + ", expected " + Twine(kFirst) + " (normal) to " +
                                   Twine(kLast) + " (byte)" + kConvertAgain);
    data.types[id] = static_cast<TokenType>(*type);
  }
  return Error::success();
}

Error TokenizerReader::readScores() {
  Expected<const gguf::Value *> scores =
      findArrayOfTokens(kScores, isFloat, "floating-point numbers");
  if (!scores)
    return scores.takeError();
  if (!*scores) {
    if (data.kind != TokenizerKind::SentencePiece)
      return Error::success();
    return makeError(kScores, "is missing; a SentencePiece tokenizer joins tokens by their scores. "
                              "Convert the model again, with its tokenizer");
  }
  data.scores.reserve(data.tokens.size());
  for (uint64_t id = 0; id < data.tokens.size(); ++id) {
    const double score = *elementOf(**scores, id).asFloat();
    if (std::isnan(score))
      return makeError(kScores, "is NaN for token " + Twine(id) + kConvertAgain);
    data.scores.push_back(static_cast<float>(score));
  }
  return Error::success();
}

Error TokenizerReader::readMerges() {
  if (data.kind != TokenizerKind::BytePairs && !metadata.find(kMerges))
    return Error::success();
  // Two tokens with a space between them.
  Expected<std::vector<StringRef>> merges = getStrings(kMerges, 2 * kMaxTokenBytes + 1);
  if (!merges)
    return merges.takeError();
  data.merges.reserve(merges->size());
  for (const auto &[rank, merge] : llvm::enumerate(*merges)) {
    // The first half may be a space.
    const size_t space = merge.find(' ', 1);
    if (space == StringRef::npos || space + 1 == merge.size())
      return makeError(kMerges, "has in merge " + Twine(rank) +
                                    " no two strings with a space between them" + kConvertAgain);
    data.merges.push_back({merge.take_front(space), merge.drop_front(space + 1)});
  }
  return Error::success();
}

Error TokenizerReader::readIds() {
  for (const Key<int32_t> &key : kIds) {
    if (!metadata.find(key.name))
      continue;
    Expected<uint64_t> id = metadata.getUnsigned(key.name);
    if (!id)
      return id.takeError();
    if (*id >= data.tokens.size())
      return makeError(key.name, "is " + Twine(*id) + ", the tokens are 0 to " +
                                     Twine(data.tokens.size() - 1) + kConvertAgain);
    data.*key.member = static_cast<int32_t>(*id);
  }
  return Error::success();
}

Error TokenizerReader::readFlags() {
  for (const Key<bool> &key : kFlags) {
    if (!metadata.find(key.name))
      continue;
    Expected<bool> flag = metadata.getBool(key.name);
    if (!flag)
      return flag.takeError();
    data.*key.member = *flag;
  }
  return Error::success();
}

Error TokenizerReader::readStrings() {
  for (const Key<StringRef> &key : kStrings) {
    if (!metadata.find(key.name))
      continue;
    Expected<StringRef> string = metadata.getString(key.name);
    if (!string)
      return string.takeError();
    data.*key.member = *string;
  }
  return Error::success();
}

Expected<TokenizerData> TokenizerReader::read() {
  using Part = Error (TokenizerReader::*)();
  for (const Part part :
       {&TokenizerReader::readKind, &TokenizerReader::readTokens, &TokenizerReader::readTypes,
        &TokenizerReader::readScores, &TokenizerReader::readMerges, &TokenizerReader::readIds,
        &TokenizerReader::readFlags, &TokenizerReader::readStrings})
    if (Error error = (this->*part)())
      return error;
  return std::move(data);
}

} // namespace

Expected<TokenizerData> model::readTokenizerData(const gguf::Model &model) {
  return TokenizerReader(model).read();
}
