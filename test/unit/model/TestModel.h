// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Model files for tests, of metadata and a tensor table alone: a set of keys that a test changes.

#ifndef SORTIE_TEST_UNIT_MODEL_TESTMODEL_H
#define SORTIE_TEST_UNIT_MODEL_TESTMODEL_H

#include "test/unit/gguf/GgufWriter.h"

#include "runtime/gguf/Model.h"
#include "runtime/model/Config.h"

#include "gtest/gtest.h"

#include <map>

namespace sortie::test {

class TestModel {
public:
  /// Sets a key, whatever it was.
  template <typename T> TestModel &set(const std::string &key, const T &value) {
    keys[key] = {typeOf(value), encode(value)};
    return *this;
  }
  template <typename T> TestModel &setArray(const std::string &key, const std::vector<T> &values) {
    std::string elements;
    for (const T &value : values)
      elements += encode(value);
    return setRaw(key, gguf::ValueType::Array,
                  GgufWriter::number(static_cast<uint32_t>(typeOf(T()))) +
                      GgufWriter::number(static_cast<uint64_t>(values.size())) + elements);
  }
  TestModel &setRaw(const std::string &key, gguf::ValueType type, const std::string &encoded) {
    keys[key] = {type, encoded};
    return *this;
  }
  TestModel &remove(const std::string &key) {
    EXPECT_EQ(keys.erase(key), 1u) << key;
    return *this;
  }

  /// A tensor without data; `shape` row-major, `type` GGUF's number.
  TestModel &addTensor(const std::string &name, std::vector<uint64_t> shape, uint32_t type = 0) {
    tensors.push_back({name, type, {shape.rbegin(), shape.rend()}});
    return *this;
  }
  TestModel &removeTensor(const std::string &name) {
    EXPECT_EQ(std::erase_if(tensors, [&](const Record &record) { return record.name == name; }), 1u)
        << name;
    return *this;
  }

  /// Gives all tensors data, the same for all: `bytes` of this number, again and again.
  TestModel &fill(float value, size_t bytes) {
    for (data.clear(); data.size() < bytes;)
      data += GgufWriter::number(value);
    return *this;
  }

  std::string finish() const {
    GgufWriter writer;
    for (const auto &[key, value] : keys)
      writer.addRaw(key, value.first, value.second);
    for (const Record &record : tensors)
      writer.addTensorRecord(record.name, record.type, record.dimensions, 0);
    return writer.finish() + data;
  }

  /// The file, opened as "test.gguf".
  std::unique_ptr<gguf::Model> open() const {
    std::vector<std::unique_ptr<llvm::MemoryBuffer>> parts;
    parts.push_back(asBuffer(finish()));
    return llvm::cantFail(gguf::Model::fromBuffers(std::move(parts), gguf::DataPresence::Optional));
  }

private:
  struct Record {
    std::string name;
    uint32_t type;
    /// In the order of the file.
    std::vector<uint64_t> dimensions;
  };

  static gguf::ValueType typeOf(uint32_t) { return gguf::ValueType::UInt32; }
  static gguf::ValueType typeOf(int32_t) { return gguf::ValueType::Int32; }
  static gguf::ValueType typeOf(uint64_t) { return gguf::ValueType::UInt64; }
  static gguf::ValueType typeOf(float) { return gguf::ValueType::Float32; }
  static gguf::ValueType typeOf(double) { return gguf::ValueType::Float64; }
  static gguf::ValueType typeOf(bool) { return gguf::ValueType::Bool; }
  static gguf::ValueType typeOf(const std::string &) { return gguf::ValueType::String; }

  template <typename T> static std::string encode(const T &value) {
    return GgufWriter::number(value);
  }
  static std::string encode(const std::string &value) { return GgufWriter::string(value); }

  std::map<std::string, std::pair<gguf::ValueType, std::string>> keys;
  std::vector<Record> tensors;
  std::string data;
};

/// Reads the configuration of a file that is open no longer.
inline llvm::Expected<model::Config>
readTestConfig(const TestModel &file, model::Scope scope,
               const model::ConfigOverrides &overrides = {},
               const std::optional<std::string> &ignoredKeys = std::nullopt) {
  const std::unique_ptr<gguf::Model> opened = file.open();
  model::MetadataReader metadata(opened->metadata());
  model::NameFilter filter = llvm::cantFail(model::NameFilter::parse("--ignore-keys", ignoredKeys));
  return readConfig(*opened, metadata, scope, overrides, filter);
}

/// Metadata of a model of two layers: 8 experts of which 2 are used, width 64, experts of 32.
inline TestModel metadataOf(const std::string &architecture) {
  TestModel model;
  model.set("general.architecture", architecture);
  model.set(architecture + ".block_count", uint32_t{2});
  model.set(architecture + ".embedding_length", uint32_t{64});
  model.set(architecture + ".attention.layer_norm_rms_epsilon", 1e-6f);
  model.set(architecture + ".expert_count", uint32_t{8});
  model.set(architecture + ".expert_used_count", uint32_t{2});
  model.set(architecture + ".expert_feed_forward_length", uint32_t{32});
  return model;
}

/// The same with what attention needs: 4 heads of 16, 2 of them for keys, 96 positions.
inline TestModel wholeMetadataOf(const std::string &architecture) {
  TestModel model = metadataOf(architecture);
  model.set(architecture + ".attention.head_count", uint32_t{4});
  model.set(architecture + ".attention.head_count_kv", uint32_t{2});
  model.set(architecture + ".context_length", uint32_t{96});
  return model;
}

/// The same without experts.
inline TestModel denseMetadataOf(const std::string &architecture) {
  TestModel model = wholeMetadataOf(architecture);
  for (const char *key : {".expert_count", ".expert_used_count", ".expert_feed_forward_length"})
    model.remove(architecture + key);
  model.set(architecture + ".feed_forward_length", uint32_t{32});
  return model;
}

} // namespace sortie::test

#endif // SORTIE_TEST_UNIT_MODEL_TESTMODEL_H
