// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What was compiled, on disk: kernels, programs. Entries are files of their own, written whole by a
// rename, so that several processes may share a folder; what was not used for longest goes first
// when entries take more than the limit.

#ifndef SORTIE_RUNTIME_SUPPORT_FILECACHE_H
#define SORTIE_RUNTIME_SUPPORT_FILECACHE_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <optional>
#include <string>

namespace sortie {

class FileCache {
public:
  static constexpr uint64_t kDefaultLimit = uint64_t(1) << 30;

  /// The entries `<key><suffix>` of `folder`, which take at most `limit` bytes after each trim().
  /// Nothing is looked at yet; with an empty name of a folder there are no entries.
  FileCache(llvm::StringRef folder, llvm::StringRef suffix, uint64_t limit = kDefaultLimit)
      : folder(folder), suffix(suffix), limit(limit) {}

  /// SORTIE_CACHE_DIR, else XDG_CACHE_HOME/sortie, else ~/.cache/sortie. Empty where none of the
  /// variables, nor HOME, is set; a variable that is empty counts as not set.
  static std::string getDefaultFolder();

  /// A key for everything that decides the bytes of an entry: 64 hexadecimal digits. No two lists
  /// of parts have the same key.
  static std::string makeKey(llvm::ArrayRef<llvm::StringRef> parts);

  /// Makes the folder if it is not there. An error says why no file can be made in it.
  llvm::Error makeUsable() const;

  /// Where the entry of `key` is, or would be.
  std::string pathOf(llvm::StringRef key) const;

  /// Calls `read` with the bytes of the entry, if there is one; it returns whether they are whole.
  /// An entry that is counts as used now. The result is that of `read`.
  bool lookUp(llvm::StringRef key, llvm::function_ref<bool(llvm::StringRef)> read) const;

  /// Writes an entry, whole or not at all. The folder must be there.
  llvm::Error store(llvm::StringRef key, llvm::StringRef bytes) const;

  /// Removes the entries that were not used for longest until the others fit the limit, and what
  /// interrupted writes left. Files of other names, folders and links stay. What another process
  /// removes meanwhile is no error.
  void trim() const;

private:
  bool isEntryName(llvm::StringRef name) const;

  std::string folder;
  std::string suffix;
  uint64_t limit;
};

} // namespace sortie

#endif // SORTIE_RUNTIME_SUPPORT_FILECACHE_H
