// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A scan by the rules of MLIR's lexer. It needs to be right about text that MLIR accepts, and to
// count too much rather than too little in other text, up to where the parser gives up.

#include "dialect/common/Nesting.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"

#include <algorithm>
#include <system_error>

using namespace llvm;

namespace sortie {

namespace {

class NestingScanner {
public:
  NestingScanner(StringRef text, StringRef splitMarker) : text(text), splitMarker(splitMarker) {}

  Error scan() {
    while (at < text.size()) {
      begin = at;
      scanToken();
      if (deepest > kMaxNesting)
        return makeError();
    }
    return Error::success();
  }

private:
  /// An open bracket, and the operators since it or the last comma in it.
  struct Level {
    char closer;
    unsigned operators;
  };

  void scanToken();
  void startPiece();
  void scanString();
  void scanName();
  void scanWord();
  void open(char closer);
  void close(char closer);
  void addOperator();
  void startValue();
  void reach(unsigned levels);
  Error makeError() const;

  bool follows(StringRef token) const { return text.substr(at).starts_with(token); }

  StringRef text;
  StringRef splitMarker;
  size_t at = 0;
  size_t begin = 0; ///< of the token
  SmallVector<Level> levels;
  unsigned operators = 0; ///< of all levels
  unsigned deepest = 0;
  /// Levels inside of each alias, by its name with `#` or `!`.
  StringMap<unsigned> aliases;
  /// The alias whose definition is being read, and whether its value goes on with the next word.
  unsigned *defined = nullptr;
  bool isValueExpected = false;
};

void NestingScanner::scanToken() {
  const char c = text[at];
  if (!splitMarker.empty() && follows(splitMarker)) {
    startPiece();
  } else if (isSpace(c)) {
    ++at;
  } else if (follows("//")) {
    at = std::min(text.find('\n', at), text.size());
  } else if (follows("->")) {
    at += 2;
    isValueExpected = true;
  } else if (follows("<=")) {
    at += 2; // a comparison
  } else if (c == '"') {
    scanString();
  } else if (StringRef("#!%@^").contains(c)) {
    scanName();
  } else if (isAlnum(c) || c == '_') {
    scanWord();
  } else {
    ++at;
    switch (c) {
    case '(':
      return open(')');
    case '[':
      return open(']');
    case '{':
      return open('}');
    case '<':
      return open('>');
    case ')':
    case ']':
    case '}':
    case '>':
      return close(c);
    case '+':
    case '*':
      return addOperator();
    case '-':
      isValueExpected = true;
      return addOperator();
    case '=':
    case ':':
      isValueExpected = true;
      return;
    case ',':
      if (!levels.empty())
        operators -= std::exchange(levels.back().operators, 0);
      return;
    default:
      return;
    }
  }
}

void NestingScanner::startPiece() {
  at += splitMarker.size();
  levels.clear();
  operators = 0;
  aliases.clear();
  defined = nullptr;
}

/// The parser gives up at a string without an end on its line.
void NestingScanner::scanString() {
  startValue();
  for (++at; at < text.size() && text[at] != '"' && text[at] != '\n'; ++at)
    if (text[at] == '\\')
      ++at;
  at = std::min(at + 1, text.size());
}

/// A name with a sigil: of an alias, or of something that has no levels.
void NestingScanner::scanName() {
  startValue();
  ++at;
  at = std::min(
      text.find_if_not([](char c) { return isAlnum(c) || StringRef("_$.-").contains(c); }, at),
      text.size());
  const StringRef name = text.slice(begin, at);
  const StringRef rest = text.substr(at).ltrim();
  if (levels.empty() && (name[0] == '#' || name[0] == '!') && rest.starts_with("=")) {
    defined = &aliases[name];
    return;
  }
  if (const auto it = aliases.find(name); it != aliases.end())
    reach(it->second + 1); // the alias itself: a type may have another inside without a bracket
}

void NestingScanner::scanWord() {
  startValue();
  at = std::min(
      text.find_if_not([](char c) { return isAlnum(c) || StringRef("_$.").contains(c); }, at),
      text.size());
  const StringRef word = text.slice(begin, at);
  if (word == "mod" || word == "floordiv" || word == "ceildiv")
    addOperator();
}

void NestingScanner::open(char closer) {
  levels.push_back({closer, 0});
  reach(0);
}

/// Closes the innermost bracket of this kind and those inside, which were none: comparisons.
/// An angle that does not close the innermost is one itself.
void NestingScanner::close(char closer) {
  isValueExpected = false;
  const auto isSame = [=](const Level &level) { return level.closer == closer; };
  if (closer == '>' ? levels.empty() || !isSame(levels.back()) : none_of(levels, isSame))
    return;
  while (true) {
    const Level level = levels.pop_back_val();
    operators -= level.operators;
    if (isSame(level))
      return;
  }
}

/// The parser of affine expressions, which stand in round brackets, calls itself for operators.
void NestingScanner::addOperator() {
  if (levels.empty() || levels.back().closer != ')')
    return;
  ++levels.back().operators;
  ++operators;
  reach(0);
}

/// Is called at a token that may begin a value: outside of brackets, one that nothing announces
/// ends the definition of an alias.
void NestingScanner::startValue() {
  if (levels.empty() && !isValueExpected)
    defined = nullptr;
  isValueExpected = false;
}

/// Counts so many levels inside the present one.
void NestingScanner::reach(unsigned inside) {
  const unsigned depth = levels.size() + operators + inside;
  deepest = std::max(deepest, depth);
  if (defined)
    *defined = std::max(*defined, depth);
}

Error NestingScanner::makeError() const {
  const StringRef before = text.take_front(begin);
  const size_t line = before.count('\n') + 1;
  const size_t column = begin - (before.rfind('\n') + 1) + 1; // npos + 1 is 0
  return createStringError(std::make_error_code(std::errc::invalid_argument),
                           "line " + Twine(line) + ", column " + Twine(column) +
                               ": is nested more than " + Twine(kMaxNesting) +
                               " levels deep, which no program needs; flatten it");
}

} // namespace

Error checkNesting(StringRef text, StringRef splitMarker) {
  return NestingScanner(text, splitMarker).scan();
}

} // namespace sortie
