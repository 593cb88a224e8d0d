// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Token ids to text, one by one as a model makes them.

#ifndef SORTIE_RUNTIME_TOKENIZER_DETOKENIZER_H
#define SORTIE_RUNTIME_TOKENIZER_DETOKENIZER_H

#include "runtime/tokenizer/Tokenizer.h"

namespace sortie::tokenizer {

struct DecodeOptions {
  /// Whether control, unknown and unused tokens appear by their names; otherwise they are no text.
  bool showsSpecial = false;
  /// Whether the tokens continue a text, so that the first may begin with a space. Where a text
  /// begins, the space that encoding put there is left out.
  bool continuesText = false;
};

/// Gives text as soon as its characters are complete. Bytes that can become no character, which
/// only a model makes, are U+FFFD, one for each longest part that begins a character (the practice
/// of the Unicode Standard, 3.9). One object is for one text; the tokenizer must outlive it.
class Detokenizer {
public:
  explicit Detokenizer(const Tokenizer &tokenizer, const DecodeOptions &options = {});

  /// The text that is complete with this token, always valid UTF-8, perhaps empty. An error if
  /// there is no token `id`; then nothing has changed.
  llvm::Expected<std::string> push(int32_t id);

  /// What is left at the end: nothing, or U+FFFD for a character that was never completed.
  std::string finish();

private:
  const Tokenizer &tokenizer;
  DecodeOptions options;
  /// Whether the next text begins where encoding would have put a space.
  bool followsSpacePrefix;
  /// The bytes of a character that is not complete.
  std::string pending;
};

/// The text of all of `ids`.
llvm::Expected<std::string> decode(const Tokenizer &tokenizer, llvm::ArrayRef<int32_t> ids,
                                   const DecodeOptions &options = {});

} // namespace sortie::tokenizer

#endif // SORTIE_RUNTIME_TOKENIZER_DETOKENIZER_H
