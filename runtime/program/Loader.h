// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reads a compiled program, bytecode or text, and checks everything that running it relies on.

#ifndef SORTIE_RUNTIME_PROGRAM_LOADER_H
#define SORTIE_RUNTIME_PROGRAM_LOADER_H

#include "runtime/program/Program.h"

#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBufferRef.h"

#include <memory>

namespace sortie {

/// Bytecode must carry its seal (dialect/moert/Seal.h) and have no byte changed; text needs none.
/// After this, a step of the program can neither leave its buffers nor read an index that the
/// program has not computed itself, whatever the values of inputs and weights. Of kernels this
/// holds as far as their code keeps to its buffers, which no loader can check.
llvm::Expected<std::shared_ptr<const Program>> loadProgram(llvm::MemoryBufferRef buffer);

/// The same from a file.
llvm::Expected<std::shared_ptr<const Program>> loadProgramFile(llvm::StringRef path);

} // namespace sortie

#endif // SORTIE_RUNTIME_PROGRAM_LOADER_H
