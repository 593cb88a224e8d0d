// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Inputs of a function that fit each other: sizes, ids, permutations, offsets and places in caches
// as its ops need them, numbers at random.

#ifndef SORTIE_TEST_INTERPRETER_INPUTS_H
#define SORTIE_TEST_INTERPRETER_INPUTS_H

#include "test/interpreter/Tensor.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace sortie::interpreter {

/// Makes an input for each argument. Dynamic dimensions have `tokens` elements, or as many times
/// more as the ops that read them say. An error at the function if no sizes fit.
mlir::FailureOr<std::vector<TensorRef>> makeInputs(mlir::func::FuncOp function, int64_t tokens,
                                                   uint64_t seed);

} // namespace sortie::interpreter

#endif // SORTIE_TEST_INTERPRETER_INPUTS_H
