// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Splitting by one expression after the other.

#include "runtime/tokenizer/PreTokenizer.h"

using namespace sortie;
using namespace sortie::tokenizer;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;

using Words = std::vector<StringRef>;

Expected<PreTokenizer> PreTokenizer::create(const PreTokenizerRules &rules, Regex::Mode mode) {
  PreTokenizer preTokenizer(rules);
  for (const StringRef pattern : rules.patterns) {
    Expected<Regex> regex = Regex::compile(pattern, mode);
    if (!regex)
      return regex.takeError();
    preTokenizer.patterns.push_back(std::move(*regex));
  }
  return preTokenizer;
}

static void addWord(StringRef word, Words &words) {
  if (!word.empty())
    words.push_back(word);
}

/// Adds the matches of `regex` in `text`, and what lies between them.
static Error splitPiece(const Regex &regex, StringRef text, Matcher &matcher, Words &words) {
  size_t end = 0;
  while (end < text.size()) {
    Expected<std::optional<Match>> match = matcher.find(regex, text, end);
    if (!match)
      return match.takeError();
    if (!*match)
      break;
    addWord(text.slice(end, (*match)->begin), words);
    addWord(text.slice((*match)->begin, (*match)->end), words);
    end = (*match)->end;
  }
  addWord(text.drop_front(end), words);
  return Error::success();
}

Expected<Words> PreTokenizer::split(StringRef text, Matcher &matcher) const {
  Words pieces;
  addWord(text, pieces);
  for (const Regex &regex : patterns) {
    Words words;
    words.reserve(pieces.size());
    for (const StringRef piece : pieces)
      if (Error error = splitPiece(regex, piece, matcher, words))
        return error;
    pieces = std::move(words);
  }
  return pieces;
}
