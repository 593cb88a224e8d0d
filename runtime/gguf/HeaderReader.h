// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reads the head of one GGUF file: version, metadata, tensor table.

#ifndef SORTIE_RUNTIME_GGUF_HEADERREADER_H
#define SORTIE_RUNTIME_GGUF_HEADERREADER_H

#include "runtime/gguf/Cursor.h"
#include "runtime/gguf/Model.h"

namespace sortie::gguf {

class HeaderReader {
public:
  HeaderReader(llvm::MemoryBufferRef buffer, DataPresence presence)
      : file(buffer.getBufferIdentifier()), bytes(buffer.getBuffer()), cursor(bytes, file),
        presence(presence) {}

  /// Fills `metadata` and `tensors`.
  llvm::Error read();

  Metadata metadata;
  std::vector<Tensor> tensors;

private:
  llvm::Error readMagicAndVersion();
  /// A name of something of the file. Messages and the module that is imported have it, which
  /// control characters would break.
  llvm::Expected<llvm::StringRef> readName(const llvm::Twine &what);
  llvm::Error readMetadata(uint64_t count);
  llvm::Expected<uint64_t> alignment() const;
  llvm::Expected<Tensor> readTensorRecord();
  llvm::Error locate(Tensor &tensor, uint64_t dataBegin) const;
  llvm::Error tensorError(const Tensor &tensor, const llvm::Twine &message) const;

  llvm::StringRef file;
  llvm::StringRef bytes;
  Cursor cursor;
  DataPresence presence;
};

} // namespace sortie::gguf

#endif // SORTIE_RUNTIME_GGUF_HEADERREADER_H
