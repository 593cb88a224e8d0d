// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How a thread must round and treat subnormal numbers while it computes (docs/numerics.md). Callers
// may have set their thread up otherwise, for instance with -ffast-math, which flushes to zero.

#ifndef SORTIE_RUNTIME_CPU_FLOATENVIRONMENT_H
#define SORTIE_RUNTIME_CPU_FLOATENVIRONMENT_H

#if defined(__x86_64__)
#include <immintrin.h>
#else
#include <cfenv>
#endif

namespace sortie::cpu {

/// Round to nearest, subnormals kept, no traps, as long as it lives; then what the thread had
/// before, its flags included.
class FloatEnvironment {
public:
#if defined(__x86_64__)
  FloatEnvironment() : saved(_mm_getcsr()) { _mm_setcsr(kAllMasked); }
  ~FloatEnvironment() { _mm_setcsr(saved); }
#else
  FloatEnvironment() {
    std::fegetenv(&saved);
    std::fesetenv(FE_DFL_ENV);
  }
  ~FloatEnvironment() { std::fesetenv(&saved); }
#endif
  FloatEnvironment(const FloatEnvironment &) = delete;
  FloatEnvironment &operator=(const FloatEnvironment &) = delete;

private:
#if defined(__x86_64__)
  /// MXCSR after reset: exceptions masked, no flags, nearest, neither FTZ nor DAZ.
  static constexpr unsigned kAllMasked = 0x1f80;
  unsigned saved;
#else
  std::fenv_t saved;
#endif
};

} // namespace sortie::cpu

#endif // SORTIE_RUNTIME_CPU_FLOATENVIRONMENT_H
