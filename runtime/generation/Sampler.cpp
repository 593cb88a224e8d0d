// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Filters, and the draw.

#include "runtime/generation/Sampler.h"

#include "runtime/numerics/sample.h"
#include "runtime/support/CounterRandom.h"

#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <limits>

using namespace llvm;

namespace sortie::generation {

static Error rangeError(const Twine &what, double value, const Twine &range) {
  return makeError(what + " of " + std::to_string(value) + " cannot be: give " + range);
}

Expected<Sampler> Sampler::create(SamplingOptions options) {
  // Each comparison is one that a NaN fails.
  constexpr float kMost = 1e4f;
  if (!(options.temperature >= 0.0f && options.temperature <= kMost))
    return rangeError("a temperature", options.temperature, "0 to 10000");
  if (options.topK < 0 || options.topK > kMostCandidates)
    return makeError("top-k of " + Twine(options.topK) + " cannot be: give 1 to " +
                     Twine(kMostCandidates) + ", or 0 for all tokens");
  if (!(options.topP > 0.0f && options.topP <= 1.0f))
    return rangeError("top-p", options.topP, "more than 0, up to 1");
  if (!(options.minP >= 0.0f && options.minP <= 1.0f))
    return rangeError("min-p", options.minP, "0 to 1");
  if (!(options.repeatPenalty > 0.0f && options.repeatPenalty <= kMost))
    return rangeError("a repetition penalty", options.repeatPenalty, "more than 0, up to 10000");
  return Sampler(std::move(options));
}

void Sampler::change(ArrayRef<float> logits, ArrayRef<int32_t> history) {
  changed.assign(logits.begin(), logits.end());
  std::vector<int32_t> repeated = history.take_back(kPenaltyTokens).vec();
  llvm::sort(repeated);
  repeated.erase(llvm::unique(repeated), repeated.end());
  for (const int32_t token : repeated) {
    float &logit = changed[static_cast<size_t>(token)];
    logit = logit > 0.0f ? numerics::div(logit, options.repeatPenalty)
                         : numerics::mul(logit, options.repeatPenalty);
  }
  for (const int32_t token : options.banned)
    if (static_cast<size_t>(token) < changed.size()) // the model may know fewer than the tokenizer
      changed[static_cast<size_t>(token)] = -std::numeric_limits<float>::infinity();
}

void Sampler::chooseCandidates(ArrayRef<float> logits, float largest) {
  const auto isBefore = [&](int32_t a, int32_t b) {
    const float x = logits[static_cast<size_t>(a)];
    const float y = logits[static_cast<size_t>(b)];
    return x != y ? x > y : a < b;
  };
  const auto most = static_cast<size_t>(options.topK != 0 ? options.topK : kMostCandidates);
  const auto keepBest = [&] {
    const auto end = candidates.begin() + static_cast<ptrdiff_t>(most);
    std::nth_element(candidates.begin(), end - 1, candidates.end(), isBefore);
    candidates.erase(end, candidates.end());
    return logits[static_cast<size_t>(candidates.back())];
  };
  // Of few tokens that may be among the best at a time; an equal one that comes later is behind.
  candidates.clear();
  float least = -std::numeric_limits<float>::infinity();
  for (size_t token = 0; token < logits.size(); ++token) {
    if (logits[token] <= least)
      continue;
    candidates.push_back(static_cast<int32_t>(token));
    if (candidates.size() == 2 * most)
      least = keepBest();
  }
  if (candidates.size() > most)
    keepBest();
  llvm::sort(candidates, isBefore);
  candidateLogits.clear();
  for (const int32_t token : candidates)
    candidateLogits.push_back(logits[static_cast<size_t>(token)]);
  candidateLogits.resize(countKept(logits, largest));
}

size_t Sampler::countKept(ArrayRef<float> logits, float largest) {
  const size_t count = candidateLogits.size();
  if (options.topP == 1.0f && options.minP == 0.0f)
    return count;
  // Of all tokens, unless top-k has left others out.
  weights.assign(options.topK != 0 ? ArrayRef<float>(candidateLogits) : logits, largest, 1.0f);
  const float wanted = numerics::mul(options.topP, weights.total());
  float total = 0.0f;
  for (size_t rank = 0; rank < count; ++rank) {
    const float weight = numerics::sampleWeight(candidateLogits[rank], largest, 1.0f);
    if (weight < options.minP)
      return rank;
    total = numerics::add(total, weight);
    if (options.topP < 1.0f && total >= wanted)
      return rank + 1;
  }
  return count;
}

Expected<int32_t> Sampler::sample(ArrayRef<float> logits, ArrayRef<int32_t> history,
                                  SamplePlace place) {
  if (changesLogits()) {
    change(logits, history);
    logits = changed;
  }
  Expected<size_t> best = findLargest(logits);
  if (!best)
    return best.takeError();
  if (options.temperature == 0.0f)
    return static_cast<int32_t>(*best);

  const float largest = logits[*best];
  const uint64_t index = uint64_t{place.sequence} << 32 | static_cast<uint32_t>(place.position);
  const float random = numerics::toUnitInterval(CounterRandom(options.seed, "sample").word(index));
  if (!filters()) {
    weights.assign(logits, largest, options.temperature);
    return static_cast<int32_t>(weights.draw(random));
  }
  chooseCandidates(logits, largest);
  weights.assign(candidateLogits, largest, options.temperature);
  return candidates[weights.draw(random)];
}

} // namespace sortie::generation
