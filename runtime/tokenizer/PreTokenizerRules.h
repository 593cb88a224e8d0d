// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The table of pre-tokenizers: the regular expressions that files name in `tokenizer.ggml.pre`.
// They are those of the models' tokenizer.json or tiktoken files; llama.cpp gave them their names.

#ifndef SORTIE_RUNTIME_TOKENIZER_PRETOKENIZERRULES_H
#define SORTIE_RUNTIME_TOKENIZER_PRETOKENIZERRULES_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

namespace sortie::tokenizer {

/// How a text is split before any merge, and what else belongs to the name.
struct PreTokenizerRules {
  llvm::StringLiteral name;
  /// Each splits every piece that the ones before left: matches, and what lies between them, become
  /// pieces of their own. None takes more steps than a multiple of the text's length.
  llvm::ArrayRef<llvm::StringLiteral> patterns;
  /// Whether a word that is a token becomes that token, whatever the merges would make of it.
  bool takesWholeWords = false;
  /// Whether texts begin with the token for that where the file does not say.
  bool addsBeginOfText = false;
};

/// All of them, in the order in which messages list them.
llvm::ArrayRef<PreTokenizerRules> allPreTokenizerRules();

/// Null if there is none of this name.
const PreTokenizerRules *findPreTokenizerRules(llvm::StringRef name);

} // namespace sortie::tokenizer

#endif // SORTIE_RUNTIME_TOKENIZER_PRETOKENIZERRULES_H
