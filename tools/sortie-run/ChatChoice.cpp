// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "tools/sortie-run/ChatChoice.h"

#include "runtime/support/Error.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/JSON.h"

using namespace llvm;

namespace sortie::tool {

Expected<ChatChoice> ChatChoice::create(StringRef format, StringRef date) {
  ChatChoice choice;
  choice.format = format;
  if (!format.empty() && !chat::findChatFormat(format))
    return makeError("--chat-format: '" + format + "' is none of " + chat::chatFormatNames());
  if (date.empty())
    return choice;
  Expected<chat::Date> parsed = chat::Date::parse(date);
  if (!parsed)
    return makeError("--date: " + toString(parsed.takeError()));
  choice.date = *parsed;
  return choice;
}

Expected<const chat::ChatFormat *> ChatChoice::formatFor(const model::TokenizerData &data) const {
  return format.empty() ? chat::formatOf(data) : chat::findChatFormat(format);
}

namespace {

struct Message {
  StringRef role;
  StringRef content;
};

Expected<Message> readMessage(const json::Value &value, size_t index) {
  const json::Object *object = value.getAsObject();
  const std::optional<StringRef> role = object ? object->getString("role") : std::nullopt;
  const std::optional<StringRef> content = object ? object->getString("content") : std::nullopt;
  if (!role || !content)
    return makeError("message " + Twine(index) +
                     " is no object with the strings \"role\" and \"content\"");
  return Message{*role, *content};
}

} // namespace

Expected<chat::Conversation> parseConversation(StringRef text) {
  Expected<json::Value> parsed = json::parse(text);
  if (!parsed)
    return makeError("is no JSON: " + toString(parsed.takeError()));
  const json::Array *messages = parsed->getAsArray();
  if (!messages)
    return makeError("is no JSON array of messages");
  chat::Conversation conversation;
  bool isPromptNext = true;
  for (const auto &[index, value] : enumerate(*messages)) {
    Expected<Message> message = readMessage(value, index);
    if (!message)
      return message.takeError();
    if (message->role == "system" && index == 0) {
      conversation.system = message->content;
      continue;
    }
    const StringRef expected = isPromptNext ? "user" : "assistant";
    if (message->role != expected)
      return makeError("message " + Twine(index) + " has the role '" + message->role + "' where '" +
                       expected +
                       "' must come: a system message may begin, then prompts and answers take "
                       "turns");
    if (isPromptNext)
      conversation.exchanges.push_back({message->content.str(), ""});
    else
      conversation.exchanges.back().answer = message->content;
    isPromptNext = !isPromptNext;
  }
  if (isPromptNext)
    return makeError("does not end with a message of the user, which the model would answer");
  return conversation;
}

} // namespace sortie::tool
