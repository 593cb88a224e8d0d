// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A model in GGUF format (version 2 or 3, one file or several parts), mapped into memory. Opening
// reads the metadata and the tensor table and checks every number in them; tensor data is touched
// only by who reads it. The files must not be changed or truncated while the model is open.

#ifndef SORTIE_RUNTIME_GGUF_MODEL_H
#define SORTIE_RUNTIME_GGUF_MODEL_H

#include "runtime/gguf/Metadata.h"
#include "runtime/modelfile/ModelFile.h"

#include "llvm/Support/MemoryBuffer.h"

#include <memory>

namespace sortie::gguf {

/// What the reader accepts. Public models are far below all of these.
inline constexpr uint64_t kMaxTensors = uint64_t{1} << 20;
inline constexpr uint64_t kMaxKeys = uint64_t{1} << 20;
inline constexpr uint64_t kMaxNameBytes = 4096;
inline constexpr uint32_t kMaxDimensions = 4;
inline constexpr uint64_t kMaxElements = uint64_t{1} << 48;
inline constexpr uint64_t kMaxAlignment = uint64_t{1} << 20;
inline constexpr uint64_t kMaxParts = 1024;

struct Tensor : ModelTensor {
  /// GGUF's number of the type.
  uint32_t type = 0;
};

/// Whether the files must hold the data of their tensors. The importer needs the table alone, so a
/// file may be its header and nothing else; one that ends inside of its data is damaged either way.
enum class DataPresence { Required, Optional };

/// The files of the model that `path` names: all parts of a split one if it is called as the first
/// of them, `NAME-00001-of-0000N.gguf`; otherwise `path` alone.
std::vector<std::string> modelFiles(llvm::StringRef path);

class Model : public ModelFile {
public:
  /// Opens a GGUF file. When it is the first part of a split model, `NAME-00001-of-0000N.gguf`, the
  /// other parts are opened, too.
  static llvm::Expected<std::unique_ptr<Model>>
  open(llvm::StringRef path, DataPresence presence = DataPresence::Required);

  /// The same from memory: one file, or all parts in order. Messages name the buffers by their
  /// identifiers.
  static llvm::Expected<std::unique_ptr<Model>>
  fromBuffers(std::vector<std::unique_ptr<llvm::MemoryBuffer>> parts,
              DataPresence presence = DataPresence::Required);

  llvm::StringRef name() const override { return parts.front()->getBufferIdentifier(); }
  /// The metadata of the first part, which holds the model's own keys.
  const Metadata &metadata() const { return metadataOfModel; }
  /// The tensors of all parts, in the order of the files.
  llvm::ArrayRef<Tensor> tensors() const { return table; }
  const Tensor *findTensor(llvm::StringRef name) const override;
  std::optional<uint64_t> fingerprint(const ModelFingerprint &rule) const override;

private:
  friend class HeaderReader;

  Model() = default;
  llvm::Error addPart(std::unique_ptr<llvm::MemoryBuffer> buffer, DataPresence presence);
  llvm::Error checkTensorCount() const;

  std::vector<std::unique_ptr<llvm::MemoryBuffer>> parts;
  Metadata metadataOfModel;
  std::vector<Tensor> table;
  llvm::StringMap<size_t> index;
};

} // namespace sortie::gguf

#endif // SORTIE_RUNTIME_GGUF_MODEL_H
