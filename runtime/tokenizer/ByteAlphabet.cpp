// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The alphabet of byte-level vocabularies, as two tables.

#include "runtime/tokenizer/ByteAlphabet.h"

#include <array>
#include <optional>

using namespace sortie;
using namespace sortie::tokenizer;
using llvm::StringRef;

namespace {

constexpr size_t kBytes = 256;
/// Where the characters of bytes begin that are not printable; there are 68 of them.
constexpr size_t kFirstOther = 0x100;
constexpr size_t kCharacters = kFirstOther + 68;

constexpr bool isPrintable(size_t byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
}

/// All characters are below U+0800, so one or two bytes long.
struct Alphabet {
  std::array<std::array<char, 2>, kBytes> characters = {};
  std::array<std::optional<uint8_t>, kCharacters> bytes = {};

  Alphabet() {
    size_t other = kFirstOther;
    for (size_t byte = 0; byte < kBytes; ++byte) {
      const size_t character = isPrintable(byte) ? byte : other++;
      bytes[character] = static_cast<uint8_t>(byte);
      if (character < 0x80)
        characters[byte] = {static_cast<char>(character)};
      else
        characters[byte] = {static_cast<char>(0xc0 | character >> 6),
                            static_cast<char>(0x80 | (character & 0x3f))};
    }
  }
};

} // namespace

static const Alphabet &alphabet() {
  static const Alphabet kAlphabet;
  return kAlphabet;
}

StringRef tokenizer::characterOfByte(uint8_t byte) {
  const std::array<char, 2> &character = alphabet().characters[byte];
  return {character.data(), character[1] != '\0' ? size_t{2} : size_t{1}};
}

/// Takes a character from the front of `text` and gives its byte.
static std::optional<uint8_t> takeByte(StringRef &text) {
  const auto first = static_cast<uint8_t>(text.front());
  size_t character = first;
  size_t length = 1;
  if (first >= 0x80) {
    if ((first & 0xe0) != 0xc0 || text.size() < 2)
      return std::nullopt;
    character = (first & 0x1f) << 6 | (static_cast<uint8_t>(text[1]) & 0x3f);
    length = 2;
  }
  text = text.drop_front(length);
  return character < kCharacters ? alphabet().bytes[character] : std::nullopt;
}

std::string tokenizer::bytesOfCharacters(StringRef text) {
  std::string bytes;
  for (StringRef rest = text; !rest.empty();) {
    const std::optional<uint8_t> byte = takeByte(rest);
    if (!byte)
      return text.str();
    bytes += static_cast<char>(*byte);
  }
  return bytes;
}
