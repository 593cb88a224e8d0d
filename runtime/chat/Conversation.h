// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A conversation as the tokens that a model reads.

#ifndef SORTIE_RUNTIME_CHAT_CONVERSATION_H
#define SORTIE_RUNTIME_CHAT_CONVERSATION_H

#include "runtime/chat/ChatFormat.h"
#include "runtime/tokenizer/Tokenizer.h"

namespace sortie::chat {

/// A day of the calendar.
struct Date {
  int year = 2024;
  int month = 7;
  int day = 26;

  /// Of "2024-07-26". An error that says what is wrong.
  static llvm::Expected<Date> parse(llvm::StringRef text);
};

/// Something that the user wrote, and what the model answered.
struct Exchange {
  std::string prompt;
  std::string answer; ///< of the last exchange, it is still to come
  /// The tokens of the answer as the model chose them, without one that ends it; may be empty.
  std::vector<int32_t> tokens = {}; // NOLINT(readability-redundant-member-init)
};

struct Conversation {
  std::optional<std::string> system;
  std::vector<Exchange> exchanges; ///< at least one
  /// What templates that name a date say. A constant, that the same conversation be the same tokens
  /// on every day: the one that Llama's templates have where there is no clock.
  Date date = {};
};

/// The format that the tokenizer's template means. An error that says what the template is, and
/// what to do, if there is none or if it is not known.
llvm::Expected<const ChatFormat *> formatOf(const model::TokenizerData &data);

/// A piece of a conversation's text.
struct Piece {
  std::string text;
  bool isFormat; ///< written by the format, so that names in it are tokens
  /// Instead of the text: the tokens of an answer. They lie in the conversation.
  llvm::ArrayRef<int32_t> tokens = {}; // NOLINT(readability-redundant-member-init)
};

/// The text up to where the model is to answer. Answers whose tokens the conversation has, and that
/// stay what they were to the last token, are these tokens. An error if the format has no place for
/// a system message that there is, or if that is empty.
llvm::Expected<std::vector<Piece>> writeConversation(const Conversation &conversation,
                                                     const ChatFormat &format,
                                                     const model::TokenizerData &data);

/// Its tokens: names of control tokens in the text of people and of the model stay text.
llvm::Expected<std::vector<int32_t>> encodeConversation(const Conversation &conversation,
                                                        const ChatFormat &format,
                                                        const tokenizer::Tokenizer &tokenizer);

/// The tokens that end an answer in this format, beside those that end any text.
std::vector<int32_t> endsOfAnswers(const ChatFormat &format, const model::TokenizerData &data);

} // namespace sortie::chat

#endif // SORTIE_RUNTIME_CHAT_CONVERSATION_H
