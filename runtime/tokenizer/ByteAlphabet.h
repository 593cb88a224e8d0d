// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The alphabet of byte-level vocabularies. Their tokens are made of bytes, but files have them as
// text: each byte is one printable character. Bytes that are printable in Latin-1 are themselves;
// the others are U+0100, U+0101, ... in their order, so that a space is U+0120. GPT-2 defined it
// (encoder.py, bytes_to_unicode).

#ifndef SORTIE_RUNTIME_TOKENIZER_BYTEALPHABET_H
#define SORTIE_RUNTIME_TOKENIZER_BYTEALPHABET_H

#include "llvm/ADT/StringRef.h"

#include <string>

namespace sortie::tokenizer {

/// The character of a byte.
llvm::StringRef characterOfByte(uint8_t byte);

/// The bytes that the text of a token stands for; the text itself if it has another character.
std::string bytesOfCharacters(llvm::StringRef text);

} // namespace sortie::tokenizer

#endif // SORTIE_RUNTIME_TOKENIZER_BYTEALPHABET_H
