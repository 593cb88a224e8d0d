// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sums over a vocabulary, in the order that the contract states.

#include "runtime/generation/Distribution.h"

#include "runtime/generation/Exponentials.h"
#include "runtime/numerics/sample.h"

#include <algorithm>
#include <limits>

using namespace llvm;

namespace sortie::generation {

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// Calls `visit` with each chunk of 1024.
template <typename Visit> void forEachChunk(size_t count, Visit visit) {
  for (size_t first = 0; first < count; first += numerics::kChunk)
    visit(first, std::min<size_t>(count - first, numerics::kChunk));
}

/// `total` with the sum of another chunk; the first one is the total.
float addChunk(float total, const float *values, size_t first, size_t count) {
  const float sum = numerics::chunkSum(values, static_cast<int>(count));
  return first == 0 ? sum : numerics::add(total, sum);
}

} // namespace

Expected<size_t> findLargest(ArrayRef<float> logits) {
  size_t largest = 0;
  for (size_t token = 0; token < logits.size(); ++token) {
    // Written so that a NaN is found, too.
    if (!(logits[token] < kInfinity))
      return makeError("the logit of token " + Twine(token) + " is " +
                       (numerics::isNan(logits[token]) ? "NaN" : "infinite") +
                       "; look for weights that are no finite numbers with "
                       "sortie-run --verify-weights=full");
    if (logits[token] > logits[largest])
      largest = token;
  }
  if (logits[largest] == -kInfinity)
    return makeError("all " + Twine(logits.size()) +
                     " logits are -infinity, so that no token can follow");
  return largest;
}

void Weights::assign(ArrayRef<float> logits, float largest, float temperature) {
  values.resize(logits.size());
  totals.clear();
  exponentials(logits.data(), logits.size(), largest, temperature, values.data());
  float total = 0.0f;
  forEachChunk(values.size(), [&](size_t first, size_t count) {
    total = addChunk(total, &values[first], first, count);
    totals.push_back(total);
  });
}

size_t Weights::draw(float random) const {
  // random is at most 1 - 2^-24, so the product is less than the total, however it is rounded.
  const float threshold = numerics::mul(random, total());
  const auto chunk = std::upper_bound(totals.begin(), totals.end(), threshold);
  const float before = chunk == totals.begin() ? 0.0f : *std::prev(chunk);
  const auto first = static_cast<size_t>(chunk - totals.begin()) * numerics::kChunk;
  const auto count = static_cast<int>(std::min<size_t>(values.size() - first, numerics::kChunk));
  return first + static_cast<size_t>(numerics::drawInChunk(&values[first], count,
                                                           numerics::sub(threshold, before)));
}

Expected<float> logProbability(ArrayRef<float> logits, int32_t token) {
  if (token < 0 || static_cast<size_t>(token) >= logits.size())
    return makeError("token " + Twine(token) +
                     " is not in the model's vocabulary: its tokens are 0 to " +
                     Twine(logits.size() - 1));
  Expected<size_t> best = findLargest(logits);
  if (!best)
    return best.takeError();
  const float largest = logits[*best];
  float total = 0.0f;
  forEachChunk(logits.size(), [&](size_t first, size_t count) {
    float weights[numerics::kChunk];
    exponentials(&logits[first], count, largest, 1.0f, weights);
    total = addChunk(total, weights, first, count);
  });
  const float difference = numerics::sub(logits[static_cast<size_t>(token)], largest);
  return numerics::sub(difference, numerics::log(total));
}

} // namespace sortie::generation
