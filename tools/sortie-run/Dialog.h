// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A conversation whose prompts come from the standard input, line by line.

#ifndef SORTIE_TOOLS_SORTIE_RUN_DIALOG_H
#define SORTIE_TOOLS_SORTIE_RUN_DIALOG_H

#include "runtime/chat/Conversation.h"
#include "runtime/generation/Generator.h"

namespace sortie::tool {

/// What a turn was: for printing.
struct Turn {
  std::vector<int32_t> prompt; ///< all that the model has read, from the conversation's beginning
  generation::GeneratedText text;
};

class Dialog {
public:
  /// All must outlive it; the generator keeps sequences.
  Dialog(generation::LanguageModel &model, generation::Generator &generator,
         const tokenizer::Tokenizer &tokenizer, const chat::ChatFormat &format,
         chat::Conversation begin)
      : model(model), generator(generator), tokenizer(tokenizer), format(format),
        conversation(std::move(begin)) {}

  using Generate = llvm::function_ref<llvm::Expected<std::vector<generation::GeneratedText>>(
      llvm::ArrayRef<std::vector<int32_t>> prompts)>;

  /// The model's answer to a prompt, which `generate` has the generator make. Only what the model
  /// has not read before is run: all of it, unless the format changes answers that are over. An
  /// error if the conversation does not fit into the context.
  llvm::Expected<Turn> answer(llvm::StringRef prompt, Generate generate);

private:
  /// Has the generator go on from what the model has read of a prompt.
  llvm::Error goOn(llvm::ArrayRef<int32_t> prompt);
  void keep(const generation::GeneratedText &text);

  generation::LanguageModel &model;
  generation::Generator &generator;
  const tokenizer::Tokenizer &tokenizer;
  const chat::ChatFormat &format;
  chat::Conversation conversation;
  std::optional<uint32_t> sequence;
};

} // namespace sortie::tool

#endif // SORTIE_TOOLS_SORTIE_RUN_DIALOG_H
