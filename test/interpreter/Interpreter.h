// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Interprets a function of the dialects `lm` and `moe`, of either level, in float64: each op in the
// most direct form of what LmOps.td and MoeOps.td say it means, without a line of the runtime.
// Arithmetic is that of real numbers up to float64's rounding; how products are rounded and rows
// are quantized, what numerics.md adds to the meaning, is not seen here.

#ifndef SORTIE_TEST_INTERPRETER_INTERPRETER_H
#define SORTIE_TEST_INTERPRETER_INTERPRETER_H

#include "test/interpreter/Meanings.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <map>
#include <string>

namespace sortie::interpreter {

/// What a function computes from some inputs.
struct Outcome {
  std::vector<TensorRef> results;
  /// The values that `moe.names` names. Sorted, so that reports are.
  std::map<std::string, TensorRef> named;
  /// What stays in each cache for the next run.
  std::map<std::string, CacheRef> kept;
};

/// Interprets `function`, which has a body of one block. Emits an error at the op that has no
/// meaning, or none for these operands.
mlir::FailureOr<Outcome> interpret(mlir::func::FuncOp function, llvm::ArrayRef<TensorRef> inputs,
                                   Weights &weights);

} // namespace sortie::interpreter

#endif // SORTIE_TEST_INTERPRETER_INTERPRETER_H
