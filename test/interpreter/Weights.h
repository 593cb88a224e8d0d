// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Numbers that are random and always the same: of inputs, and of the tensors of a model file that
// nobody has.

#ifndef SORTIE_TEST_INTERPRETER_WEIGHTS_H
#define SORTIE_TEST_INTERPRETER_WEIGHTS_H

#include "dialect/moe/MoeOps.h"
#include "test/interpreter/Cache.h"
#include "test/interpreter/Tensor.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringRef.h"

namespace sortie::interpreter {

/// The key of a sequence of numbers.
uint64_t hashKey(uint64_t seed, llvm::StringRef name);

/// 64 random bits: number `index` of the sequence `key`.
uint64_t randomBits(uint64_t key, uint64_t index);

/// Number `index` of the sequence `key`, in [-0.5, 0.5): small enough for sums of some hundred
/// products to stay where no activation is flat.
double randomNumber(uint64_t key, uint64_t index);

/// Makes and keeps weights, and makes what caches hold. An element is a function of the tensor's
/// name and of its place in the whole tensor, so a part, a stack and the whole agree.
class Weights {
public:
  explicit Weights(uint64_t seed) : seed(seed) {}
  TensorRef get(moe::WeightOp op);
  /// A cache as runs before left it.
  CacheRef getCache(lm::ReadCacheOp op) const {
    return std::make_shared<const Cache>(op.getCache(), seed, op.getType());
  }

private:
  uint64_t seed;
  llvm::DenseMap<std::pair<mlir::Attribute, mlir::Type>, TensorRef> made;
};

} // namespace sortie::interpreter

#endif // SORTIE_TEST_INTERPRETER_WEIGHTS_H
