// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How well a model predicts a text, measured as llama-perplexity does, so that figures compare.

#ifndef SORTIE_RUNTIME_GENERATION_PERPLEXITY_H
#define SORTIE_RUNTIME_GENERATION_PERPLEXITY_H

#include "runtime/generation/LanguageModel.h"

#include <optional>

namespace sortie::generation {

/// Negative logarithms of the probabilities of tokens, added up.
struct Likelihoods {
  uint64_t count = 0;
  double sum = 0;
  double squares = 0;

  void add(float logProbability);
  /// e to the mean.
  double perplexity() const;
  /// The standard error of the perplexity, from that of the mean; 0 of fewer than two tokens.
  double error() const;
};

/// Cuts `tokens` into chunks of the model's context, which is at least 4, and leaves out a rest.
/// Each chunk is a sequence of its own that begins with `beginOfText`, if there is one, in place of
/// its first token. Its first half is context; each token of the second half but the first is
/// counted. `chunkDone` is told what was counted so far after each chunk. An error if there is no
/// whole one.
llvm::Expected<Likelihoods>
measureLikelihoods(LanguageModel &model, llvm::ArrayRef<int32_t> tokens,
                   std::optional<int32_t> beginOfText,
                   llvm::function_ref<void(const Likelihoods &)> chunkDone);

} // namespace sortie::generation

#endif // SORTIE_RUNTIME_GENERATION_PERPLEXITY_H
