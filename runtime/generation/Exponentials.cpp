// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The choice of instructions, and the plain ones.

#include "runtime/generation/Exponentials.h"

#include "runtime/cpu/Isa.h"
#include "runtime/numerics/sample.h"

namespace sortie::generation {

void exponentialsPortable(const float *logits, size_t count, float largest, float temperature,
                          float *out) {
  for (size_t i = 0; i < count; ++i)
    out[i] = numerics::sampleWeight(logits[i], largest, temperature);
}

void exponentials(const float *logits, size_t count, float largest, float temperature, float *out) {
#if defined(__x86_64__)
  static const bool hasAvx2 = cpu::isAvailable(cpu::Isa::Avx2);
  if (hasAvx2)
    return exponentialsAvx2(logits, count, largest, temperature, out);
#endif
  exponentialsPortable(logits, count, largest, temperature, out);
}

} // namespace sortie::generation
