// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The two rules of fingerprints.

#include "runtime/gguf/Fingerprint.h"

#include "runtime/gguf/Model.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/BLAKE3.h"
#include "llvm/Support/Endian.h"

#include <set>

using namespace llvm;

namespace sortie::gguf {

namespace {

/// The types whose data is sampled, by their numbers. Both rules are fixed: a type that a later
/// version reads must not change the fingerprints of programs that are there.
constexpr uint32_t kSampledTypes[] = {0, 1, 2, 3, 6, 7, 8, 10, 11, 12, 13, 14, 20, 23, 30, 39};

/// Feeds numbers and length-prefixed strings to a hash, so that no two inputs run together.
class FingerprintHash {
public:
  void add(uint64_t value) {
    std::array<uint8_t, sizeof(value)> bytes;
    support::endian::write64le(bytes.data(), value);
    hash.update(bytes);
  }
  void add(StringRef string) {
    add(string.size());
    hash.update(string);
  }
  uint64_t result() { return support::endian::read64le(hash.final<8>().data()); }

private:
  BLAKE3 hash;
};

void addValue(FingerprintHash &hash, StringRef key, const Value &value) {
  hash.add(key);
  hash.add(value.describeType());
  hash.add(value.encoded());
}

/// The first, middle and last bytes of a tensor (all of a small one).
void addSamples(FingerprintHash &hash, ArrayRef<uint8_t> bytes) {
  constexpr size_t kSample = 256;
  if (bytes.size() <= 3 * kSample) {
    hash.add(toStringRef(bytes));
    return;
  }
  hash.add(toStringRef(bytes.take_front(kSample)));
  hash.add(toStringRef(bytes.slice(bytes.size() / 2, kSample)));
  hash.add(toStringRef(bytes.take_back(kSample)));
}

/// Adds the tensor table, sorted by name, with samples of the data; false when data is missing.
/// `addShape` adds the dimensions of a tensor.
template <typename AddShape>
bool addTensors(FingerprintHash &hash, const Model &model, AddShape addShape) {
  std::vector<const Tensor *> tensors;
  for (const Tensor &tensor : model.tensors())
    tensors.push_back(&tensor);
  sort(tensors, [](const auto *a, const auto *b) { return a->name < b->name; });
  for (const Tensor *tensor : tensors) {
    const bool isSampled = is_contained(kSampledTypes, tensor->type);
    if (isSampled && tensor->bytes.empty())
      return false;
    hash.add(tensor->name);
    hash.add(tensor->type);
    addShape(tensor->dimensions);
    addSamples(hash, isSampled ? tensor->bytes : ArrayRef<uint8_t>());
  }
  return true;
}

/// True if a key is `pattern` with each asterisk replaced by some characters, or by none; letters
/// count as the same in either case.
bool matches(StringRef key, StringRef pattern) {
  SmallVector<StringRef> parts;
  pattern.split(parts, '*');
  if (!key.consume_front_insensitive(parts.front()))
    return false;
  for (const StringRef part : ArrayRef(parts).drop_front().drop_back()) {
    const size_t at = key.find_insensitive(part);
    if (at == StringRef::npos)
      return false;
    key = key.drop_front(at + part.size());
  }
  return key.ends_with_insensitive(parts.back());
}

/// The entries that are keys, and the keys of the model that the others match.
std::set<std::string> coveredKeys(const Model &model, ArrayRef<std::string> entries) {
  std::set<std::string> keys;
  for (const std::string &entry : entries) {
    if (!StringRef(entry).contains('*')) {
      keys.insert(entry);
      continue;
    }
    for (const Metadata::Entry &candidate : model.metadata().entries())
      if (matches(candidate.key, entry))
        keys.insert(candidate.key.str());
  }
  return keys;
}

} // namespace

std::optional<uint64_t> fingerprintOfNamedKeys(const Model &model, ArrayRef<std::string> keys) {
  FingerprintHash hash;
  for (const std::string &key : coveredKeys(model, keys)) {
    if (const Value *value = model.metadata().find(key)) {
      addValue(hash, key, *value);
      continue;
    }
    hash.add(key);
    hash.add(StringRef("absent"));
  }
  // Extents of 1 tell no shapes apart: writers differ in whether they keep those at the end.
  auto addShape = [&](ArrayRef<int64_t> dimensions) {
    hash.add(
        static_cast<uint64_t>(count_if(dimensions, [](int64_t extent) { return extent != 1; })));
    for (const int64_t extent : dimensions)
      if (extent != 1)
        hash.add(static_cast<uint64_t>(extent));
  };
  if (!addTensors(hash, model, addShape))
    return std::nullopt;
  return hash.result();
}

std::optional<uint64_t> fingerprintOfAllKeys(const Model &model) {
  FingerprintHash hash;
  std::vector<const Metadata::Entry *> entries;
  for (const Metadata::Entry &entry : model.metadata().entries())
    if (!entry.key.starts_with("split.") && entry.key != "general.alignment")
      entries.push_back(&entry);
  sort(entries, [](const auto *a, const auto *b) { return a->key < b->key; });
  for (const Metadata::Entry *entry : entries)
    addValue(hash, entry->key, entry->value);
  auto addShape = [&](ArrayRef<int64_t> dimensions) {
    for (const int64_t extent : dimensions)
      hash.add(static_cast<uint64_t>(extent));
  };
  if (!addTensors(hash, model, addShape))
    return std::nullopt;
  return hash.result();
}

} // namespace sortie::gguf
