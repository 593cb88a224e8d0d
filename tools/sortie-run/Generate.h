// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `sortie-run generate`: texts that continue prompts.

#ifndef SORTIE_TOOLS_SORTIE_RUN_GENERATE_H
#define SORTIE_TOOLS_SORTIE_RUN_GENERATE_H

#include "tools/sortie-run/Options.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/raw_ostream.h"

namespace sortie::tool {

/// The prompts that a file has: all of it, or one for each line, of which empty ones are left out
/// and ends may be "\r\n".
std::vector<std::string> promptsOf(PromptSource source, llvm::StringRef contents);

/// Prints the text of one prompt as it comes, and what was fast on the standard error.
llvm::Error generateTexts(const Options &options, llvm::raw_fd_ostream &out);

} // namespace sortie::tool

#endif // SORTIE_TOOLS_SORTIE_RUN_GENERATE_H
