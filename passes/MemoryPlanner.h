// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Places buffers whose sizes grow with the number of tokens into one arena. Plain C++: it knows
// nothing of MLIR, so that it can be tested with random programs.

#ifndef SORTIE_PASSES_MEMORYPLANNER_H
#define SORTIE_PASSES_MEMORYPLANNER_H

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sortie {

/// A number of bytes, affine in the number of tokens.
struct AffineBytes {
  int64_t perToken = 0;
  int64_t fixed = 0;

  int64_t at(int64_t tokens) const { return perToken * tokens + fixed; }
  AffineBytes operator+(AffineBytes other) const {
    return {perToken + other.perToken, fixed + other.fixed};
  }
  bool operator==(const AffineBytes &other) const = default;
};

/// Both parts rounded up to whole multiples of the arena's alignment. A sum of aligned sizes is
/// aligned at every number of tokens, which would not hold if only the total were rounded.
AffineBytes alignUp(AffineBytes bytes);

/// Every buffer starts at a multiple of this many bytes.
inline constexpr int64_t kArenaAlignment = 64;

/// Where the buffers of one straight-line program lie.
struct MemoryPlan {
  /// One offset a buffer, in the order in which they were added; aligned.
  std::vector<AffineBytes> offsets;
  /// Bytes of the arena: no buffer ends beyond it at any number of tokens. Aligned.
  AffineBytes arena;
};

/// Best-fit placement, the largest buffer first.
///
/// Two buffers conflict when both are live at some step of the program. Conflicting buffers must
/// not overlap at any number of tokens in [0, maxTokens]; offsets and sizes are affine, so it is
/// enough that one lies wholly below the other at both ends of that range.
class MemoryPlanner {
public:
  explicit MemoryPlanner(int64_t maxTokens) : maxTokens(maxTokens) {}

  /// Adds a buffer of `size` bytes (rounded up by alignUp) that is live from step `first` to step
  /// `last`, both included. Returns its index.
  size_t addBuffer(AffineBytes size, int64_t first, int64_t last);

  /// Places all buffers. The result depends on nothing but the calls of addBuffer; its arena never
  /// takes more, in either part, than the sum of all sizes.
  MemoryPlan plan() const;

private:
  struct Buffer {
    AffineBytes size;
    int64_t first;
    int64_t last;
  };

  bool conflict(const Buffer &a, const Buffer &b) const;
  /// True if `a` <= `b` at every number of tokens.
  bool notAbove(AffineBytes a, AffineBytes b) const;
  /// The least aligned affine bound (by its value at maxTokens) of all of `ends`.
  AffineBytes envelope(const std::vector<AffineBytes> &ends) const;
  /// A placed buffer.
  struct Slice {
    AffineBytes offset;
    AffineBytes end;
  };
  /// The offset for a buffer of `size` bytes beside the conflicting buffers `taken`.
  AffineBytes bestFit(AffineBytes size, const std::vector<Slice> &taken) const;

  int64_t maxTokens;
  std::vector<Buffer> buffers;
};

} // namespace sortie

#endif // SORTIE_PASSES_MEMORYPLANNER_H
