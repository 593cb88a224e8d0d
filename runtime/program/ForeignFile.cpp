// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "runtime/program/ForeignFile.h"

#include "dialect/moert/Seal.h"

#include "llvm/ADT/StringExtras.h"

using namespace llvm;

namespace sortie {

namespace {

/// What the ops, types and attributes of a module are of.
struct Dialects {
  bool hasMoert = false;
  bool hasFunc = false;
};

/// Reads the words of MLIR's text; comments are skipped, and so are strings that are no names of
/// ops.
class TextScanner {
public:
  explicit TextScanner(StringRef text) : text(text) {}

  Dialects scan() {
    while (!text.empty()) {
      if (text.starts_with("//"))
        text = text.drop_until([](char c) { return c == '\n'; });
      else if (text.front() == '"')
        scanString();
      else if (isWordCharacter(text.front()))
        addWord(take(text.find_if_not(isWordCharacter)));
      else
        scanMark();
    }
    return found;
  }

private:
  static bool isWordCharacter(char c) { return isAlnum(c) || c == '_' || c == '.' || c == '$'; }

  StringRef take(size_t size) {
    const StringRef taken = text.take_front(size);
    text = text.drop_front(taken.size());
    return taken;
  }

  void addWord(StringRef word) {
    found.hasMoert |= word.starts_with("moert.");
    found.hasFunc |= word.starts_with("func.");
  }

  /// What stands between quotation marks, the second of which may be missing.
  StringRef takeString() {
    size_t end = 1;
    while (end < text.size() && text[end] != '"' && text[end] != '\n')
      end += text[end] == '\\' ? 2 : 1;
    return take(end + 1).drop_front();
  }

  /// A string names an op if operands follow.
  void scanString() {
    const StringRef string = takeString();
    if (text.starts_with("("))
      addWord(string);
  }

  /// The sigils of attributes and types stand in front of a dialect, others in front of any name.
  void scanMark() {
    const char mark = take(1).front();
    if (mark != '@' && mark != '%' && mark != '^')
      return;
    if (text.starts_with("\""))
      takeString();
    else
      take(text.find_if_not(isWordCharacter));
  }

  StringRef text;
  Dialects found;
};

/// Bytecode names each dialect that it uses in a string of its own, with a zero at its end.
Dialects dialectsOfBytecode(StringRef bytes) {
  auto has = [&](StringLiteral name) {
    for (size_t at = bytes.find(name); at != StringRef::npos; at = bytes.find(name, at + 1))
      if (at != 0 && !isPrint(bytes[at - 1]) && bytes.substr(at + name.size()).starts_with('\0'))
        return true;
    return false;
  };
  return {has("moert"), has("func")};
}

} // namespace

StringRef describeDataFile(StringRef bytes) {
  if (bytes.starts_with("GGUF"))
    return "is a model in GGUF; import it with sortie-translate --import-gguf, compile that with "
           "sortie-opt --sortie-compile, and give the model itself as weights";
  if (bytes.starts_with("\x93NUMPY"))
    return "is an array in the format .npy; give it as an input";
  return "";
}

StringRef describeForeignFile(StringRef bytes) {
  if (bytes.trim().empty())
    return "is empty; whatever should have compiled it has failed";
  if (const StringRef kind = describeDataFile(bytes); !kind.empty())
    return kind;
  const Dialects dialects =
      moert::isBytecode(bytes) ? dialectsOfBytecode(bytes) : TextScanner(bytes).scan();
  if (dialects.hasFunc && !dialects.hasMoert)
    return "is a graph, as models are imported; compile it with sortie-opt "
           "--sortie-compile=\"target=cpu\" --emit-bytecode";
  return "";
}

} // namespace sortie
