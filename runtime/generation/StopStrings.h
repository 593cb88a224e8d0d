// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Strings at which a text ends, found while it comes in pieces.

#ifndef SORTIE_RUNTIME_GENERATION_STOPSTRINGS_H
#define SORTIE_RUNTIME_GENERATION_STOPSTRINGS_H

#include "runtime/support/Error.h"

#include "llvm/ADT/StringRef.h"

#include <string>
#include <vector>

namespace sortie::generation {

/// Holds back text that may be the beginning of a stop string. What is found does not depend on how
/// the text is cut into pieces: the string that is complete first, of several that end together
/// the longest.
class StopStrings {
public:
  /// An error if one is empty.
  static llvm::Expected<StopStrings> create(std::vector<std::string> strings);

  /// The text that is certain with this piece, perhaps empty. Nothing comes after a stop string,
  /// and nothing of it.
  std::string push(llvm::StringRef piece);
  /// What was held back, at the end of a text.
  std::string finish() { return std::exchange(held, {}); }
  bool isFound() const { return found; }

private:
  explicit StopStrings(std::vector<std::string> strings) : strings(std::move(strings)) {}

  /// How much of the end of `text` is a stop string; 0: nothing.
  size_t stopAtEnd(llvm::StringRef text) const;
  /// How much of the end of `text` begins one.
  size_t beginningAtEnd(llvm::StringRef text) const;

  std::vector<std::string> strings;
  std::string held;
  bool found = false;
};

} // namespace sortie::generation

#endif // SORTIE_RUNTIME_GENERATION_STOPSTRINGS_H
