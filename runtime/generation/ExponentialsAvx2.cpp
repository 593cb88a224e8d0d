// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Compiled for AVX2 and FMA. Includes nothing that other translation units have copies of.

#include "runtime/generation/Exponentials.h"

#include "runtime/numerics/sample.h"

void sortie::generation::exponentialsAvx2(const float *logits, size_t count, float largest,
                                          float temperature, float *out) {
  for (size_t i = 0; i < count; ++i)
    out[i] = numerics::sampleWeight(logits[i], largest, temperature);
}
