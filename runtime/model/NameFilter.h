// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Names of tensors or metadata keys that are left out on purpose, by the option of a tool.

#ifndef SORTIE_RUNTIME_MODEL_NAMEFILTER_H
#define SORTIE_RUNTIME_MODEL_NAMEFILTER_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/Regex.h"

#include <memory>
#include <optional>
#include <set>
#include <string>

namespace sortie::model {

/// A regular expression that whole names match, and the names that were dropped because of it.
class NameFilter {
public:
  /// `option` names the filter in messages; without a `pattern` it matches nothing. The expression
  /// is a POSIX extended one; the error for another, or an empty one, says what is wrong.
  static llvm::Expected<NameFilter> parse(llvm::StringRef option,
                                          const std::optional<std::string> &pattern);

  bool matches(llvm::StringRef name) const { return regex && regex->match(name); }
  /// Notes that `name`, which matches, was left out.
  void drop(llvm::StringRef name) { names.insert(name.str()); }

  llvm::StringRef optionName() const { return option; }
  /// The names that were left out, sorted.
  const std::set<std::string> &dropped() const { return names; }
  /// An error if there is an expression and nothing was left out because of it.
  llvm::Error checkUsed() const;

private:
  explicit NameFilter(llvm::StringRef option) : option(option) {}

  std::string option;
  std::string pattern;
  std::unique_ptr<llvm::Regex> regex;
  std::set<std::string> names;
};

} // namespace sortie::model

#endif // SORTIE_RUNTIME_MODEL_NAMEFILTER_H
