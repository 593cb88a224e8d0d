// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The probe, compiled several times: SORTIE_PROBE is the name of the function, and the flags
// differ.

#include "test/unit/numerics/Probe.h"

#ifndef SORTIE_PROBE
#error "define SORTIE_PROBE as the function's name"
#endif

/// Fills `words` [kItems].
extern "C" void SORTIE_PROBE(uint32_t *words);

extern "C" void SORTIE_PROBE(uint32_t *words) {
  for (int item = 0; item < sortie::test::probe::kItems; ++item)
    words[item] = sortie::test::probe::probeItem(item);
}
