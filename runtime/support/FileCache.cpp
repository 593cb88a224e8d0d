// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "runtime/support/FileCache.h"

#include "runtime/support/TemporaryFile.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/BLAKE3.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"

using namespace llvm;

namespace sortie {

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

/// Whether `name` is one that pathOf() gives: `<key><suffix>`.
bool FileCache::isEntryName(StringRef name) const {
  return name.consume_back(suffix) && isHex(name, kKeyDigits);
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

std::string FileCache::getDefaultFolder() {
  if (std::optional<std::string> folder = getVariable("SORTIE_CACHE_DIR"))
    return *folder;
  if (std::optional<std::string> folder = getVariable("XDG_CACHE_HOME"))
    return *folder + "/sortie";
  if (std::optional<std::string> home = getVariable("HOME"))
    return *home + "/.cache/sortie";
  return {};
}

std::string FileCache::makeKey(ArrayRef<StringRef> parts) {
  BLAKE3 hasher;
  for (StringRef part : parts) {
    hasher.update(utostr(part.size()) + ":");
    hasher.update(part);
  }
  return toHex(hasher.final(), /*LowerCase=*/true);
}

Error FileCache::makeUsable() const {
  if (std::error_code code = sys::fs::create_directories(folder))
    return errorCodeToError(code);
  // Write permission does not say that a file can be made: the file system may be read-only.
  return createTemporary(folder + "/" + kProbe, kTemporarySuffix).takeError();
}

std::string FileCache::pathOf(StringRef key) const { return (folder + "/" + key + suffix).str(); }

//===----------------------------------------------------------------------===//
// Entries
//===----------------------------------------------------------------------===//

bool FileCache::lookUp(StringRef key, function_ref<bool(StringRef)> read) const {
  if (folder.empty())
    return false;
  Expected<sys::fs::file_t> file = sys::fs::openNativeFileForRead(pathOf(key));
  if (!file) {
    consumeError(file.takeError());
    return false;
  }
  auto buffer = MemoryBuffer::getOpenFile(*file, key, /*FileSize=*/-1,
                                          /*RequiresNullTerminator=*/false);
  const bool isWhole = buffer && read((*buffer)->getBuffer());
  // Where the folder is another user's, or cannot be written to, the entry serves nonetheless.
  if (isWhole)
    (void)sys::fs::setLastAccessAndModificationTime(*file, now());
  (void)sys::fs::closeFile(*file);
  return isWhole;
}

Error FileCache::store(StringRef key, StringRef bytes) const {
  Expected<std::unique_ptr<ToolOutputFile>> file =
      createTemporary(folder + "/" + key, kTemporarySuffix);
  if (!file)
    return file.takeError();
  (*file)->os() << bytes;
  return renameTemporary(**file, pathOf(key));
}

void FileCache::trim() const {
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

} // namespace sortie
