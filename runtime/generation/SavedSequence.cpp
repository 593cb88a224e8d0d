// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The seal is checked before anything is believed, and every size all the same: who makes files to
// do harm can seal them.

#include "runtime/generation/SavedSequence.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Endian.h"

#include <cstring>

using namespace llvm;

namespace sortie::generation {

static_assert(endianness::native == endianness::little, "pages are written as they lie");

static constexpr StringLiteral kMagic = "sortieSQ";
/// Files of the first version do not have the width of activations, and are read all the same.
static constexpr uint32_t kFirstVersion = 1;
static constexpr uint32_t kVersion = 2;
static constexpr size_t kSealBytes = 16;
static constexpr int64_t kPagePositions = numerics::kAttentionChunk;

size_t pagesOfTokens(size_t tokens) { return divideCeil(tokens, uint64_t{kPagePositions}); }

/// Clears the positions of rows from `first` on, with their scales.
static void clearRows(char *head, const numerics::CacheRowsLayout &rows, int64_t limbs,
                      int64_t first) {
  const auto count = static_cast<size_t>(kPagePositions - first) * sizeof(float);
  std::memset(head + rows.scales + first * 4, 0, count);
  const int64_t elements = rows.panel / numerics::kCachePanelRows;
  for (int64_t limb = 0; limb < limbs; ++limb)
    for (int64_t position = first; position < kPagePositions; ++position)
      for (int64_t element = 0; element < elements; ++element)
        head[rows.first + limb * rows.limb + numerics::cacheByte(rows.panel, position, element)] =
            0;
}

static void clearValues(char *head, const numerics::CachePageLayout &layout, int64_t limbs,
                        int64_t first) {
  const auto count = static_cast<size_t>(kPagePositions - first) * sizeof(float);
  std::memset(head + layout.valueScales + first * 4, 0, count);
  const int64_t elements = layout.valueLimb / kPagePositions;
  for (int64_t limb = 0; limb < limbs; ++limb)
    for (int64_t element = 0; element < elements; ++element)
      for (int64_t position = first; position < kPagePositions; ++position)
        head[layout.values + limb * layout.valueLimb +
             numerics::cacheByte(layout.valuePanel, element, position)] = 0;
}

void clearPositions(const CacheLayout &cache, MutableArrayRef<int32_t> page, int64_t first) {
  const numerics::CachePageLayout layout =
      numerics::cachePageLayout(cache.width, cache.key, cache.value, cache.rotated);
  const int64_t limbs = cache.width == numerics::ActivationWidth::Int16 ? 2 : 1;
  char *head = reinterpret_cast<char *>(page.data());
  for (int64_t i = 0; i < cache.heads; ++i, head += layout.headBytes) {
    clearRows(head, layout.keys, limbs, first);
    if (cache.rotated != 0)
      clearRows(head, layout.rotated, limbs, first);
    clearValues(head, layout, limbs, first);
  }
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

namespace {

Error savedError(const Twine &what) { return makeError("the saved sequence " + what); }

/// Takes numbers and texts from the front of bytes; fails for good where they end.
class FileCursor {
public:
  explicit FileCursor(StringRef bytes) : rest(bytes) {}

  template <typename T> T number() {
    const StringRef bytes = take(sizeof(T));
    return bytes.empty() ? T() : support::endian::read<T, endianness::little>(bytes.data());
  }
  std::string text() { return take(number<uint32_t>()).str(); }
  StringRef take(uint64_t size) {
    if (size > rest.size()) {
      hasFailed = true;
      rest = {};
      return {};
    }
    const StringRef bytes = rest.take_front(size);
    rest = rest.drop_front(size);
    return bytes;
  }

  bool failed() const { return hasFailed; }
  size_t size() const { return rest.size(); }

private:
  StringRef rest;
  bool hasFailed = false;
};

/// Checks the seal; the version that the file is of.
Expected<uint32_t> checkFrame(StringRef bytes) {
  if (!bytes.starts_with(kMagic))
    return makeError("this is no saved sequence: it does not begin with '" + kMagic + "'");
  FileCursor cursor(bytes.drop_front(kMagic.size()));
  const auto version = cursor.number<uint32_t>();
  if (cursor.failed() || cursor.size() < kSealBytes)
    return savedError("ends inside its header; save it again");
  if (version < kFirstVersion || version > kVersion)
    return savedError("is of version " + Twine(version) +
                      " of the format, and this is a reader of versions " + Twine(kFirstVersion) +
                      " to " + Twine(kVersion) + "; save it again");
  SequenceSeal hasher;
  hasher.update(bytes.drop_back(kSealBytes));
  const std::string computed = toHex(hasher.final(), /*LowerCase=*/true);
  const std::string stored = toHex(bytes.take_back(kSealBytes), /*LowerCase=*/true);
  if (stored == computed)
    return version;
  return savedError("is damaged: its contents hash to " + computed + ", its seal says " + stored +
                    "; save it again, or copy it again");
}

std::string describe(const CacheLayout &cache) {
  const std::string rotated =
      cache.rotated != 0 ? ", and " + std::to_string(cache.rotated) + " rotated," : "";
  return (Twine(cache.heads) + " heads of " + Twine(cache.key) + " and " + Twine(cache.value) +
          " elements" + rotated + " of " + Twine(cache.bits()) + " bits")
      .str();
}

/// The cache of a file as far as it is one of the program's.
Error checkCache(FileCursor &cursor, const CacheLayout &expected) {
  CacheLayout cache;
  cache.name = cursor.text();
  cache.heads = cursor.number<int64_t>();
  cache.key = cursor.number<int64_t>();
  cache.value = cursor.number<int64_t>();
  cache.rotated = cursor.number<int64_t>();
  const auto bits = cursor.number<uint32_t>();
  if (cursor.failed() || (bits != 8 && bits != 16))
    return savedError("ends inside its header, or has a cache that cannot be; save it again");
  cache.width = bits == 16 ? numerics::ActivationWidth::Int16 : numerics::ActivationWidth::Int8;
  if (cache.name != expected.name)
    return savedError("has a cache '" + cache.name + "' where the program has '" + expected.name +
                      "'; it is of another model");
  if (!(cache == expected))
    return savedError("has a cache '" + cache.name + "' of " + describe(cache) +
                      ", the program's has " + describe(expected) +
                      "; save it with a program of the same options");
  return Error::success();
}

std::string describeFingerprint(uint32_t rule, uint64_t fingerprint) {
  if (rule == 0)
    return "none";
  return utohexstr(fingerprint, /*LowerCase=*/true) + " (rule " + std::to_string(rule) + ")";
}

std::string describeActivations(uint32_t bits) {
  return bits == 24 ? "8 and 16 bits" : std::to_string(bits) + " bits";
}

/// With other widths, rows of keys and values are not those of a sequence that the program has run
/// from its beginning.
Error checkActivations(FileCursor &cursor, const CacheOrigin &origin) {
  const auto bits = cursor.number<uint32_t>();
  if (cursor.failed())
    return savedError("ends inside its header; save it again");
  if (bits == origin.activationBits)
    return Error::success();
  return savedError("was computed with activations of " + describeActivations(bits) +
                    ", the program's have " + describeActivations(origin.activationBits) +
                    "; save it with a program of the same options");
}

Error checkOrigin(FileCursor &cursor, uint32_t version, const CacheOrigin &origin) {
  const auto numericsVersion = cursor.number<uint32_t>();
  const auto rule = cursor.number<uint32_t>();
  const auto fingerprint = cursor.number<uint64_t>();
  const std::string importOptions = cursor.text();
  if (cursor.failed())
    return savedError("ends inside its header; save it again");
  if (numericsVersion != origin.numerics)
    return savedError("was computed by version " + Twine(numericsVersion) +
                      " of the numerics contract, the program has version " +
                      Twine(origin.numerics) + "; save it again");
  if (rule != origin.fingerprintRule || fingerprint != origin.fingerprint)
    return savedError("is of another model: its fingerprint is " +
                      describeFingerprint(rule, fingerprint) + ", the program's is " +
                      describeFingerprint(origin.fingerprintRule, origin.fingerprint));
  if (importOptions != origin.importOptions)
    return savedError("is of a model that was imported with '" + importOptions +
                      "', the program's with '" + origin.importOptions + "'; save it again");
  if (version != kFirstVersion)
    if (Error error = checkActivations(cursor, origin))
      return error;
  const auto caches = cursor.number<uint32_t>();
  if (cursor.failed())
    return savedError("ends inside its header; save it again");
  if (caches != origin.caches.size())
    return savedError("has " + Twine(caches) + " caches, the program has " +
                      Twine(origin.caches.size()) + "; it is of another model");
  for (const CacheLayout &cache : origin.caches)
    if (Error error = checkCache(cursor, cache))
      return error;
  return Error::success();
}

Expected<std::vector<int32_t>> readTokens(FileCursor &cursor, int64_t vocabulary) {
  const auto count = cursor.number<uint64_t>();
  if (cursor.failed() || count > cursor.size() / sizeof(int32_t))
    return savedError("ends inside its tokens; save it again");
  std::vector<int32_t> tokens;
  for (uint64_t i = 0; i < count; ++i) {
    tokens.push_back(cursor.number<int32_t>());
    if (tokens.back() < 0 || tokens.back() >= vocabulary)
      return savedError("has token " + Twine(tokens.back()) +
                        ", which is not in the model's vocabulary: its tokens are 0 to " +
                        Twine(vocabulary - 1));
  }
  return tokens;
}

size_t pageBytes(ArrayRef<CacheLayout> caches) {
  size_t words = 0;
  for (const CacheLayout &cache : caches)
    words += static_cast<size_t>(cache.words());
  return words * sizeof(int32_t);
}

} // namespace

Expected<SavedSequence> SavedSequence::read(StringRef bytes, const CacheOrigin &origin,
                                            int64_t vocabulary) {
  Expected<uint32_t> version = checkFrame(bytes);
  if (!version)
    return version.takeError();
  FileCursor cursor(bytes.drop_front(kMagic.size() + sizeof(kVersion)).drop_back(kSealBytes));
  if (Error error = checkOrigin(cursor, *version, origin))
    return error;
  Expected<std::vector<int32_t>> tokens = readTokens(cursor, vocabulary);
  if (!tokens)
    return tokens.takeError();
  const size_t needed = pagesOfTokens(tokens->size()) * pageBytes(origin.caches);
  if (cursor.size() != needed)
    return savedError("has " + Twine(cursor.size()) + " bytes of pages, and its " +
                      Twine(tokens->size()) + " tokens need " + Twine(needed) + "; save it again");
  return SavedSequence(std::move(*tokens), cursor.take(needed), origin.caches);
}

void SavedSequence::getPages(size_t first, size_t count, MutableArrayRef<int32_t> words) const {
  size_t pageWords = 0;
  for (const size_t own : wordsOfCache)
    pageWords += own;
  size_t ofPage = 0; // words of a page before those of the cache
  for (const size_t own : wordsOfCache) {
    for (size_t page = first; page < first + count; ++page) {
      std::memcpy(words.data(), pages.data() + (page * pageWords + ofPage) * sizeof(int32_t),
                  own * sizeof(int32_t));
      words = words.drop_front(own);
    }
    ofPage += own;
  }
}

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

void SequenceWriter::write(StringRef bytes) {
  seal.update(bytes);
  out << bytes;
}

template <typename T> void SequenceWriter::writeNumber(T value) {
  char bytes[sizeof(T)];
  support::endian::write<T, endianness::little>(bytes, value);
  write(StringRef(bytes, sizeof(T)));
}

void SequenceWriter::writeText(StringRef text) {
  writeNumber(static_cast<uint32_t>(text.size()));
  write(text);
}

static StringRef bytesOf(ArrayRef<int32_t> words) {
  return {reinterpret_cast<const char *>(words.data()), words.size() * sizeof(int32_t)};
}

SequenceWriter::SequenceWriter(raw_ostream &out, const CacheOrigin &origin,
                               ArrayRef<int32_t> tokens)
    : out(out), origin(origin), tokensLeft(static_cast<int64_t>(tokens.size())) {
  write(kMagic);
  writeNumber(kVersion);
  writeNumber(origin.numerics);
  writeNumber(origin.fingerprintRule);
  writeNumber(origin.fingerprint);
  writeText(origin.importOptions);
  writeNumber(origin.activationBits);
  writeNumber(static_cast<uint32_t>(origin.caches.size()));
  for (const CacheLayout &cache : origin.caches) {
    writeText(cache.name);
    for (const int64_t number : {cache.heads, cache.key, cache.value, cache.rotated})
      writeNumber(number);
    writeNumber(static_cast<uint32_t>(cache.bits()));
  }
  writeNumber(static_cast<uint64_t>(tokens.size()));
  write(bytesOf(tokens));
}

void SequenceWriter::addPages(size_t count, MutableArrayRef<int32_t> words) {
  for (size_t page = 0; page < count; ++page, tokensLeft -= kPagePositions) {
    MutableArrayRef<int32_t> rest = words;
    for (const CacheLayout &cache : origin.caches) {
      const auto own = static_cast<size_t>(cache.words());
      const MutableArrayRef<int32_t> mine = rest.slice(page * own, own);
      if (tokensLeft < kPagePositions)
        clearPositions(cache, mine, tokensLeft);
      write(bytesOf(mine));
      rest = rest.drop_front(count * own);
    }
  }
}

void SequenceWriter::finish() {
  const auto hash = seal.final();
  out << StringRef(reinterpret_cast<const char *>(hash.data()), hash.size());
}

} // namespace sortie::generation
