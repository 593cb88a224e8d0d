// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/interpreter/Relations.h"

using namespace mlir;
using namespace sortie::interpreter;

static unsigned rankOf(Value value) { return cast<RankedTensorType>(value.getType()).getRank(); }

Dimension sortie::interpreter::lastDimension(Value value, unsigned before) {
  return {value, value ? rankOf(value) - 1 - before : 0};
}

void Relations::scaled(Dimension whole, int64_t factor, Dimension part) {
  if (whole && part && factor > 0) // Not dynamic.
    sizes.push_back({whole, factor, part});
}

void Relations::sameShape(Value lhs, Value rhs) {
  if (!lhs || !rhs)
    return;
  for (unsigned index = 0; index < rankOf(lhs); ++index)
    equal({lhs, index}, {rhs, index});
}

void Relations::holds(Value value, IndexKind kind, Dimension bound) {
  if (value)
    indices.push_back({value, kind, bound});
}

void Relations::holds(Value value, IndexKind kind, int64_t bound) {
  indices.push_back({value, kind, {}, bound});
}
