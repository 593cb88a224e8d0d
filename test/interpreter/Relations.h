// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What ops ask of their operands: which sizes belong together, and what integers mean. From this
// the inputs of a function are made; at each op the sizes are checked, so that a wrong rewrite is
// an error and not a read out of bounds.

#ifndef SORTIE_TEST_INTERPRETER_RELATIONS_H
#define SORTIE_TEST_INTERPRETER_RELATIONS_H

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Value.h"

namespace sortie::interpreter {

/// One dimension of a tensor. Null, if its value is.
struct Dimension {
  mlir::Value value;
  unsigned index = 0;

  explicit operator bool() const { return static_cast<bool>(value); }
  /// The size that the type gives, or dynamic.
  int64_t staticSize() const {
    return llvm::cast<mlir::RankedTensorType>(value.getType()).getDimSize(index);
  }
};

/// The last dimension of a value, or the one `before` it. Null for a null value.
Dimension lastDimension(mlir::Value value, unsigned before = 0);

/// The size of `whole` is `factor` times that of `part`.
struct SizeRelation {
  Dimension whole;
  int64_t factor;
  Dimension part;
};

enum class IndexKind {
  Ids,         ///< different experts of each token, less than the bound
  Permutation, ///< each number below the size once
  Inverse,     ///< different rows of the bound, -1 for a slot that has none
  Offsets,     ///< ascending, from 0 to the bound
  Numbers,     ///< any that are less than the bound
};

/// What an integer tensor holds. The bound is the size of a dimension, or a number.
struct IndexRelation {
  mlir::Value value;
  IndexKind kind;
  Dimension boundOf;
  int64_t bound = 0;
};

/// Where rows lie in a cache: `positions` of `sequences`, which have the pages that `pages` says.
struct PlacesRelation {
  mlir::Value positions, sequences, pages;
};

/// Collects relations. Those of absent operands (null values) are left out.
class Relations {
public:
  void scaled(Dimension whole, int64_t factor, Dimension part);
  void equal(Dimension lhs, Dimension rhs) { scaled(lhs, 1, rhs); }
  void sameShape(mlir::Value lhs, mlir::Value rhs);
  void holds(mlir::Value value, IndexKind kind, Dimension bound);
  void holds(mlir::Value value, IndexKind kind, int64_t bound);

  llvm::SmallVector<SizeRelation> sizes;
  llvm::SmallVector<IndexRelation> indices;
  llvm::SmallVector<PlacesRelation> places;
};

} // namespace sortie::interpreter

#endif // SORTIE_TEST_INTERPRETER_RELATIONS_H
