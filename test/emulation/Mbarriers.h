// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The mbarrier objects of a block (PTX ISA, "mbarrier"): what each expects and has seen in its
// phase. Shared memory only holds a mark, so that a kernel that writes over one is found.

#ifndef SORTIE_TEST_EMULATION_MBARRIERS_H
#define SORTIE_TEST_EMULATION_MBARRIERS_H

#include <cstdint>
#include <vector>

namespace sortie::emulation {

/// A phase is complete when no arrival and no byte of a transaction is pending; then the next one
/// begins with all arrivals pending.
class Mbarrier {
public:
  /// Of arrivals, and of bytes pending in either direction.
  static constexpr int kMaxCount = (1 << 20) - 1;

  Mbarrier(void *object, int arrivals, int thread);

  void *where() const { return object; }
  int initializer() const { return thread; }
  /// The number of phases that are complete.
  uint32_t phase() const { return phases; }

  /// Whether asynchronous copies know of it: the thread that made it has executed a fence.
  bool isPublished = false;

  /// Whether the phase of this parity is complete: it is the one before the current phase.
  bool hasCompleted(int parity) const { return static_cast<int>(phases & 1) != parity; }

  /// Bytes have come. They are never too many: copies that nobody has waited for lie beside each
  /// other in shared memory, which has less than 2^20 bytes.
  void completeBytes(int bytes);

  /// These return what is wrong, null for nothing.
  const char *findDamage() const;
  const char *expectBytes(int bytes);
  const char *arrive();

  /// The mark must not stay where memory is used for something else.
  void erase();

private:
  uint64_t mark() const;
  void endPhase();

  void *object;
  int expected;
  int pending;
  int pendingBytes = 0; ///< below 0: bytes came before they were expected
  uint32_t phases = 0;
  int thread;
};

class Mbarriers {
public:
  void clear() { live.clear(); }
  void add(const Mbarrier &barrier) { live.push_back(barrier); }
  void remove(const void *object);
  /// Null if there is none.
  Mbarrier *find(const void *object);
  /// A fence of the thread: copies may use the barriers that it has made.
  void publish(int thread);

private:
  std::vector<Mbarrier> live;
};

} // namespace sortie::emulation

#endif // SORTIE_TEST_EMULATION_MBARRIERS_H
