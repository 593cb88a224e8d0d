// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tokenizing of one text, or of one list of ids.

#include "tools/sortie-run/Tokenize.h"

#include "runtime/support/Error.h"
#include "tools/common/FileClaims.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace llvm;

namespace sortie::tool {

static StringRef optionOf(TokenizeInput input) {
  static constexpr StringLiteral kNames[] = {"--file", "--prompt", "--ids", "--conversation"};
  return kNames[static_cast<size_t>(input)];
}

Expected<std::vector<int32_t>> parseTokenIds(StringRef text) {
  std::vector<int32_t> ids;
  while (true) {
    text = text.ltrim();
    if (text.empty())
      return ids;
    const StringRef word = text.take_until([](char c) { return isSpace(c); });
    int32_t id = 0;
    if (word.getAsInteger(10, id) || id < 0)
      return makeError("'" + word +
                       "' is no token id; give whole numbers with spaces between them");
    ids.push_back(id);
    text = text.drop_front(word.size());
  }
}

static bool isNamed(const TokenizeOptions &options) {
  return options.input == TokenizeInput::File || options.input == TokenizeInput::Conversation ||
         options.value == "-";
}

static Error claimFiles(const TokenizeOptions &options) {
  FileClaims claims;
  if (options.model == "-")
    return makeError("a model is mapped into memory and cannot be read from the standard input; "
                     "give the name of its file");
  for (const std::string &file : gguf::modelFiles(options.model))
    if (Error error = claims.claimInput(file, "the model"))
      return error;
  if (isNamed(options))
    if (Error error = claims.claimInput(options.value, optionOf(options.input)))
      return error;
  return claims.claimOutput("-", options.input == TokenizeInput::Ids ? "the text" : "the ids");
}

static Expected<std::unique_ptr<MemoryBuffer>> readInput(const TokenizeOptions &options) {
  if (!isNamed(options))
    return MemoryBuffer::getMemBuffer(options.value);
  ErrorOr<std::unique_ptr<MemoryBuffer>> file = MemoryBuffer::getFileOrSTDIN(
      options.value, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!file)
    return makeError(options.value + ": cannot read: " + file.getError().message());
  return std::move(*file);
}

static Error printText(const tokenizer::Tokenizer &tokenizer, const TokenizeOptions &options,
                       StringRef input, raw_ostream &out) {
  Expected<std::vector<int32_t>> ids = parseTokenIds(input);
  if (!ids)
    return ids.takeError();
  Expected<std::string> text = tokenizer::decode(tokenizer, *ids, options.decode);
  if (!text)
    return text.takeError();
  out << *text;
  return Error::success();
}

static Error printIds(const tokenizer::Tokenizer &tokenizer, const TokenizeOptions &options,
                      StringRef text, raw_ostream &out) {
  Expected<std::vector<int32_t>> ids = tokenizer.encode(text, options.encode);
  if (!ids)
    return ids.takeError();
  interleave(*ids, out, " ");
  out << '\n';
  return Error::success();
}

static Error printConversation(const tokenizer::Tokenizer &tokenizer,
                               const TokenizeOptions &options, StringRef text, raw_ostream &out) {
  Expected<chat::Conversation> conversation = parseConversation(text);
  if (!conversation)
    return conversation.takeError();
  conversation->date = options.chat.date;
  auto format = options.chat.formatFor(tokenizer.data());
  if (!format)
    return format.takeError();
  auto ids = chat::encodeConversation(*conversation, **format, tokenizer);
  if (!ids)
    return ids.takeError();
  interleave(*ids, out, " ");
  out << '\n';
  return Error::success();
}

/// `error` with the option before it that the input came by.
static Error addOption(Error error, TokenizeInput input) {
  if (!error)
    return error;
  return makeError(optionOf(input) + ": " + toString(std::move(error)));
}

Error tokenize(const TokenizeOptions &options, raw_ostream &out) {
  if (Error error = claimFiles(options))
    return error;
  auto model = gguf::Model::open(options.model, gguf::DataPresence::Optional);
  if (!model)
    return model.takeError();
  auto tokenizer = tokenizer::Tokenizer::create(**model);
  if (!tokenizer)
    return tokenizer.takeError();
  Expected<std::unique_ptr<MemoryBuffer>> input = readInput(options);
  if (!input)
    return input.takeError();
  const auto print = options.input == TokenizeInput::Ids            ? printText
                     : options.input == TokenizeInput::Conversation ? printConversation
                                                                    : printIds;
  return addOption(print(**tokenizer, options, (*input)->getBuffer(), out), options.input);
}

} // namespace sortie::tool
