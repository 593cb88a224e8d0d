// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sums of tokens (TokenSums.h) on their way to shared memory: they go through registers, loaded
// long before they are stored.

#ifndef SORTIE_CODEGEN_KERNELS_EXACT_PENDINGSUMS_H
#define SORTIE_CODEGEN_KERNELS_EXACT_PENDINGSUMS_H

#include "codegen/kernels/exact/ExactBlock.h"

namespace sortie::kernels {

/// A thread's sums for the formats of a block, of `Sections` activation blocks and `Tokens` tokens,
/// which `Threads` threads load.
template <typename Spec, int Sections, int Tokens, int Threads> class PendingSums {
  using Block = ExactBlock<Spec>;

  /// The sums for format F.
  template <Format F> struct OfFormat {
    using Sums = TokenSums<F>;
    static constexpr int kOfSection = Tokens * Sums::kCount;
    static constexpr int kOfThread = static_cast<int>(ceilDiv(Sections * kOfSection, Threads));

    SORTIE_MEMBER void load(const char *rows, int section, int thread) {
      constexpr ActRowLayout kRow = actRowLayout(Spec::kInput, Spec::kK);
      constexpr int kLast = Block::kStageCount - 1;
#pragma unroll
      for (int n = 0; n < kOfThread; ++n) {
        const int i = n * Threads + thread;
        const int wanted = section + i / kOfSection;
        raw[n] = Sums::template load<Spec::kInput, Spec::kK>(
            rows + Block::rowTable()[i / Sums::kCount % Tokens] * kRow.bytes,
            wanted < kLast ? wanted : kLast, i % Sums::kCount);
      }
    }

    SORTIE_MEMBER void store(int to, int thread) const {
#pragma unroll
      for (int n = 0; n < kOfThread; ++n) {
        const int i = n * Threads + thread;
        if (i < Sections * kOfSection)
          Sums::store(hw::sharedMemory<char>(to + i / Sums::kCount * Sums::kBytes),
                      i % Sums::kCount, raw[n]);
      }
    }

    RawSum<Block::kLimbs> raw[kOfThread];
  };

public:
  /// Loads the sums from activation block `section` on, for thread `thread`; past the end of the
  /// rows, the last ones once more. `rows` is the input; the tile's table has been filled.
  SORTIE_MEMBER void load(const char *rows, int section, int thread) {
    if constexpr (kHasFirst)
      first.load(rows, section, thread);
    if constexpr (kHasSecond)
      second.load(rows, section, thread);
  }

  /// Stores the sums for the first and for the second format where each has its place in shared
  /// memory.
  SORTIE_MEMBER void store(int firstTo, int secondTo, int thread) const {
    if constexpr (kHasFirst)
      first.store(firstTo, thread);
    if constexpr (kHasSecond)
      second.store(secondTo, thread);
  }

private:
  static constexpr bool kHasFirst = TokenSums<Spec::kFirst>::kAreUsed;
  static constexpr bool kHasSecond =
      TokenSums<Spec::kSecond>::kAreUsed && !haveSameSums(Spec::kFirst, Spec::kSecond);

  OfFormat<Spec::kFirst> first;
  OfFormat<Spec::kSecond> second;
};

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_EXACT_PENDINGSUMS_H
