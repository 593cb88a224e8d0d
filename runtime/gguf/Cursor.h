// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reads the head of a GGUF file, front to back. Every length is compared with what is left of the
// file before it is used, so no number in a file can lead outside it.

#ifndef SORTIE_RUNTIME_GGUF_CURSOR_H
#define SORTIE_RUNTIME_GGUF_CURSOR_H

#include "runtime/gguf/Metadata.h"

#include "runtime/support/Error.h"

#include "llvm/ADT/Twine.h"
#include "llvm/Support/Endian.h"

namespace sortie::gguf {

class Cursor {
public:
  /// Reads `bytes`; `file` stands in front of messages and must outlive the cursor.
  Cursor(llvm::StringRef bytes, llvm::StringRef file) : bytes(bytes), file(file) {}

  uint64_t offset() const { return position; }
  uint64_t remaining() const { return bytes.size() - position; }

  /// An error at the current offset: "<file>: at byte <n>: <message>".
  llvm::Error error(const llvm::Twine &message) const;

  /// The next `size` bytes. `what` names them in the error when the file is too short.
  llvm::Expected<llvm::StringRef> readBytes(uint64_t size, const llvm::Twine &what);

  /// A little-endian number.
  template <typename T> llvm::Expected<T> read(const llvm::Twine &what) {
    llvm::Expected<llvm::StringRef> encoded = readBytes(sizeof(T), what);
    if (!encoded)
      return encoded.takeError();
    return llvm::support::endian::read<T, llvm::endianness::little>(encoded->data());
  }

  /// A number of items that take at least `leastBytes` each in what is left of the file, and are
  /// at most `most`.
  llvm::Expected<uint64_t> readCount(uint64_t leastBytes, uint64_t most, const llvm::Twine &what);

  /// A length (64 bits), then as many characters, at most `most`.
  llvm::Expected<llvm::StringRef> readString(uint64_t most, const llvm::Twine &what);

  llvm::Expected<ValueType> readValueType(const llvm::Twine &what);

  /// A value of this type. Arrays may nest `depth` deep.
  llvm::Expected<Value> readValue(ValueType type, const llvm::Twine &what, int depth = 4);

private:
  llvm::Expected<Value> readArray(const llvm::Twine &what, int depth);

  llvm::StringRef bytes;
  llvm::StringRef file;
  uint64_t position = 0;
};

} // namespace sortie::gguf

#endif // SORTIE_RUNTIME_GGUF_CURSOR_H
