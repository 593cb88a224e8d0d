// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The tokens that end what a model generates.

#ifndef SORTIE_RUNTIME_GENERATION_ENDTOKENS_H
#define SORTIE_RUNTIME_GENERATION_ENDTOKENS_H

#include "runtime/model/TokenizerData.h"

namespace sortie::generation {

/// Those that the file names as ends of a text, a turn or a message, and control tokens that
/// are such ends by their well-known names: many files name only one of theirs. Ascending.
std::vector<int32_t> endTokens(const model::TokenizerData &data);

} // namespace sortie::generation

#endif // SORTIE_RUNTIME_GENERATION_ENDTOKENS_H
