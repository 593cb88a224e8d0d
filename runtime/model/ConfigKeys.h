// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reads the metadata keys of one architecture with their bounds. A key which says something about
// routing and was not looked up is an error.

#ifndef SORTIE_RUNTIME_MODEL_CONFIGKEYS_H
#define SORTIE_RUNTIME_MODEL_CONFIGKEYS_H

#include "runtime/model/MetadataReader.h"
#include "runtime/model/NameFilter.h"

#include "runtime/gguf/Model.h"

#include <optional>
#include <vector>

namespace sortie::model {

/// The most that a width can sensibly be; keeps products inside 64 bits.
inline constexpr uint64_t kMaxWidth = uint64_t{1} << 24;

/// What of a model is read.
enum class Scope {
  /// The feed-forward halves of layers: norm, router, experts.
  FeedForwardHalves,
  WholeModel,
};

class ConfigKeys {
public:
  /// Keys are read below `prefix`, the architecture's name. Those that `ignored` matches are left
  /// out: the functions for optional keys take them for absent, the others make errors of them.
  ConfigKeys(const gguf::Model &model, MetadataReader &metadata, llvm::StringRef prefix,
             NameFilter &ignored)
      : model(model), metadata(metadata), prefix(prefix), ignored(ignored) {}

  /// The numbers that a value may have, both ends included.
  struct Bounds {
    uint64_t least;
    uint64_t most;
  };

  llvm::StringRef fileName() const { return model.name(); }
  std::string fullKey(llvm::StringRef key) const { return (prefix + "." + key).str(); }
  llvm::Error makeError(llvm::StringRef key, const llvm::Twine &problem) const;
  /// An error if the file has a key that is needed, and the key is one to leave out.
  llvm::Error checkNotLeftOut(llvm::StringRef key) const;

  /// The value of a key; null if the file does not have it or it is left out.
  const gguf::Value *lookUp(llvm::StringRef key);
  /// States that the key is understood, and that its value, if there is one, means nothing here.
  void acknowledge(llvm::StringRef key) { lookUp(key); }

  /// The string of a key; nothing if the key is absent.
  llvm::Expected<std::optional<llvm::StringRef>> readOptionalString(llvm::StringRef key);
  /// An integer that must be there, of any size.
  llvm::Expected<uint64_t> getUnsigned(llvm::StringRef key);
  /// The same, with bounds.
  llvm::Error readCount(llvm::StringRef key, Bounds bounds, int64_t &value);
  /// Values of keys that may be absent: `value` stays as it is then.
  llvm::Error readOptionalCount(llvm::StringRef key, Bounds bounds, int64_t &value);
  llvm::Error readOptionalBool(llvm::StringRef key, bool &value);
  llvm::Error readOptionalFloat(llvm::StringRef key, float &value);
  /// A floating-point number that must be there.
  llvm::Error readFloat(llvm::StringRef key, float &value);

  /// An integer for all layers, or an array of one for each of them; nothing if the key is absent.
  /// The result has `layers` elements. An array may also count `prediction` further layers.
  llvm::Expected<std::optional<std::vector<int64_t>>>
  readPerLayer(llvm::StringRef key, Bounds bounds, int64_t layers, int64_t prediction);

  /// An error that names the keys of the architecture which have not been looked up and may change
  /// what is read: of a whole model all, of feed-forward halves those that their words tell, and
  /// none of the attention half.
  llvm::Error checkUnderstood(Scope scope);

private:
  llvm::Error checkBounds(llvm::StringRef key, uint64_t number, Bounds bounds) const;

  const gguf::Model &model;
  MetadataReader &metadata;
  std::string prefix;
  NameFilter &ignored;
};

} // namespace sortie::model

#endif // SORTIE_RUNTIME_MODEL_CONFIGKEYS_H
