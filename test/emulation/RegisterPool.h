// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The registers of a block as its warps give and take them (PTX ISA, "setmaxnreg"). Nothing is in
// them here; what matters is who would wait for whom.

#ifndef SORTIE_TEST_EMULATION_REGISTERPOOL_H
#define SORTIE_TEST_EMULATION_REGISTERPOOL_H

#include <cstdint>
#include <vector>

namespace sortie::emulation {

class RegisterPool {
public:
  RegisterPool() = default;
  /// All of a multiprocessor, divided equally.
  explicit RegisterPool(int threads);

  /// What is wrong when a warp wants `count` registers a thread, null for nothing.
  const char *check(bool takes, int warp, int count) const;

  /// False if the warp has to wait.
  bool take(int warp, int count);
  /// Gives back what the warp has above `count`. Returns the warps that have waited for so many, as
  /// bits: they have theirs.
  uint32_t give(int warp, int count);

private:
  struct Warp {
    int own;    ///< a thread
    int wanted; ///< 0 if it does not wait
  };
  std::vector<Warp> warps;
  int free = 0; ///< for each thread of one warp
};

} // namespace sortie::emulation

#endif // SORTIE_TEST_EMULATION_REGISTERPOOL_H
