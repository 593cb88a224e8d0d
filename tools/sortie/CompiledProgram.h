// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A model's program: compiled now, or before by a call with the same model, options and tools.

#ifndef SORTIE_TOOLS_SORTIE_COMPILEDPROGRAM_H
#define SORTIE_TOOLS_SORTIE_COMPILEDPROGRAM_H

#include "tools/sortie/CommandLine.h"
#include "tools/sortie/Siblings.h"

namespace sortie::driver {

/// The name of a file with the compiled program. It is in the cache; where nothing can be kept, it
/// is a file in memory that this process has open, and what it executes, too; with --keep-temps it
/// is in the current folder.
llvm::Expected<std::string> getCompiledProgram(const CommandLine &call, const Siblings &siblings);

} // namespace sortie::driver

#endif // SORTIE_TOOLS_SORTIE_COMPILEDPROGRAM_H
