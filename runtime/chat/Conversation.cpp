// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Writing of conversations.

#include "runtime/chat/Conversation.h"

#include "runtime/support/Error.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

#include <chrono>

using namespace llvm;

namespace sortie::chat {

Expected<Date> Date::parse(StringRef text) {
  SmallVector<StringRef, 3> parts;
  text.split(parts, '-');
  Date date;
  if (parts.size() == 3 && text.size() == 10 && !parts[0].getAsInteger(10, date.year) &&
      !parts[1].getAsInteger(10, date.month) && !parts[2].getAsInteger(10, date.day)) {
    const std::chrono::year_month_day day{std::chrono::year(date.year),
                                          std::chrono::month(static_cast<unsigned>(date.month)),
                                          std::chrono::day(static_cast<unsigned>(date.day))};
    if (day.ok() && date.year >= 1000)
      return date;
  }
  return makeError("'" + text + "' is no day; give one as 2024-07-26");
}

static std::string textOf(const format_object_base &object) {
  std::string string;
  raw_string_ostream(string) << object;
  return string;
}

/// What a mark stands for.
static std::string valueOf(StringRef mark, const Date &date, const model::TokenizerData &data) {
  static constexpr StringLiteral kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                              "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto nameOf = [&](std::optional<int32_t> id) {
    return id ? data.tokens[static_cast<size_t>(*id)].str() : std::string();
  };
  if (mark == "bos")
    return nameOf(data.beginOfText);
  if (mark == "eos")
    return nameOf(data.endOfText);
  if (mark == "date")
    return textOf(format("%04d-%02d-%02d", date.year, date.month, date.day));
  return textOf(format("%02d %s %04d", date.day, kMonths[date.month - 1].data(), date.year));
}

namespace {

/// Writes a conversation, piece by piece.
class Writer {
public:
  Writer(const Conversation &conversation, const ChatFormat &format,
         const model::TokenizerData &data)
      : conversation(conversation), format(format), data(data) {}

  std::vector<Piece> write();

private:
  void addFormat(StringRef pattern);
  void addText(StringRef text) { pieces.push_back({text.str(), /*isFormat=*/false}); }
  void addSystem();
  void addPrompt(size_t index);
  void addAnswer(const Exchange &exchange);
  bool keepsTokens(const Exchange &exchange, StringRef text) const;

  const Conversation &conversation;
  const ChatFormat &format;
  const model::TokenizerData &data;
  std::vector<Piece> pieces;
};

} // namespace

/// Adds what a format says, with its marks replaced.
void Writer::addFormat(StringRef pattern) {
  std::string text;
  while (!pattern.empty()) {
    const size_t begin = pattern.find('{');
    text += pattern.take_front(begin);
    if (begin == StringRef::npos)
      break;
    const size_t end = pattern.find('}', begin);
    text += valueOf(pattern.slice(begin + 1, end), conversation.date, data);
    pattern = pattern.drop_front(end + 1);
  }
  if (!text.empty())
    pieces.push_back({std::move(text), /*isFormat=*/true});
}

void Writer::addSystem() {
  addFormat(format.system.before);
  addText(format.trimsSystem ? StringRef(*conversation.system).trim() : *conversation.system);
  addFormat(format.system.after);
}

void Writer::addPrompt(size_t index) {
  const SystemPlace place = format.systemPlace;
  const bool isPlace =
      (place == SystemPlace::FirstPrompt && index == 0) ||
      (place == SystemPlace::LastPrompt && index + 1 == conversation.exchanges.size());
  const bool hasSystem = conversation.system && isPlace;
  StringRef text = conversation.exchanges[index].prompt;
  if (format.trimsPrompts)
    text = hasSystem && format.trimsEndWithSystem ? text.rtrim() : text.trim();
  addFormat(format.prompt.before);
  if (hasSystem)
    addSystem();
  addText(text);
  addFormat(format.prompt.after);
}

/// What the format leaves of an answer that is over.
static StringRef pastTextOf(StringRef answer, const ChatFormat &format) {
  const auto behind = [&](StringRef mark) {
    const size_t place = answer.rfind(mark);
    return place == StringRef::npos ? answer : answer.drop_front(place + mark.size());
  };
  const StringRef thought = behind("</think>");
  switch (format.pastAnswer) {
  case PastAnswer::Whole:
    break;
  case PastAnswer::AfterThinking:
    answer = thought;
    break;
  case PastAnswer::AfterThinkingLines:
    answer = thought.size() == answer.size() ? answer : thought.ltrim('\n');
    break;
  case PastAnswer::AfterThinkingTrimmed:
    answer = thought.trim();
    break;
  case PastAnswer::AfterLastChannel:
    answer = behind("<|message|>");
    break;
  }
  return format.trimsAnswers ? answer.trim() : answer;
}

/// Whether the tokens that the model has read and chosen are what the format would have it read:
/// its text is whole, began as an answer begins, and is followed by a token of its own.
bool Writer::keepsTokens(const Exchange &exchange, StringRef text) const {
  const StringRef after = format.answer.after;
  const bool isFollowedByToken =
      after.starts_with("<") || after.starts_with("{eos}") || after.empty();
  return !exchange.tokens.empty() && text.size() == exchange.answer.size() &&
         format.begins() == format.answer.before && isFollowedByToken;
}

void Writer::addAnswer(const Exchange &exchange) {
  const StringRef text = pastTextOf(exchange.answer, format);
  addFormat(format.answer.before);
  if (keepsTokens(exchange, text))
    pieces.push_back({"", /*isFormat=*/false, exchange.tokens});
  else
    addText(text);
  addFormat(format.answer.after);
}

std::vector<Piece> Writer::write() {
  addFormat(format.begin);
  if (format.systemPlace == SystemPlace::Message) {
    if (conversation.system)
      addSystem();
    else
      addFormat(format.withoutSystem);
  }
  for (const auto &[index, exchange] : enumerate(conversation.exchanges)) {
    addPrompt(index);
    if (index + 1 < conversation.exchanges.size())
      addAnswer(exchange);
  }
  addFormat(format.begins());
  return std::move(pieces);
}

Expected<std::vector<Piece>> writeConversation(const Conversation &conversation,
                                               const ChatFormat &format,
                                               const model::TokenizerData &data) {
  if (conversation.system && format.systemPlace == SystemPlace::Nowhere)
    return makeError("the chat format '" + format.name +
                     "' has no place for a system message; put its text into the prompt");
  if (conversation.system && conversation.system->empty())
    return makeError(
        "the system message is empty, which templates of one format take for different "
        "things; leave it out, or write one");
  return Writer(conversation, format, data).write();
}

Expected<std::vector<int32_t>> encodeConversation(const Conversation &conversation,
                                                  const ChatFormat &format,
                                                  const tokenizer::Tokenizer &tokenizer) {
  auto pieces = writeConversation(conversation, format, tokenizer.data());
  if (!pieces)
    return pieces.takeError();
  std::vector<int32_t> ids;
  std::vector<tokenizer::TextPart> parts;
  const auto flush = [&]() -> Error {
    auto more = tokenizer.encodeParts(parts);
    if (!more)
      return more.takeError();
    append_range(ids, *more);
    parts.clear();
    return Error::success();
  };
  for (const Piece &piece : *pieces) {
    if (piece.tokens.empty()) {
      parts.push_back({piece.text, piece.isFormat});
      continue;
    }
    if (Error error = flush())
      return error;
    append_range(ids, piece.tokens);
  }
  if (Error error = flush())
    return error;
  return ids;
}

std::vector<int32_t> endsOfAnswers(const ChatFormat &format, const model::TokenizerData &data) {
  std::vector<int32_t> ends;
  for (const auto &[id, name] : enumerate(data.tokens))
    if (!format.end.empty() && name == format.end)
      ends.push_back(static_cast<int32_t>(id));
  return ends;
}

Expected<const ChatFormat *> formatOf(const model::TokenizerData &data) {
  const std::string instead = "write the conversation as the model reads it, and pass it with "
                              "--prompt instead of --chat";
  if (!data.chatTemplate)
    return makeError("the model's file has no chat template (tokenizer.chat_template); name its "
                     "format with --chat-format, or " +
                     instead + ". Formats are " + chatFormatNames());
  if (const ChatFormat *format = recognizeTemplate(*data.chatTemplate))
    return format;
  const std::vector<StringRef> like = formatsLike(*data.chatTemplate);
  const std::string hint =
      like.empty() ? "its marks are those of no format that Sortie has (" + chatFormatNames() + ")"
                   : "its marks are those of " + join(like, ", ");
  return makeError("the model's chat template (tokenizer.chat_template), of " +
                   Twine(data.chatTemplate->size()) + " bytes with the hash " +
                   hashOfTemplate(*data.chatTemplate) + ", is not known; " + hint +
                   ". Name the one that it means with --chat-format, or " + instead);
}

} // namespace sortie::chat
