// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// An entry is a line `sortie-kernel 1 <bytes of the image> <key of image and log>`, the image, the
// log.

#include "codegen/KernelCache.h"

#include "runtime/support/Error.h"

#include "llvm/Support/FormatVariadic.h"

using namespace llvm;

namespace sortie::codegen {

static constexpr StringLiteral kMagic = "sortie-kernel 1";
static constexpr StringLiteral kSuffix = ".kernel";

Expected<KernelCache> KernelCache::open(StringRef folder, uint64_t limit) {
  if (folder.empty())
    return makeError("there is no folder for the cache of kernels; set SORTIE_CACHE_DIR to one",
                     std::errc::no_such_file_or_directory);
  FileCache files(folder, kSuffix, limit);
  if (Error error = files.makeUsable())
    return makeError("the folder '" + folder + "' cannot hold the cache of kernels: " +
                         toString(std::move(error)) + "; set SORTIE_CACHE_DIR to one that can",
                     std::errc::permission_denied);
  return KernelCache(std::move(files));
}

static std::string encode(const Nvrtc::Output &entry) {
  const std::string hash = FileCache::makeKey({entry.image, entry.log});
  return formatv("{0} {1} {2}\n", kMagic, entry.image.size(), hash).str() + entry.image + entry.log;
}

static std::optional<Nvrtc::Output> decode(StringRef text) {
  auto [line, bytes] = text.split('\n');
  uint64_t imageBytes = 0;
  if (!line.consume_front(kMagic) || !line.consume_front(" ") ||
      line.consumeInteger(10, imageBytes) || imageBytes > bytes.size() || !line.consume_front(" "))
    return std::nullopt;
  const StringRef image = bytes.take_front(imageBytes);
  const StringRef log = bytes.drop_front(imageBytes);
  if (line != FileCache::makeKey({image, log}))
    return std::nullopt;
  return Nvrtc::Output{image.str(), log.str()};
}

std::optional<Nvrtc::Output> KernelCache::lookUp(StringRef key) const {
  std::optional<Nvrtc::Output> entry;
  files.lookUp(key, [&](StringRef text) {
    entry = decode(text);
    return entry.has_value();
  });
  return entry;
}

Error KernelCache::store(StringRef key, const Nvrtc::Output &entry) const {
  return files.store(key, encode(entry));
}

} // namespace sortie::codegen
