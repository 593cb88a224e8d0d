// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// UTF-8 as texts and tokens have it: where it is wrong, and where a character is not complete yet.

#ifndef SORTIE_RUNTIME_TOKENIZER_UTF8_H
#define SORTIE_RUNTIME_TOKENIZER_UTF8_H

#include "llvm/ADT/StringRef.h"

#include <optional>

namespace sortie::tokenizer {

/// The position of the first byte that belongs to no character; nothing if all of `bytes` is UTF-8.
std::optional<size_t> findInvalidUtf8(llvm::StringRef bytes);

/// How many bytes the character has that begins with `lead`, in valid UTF-8.
size_t characterBytes(char lead);

/// How many bytes at the end are the beginning of a character that more bytes could complete: 0
/// to 3.
size_t incompleteBytes(llvm::StringRef bytes);

} // namespace sortie::tokenizer

#endif // SORTIE_RUNTIME_TOKENIZER_UTF8_H
