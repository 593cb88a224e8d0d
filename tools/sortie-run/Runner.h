// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Running a function of a program.

#ifndef SORTIE_TOOLS_SORTIE_RUN_RUNNER_H
#define SORTIE_TOOLS_SORTIE_RUN_RUNNER_H

#include "tools/sortie-run/Options.h"

namespace sortie::tool {

/// Runs a function as `options` say, prints what was asked for and writes the outputs.
llvm::Error runFunction(const Options &options);

} // namespace sortie::tool

#endif // SORTIE_TOOLS_SORTIE_RUN_RUNNER_H
