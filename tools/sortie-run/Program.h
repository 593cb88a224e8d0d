// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The program and the weights that the command line names.

#ifndef SORTIE_TOOLS_SORTIE_RUN_PROGRAM_H
#define SORTIE_TOOLS_SORTIE_RUN_PROGRAM_H

#include "tools/sortie-run/Api.h"
#include "tools/sortie-run/Options.h"

#include "tools/common/FileClaims.h"

namespace sortie::tool {

/// Loads the program of a file, or of the standard input for `-`.
llvm::Expected<ProgramPtr> openProgram(const std::string &path);

/// The function that `--function` names, or the only one.
llvm::Expected<size_t> chooseFunction(const sortie_program *program, const Options &options);

/// Claims the files of both as inputs, all parts of the weights among them, which the standard
/// input cannot give.
llvm::Error claimSources(const Options &options, FileClaims &claims);

/// An error if what is printed would go into one of these files.
llvm::Error claimPrinted(const Options &options, const llvm::Twine &what);

/// Where `--weights` says that the weights are. `weights` points into `options`.
llvm::Error readWeightsOption(const Options &options, sortie_weights_options &weights);

} // namespace sortie::tool

#endif // SORTIE_TOOLS_SORTIE_RUN_PROGRAM_H
