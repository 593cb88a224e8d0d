// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Random weights: every byte of a tensor is a function of (seed, tensor name, byte index), then the
// scale fields of each block are forced into a sane range. So a kernel can write the same bytes
// straight into a GPU's memory. docs/runtime.md states the generator.

#ifndef SORTIE_RUNTIME_WEIGHTS_RANDOMBLOCKS_H
#define SORTIE_RUNTIME_WEIGHTS_RANDOMBLOCKS_H

#include "runtime/support/CounterRandom.h"
#include "runtime/weights/WeightSpec.h"

namespace sortie {

/// A little-endian field whose random bits become (bits & keep) | set.
struct ForcedField {
  uint32_t offset; ///< in each numerics::scaleStride() bytes of a tensor
  uint32_t bytes;  ///< 1, 2 or 4
  uint32_t keep;
  uint32_t set;
};

/// The forced fields of an encoding, such that weights in rows of `columns` have a standard
/// deviation of about 1 / sqrt(columns): a row times a normalised input is then about 1. With
/// `isVector` (rank 1: norms and biases, float encodings only), values are in [0.5, 1).
llvm::SmallVector<ForcedField, 2> forcedFields(numerics::Encoding encoding, int64_t columns,
                                               bool isVector);

class RandomBlocks {
public:
  /// The blocks of `tensor`, one of those that the weight is made of.
  RandomBlocks(const WeightSpec &spec, llvm::StringRef tensor, uint64_t seed);

  /// Writes `size` bytes of the tensor from `offset` on: multiples of numerics::scaleStride().
  void fill(uint64_t offset, uint64_t size, uint8_t *bytes) const;

private:
  CounterRandom random;
  uint64_t stride;
  llvm::SmallVector<ForcedField, 2> fields;
};

} // namespace sortie

#endif // SORTIE_RUNTIME_WEIGHTS_RANDOMBLOCKS_H
