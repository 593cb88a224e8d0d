// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Compiled kernels on disk.

#ifndef SORTIE_CODEGEN_KERNELCACHE_H
#define SORTIE_CODEGEN_KERNELCACHE_H

#include "codegen/Nvrtc.h"
#include "runtime/support/FileCache.h"

namespace sortie::codegen {

class KernelCache {
public:
  /// A cache in `folder`, which is made if it is not there; its entries take at most `limit` bytes
  /// after each trim(). An error says why the folder cannot be used.
  static llvm::Expected<KernelCache> open(llvm::StringRef folder,
                                          uint64_t limit = FileCache::kDefaultLimit);

  /// The entry of `key`, which counts as used now. What is damaged or cannot be read is not there.
  std::optional<Nvrtc::Output> lookUp(llvm::StringRef key) const;

  /// Writes an entry, whole or not at all.
  llvm::Error store(llvm::StringRef key, const Nvrtc::Output &entry) const;

  /// See FileCache.
  void trim() const { files.trim(); }

private:
  explicit KernelCache(FileCache files) : files(std::move(files)) {}

  FileCache files;
};

} // namespace sortie::codegen

#endif // SORTIE_CODEGEN_KERNELCACHE_H
