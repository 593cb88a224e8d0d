// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The words of the command line that run a whole model: what they have in common.

#ifndef SORTIE_TOOLS_SORTIE_RUN_MODELWORDS_H
#define SORTIE_TOOLS_SORTIE_RUN_MODELWORDS_H

#include "tools/sortie-run/Options.h"

#include "llvm/Support/CommandLine.h"

namespace sortie::tool {

// Functions, so that the options of each file may name them before main() begins.
llvm::cl::SubCommand &logitsCommand();
llvm::cl::SubCommand &generateCommand();
llvm::cl::SubCommand &perplexityCommand();
llvm::cl::SubCommand &benchCommand();
llvm::cl::OptionCategory &modelCategory();

/// To be called before the command line is parsed.
void hideUnrelatedModelOptions();

/// The word's mode if the command line, which is parsed, has one of these.
std::optional<Mode> givenModelWord();
/// "generate".
llvm::StringRef wordOf(Mode mode);

/// Writes what the command line says after the word into `options`. An error if something is
/// missing, or does not fit.
llvm::Error getModelOptions(Mode mode, Options &options);

/// An error if --context is given and is no number of positions.
llvm::Error checkContext(const llvm::cl::opt<int64_t> &context);

/// The parts of getModelOptions() of each word.
llvm::Error getLogitsOptions(LogitsOptions &options);
llvm::Error getGenerateOptions(GenerateOptions &options);
llvm::Error getPerplexityOptions(PerplexityOptions &options);
llvm::Error getBenchOptions(BenchOptions &options);

} // namespace sortie::tool

#endif // SORTIE_TOOLS_SORTIE_RUN_MODELWORDS_H
