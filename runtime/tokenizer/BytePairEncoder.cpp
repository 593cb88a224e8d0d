// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Byte pair encoding. Symbols are known by the ids of their tokens, so merging compares no text.

#include "runtime/tokenizer/BytePairEncoder.h"

#include "runtime/support/Error.h"
#include "runtime/tokenizer/ByteAlphabet.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringExtras.h"

using namespace sortie;
using namespace sortie::tokenizer;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;
using llvm::Twine;
using model::TokenType;

static Expected<const PreTokenizerRules *> chooseRules(const model::TokenizerData &data,
                                                       StringRef file) {
  const std::string key = (file + ": metadata key 'tokenizer.ggml.pre' ").str();
  if (!data.preTokenizer)
    return makeError(key + "is missing, so it is not known how text is split into words; convert "
                           "the model again");
  if (const PreTokenizerRules *rules = findPreTokenizerRules(*data.preTokenizer))
    return rules;
  const auto names = llvm::map_range(allPreTokenizerRules(), [](const PreTokenizerRules &rules) {
    return ("'" + rules.name + "'").str();
  });
  return makeError(key + "is '" + *data.preTokenizer + "'; this version knows " +
                   llvm::join(names, ", ") + " (docs/tokenizers.md says how to add one)");
}

Expected<std::unique_ptr<BytePairEncoder>> BytePairEncoder::create(const model::TokenizerData &data,
                                                                   StringRef file) {
  Expected<const PreTokenizerRules *> rules = chooseRules(data, file);
  if (!rules)
    return rules.takeError();
  Expected<PreTokenizer> preTokenizer = PreTokenizer::create(**rules);
  if (!preTokenizer)
    return preTokenizer.takeError();
  std::unique_ptr<BytePairEncoder> encoder(new BytePairEncoder(std::move(*preTokenizer)));
  const TokenIndex index =
      indexTokens(data, {TokenType::Normal, TokenType::Unknown, TokenType::Control,
                         TokenType::UserDefined, TokenType::Unused, TokenType::Byte});
  for (size_t byte = 0; byte < encoder->tokenOfByte.size(); ++byte)
    encoder->tokenOfByte[byte] =
        findToken(index, characterOfByte(static_cast<uint8_t>(byte))).value_or(kNoToken);
  if (Error error = encoder->addMerges(data, index, file))
    return error;
  if ((*rules)->takesWholeWords)
    encoder->wholeWords = indexTokens(data, {TokenType::Normal});
  return encoder;
}

Error BytePairEncoder::addMerges(const model::TokenizerData &data, const TokenIndex &index,
                                 StringRef file) {
  llvm::SmallString<64> joined;
  for (const auto &[rank, merge] : llvm::enumerate(data.merges)) {
    joined = merge.left;
    joined += merge.right;
    const auto find = [&](StringRef text) { return findToken(index, text).value_or(kNoToken); };
    const int32_t left = find(merge.left);
    const int32_t right = find(merge.right);
    const int32_t token = find(joined);
    if (left == kNoToken || right == kNoToken || token == kNoToken) {
      const StringRef missing = left == kNoToken    ? merge.left
                                : right == kNoToken ? merge.right
                                                    : StringRef(joined);
      return makeError(file + ": metadata key 'tokenizer.ggml.merges' has in merge " + Twine(rank) +
                       " ('" + merge.left + "' and '" + merge.right + "') '" + missing +
                       "', which is no token; the file is damaged or was converted wrongly, so "
                       "convert the model again");
    }
    merges.try_emplace(std::pair(left, right), Join{static_cast<uint32_t>(rank), token});
  }
  return Error::success();
}

std::optional<int32_t> BytePairEncoder::findWord(StringRef word) const {
  if (wholeWords.empty())
    return std::nullopt;
  llvm::SmallString<64> characters;
  for (const char byte : word)
    characters += characterOfByte(static_cast<uint8_t>(byte));
  return findToken(wholeWords, characters);
}

Error BytePairEncoder::encodeWord(StringRef word, size_t offset, SymbolChain &chain,
                                  std::vector<int32_t> &ids) const {
  if (const std::optional<int32_t> token = findWord(word)) {
    ids.push_back(*token);
    return Error::success();
  }
  chain.clear();
  for (const auto &[i, character] : llvm::enumerate(word)) {
    const auto byte = static_cast<uint8_t>(character);
    const int32_t token = tokenOfByte[byte];
    if (token == kNoToken)
      return makeError("byte " + Twine(offset + i) + " of the text is 0x" +
                       llvm::utohexstr(byte, /*LowerCase=*/true, /*Width=*/2) +
                       ", which the vocabulary has no token for; leave that character out, or use "
                       "a model whose vocabulary has all bytes");
    chain.add({static_cast<uint32_t>(i), 1, token});
  }
  chain.join([&](const Symbol &left, const Symbol &right) -> std::optional<Join> {
    const auto it = merges.find({left.token, right.token});
    if (it == merges.end())
      return std::nullopt;
    return it->second;
  });
  chain.forEach([&](const Symbol &symbol) { ids.push_back(symbol.token); });
  return Error::success();
}

Error BytePairEncoder::encode(const Fragment &fragment, std::vector<int32_t> &ids) const {
  Matcher matcher;
  Expected<std::vector<StringRef>> words = preTokenizer.split(fragment.text, matcher);
  if (!words)
    return words.takeError();
  SymbolChain chain;
  for (const StringRef word : *words) {
    const size_t offset = fragment.offset + (word.begin() - fragment.text.begin());
    if (Error error = encodeWord(word, offset, chain, ids))
      return error;
  }
  return Error::success();
}
