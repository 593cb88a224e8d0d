// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The command line of `sortie-run tokenize`.

#ifndef SORTIE_TOOLS_SORTIE_RUN_TOKENIZEOPTIONS_H
#define SORTIE_TOOLS_SORTIE_RUN_TOKENIZEOPTIONS_H

#include "tools/sortie-run/Tokenize.h"

namespace sortie::tool {

/// To be called before the command line is parsed.
void hideUnrelatedTokenizeOptions();

/// Whether the command line, which is parsed, asks for this.
bool isTokenizeCommand();

/// What the command line says. An error if it has not one input, or an option that is not for it.
llvm::Expected<TokenizeOptions> getTokenizeOptions();

} // namespace sortie::tool

#endif // SORTIE_TOOLS_SORTIE_RUN_TOKENIZEOPTIONS_H
