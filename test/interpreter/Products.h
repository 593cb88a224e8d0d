// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What ops of both levels have in common: products with matrices, gated activations, indices.

#ifndef SORTIE_TEST_INTERPRETER_PRODUCTS_H
#define SORTIE_TEST_INTERPRETER_PRODUCTS_H

#include "dialect/moe/MoeOps.h"
#include "test/interpreter/Meanings.h"

#include <optional>

namespace sortie::interpreter {

/// The operands of a product with matrices; absent ones are null.
struct Product {
  mlir::Value weights; ///< [E, N, K], or [N, K]: one matrix
  mlir::Value expertScale;
  mlir::Value bias;

  /// N of the result and K of the input are those of the weights; scales and biases suit them.
  void relate(mlir::Value input, mlir::Value result, Relations &relations) const;

  /// Sets y[n] = (sum over c of x[c] * w[expert, n, c]) * expert_scale[expert] + bias[expert, n].
  void multiply(llvm::ArrayRef<double> input, int64_t expert, const Frame &frame,
                llvm::MutableArrayRef<double> result) const;
};

double sigmoid(double x);

/// One element of a gated activation.
double activate(GluKind kind, const std::optional<llvm::APFloat> &alpha,
                const std::optional<llvm::APFloat> &limit, double gate, double up);

/// An index as an integer, if it lies in [0, limit); an error at `op` otherwise. `what` names it.
mlir::FailureOr<int64_t> checkIndex(mlir::Operation *op, llvm::StringRef what, double index,
                                    int64_t limit);

} // namespace sortie::interpreter

#endif // SORTIE_TEST_INTERPRETER_PRODUCTS_H
