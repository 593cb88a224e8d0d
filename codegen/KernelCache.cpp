// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// An entry is a line `sortie-kernel 1 <bytes of the image> <key of image and log>`, the image, the
// log.

#include "codegen/KernelCache.h"

#include "runtime/support/Error.h"
#include "runtime/support/TemporaryFile.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/BLAKE3.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"

using namespace llvm;

namespace sortie::codegen {

static constexpr StringLiteral kMagic = "sortie-kernel 1";
static constexpr StringLiteral kSuffix = ".kernel";
static constexpr StringLiteral kTemporarySuffix = ".tmp";
static constexpr StringLiteral kProbe = "probe";
static constexpr size_t kKeyDigits = 64;

static std::chrono::system_clock::time_point now() { return std::chrono::system_clock::now(); }

//===----------------------------------------------------------------------===//
// Names of files
//===----------------------------------------------------------------------===//

static bool isHex(StringRef text, size_t digits) {
  return text.size() == digits && all_of(text, [](char c) { return isHexDigit(c) && !isUpper(c); });
}

/// Whether `name` is one that pathOf() gives: `<key>.kernel`.
static bool isEntryName(StringRef name) {
  return name.consume_back(kSuffix) && isHex(name, kKeyDigits);
}

/// Whether `name` is that of one of our temporary files: `<key>-<number>.tmp`,
/// `probe-<number>.tmp`.
static bool isTemporaryName(StringRef name) {
  if (!name.consume_back(kTemporarySuffix))
    return false;
  const auto [prefix, number] = name.split('-');
  return isHex(number, kTemporaryDigits) && (prefix == kProbe || isHex(prefix, kKeyDigits));
}

//===----------------------------------------------------------------------===//
// Folder and keys
//===----------------------------------------------------------------------===//

/// The value of an environment variable; one that is empty counts as not set.
static std::optional<std::string> getVariable(StringRef name) {
  std::optional<std::string> value = sys::Process::GetEnv(name);
  return value && !value->empty() ? value : std::nullopt;
}

std::string KernelCache::getDefaultFolder() {
  if (std::optional<std::string> folder = getVariable("SORTIE_CACHE_DIR"))
    return *folder;
  if (std::optional<std::string> folder = getVariable("XDG_CACHE_HOME"))
    return *folder + "/sortie";
  if (std::optional<std::string> home = getVariable("HOME"))
    return *home + "/.cache/sortie";
  return {};
}

Expected<KernelCache> KernelCache::open(StringRef folder, uint64_t limit) {
  auto fail = [&](std::error_code code) {
    return makeError("the folder '" + folder + "' cannot hold the cache of kernels: " +
                         code.message() + "; set SORTIE_CACHE_DIR to one that can",
                     std::errc::permission_denied);
  };
  if (folder.empty())
    return makeError("there is no folder for the cache of kernels; set SORTIE_CACHE_DIR to one",
                     std::errc::no_such_file_or_directory);
  if (std::error_code code = sys::fs::create_directories(folder))
    return fail(code);
  // Write permission does not say that a file can be made: the file system may be read-only.
  Expected<std::unique_ptr<ToolOutputFile>> probe =
      createTemporary(folder + "/" + kProbe, kTemporarySuffix);
  if (!probe)
    return fail(errorToErrorCode(probe.takeError()));
  return KernelCache(folder, limit);
}

std::string KernelCache::makeKey(ArrayRef<StringRef> parts) {
  BLAKE3 hasher;
  for (StringRef part : parts) {
    hasher.update(utostr(part.size()) + ":");
    hasher.update(part);
  }
  return toHex(hasher.final(), /*LowerCase=*/true);
}

std::string KernelCache::pathOf(StringRef key) const {
  return (folder + "/" + key + kSuffix).str();
}

//===----------------------------------------------------------------------===//
// Entries
//===----------------------------------------------------------------------===//

static std::string encode(const Nvrtc::Output &entry) {
  const std::string hash = KernelCache::makeKey({entry.image, entry.log});
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
  if (line != KernelCache::makeKey({image, log}))
    return std::nullopt;
  return Nvrtc::Output{image.str(), log.str()};
}

std::optional<Nvrtc::Output> KernelCache::lookUp(StringRef key) const {
  Expected<sys::fs::file_t> file =
      sys::fs::openNativeFile(pathOf(key), sys::fs::CD_OpenExisting,
                              sys::fs::FA_Read | sys::fs::FA_Write, sys::fs::OF_None);
  if (!file) {
    consumeError(file.takeError());
    return std::nullopt;
  }
  std::optional<Nvrtc::Output> entry;
  auto buffer = MemoryBuffer::getOpenFile(*file, key, /*FileSize=*/-1,
                                          /*RequiresNullTerminator=*/false);
  if (buffer)
    entry = decode((*buffer)->getBuffer());
  if (entry)
    (void)sys::fs::setLastAccessAndModificationTime(*file, now());
  (void)sys::fs::closeFile(*file);
  return entry;
}

Error KernelCache::store(StringRef key, const Nvrtc::Output &entry) const {
  Expected<std::unique_ptr<ToolOutputFile>> file =
      createTemporary(folder + "/" + key, kTemporarySuffix);
  if (!file)
    return file.takeError();
  (*file)->os() << encode(entry);
  return renameTemporary(**file, pathOf(key));
}

void KernelCache::trim() const {
  struct File {
    std::string path;
    uint64_t bytes;
    sys::TimePoint<> used;
  };
  SmallVector<File> files;
  uint64_t total = 0;
  std::error_code code;
  for (sys::fs::directory_iterator it(folder, code, /*follow_symlinks=*/false), end;
       !code && it != end; it.increment(code)) {
    const StringRef path = it->path();
    const StringRef name = sys::path::filename(path);
    ErrorOr<sys::fs::basic_file_status> status = it->status();
    if (!status || status->type() != sys::fs::file_type::regular_file)
      continue;
    const sys::TimePoint<> used = status->getLastModificationTime();
    if (isTemporaryName(name) && used < now() - std::chrono::hours(1))
      (void)sys::fs::remove(path);
    if (!isEntryName(name))
      continue;
    files.push_back({path.str(), status->getSize(), used});
    total += status->getSize();
  }
  llvm::sort(files, [](const File &a, const File &b) { return a.used < b.used; });
  for (const File &file : files) {
    if (total <= limit)
      break;
    (void)sys::fs::remove(file.path);
    total -= file.bytes;
  }
}

} // namespace sortie::codegen
