// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The metadata of a model, with a record of what was asked of it: whatever a program depends on is
// looked up here, so that the fingerprint of the model covers it and nothing else.

#ifndef SORTIE_RUNTIME_MODEL_METADATAREADER_H
#define SORTIE_RUNTIME_MODEL_METADATAREADER_H

#include "runtime/gguf/Metadata.h"

#include <set>

namespace sortie::model {

/// Looks keys up like gguf::Metadata, and remembers them, the absent ones, too.
class MetadataReader {
public:
  explicit MetadataReader(const gguf::Metadata &metadata) : metadata(metadata) {}

  const gguf::Value *find(llvm::StringRef key) { return metadata.find(remember(key)); }
  llvm::Expected<uint64_t> getUnsigned(llvm::StringRef key) {
    return metadata.getUnsigned(remember(key));
  }
  llvm::Expected<double> getFloat(llvm::StringRef key) { return metadata.getFloat(remember(key)); }
  llvm::Expected<bool> getBool(llvm::StringRef key) { return metadata.getBool(remember(key)); }
  llvm::Expected<llvm::StringRef> getString(llvm::StringRef key) {
    return metadata.getString(remember(key));
  }

  /// Remembers that all keys that match are depended on, where an asterisk stands for any
  /// characters.
  void lookUpAll(llvm::StringRef pattern) { remember(pattern); }

  bool hasLookedUp(llvm::StringRef key) const { return lookedUp.count(key.str()) != 0; }
  /// All keys and patterns that have been looked up, sorted.
  std::vector<std::string> keys() const { return {lookedUp.begin(), lookedUp.end()}; }

private:
  llvm::StringRef remember(llvm::StringRef key) { return *lookedUp.insert(key.str()).first; }

  const gguf::Metadata &metadata;
  std::set<std::string> lookedUp;
};

} // namespace sortie::model

#endif // SORTIE_RUNTIME_MODEL_METADATAREADER_H
