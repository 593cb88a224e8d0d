// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The weights of a program while it is lowered: one module-level op for each tensor of the model.

#ifndef SORTIE_PASSES_WEIGHTTABLE_H
#define SORTIE_PASSES_WEIGHTTABLE_H

#include "passes/Passes.h"

#include "llvm/ADT/StringSet.h"

namespace sortie {

class WeightTable {
public:
  /// Weights go behind `previous`, an op of the module, in the order of their first use.
  explicit WeightTable(mlir::Operation *previous)
      : builder(previous->getContext()), last(previous) {}

  /// The symbol of the weight that `value` is. Null, with an error on `user`, if it is computed, or
  /// if the same tensor has been used with another type.
  mlir::FlatSymbolRefAttr lookup(mlir::Operation *user, mlir::Value value);

  /// The same for an operand that may be absent: null then, without an error.
  mlir::FailureOr<mlir::FlatSymbolRefAttr> lookupOptional(mlir::Operation *user, mlir::Value value);

  /// The same for several operands, each of which may be absent.
  mlir::FailureOr<llvm::SmallVector<mlir::FlatSymbolRefAttr>>
  lookupOptionals(mlir::Operation *user, llvm::ArrayRef<mlir::Value> values);

private:
  struct Entry {
    mlir::Location location;
    mlir::RankedTensorType type;
    mlir::FlatSymbolRefAttr symbol;
  };

  mlir::OpBuilder builder;
  /// The next weight goes behind this op. (No insertion point is kept: it would be the op behind,
  /// which may be erased in between.)
  mlir::Operation *last;
  llvm::DenseMap<mlir::Attribute, Entry> entries;
  llvm::StringSet<> symbols;
};

} // namespace sortie

#endif // SORTIE_PASSES_WEIGHTTABLE_H
