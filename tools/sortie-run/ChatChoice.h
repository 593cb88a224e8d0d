// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the command line says of conversations.

#ifndef SORTIE_TOOLS_SORTIE_RUN_CHATCHOICE_H
#define SORTIE_TOOLS_SORTIE_RUN_CHATCHOICE_H

#include "runtime/chat/Conversation.h"

namespace sortie::tool {

struct ChatChoice {
  std::string format; ///< its name; empty: what the model's template means
  chat::Date date;

  /// An error if an option is not what it must be. An empty date is the default one.
  static llvm::Expected<ChatChoice> create(llvm::StringRef format, llvm::StringRef date);

  /// The format of a model.
  llvm::Expected<const chat::ChatFormat *> formatFor(const model::TokenizerData &data) const;
};

/// The conversation of a JSON array of objects with `role` ("system", "user", "assistant") and
/// `content`: a system message or none, then prompts and answers in turn, and a prompt at the end.
llvm::Expected<chat::Conversation> parseConversation(llvm::StringRef json);

} // namespace sortie::tool

#endif // SORTIE_TOOLS_SORTIE_RUN_CHATCHOICE_H
