// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The exponentials of a vocabulary's logits, for which the processor's own instructions are worth
// it: without a fused multiply-add in hardware a hundred thousand of them take milliseconds.

#ifndef SORTIE_RUNTIME_GENERATION_EXPONENTIALS_H
#define SORTIE_RUNTIME_GENERATION_EXPONENTIALS_H

#include <cstddef>

namespace sortie::generation {

/// out[i] = numerics::sampleWeight(logits[i], largest, temperature), by the best instructions of
/// this machine, which change no bit.
void exponentials(const float *logits, size_t count, float largest, float temperature, float *out);

/// The same with plain instructions, and with those of AVX2 and FMA.
void exponentialsPortable(const float *logits, size_t count, float largest, float temperature,
                          float *out);
void exponentialsAvx2(const float *logits, size_t count, float largest, float temperature,
                      float *out);

} // namespace sortie::generation

#endif // SORTIE_RUNTIME_GENERATION_EXPONENTIALS_H
