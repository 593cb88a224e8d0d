// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Bounds-checked reading of GGUF's primitives.

#include "runtime/gguf/Cursor.h"

using namespace llvm;

namespace sortie::gguf {

Error Cursor::error(const Twine &message) const {
  return makeError(file + ": at byte " + Twine(position) + ": " + message);
}

Expected<StringRef> Cursor::readBytes(uint64_t size, const Twine &what) {
  if (size > remaining())
    return error("the file ends inside " + what + " (" + Twine(size) + " bytes needed, " +
                 Twine(remaining()) +
                 " left); it is truncated or damaged: download or convert it again");
  const StringRef result = bytes.substr(position, size);
  position += size;
  return result;
}

Expected<uint64_t> Cursor::readCount(uint64_t leastBytes, uint64_t most, const Twine &what) {
  Expected<uint64_t> count = read<uint64_t>(what);
  if (!count)
    return count;
  if (*count > most)
    return error(what + " is " + Twine(*count) + ", at most " + Twine(most) +
                 " is supported; the file is damaged or not GGUF");
  if (*count > remaining() / leastBytes)
    return error(what + " is " + Twine(*count) + ", more than the " + Twine(remaining()) +
                 " bytes that follow can hold; the file is truncated or damaged");
  return count;
}

Expected<StringRef> Cursor::readString(uint64_t most, const Twine &what) {
  Expected<uint64_t> length = readCount(1, most, "the length of " + what);
  if (!length)
    return length.takeError();
  return readBytes(*length, what);
}

Expected<ValueType> Cursor::readValueType(const Twine &what) {
  Expected<uint32_t> type = read<uint32_t>("the type of " + what);
  if (!type)
    return type.takeError();
  if (*type >= kValueTypeCount)
    return error(what + " has the unknown value type " + Twine(*type) +
                 "; the file is damaged or of a newer version");
  return static_cast<ValueType>(*type);
}

Expected<Value> Cursor::readValue(ValueType type, const Twine &what, int depth) {
  if (type == ValueType::Array)
    return readArray(what, depth);
  Expected<StringRef> encoded =
      type == ValueType::String ? readString(UINT64_MAX, what) : readBytes(scalarBytes(type), what);
  if (!encoded)
    return encoded.takeError();
  return Value(type, *encoded);
}

Expected<Value> Cursor::readArray(const Twine &what, int depth) {
  if (depth == 0)
    return error(what + " nests arrays too deeply");
  Expected<ValueType> elementType = readValueType(what);
  if (!elementType)
    return elementType.takeError();
  constexpr uint64_t kStringBytes = 8, kArrayBytes = 12; // of empty ones
  uint64_t leastBytes = scalarBytes(*elementType);
  if (leastBytes == 0)
    leastBytes = *elementType == ValueType::String ? kStringBytes : kArrayBytes;
  Expected<uint64_t> count = readCount(leastBytes, UINT64_MAX, "the number of elements of " + what);
  if (!count)
    return count.takeError();

  const uint64_t begin = position;
  if (const uint64_t elementBytes = scalarBytes(*elementType)) {
    position += *count * elementBytes; // readCount() has compared it with the bytes left
  } else {
    for (uint64_t i = 0; i < *count; ++i)
      if (Expected<Value> element = readValue(*elementType, what, depth - 1); !element)
        return element.takeError();
  }
  return Value(*elementType, *count, bytes.slice(begin, position));
}

} // namespace sortie::gguf
