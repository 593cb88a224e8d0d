// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Includes are found as text. Conditions are not evaluated: a header that they leave out is in the
// key, too.

#include "codegen/HeaderKeys.h"

#include "runtime/support/FileCache.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"

using namespace llvm;

namespace sortie::codegen {

/// The names that the #include lines of a text have.
static SmallVector<StringRef> includesOf(StringRef text) {
  SmallVector<StringRef> names;
  for (StringRef line : split(text, '\n')) {
    line = line.ltrim();
    if (!line.consume_front("#"))
      continue;
    line = line.ltrim();
    if (!line.consume_front("include"))
      continue;
    line = line.ltrim();
    names.push_back(line.drop_front().take_until([](char c) { return c == '"' || c == '>'; }));
  }
  return names;
}

static std::string keyOfHeader(const KernelHeader &header, const StringMap<StringRef> &texts) {
  SmallVector<StringRef> parts;
  StringSet<> seen;
  SmallVector<StringRef> open = {header.name};
  while (!open.empty()) {
    const StringRef name = open.pop_back_val();
    const auto text = texts.find(name);
    if (text == texts.end() || !seen.insert(name).second)
      continue;
    append_values(parts, name, text->second);
    append_range(open, includesOf(text->second));
  }
  return FileCache::makeKey(parts);
}

HeaderKeys::HeaderKeys(ArrayRef<KernelHeader> headers) {
  StringMap<StringRef> texts;
  for (const KernelHeader &header : headers)
    texts[header.name] = header.text;
  for (const KernelHeader &header : headers)
    keys[header.name] = keyOfHeader(header, texts);
}

std::string HeaderKeys::keyOf(StringRef source) const {
  std::string all;
  for (const StringRef name : includesOf(source))
    all += keys.lookup(name) + '\n';
  return all;
}

} // namespace sortie::codegen
