// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `sortie-run logits`: a whole model's logits of sequences of tokens.

#ifndef SORTIE_TOOLS_SORTIE_RUN_LOGITS_H
#define SORTIE_TOOLS_SORTIE_RUN_LOGITS_H

#include "runtime/generation/LanguageModel.h"
#include "tools/sortie-run/Npy.h"
#include "tools/sortie-run/Options.h"

namespace sortie::tool {

/// The logits of sequences of `length` tokens each, which lie in `tokens` one after another, as
/// they lie in a file: after each token, or only after each last one. The sequences are run by
/// themselves. `progress` is told how many tokens are done.
llvm::Expected<std::vector<float>>
logitsOf(generation::LanguageModel &model, llvm::ArrayRef<int32_t> tokens, int64_t length,
         bool lastOnly, llvm::function_ref<void(uint64_t done, uint64_t total)> progress);

llvm::Error writeLogits(const Options &options);

} // namespace sortie::tool

#endif // SORTIE_TOOLS_SORTIE_RUN_LOGITS_H
