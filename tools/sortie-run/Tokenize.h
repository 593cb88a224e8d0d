// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `sortie-run tokenize`: text to token ids and back, by the tokenizer of a model file.

#ifndef SORTIE_TOOLS_SORTIE_RUN_TOKENIZE_H
#define SORTIE_TOOLS_SORTIE_RUN_TOKENIZE_H

#include "runtime/tokenizer/Detokenizer.h"
#include "tools/sortie-run/ChatChoice.h"

#include "llvm/Support/raw_ostream.h"

#include <string>

namespace sortie::tool {

/// What `--file`, `--prompt`, `--ids` and `--conversation` say of where the input is.
enum class TokenizeInput { File, Prompt, Ids, Conversation };

struct TokenizeOptions {
  std::string model; ///< a GGUF file
  TokenizeInput input = TokenizeInput::File;
  /// The name of the file, the text or the ids; `-` is the standard input.
  std::string value;
  tokenizer::EncodeOptions encode;
  tokenizer::DecodeOptions decode; ///< of Ids
  ChatChoice chat;                 ///< of Conversation
};

/// The numbers of `text`, with white space between them. An error names what is no token id.
llvm::Expected<std::vector<int32_t>> parseTokenIds(llvm::StringRef text);

/// Prints the ids of a text on one line, or the text of ids as it is, without a newline of its own.
llvm::Error tokenize(const TokenizeOptions &options, llvm::raw_ostream &out);

} // namespace sortie::tool

#endif // SORTIE_TOOLS_SORTIE_RUN_TOKENIZE_H
