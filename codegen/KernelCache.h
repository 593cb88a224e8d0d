// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Compiled kernels on disk. Entries are files of their own, written whole by a rename, so that
// several compilers may share a folder; what was not used for longest goes first when the folder
// grows beyond its limit.

#ifndef SORTIE_CODEGEN_KERNELCACHE_H
#define SORTIE_CODEGEN_KERNELCACHE_H

#include "codegen/Nvrtc.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <optional>
#include <string>

namespace sortie::codegen {

class KernelCache {
public:
  static constexpr uint64_t kDefaultLimit = uint64_t(1) << 30;

  /// A cache in `folder`, which is made if it is not there; its entries take at most `limit` bytes
  /// after each trim(). An error says why the folder cannot be used.
  static llvm::Expected<KernelCache> open(llvm::StringRef folder, uint64_t limit = kDefaultLimit);

  /// SORTIE_CACHE_DIR, else XDG_CACHE_HOME/sortie, else ~/.cache/sortie. Empty where none of the
  /// variables, nor HOME, is set; a variable that is empty counts as not set.
  static std::string getDefaultFolder();

  /// A key for everything that decides the bytes of an image: 64 hexadecimal digits. No two lists
  /// of parts have the same key.
  static std::string makeKey(llvm::ArrayRef<llvm::StringRef> parts);

  /// The entry of `key`, which counts as used now. What is damaged or cannot be read is not there.
  std::optional<Nvrtc::Output> lookUp(llvm::StringRef key) const;

  /// Writes an entry, whole or not at all.
  llvm::Error store(llvm::StringRef key, const Nvrtc::Output &entry) const;

  /// Removes the entries that were not used for longest until the others fit the limit, and what
  /// interrupted writes left. Files of other names, folders and links stay. What another process
  /// removes meanwhile is no error.
  void trim() const;

private:
  KernelCache(llvm::StringRef folder, uint64_t limit) : folder(folder), limit(limit) {}

  std::string pathOf(llvm::StringRef key) const;

  std::string folder;
  uint64_t limit;
};

} // namespace sortie::codegen

#endif // SORTIE_CODEGEN_KERNELCACHE_H
