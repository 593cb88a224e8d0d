// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What ops of the dispatch level say of themselves to whoever lowers them.

#ifndef SORTIE_DIALECT_MOE_RUNTIMEOPERANDS_H
#define SORTIE_DIALECT_MOE_RUNTIMEOPERANDS_H

#include "mlir/IR/Attributes.h"
#include "mlir/IR/Value.h"
#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <utility>

namespace sortie::moe {

/// The operands of an op by what they become: `rows`, which hold rows of tokens or indices of them,
/// are buffers, in the order that the operation of the dialect `moert` has them; `weights` are
/// attributes with these names. Optional operands that are absent are null. `attributes` are those
/// that the operation has beside the op's own.
class RuntimeOperands {
public:
  RuntimeOperands &row(mlir::Value tensor) {
    rows.push_back(tensor);
    return *this;
  }
  RuntimeOperands &weight(llvm::StringRef name, mlir::Value tensor) {
    weights.emplace_back(name, tensor);
    return *this;
  }

  RuntimeOperands &attribute(llvm::StringRef name, mlir::Attribute value) {
    attributes.emplace_back(name, value);
    return *this;
  }

  llvm::SmallVector<mlir::Value, 4> rows;
  llvm::SmallVector<std::pair<llvm::StringRef, mlir::Value>, 4> weights;
  llvm::SmallVector<std::pair<llvm::StringRef, mlir::Attribute>, 2> attributes;
};

/// An extent of a result: `factor` times a dimension of an operand, or `factor` itself.
struct ResultExtent {
  mlir::Value operand; ///< null: a constant
  unsigned dim = 0;
  int64_t factor = 1;

  static ResultExtent constant(int64_t value) { return {{}, 0, value}; }
};
using ResultShape = llvm::SmallVector<ResultExtent, 4>;

/// All dimensions of `operand`, a ranked tensor.
ResultShape shapeLike(mlir::Value operand);

/// In which order the rows of a result lie.
struct RowOrder {
  enum class Kind : uint8_t {
    Tokens,    ///< of tokens or slots, or one that cannot be seen from the op
    AsOperand, ///< that of the rows of `operand`
    Sorted,    ///< sorted by expert, by the dispatch that made `operand`
  };
  Kind kind;
  mlir::Value operand;
};

} // namespace sortie::moe

#endif // SORTIE_DIALECT_MOE_RUNTIMEOPERANDS_H
