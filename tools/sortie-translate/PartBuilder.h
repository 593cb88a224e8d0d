// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the builders of all parts of a model share: weights by their names, and names of values.

#ifndef SORTIE_TOOLS_SORTIE_TRANSLATE_PARTBUILDER_H
#define SORTIE_TOOLS_SORTIE_TRANSLATE_PARTBUILDER_H

#include "dialect/moe/MoeOps.h"
#include "runtime/model/WeightFinder.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace sortie {

/// Builds the ops of one part of a model, such as a half of a layer. Its weights have been checked,
/// so it cannot fail.
class PartBuilder {
public:
  /// Names of values begin with `prefix`, such as "blk.0.".
  PartBuilder(mlir::ImplicitLocOpBuilder &builder, const model::WeightSet &weights,
              std::string prefix)
      : builder(builder), weights(weights), prefix(std::move(prefix)) {}

protected:
  /// A weight of the part.
  mlir::Value weight(model::TensorName name);
  bool hasWeight(model::TensorName name) const { return weights.has(name); }
  /// The same, or null if the part has no such weight.
  mlir::Value optionalWeight(model::TensorName name);
  /// Names the results of `op` for the audit.
  void setNames(mlir::Operation *op, llvm::ArrayRef<llvm::StringRef> names);
  /// The same of the only result of an op, which is given back.
  mlir::Value named(mlir::Value value, llvm::StringRef name);

  /// The product of rows and a matrix, with its bias if there is one.
  mlir::Value buildMatmul(model::TensorRole matrix, mlir::Value rows, llvm::StringRef name);
  mlir::Value buildNorm(model::TensorRole norm, mlir::Value rows, float epsilon,
                        llvm::StringRef name);
  mlir::Value buildAdd(mlir::Value lhs, mlir::Value rhs, llvm::StringRef name);
  /// Rows times a factor; the rows themselves if it is 1.
  mlir::Value buildScale(mlir::Value rows, float factor, llvm::StringRef name);

  mlir::ImplicitLocOpBuilder &builder;

private:
  const model::WeightSet &weights;
  std::string prefix;
};

} // namespace sortie

#endif // SORTIE_TOOLS_SORTIE_TRANSLATE_PARTBUILDER_H
