// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Splitting of text into words, the pieces that byte pairs are merged within.

#ifndef SORTIE_RUNTIME_TOKENIZER_PRETOKENIZER_H
#define SORTIE_RUNTIME_TOKENIZER_PRETOKENIZER_H

#include "runtime/tokenizer/PreTokenizerRules.h"
#include "runtime/tokenizer/Regex.h"

#include <vector>

namespace sortie::tokenizer {

class PreTokenizer {
public:
  /// An error if an expression of `rules`, which must outlive this, cannot be compiled.
  static llvm::Expected<PreTokenizer> create(const PreTokenizerRules &rules,
                                             Regex::Mode mode = Regex::Mode::Fast);

  const PreTokenizerRules &rules() const { return *source; }

  /// The words of `text`, which is valid UTF-8. In their order they are all of it, and none is
  /// empty. An error if there is not enough memory.
  llvm::Expected<std::vector<llvm::StringRef>> split(llvm::StringRef text, Matcher &matcher) const;

private:
  explicit PreTokenizer(const PreTokenizerRules &rules) : source(&rules) {}

  const PreTokenizerRules *source;
  std::vector<Regex> patterns;
};

} // namespace sortie::tokenizer

#endif // SORTIE_RUNTIME_TOKENIZER_PRETOKENIZER_H
