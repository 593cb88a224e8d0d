// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Feeds arbitrary bytes to the reader of saved sequences: as they come, and behind a beginning and
// a seal that fit, so that sizes are read that nobody has written. What is accepted must be written
// to the same bytes.

#include "runtime/generation/SavedSequence.h"

using namespace llvm;
using namespace sortie;
using namespace sortie::generation;

namespace {

constexpr int64_t kVocabulary = 50;

CacheOrigin someOrigin() {
  CacheOrigin origin;
  origin.numerics = 2;
  origin.caches = {{"a", 1, 4, 1, 0, numerics::ActivationWidth::Int8},
                   {"b", 1, 3, 3, 5, numerics::ActivationWidth::Int16}};
  return origin;
}

std::string writeAgain(const CacheOrigin &origin, const SavedSequence &saved) {
  std::string bytes;
  raw_string_ostream out(bytes);
  SequenceWriter writer(out, origin, saved.tokens());
  for (size_t page = 0; page < pagesOfTokens(saved.tokens().size()); ++page) {
    std::vector<int32_t> words(origin.words(1));
    saved.getPages(page, 1, words);
    writer.addPages(1, words);
  }
  writer.finish();
  return bytes;
}

void readSequence(const CacheOrigin &origin, StringRef bytes) {
  Expected<SavedSequence> saved = SavedSequence::read(bytes, origin, kVocabulary);
  if (!saved)
    return consumeError(saved.takeError());
  const std::string once = writeAgain(origin, *saved);
  // Version 1 has one number less.
  if (once.size() != bytes.size() + (bytes[8] == 1 ? 4 : 0))
    report_fatal_error("a saved sequence is of another size after it was read and written");
  // Positions behind the end were cleared if they were not.
  if (writeAgain(origin, cantFail(SavedSequence::read(once, origin, kVocabulary))) != once)
    report_fatal_error("a saved sequence is another one after it was read and written");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const CacheOrigin origin = someOrigin();
  const StringRef bytes(reinterpret_cast<const char *>(data), size);
  readSequence(origin, bytes);

  // Magic number and version, and with them all before the number of tokens.
  std::string header;
  raw_string_ostream out(header);
  SequenceWriter(out, origin, {});
  constexpr size_t kFrame = 12;
  const size_t kept = size != 0 && data[0] % 2 == 0 ? header.size() - sizeof(uint64_t) : kFrame;
  std::string sealed = header.substr(0, kept) + bytes.drop_front(std::min<size_t>(size, 1)).str();
  SequenceSeal seal;
  seal.update(sealed);
  const auto hash = seal.final();
  sealed.append(reinterpret_cast<const char *>(hash.data()), hash.size());
  readSequence(origin, sealed);
  return 0;
}
