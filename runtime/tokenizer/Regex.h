// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Regular expressions over UTF-8 with the classes of Unicode, by PCRE2. What they know of Unicode
// is what PCRE2 was built with.

#ifndef SORTIE_RUNTIME_TOKENIZER_REGEX_H
#define SORTIE_RUNTIME_TOKENIZER_REGEX_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <memory>
#include <optional>

struct pcre2_real_code_8;
struct pcre2_real_match_data_8;
struct pcre2_real_match_context_8;

namespace sortie::tokenizer {

namespace detail {
struct Pcre2Deleter {
  void operator()(pcre2_real_code_8 *code) const;
  void operator()(pcre2_real_match_data_8 *data) const;
  void operator()(pcre2_real_match_context_8 *context) const;
};
template <typename T> using Pcre2Ptr = std::unique_ptr<T, Pcre2Deleter>;
} // namespace detail

/// A compiled expression, which any number of threads may use at a time.
class Regex {
public:
  enum class Mode {
    Fast,
    /// Matching counts its steps, for tests of how its work grows.
    Counted
  };

  /// In `pattern`, \s and \S mean the White_Space property of Unicode. An error says what is wrong
  /// with the pattern, and where.
  static llvm::Expected<Regex> compile(llvm::StringRef pattern, Mode mode = Mode::Fast);

private:
  friend class Matcher;
  explicit Regex(detail::Pcre2Ptr<pcre2_real_code_8> code) : code(std::move(code)) {}

  detail::Pcre2Ptr<pcre2_real_code_8> code;
};

/// Where an expression matches, in bytes.
struct Match {
  size_t begin = 0;
  size_t end = 0;
};

/// What matching needs of memory; each thread has its own.
class Matcher {
public:
  Matcher();

  /// The first match in `text`, which is valid UTF-8, that begins at `from` or later; nothing if
  /// there is none. An error if PCRE2 has not enough memory.
  llvm::Expected<std::optional<Match>> find(const Regex &regex, llvm::StringRef text, size_t from);

  /// The steps of all calls of find() with counted expressions.
  uint64_t steps() const { return *stepCount; }

private:
  detail::Pcre2Ptr<pcre2_real_match_data_8> data;
  detail::Pcre2Ptr<pcre2_real_match_context_8> context;
  /// PCRE2 has its address, so it stays where it is.
  std::unique_ptr<uint64_t> stepCount;
};

} // namespace sortie::tokenizer

#endif // SORTIE_RUNTIME_TOKENIZER_REGEX_H
