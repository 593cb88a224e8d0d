// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the lanes of a warp compute together, once all 32 have come.

#ifndef SORTIE_TEST_EMULATION_COLLECTIVES_H
#define SORTIE_TEST_EMULATION_COLLECTIVES_H

#include "test/emulation/Block.h"

namespace sortie::emulation {

/// The name of the function in sortie_hardware.h.
const char *collectiveName(Collective what);

/// Computes the results of all lanes from the operands of all lanes, by the layouts of the PTX
/// manual (written out in the device's sortie_hardware.h).
void completeCollective(Collective what, void *const (&operands)[kLanes]);

} // namespace sortie::emulation

#endif // SORTIE_TEST_EMULATION_COLLECTIVES_H
