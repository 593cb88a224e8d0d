// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Large blocks of memory whose allocation may fail without ending the process.

#ifndef SORTIE_RUNTIME_SUPPORT_ALIGNEDBYTES_H
#define SORTIE_RUNTIME_SUPPORT_ALIGNEDBYTES_H

#include "runtime/support/Error.h"

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>

namespace sortie {

/// Owns uninitialized bytes that start at a multiple of 64 (of 2 MiB, in huge pages where the
/// system has them, when they are that many).
class AlignedBytes {
public:
  AlignedBytes() = default;

  /// `what` names the memory in the error.
  static llvm::Expected<AlignedBytes> allocate(uint64_t size, const llvm::Twine &what) {
    constexpr uint64_t kCacheLine = 64, kHugePage = uint64_t{1} << 21;
    const bool isLarge = size >= kHugePage;
    const uint64_t alignment = isLarge ? kHugePage : kCacheLine;
    void *memory = nullptr;
    if (size > uint64_t{1} << 62 || posix_memalign(&memory, alignment, size ? size : 1) != 0)
      return makeError("cannot allocate " + llvm::Twine(size) + " bytes for " + what +
                           "; free memory, or use fewer tokens, pages or functions",
                       std::errc::not_enough_memory);
    if (isLarge)
      madvise(memory, size, MADV_HUGEPAGE); // a hint: failure costs speed only
    AlignedBytes bytes;
    bytes.memory.reset(static_cast<std::byte *>(memory));
    bytes.byteCount = size;
    return bytes;
  }

  std::byte *data() const { return memory.get(); }
  uint64_t size() const { return byteCount; }

private:
  struct Free {
    void operator()(std::byte *bytes) const { std::free(bytes); }
  };
  std::unique_ptr<std::byte[], Free> memory;
  uint64_t byteCount = 0;
};

} // namespace sortie

#endif // SORTIE_RUNTIME_SUPPORT_ALIGNEDBYTES_H
