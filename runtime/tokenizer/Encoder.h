// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the two kinds of vocabulary do with text that has no special tokens.

#ifndef SORTIE_RUNTIME_TOKENIZER_ENCODER_H
#define SORTIE_RUNTIME_TOKENIZER_ENCODER_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <vector>

namespace sortie::tokenizer {

/// A part of a text that has no special token; there is one before it unless it is the first.
struct Fragment {
  llvm::StringRef text; ///< valid UTF-8, not empty
  size_t offset = 0;    ///< in the whole text
  bool isFirst = true;
  bool isLast = true;
};

class Encoder {
public:
  virtual ~Encoder() = default;

  /// Adds the tokens of `fragment` to `ids`. An error if it has something that the vocabulary has
  /// no token for, or if there is not enough memory.
  virtual llvm::Error encode(const Fragment &fragment, std::vector<int32_t> &ids) const = 0;
};

} // namespace sortie::tokenizer

#endif // SORTIE_RUNTIME_TOKENIZER_ENCODER_H
