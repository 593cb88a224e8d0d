// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// UTF-8, by LLVM's tables.

#include "runtime/tokenizer/Utf8.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/ConvertUTF.h"

#include <string>

using namespace sortie;
using namespace sortie::tokenizer;
using llvm::StringRef;
using llvm::UTF8;

std::optional<size_t> tokenizer::findInvalidUtf8(StringRef bytes) {
  const auto *begin = reinterpret_cast<const UTF8 *>(bytes.begin());
  const auto *place = begin;
  if (llvm::isLegalUTF8String(&place, reinterpret_cast<const UTF8 *>(bytes.end())))
    return std::nullopt;
  return place - begin;
}

size_t tokenizer::characterBytes(char lead) {
  return llvm::getNumBytesForUTF8(static_cast<UTF8>(lead));
}

/// Whether more bytes can make a character of these, which are fewer than its first byte says.
static bool isBeginning(StringRef bytes) {
  const size_t length = characterBytes(bytes.front());
  // Which bytes may come second depends on the first; 0x80 or 0xbf is always one of them. All that
  // follow may be any of 0x80 to 0xbf.
  return llvm::any_of(StringRef("\x80\xbf"), [&](char last) {
    std::string character = bytes.str();
    character.resize(length, last);
    return !findInvalidUtf8(character);
  });
}

size_t tokenizer::incompleteBytes(StringRef bytes) {
  constexpr size_t kLongest = 3;
  for (size_t count = 1; count <= std::min(kLongest, bytes.size()); ++count) {
    const StringRef tail = bytes.take_back(count);
    const bool isContinuation = (static_cast<UTF8>(tail.front()) & 0xc0) == 0x80;
    if (isContinuation)
      continue;
    const size_t length = characterBytes(tail.front());
    return length > count && isBeginning(tail) ? count : 0;
  }
  return 0;
}
