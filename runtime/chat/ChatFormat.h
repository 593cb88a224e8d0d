// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How models write conversations: what stands around each message. A model file says it as a Jinja
// template, which is a program; those that are known are recognised by their hash, and each means
// one of these formats. docs/chat.md lists them.

#ifndef SORTIE_RUNTIME_CHAT_CHATFORMAT_H
#define SORTIE_RUNTIME_CHAT_CHATFORMAT_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <optional>
#include <string>

namespace sortie::chat {

/// Where a format has a system message.
enum class SystemPlace {
  Message,     ///< by itself, before the others
  FirstPrompt, ///< in the user's first message, before its text
  LastPrompt,  ///< in the user's last message
  Nowhere
};

/// What of an answer stays when the conversation has gone on.
enum class PastAnswer {
  Whole,
  AfterThinking, ///< what stands behind the last "</think>"
  /// The same without line feeds at its beginning.
  AfterThinkingLines,
  /// The same without white space at both ends.
  AfterThinkingTrimmed,
  AfterLastChannel, ///< what stands behind the last "<|message|>"
};

/// What stands before and behind the text of a message. Marks in it stand for the names of the
/// file's tokens, `{bos}` and `{eos}`, and for the date: `{date}` is 2024-07-26, `{day}` 26 Jul
/// 2024.
struct Frame {
  llvm::StringLiteral before = "";
  llvm::StringLiteral after = "";
};

struct ChatFormat {
  llvm::StringLiteral name;
  llvm::StringLiteral begin = ""; ///< of each conversation
  SystemPlace systemPlace = SystemPlace::Message;
  Frame system = {};
  /// Stands for a system message where there is none.
  llvm::StringLiteral withoutSystem = "";
  Frame prompt;
  /// Of an answer that is over.
  Frame answer;
  /// What an answer that the model is to give begins with, if that is not `answer.before`.
  std::optional<llvm::StringRef> cue = std::nullopt;
  PastAnswer pastAnswer = PastAnswer::Whole;
  /// Whose texts lose white space at both ends.
  bool trimsSystem = false;
  bool trimsPrompts = false;
  bool trimsAnswers = false;
  /// The prompt that a system message is part of loses it at its end alone.
  bool trimsEndWithSystem = false;
  /// A token that ends an answer, if the file and generation/EndTokens.h do not know it.
  llvm::StringLiteral end = "";
  /// Answers have parts whose names are control tokens: they must be shown.
  bool showsSpecial = false;

  llvm::StringRef begins() const { return cue.value_or(answer.before); }
};

/// All formats, in the order of the documentation.
llvm::ArrayRef<ChatFormat> chatFormats();
/// The format of this name; nullptr: there is none.
const ChatFormat *findChatFormat(llvm::StringRef name);
/// Their names with ", " between them.
std::string chatFormatNames();

/// What a template is known by: BLAKE3 of its text without white space at its end, 128 bits as
/// hexadecimal digits.
std::string hashOfTemplate(llvm::StringRef text);
/// The format that a template means; nullptr: it is not known.
const ChatFormat *recognizeTemplate(llvm::StringRef text);
/// Formats whose first mark of a prompt is in the template's text: what it may be like.
std::vector<llvm::StringRef> formatsLike(llvm::StringRef text);

} // namespace sortie::chat

#endif // SORTIE_RUNTIME_CHAT_CHATFORMAT_H
