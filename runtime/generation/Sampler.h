// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The choice of the next token. docs/numerics-models.md, "Sampling", defines it to the bit.

#ifndef SORTIE_RUNTIME_GENERATION_SAMPLER_H
#define SORTIE_RUNTIME_GENERATION_SAMPLER_H

#include "runtime/generation/Distribution.h"

namespace sortie::generation {

/// The most tokens that a filter leaves.
constexpr int32_t kMostCandidates = 1024;
/// How many of the last tokens the repetition penalty is for.
constexpr size_t kPenaltyTokens = 64;

/// What is done with logits, in this order.
struct SamplingOptions {
  /// Tokens that are never chosen.
  std::vector<int32_t> banned = {}; // NOLINT(readability-redundant-member-init)
  /// Logits of the last kPenaltyTokens tokens are divided by it if they are positive, and otherwise
  /// multiplied; 1: none.
  float repeatPenalty = 1.0f;
  int32_t topK = 0;  ///< only so many of the likeliest tokens, up to kMostCandidates; 0: all
  float topP = 1.0f; ///< only the likeliest tokens that together have this probability; 1: all
  float minP = 0.0f; ///< only tokens that are this likely compared with the likeliest; 0: all
  float temperature = 0.0f; ///< 0: the likeliest token, without a random number
  uint64_t seed = 0;
};

/// What a random number depends on beside the seed.
struct SamplePlace {
  uint32_t sequence; ///< a number that stays the same in any batch
  int64_t position;  ///< of the token that is chosen, in its sequence
};

class Sampler {
public:
  /// An error if a number is out of its range.
  static llvm::Expected<Sampler> create(SamplingOptions options);

  /// The token that follows `history`. Errors are those of findLargest().
  llvm::Expected<int32_t> sample(llvm::ArrayRef<float> logits, llvm::ArrayRef<int32_t> history,
                                 SamplePlace place);

private:
  explicit Sampler(SamplingOptions options) : options(std::move(options)) {}

  bool changesLogits() const { return !options.banned.empty() || options.repeatPenalty != 1.0f; }
  bool filters() const { return options.topK != 0 || options.topP < 1.0f || options.minP > 0.0f; }
  /// Copies the logits, and changes those of banned and of repeated tokens.
  void change(llvm::ArrayRef<float> logits, llvm::ArrayRef<int32_t> history);
  /// Makes the likeliest tokens candidates, in order.
  void chooseCandidates(llvm::ArrayRef<float> logits, float largest);
  /// How many of the candidates top-p and min-p leave.
  size_t countKept(llvm::ArrayRef<float> logits, float largest);

  SamplingOptions options;
  // Memory that is used again.
  std::vector<float> changed;
  std::vector<int32_t> candidates;
  std::vector<float> candidateLogits;
  Weights weights;
};

} // namespace sortie::generation

#endif // SORTIE_RUNTIME_GENERATION_SAMPLER_H
