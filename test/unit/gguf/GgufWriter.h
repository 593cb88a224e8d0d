// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Writes small GGUF files for tests, with every field at the writer's mercy.

#ifndef SORTIE_TEST_UNIT_GGUF_GGUFWRITER_H
#define SORTIE_TEST_UNIT_GGUF_GGUFWRITER_H

#include "runtime/gguf/Metadata.h"

#include "llvm/Support/MemoryBuffer.h"

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace sortie::test {

class GgufWriter {
public:
  uint32_t version = 3;
  uint64_t alignment = 32;

  /// A key with an encoded value.
  void addRaw(const std::string &key, gguf::ValueType type, const std::string &encoded) {
    metadata += string(key) + number(static_cast<uint32_t>(type)) + encoded;
    ++keys;
  }
  void add(const std::string &key, uint32_t value) {
    addRaw(key, gguf::ValueType::UInt32, number(value));
  }
  void add(const std::string &key, uint16_t value) {
    addRaw(key, gguf::ValueType::UInt16, number(value));
  }
  void add(const std::string &key, float value) {
    addRaw(key, gguf::ValueType::Float32, number(value));
  }
  void add(const std::string &key, const std::string &value) {
    addRaw(key, gguf::ValueType::String, string(value));
  }

  /// A tensor; `dimensions` innermost first.
  void addTensor(const std::string &name, uint32_t type, const std::vector<uint64_t> &dimensions,
                 const std::string &bytes) {
    data.resize((data.size() + alignment - 1) / alignment * alignment);
    addTensorRecord(name, type, dimensions, data.size());
    data += bytes;
  }
  /// The record of a tensor only.
  void addTensorRecord(const std::string &name, uint32_t type,
                       const std::vector<uint64_t> &dimensions, uint64_t offset) {
    records += string(name) + number(static_cast<uint32_t>(dimensions.size()));
    for (const uint64_t extent : dimensions)
      records += number(extent);
    records += number(type) + number(offset);
    ++tensors;
  }

  std::string finish() const {
    std::string file =
        "GGUF" + number(version) + number(tensors) + number(keys) + metadata + records;
    if (tensors != 0)
      file.resize((file.size() + alignment - 1) / alignment * alignment);
    return file + data;
  }

  template <typename T> static std::string number(T value) {
    std::string bytes(sizeof(T), '\0');
    std::memcpy(bytes.data(), &value, sizeof(T));
    return bytes;
  }
  static std::string string(const std::string &value) {
    return number(static_cast<uint64_t>(value.size())) + value;
  }

private:
  uint64_t keys = 0;
  uint64_t tensors = 0;
  std::string metadata;
  std::string records;
  std::string data;
};

/// `file` as a buffer called `name`.
inline std::unique_ptr<llvm::MemoryBuffer> asBuffer(const std::string &file,
                                                    llvm::StringRef name = "test.gguf") {
  return llvm::MemoryBuffer::getMemBufferCopy(file, name);
}

} // namespace sortie::test

#endif // SORTIE_TEST_UNIT_GGUF_GGUFWRITER_H
