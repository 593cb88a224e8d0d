// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From one verified `moert.kernel` to a plain struct.

#ifndef SORTIE_RUNTIME_PROGRAM_KERNELLOWERING_H
#define SORTIE_RUNTIME_PROGRAM_KERNELLOWERING_H

#include "dialect/moert/MoertOps.h"
#include "runtime/program/Program.h"

#include "llvm/Support/Error.h"

namespace sortie {

/// Copies the images, whose hashes are compared. `program` is what messages call the program.
llvm::Expected<Kernel> lowerKernel(llvm::StringRef program, moert::KernelOp op);

} // namespace sortie

#endif // SORTIE_RUNTIME_PROGRAM_KERNELLOWERING_H
