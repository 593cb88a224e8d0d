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
  /// Weights go behind `previous`, an op of the module, in the order of their first use. A weight
  /// is called as its tensor, unless something else in the module is called so: then a number
  /// follows.
  explicit WeightTable(mlir::Operation *previous);

  /// The symbol of the weight that `value` is. Null, with an error on `user`, if it is computed, or
  /// if the same tensor has been used with another type.
  mlir::FlatSymbolRefAttr lookup(mlir::Operation *user, mlir::Value value);

  /// The same for an operand that may be absent: null then, without an error.
  mlir::FailureOr<mlir::FlatSymbolRefAttr> lookupOptional(mlir::Operation *user, mlir::Value value);

private:
  struct Entry {
    mlir::Location location;
    mlir::RankedTensorType type;
    mlir::FlatSymbolRefAttr symbol;
  };

  /// A symbol that nothing in the module has yet, for a weight that would be called `name`.
  std::string makeSymbol(const std::string &name);

  mlir::OpBuilder builder;
  /// The next weight goes behind this op. (No insertion point is kept: it would be the op behind,
  /// which may be erased in between.)
  mlir::Operation *last;
  llvm::DenseMap<mlir::Attribute, Entry> entries;
  /// Symbols of the module.
  llvm::StringSet<> symbols;
  /// What weights of the module are called or would be; no other weight makes way to such a name.
  llvm::StringSet<> wanted;
};

} // namespace sortie

#endif // SORTIE_PASSES_WEIGHTTABLE_H
