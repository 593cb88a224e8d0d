// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Chunks of a text.

#include "runtime/generation/Perplexity.h"

#include "runtime/generation/Distribution.h"

#include <cmath>

using namespace llvm;

namespace sortie::generation {

void Likelihoods::add(float logProbability) {
  const double loss = -static_cast<double>(logProbability);
  ++count;
  sum += loss;
  squares += loss * loss;
}

double Likelihoods::perplexity() const { return std::exp(sum / static_cast<double>(count)); }

double Likelihoods::error() const {
  if (count < 2)
    return 0;
  const auto n = static_cast<double>(count);
  const double mean = sum / n;
  const double variance = std::max(0.0, squares / n - mean * mean);
  return perplexity() * std::sqrt(variance / (n - 1));
}

static Error addChunk(LanguageModel &model, ArrayRef<int32_t> tokens, Likelihoods &likelihoods) {
  Expected<uint32_t> sequence = model.createSequence();
  if (!sequence)
    return sequence.takeError();
  // The logits after a token are about the next one; after the last there is none.
  const ArrayRef<int32_t> run = tokens.drop_back();
  Error error = model.extend(Piece{*sequence, run, tokens.size() / 2},
                             [&](size_t, size_t token, ArrayRef<float> logits) -> Error {
                               Expected<float> probability =
                                   logProbability(logits, tokens[token + 1]);
                               if (!probability)
                                 return probability.takeError();
                               likelihoods.add(*probability);
                               return Error::success();
                             });
  return joinErrors(std::move(error), model.removeSequence(*sequence));
}

Expected<Likelihoods> measureLikelihoods(LanguageModel &model, ArrayRef<int32_t> tokens,
                                         std::optional<int32_t> beginOfText,
                                         function_ref<void(const Likelihoods &)> chunkDone) {
  const auto length = static_cast<size_t>(model.context());
  if (tokens.size() < length)
    return makeError("the text has " + Twine(tokens.size()) + " tokens, and a chunk is " +
                     Twine(length) + "; give a longer text or a smaller context");
  Likelihoods likelihoods;
  for (; tokens.size() >= length; tokens = tokens.drop_front(length)) {
    std::vector<int32_t> chunk = tokens.take_front(length).vec();
    if (beginOfText)
      chunk.front() = *beginOfText;
    if (Error error = addChunk(model, chunk, likelihoods))
      return error;
    chunkDone(likelihoods);
  }
  return likelihoods;
}

} // namespace sortie::generation
