// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernels whose special instructions are replaced by software that does what the processor's manual
// says, so that everything around these instructions is tested on machines without them.

#ifndef SORTIE_TEST_UNIT_CPU_EMULATEDKERNELS_H
#define SORTIE_TEST_UNIT_CPU_EMULATEDKERNELS_H

#include "runtime/cpu/Kernels.h"

namespace sortie::cpu {

/// AVX-VNNI; the machine must have AVX2.
const Kernels &emulatedAvxVnniKernels();

/// AMX-INT8; the machine must have AVX512-VNNI.
const Kernels &emulatedAmxKernels();

} // namespace sortie::cpu

#endif // SORTIE_TEST_UNIT_CPU_EMULATEDKERNELS_H
