// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Memory of the emulated device, and pinned memory of the host: allocations of their own whose
// bounds are known. Behind each is a page that nobody may touch; new memory holds garbage.

#ifndef SORTIE_TEST_EMULATION_DRIVER_MEMORY_H
#define SORTIE_TEST_EMULATION_DRIVER_MEMORY_H

#include <cstddef>
#include <cstdint>
#include <map>

namespace sortie::emulation {

class Memory {
public:
  enum class Kind { Device, Pinned };

  /// The address, a multiple of 256, or null when the device has not as much left.
  void *allocate(Kind kind, size_t bytes);
  /// False if no allocation of the kind begins there.
  bool release(Kind kind, const void *address);

  /// Whether the bytes lie within one allocation of the kind.
  bool contains(Kind kind, const void *address, size_t bytes) const;
  /// Device memory, or pinned memory seen from the device.
  bool isVisible(const void *address, size_t bytes) const {
    return contains(Kind::Device, address, bytes) || contains(Kind::Pinned, address, bytes);
  }

  size_t freeBytes() const { return total - used; }
  size_t totalBytes() const { return total; }
  void setTotal(size_t bytes) { total = bytes; }

private:
  struct Allocation {
    Kind kind;
    size_t bytes; ///< as asked for
    char *mapping;
    size_t mappedBytes;
  };
  std::map<uintptr_t, Allocation> allocations; ///< by address
  size_t total = size_t{16} << 30;
  size_t used = 0; ///< device memory, rounded up
};

} // namespace sortie::emulation

#endif // SORTIE_TEST_EMULATION_DRIVER_MEMORY_H
