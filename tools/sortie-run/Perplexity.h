// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `sortie-run perplexity`: how well a model predicts a text.

#ifndef SORTIE_TOOLS_SORTIE_RUN_PERPLEXITY_H
#define SORTIE_TOOLS_SORTIE_RUN_PERPLEXITY_H

#include "runtime/generation/Perplexity.h"
#include "tools/sortie-run/Options.h"

#include "llvm/Support/raw_ostream.h"

namespace sortie::tool {

/// Prints the perplexity after each chunk, as it comes, and then all of it with its error.
llvm::Error printPerplexity(const Options &options, llvm::raw_fd_ostream &out);

} // namespace sortie::tool

#endif // SORTIE_TOOLS_SORTIE_RUN_PERPLEXITY_H
