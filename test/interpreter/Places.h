// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Positions, sequences and pages that fit each other, as a run in the middle of a session has them.

#ifndef SORTIE_TEST_INTERPRETER_PLACES_H
#define SORTIE_TEST_INTERPRETER_PLACES_H

#include "test/interpreter/Relations.h"
#include "test/interpreter/Sizes.h"
#include "test/interpreter/Tensor.h"

#include "llvm/ADT/DenseMap.h"

namespace sortie::interpreter {

/// The integers of all values that `relations` says places of. Tokens belong to sequences at
/// random, and are the next positions of them: some sequences have been empty, some are about to
/// fill a page, and others have any length. Every page that a sequence needs is its own.
llvm::DenseMap<mlir::Value, Tensor> makePlaces(const Relations &relations, const Sizes &sizes,
                                               uint64_t key);

} // namespace sortie::interpreter

#endif // SORTIE_TEST_INTERPRETER_PLACES_H
